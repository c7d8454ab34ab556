"""Named entities: scores of whole entities from tags of words, and tags of words as labels of tokens."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

NOT_COUNTED = -1
"""The label of a token that no word's tag belongs to."""

OUTSIDE = "O"


class Entity(NamedTuple):
    """The words from `start` up to, not including, `stop`."""

    kind: str
    start: int
    stop: int


class Score(NamedTuple):
    """Each in [0, 1], 0 where nothing was predicted or nothing was there; `support` entities are there."""

    precision: float
    recall: float
    f1: float
    support: int


class EntityScores(NamedTuple):
    """Of all entities together, and of each kind that is there or was predicted, by its name."""

    micro: Score
    kinds: dict[str, Score]


class Aligned(NamedTuple):
    """A sentence as tokens.

    tokens: padded to one length.
    labels: of the first token of each word the number of its tag, else -1.
    starts: where each word's first token lies; -1 for a word that has none or that was cut off.
    """

    tokens: Int[np.ndarray, " length"]
    labels: Int[np.ndarray, " length"]
    starts: Int[np.ndarray, " words"]


def entities(tags: Sequence[str]) -> list[Entity]:
    """The entities that a sentence's tags mark.

    "B-person" begins one, "I-person" goes on with one, "O" is outside. An "I" that follows nothing of its
    kind begins one too, as in `conlleval` and in seqeval's default mode.

    Raises:
        ValueError: another tag.
    """
    found: list[Entity] = []
    previous = ("", "")
    for place, tag in enumerate(tags):
        prefix, kind = _parsed(tag)
        if prefix == "I" and kind == previous[1]:
            found[-1] = found[-1]._replace(stop=place + 1)
        elif prefix:
            found.append(Entity(kind, place, place + 1))
        previous = (prefix, kind)
    return found


def _parsed(tag: str) -> tuple[str, str]:
    """Prefix and kind; both empty outside of entities."""
    prefix, _, kind = tag.partition("-")
    if tag == OUTSIDE:
        return "", ""
    if prefix not in ("B", "I"):
        raise ValueError(f'expected tags "O", "B-KIND" or "I-KIND", got {tag!r}')
    return prefix, kind or "_"


def entity_scores(true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> EntityScores:
    """Precision, recall and F1 of entities, of which kind and both ends must be right.

        precision = right / predicted,   recall = right / true,   F1 = 2 right / (predicted + true)

    Args:
        true: the tags of each sentence's words.
        predicted: as many tags for each sentence.

    Raises:
        ValueError: different numbers of sentences or words, or tags other than O, B-KIND and I-KIND.

    Reference: Tjong Kim Sang and De Meulder 2003, aclanthology W03-0419; as seqeval's default mode.
    """
    lengths = [len(tags) for tags in true], [len(tags) for tags in predicted]
    if lengths[0] != lengths[1]:
        raise ValueError(
            f"expected as many predicted tags as true ones in each sentence, got {len(lengths[0])} and "
            f"{len(lengths[1])} sentences of {sum(lengths[0])} and {sum(lengths[1])} words"
        )
    right, guessed, there = Counter[str](), Counter[str](), Counter[str]()
    for own, other in zip(true, predicted, strict=True):
        known, found = set(entities(own)), set(entities(other))
        for counter, members in ((right, known & found), (guessed, found), (there, known)):
            counter.update(entity.kind for entity in members)
    kinds = {kind: _score(right[kind], guessed[kind], there[kind]) for kind in sorted(there | guessed)}
    return EntityScores(_score(right.total(), guessed.total(), there.total()), kinds)


def _score(right: int, guessed: int, there: int) -> Score:
    return Score(right / max(guessed, 1), right / max(there, 1), 2 * right / max(guessed + there, 1), there)


def align_labels(
    words: Sequence[str],
    tags: Sequence[str],
    encode: Callable[[str], Sequence[int] | np.ndarray],
    *,
    numbers: Mapping[str, int],
    length: int,
    pad: int,
    start: int | None = None,
    end: int | None = None,
) -> Aligned:
    """Tags of words as labels of tokens: a word's first token carries its label, the others -1.

    Args:
        words: of a sentence.
        tags: one for each word.
        encode: a word to its tokens, without special ones; for a tokenizer that tells by a blank where words
            begin, `lambda word: tokenizer.encode(" " + word)`.
        numbers: the number of each tag.
        length: of the row; words that don't fit into it with all their tokens are cut off.
        pad: the token that fills the row.
        start: the token before the words, as BERT's [CLS]; None: none.
        end: the token behind the words, as [SEP]; None: none.

    Raises:
        ValueError: not one tag a word, a tag without a number, or no room for a token.
    """
    if len(words) != len(tags):
        raise ValueError(f"expected a tag for each word, got {len(words)} words and {len(tags)} tags")
    if unknown := sorted(set(tags) - set(numbers)):
        raise ValueError(f"expected tags among {sorted(numbers)}, got also {unknown}")
    before, behind = ([] if token is None else [token] for token in (start, end))
    room = length - len(behind)
    if room <= len(before):
        raise ValueError(f"expected a length with room for words, got {length}")
    tokens, labels, starts = [*before], [NOT_COUNTED] * len(before), [NOT_COUNTED] * len(words)
    for index, (word, tag) in enumerate(zip(words, tags, strict=True)):
        pieces = [int(token) for token in encode(word)]
        if len(tokens) + len(pieces) > room:
            break
        if pieces:
            starts[index] = len(tokens)
            labels += [numbers[tag], *[NOT_COUNTED] * (len(pieces) - 1)]
        tokens += pieces
    tokens += behind
    return Aligned(
        np.asarray(tokens + [pad] * (length - len(tokens)), np.int32),
        np.asarray(labels + [NOT_COUNTED] * (length - len(labels)), np.int32),
        np.asarray(starts, np.int32),
    )


def word_tags(
    predictions: Int[np.ndarray, " length"], starts: Int[np.ndarray, " words"], names: Sequence[str]
) -> list[str]:
    """The tags of words from the predictions for their tokens, each from its word's first.

    Args:
        predictions: the number of a tag for each token.
        starts: of `align_labels`; a word that has no token is "O".
        names: the tags by their numbers.
    """
    return [names[int(predictions[place])] if place >= 0 else OUTSIDE for place in starts]


def tag_names(sentences: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """All tags that occur, "O" first, so that a tag's place is its number."""
    return (OUTSIDE, *sorted({tag for tags in sentences for tag in tags} - {OUTSIDE}))
