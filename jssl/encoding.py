"""Sentences to features, in the form that programs which compare encoders of sentences ask for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jssl.data import text
from jssl.spec import Experiment

SHORTEST = 16
"""Tokens: rows are padded to this length, or to it doubled once or more, so that few are compiled for."""


def encode(
    experiment: Experiment, embed: Callable[..., np.ndarray], sentences: Sequence[str], *, batch_size: int
) -> Float[np.ndarray, "num dim"]:
    """The features of sentences, of which those of like length are embedded together.

    Args:
        experiment: whose tokenizer reads the sentences, and whose rows tell how long they may be; what is
            longer is cut.
        embed: `(rows, batch_size=...) -> features`.
        sentences: any number of texts.
        batch_size: sentences that are embedded at once, at most.

    Raises:
        ValueError: the experiment has no tokenizer; no sentences; an empty one where nothing fills rows up.
    """
    if experiment.tokenizer is None:
        raise ValueError(
            f"{experiment.name} can't encode sentences: expected an experiment of text with its tokenizer=..."
            f'; this one embeds "{experiment.inputs}", use embed for these'
        )
    if isinstance(sentences, str) or not len(sentences):
        raise ValueError(f"expected a list of one sentence or more, got {sentences!r}")
    # The last token of a language model's rows is predicted only.
    longest = np.shape(experiment.data.train[0][experiment.inputs])[-1] - (
        experiment.method.extend is not None
    )
    rows = _rows(sentences, experiment.tokenizer, longest, experiment.pad)
    widths = np.array([_width(len(row), longest, experiment.pad) for row in rows])
    found: np.ndarray | None = None
    for width in np.unique(widths):
        places = np.flatnonzero(widths == width)
        filled = np.full((len(places), width), -1 if experiment.pad is None else experiment.pad, np.int32)
        for row, place in zip(filled, places, strict=True):
            row[: len(rows[place])] = rows[place]
        features = embed(filled, batch_size=min(batch_size, 1 << (len(places) - 1).bit_length()))
        if found is None:
            found = np.empty((len(rows), features.shape[1]), np.float32)
        found[places] = features
    assert found is not None
    return found


def _rows(
    sentences: Sequence[str], tokenizer: text.Tokenizer, longest: int, pad: int | None
) -> list[np.ndarray]:
    """The tokens of each sentence, with the special ones that rows of single texts have."""
    if tokenizer.special.pad is None and tokenizer.special.eos is None:
        rows = [row[:longest] for row in tokenizer.encode_batch(sentences)]
    else:
        source = text.encoded(sentences, tokenizer, longest)
        rows = [
            example["tokens"][example["segments"] > 0]
            for example in map(source.__getitem__, range(len(source)))
        ]
    if pad is None and not all(map(len, rows)):
        raise ValueError("expected sentences with text in them, got an empty one")
    return rows


def _width(length: int, longest: int, pad: int | None) -> int:
    """What a row is padded to; its own length where the network knows no padding."""
    if pad is None:
        return length
    return min(longest, max(SHORTEST, 1 << max(0, length - 1).bit_length()))


def sentences_of(inputs: Iterable[str] | Iterable[Mapping[str, Any]]) -> list[str]:
    """A list of sentences, also of batches of them: mappings with a list as "text", as MTEB has them."""
    if isinstance(inputs, str):
        raise ValueError(f"expected a list of sentences, got one: {inputs!r}")
    found: list[str] = []
    for part in inputs:
        found += [part] if isinstance(part, str) else list(part["text"])
    return found


def cosines(u: Any, v: Any) -> Float[np.ndarray, "*pairs"]:
    """The cosine of each of n features with each of m; of two single ones, a number."""
    return np.asarray(_unit(u) @ _unit(v).T)


def pairwise_cosines(u: Any, v: Any) -> Float[np.ndarray, "*pairs"]:
    """The cosines of pairs of features."""
    return np.asarray(np.sum(_unit(u) * _unit(v), axis=-1))


def _unit(features: Any) -> np.ndarray:
    rows = np.asarray(features, np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
