"""Texts as rows: one a row, or all after each other."""

from collections.abc import Sequence

import numpy as np

from jssl.data.source import Source
from jssl.data.text.rows import Ragged, Rows, check_length, frame, padding, spread, tokenize
from jssl.data.text.stored import Stored, check_stored
from jssl.data.text.tokenizer import Tokenizer


def framed(texts: Ragged, spans: np.ndarray, before: list[int], after: list[int]) -> Ragged:
    """Spans [pieces, 2] of the ids, in their order, each between special tokens."""
    lengths = spans[:, 1] - spans[:, 0]
    bounds = np.concatenate([[0], np.cumsum(lengths + len(before) + len(after))])
    ids = np.empty(bounds[-1], texts.ids.dtype)
    for offset, index in enumerate(before):
        ids[bounds[:-1] + offset] = index
    for offset, index in enumerate(reversed(after), 1):
        ids[bounds[1:] - offset] = index
    ids[spread(bounds[:-1] + len(before), lengths)] = texts.ids[spread(spans[:, 0], lengths)]
    return Ragged(ids, bounds)


def encoded(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    length: int,
    labels: Sequence[int] | Sequence[float] | np.ndarray | None = None,
    *,
    truncate: bool = True,
) -> Source:
    """One text a row, from [CLS] to [SEP], padded.

    A tokenizer without [CLS] puts the end of a document behind the text (T5's </s>, GPT-2's <|endoftext|>);
    without that too, a row is the text alone.

    Args:
        texts: one an example.
        tokenizer: with a token to pad with, see `padding`.
        length: tokens of a row, special ones included.
        labels: one for each text: classes as int32, or numbers as float32.
        truncate: cut texts that are longer than a row, before [SEP]; False refuses them.

    Returns:
        A source of {"tokens": int32 [length], "segments": int32 [length], 1 for a token and 0 for padding,
        "label": []}.

    Raises:
        ValueError: no texts; other labels than texts; a text too long for a row, where it may not be cut.
    """
    before, after = frame(tokenizer)
    room = length - len(before) - len(after)
    check_length(length, 1 + length - room)
    found = tokenize(texts, tokenizer)
    spans = np.stack([found.bounds[:-1], found.bounds[1:]], axis=1)
    if not truncate:
        _refuse_longer(np.diff(found.bounds), room)
    spans[:, 1] = np.minimum(spans[:, 1], spans[:, 0] + room)
    rows = framed(found, spans, before, after)
    return Rows(
        {"tokens": rows.ids},
        rows.bounds[:-1],
        np.diff(rows.bounds),
        length=length,
        fill={"tokens": padding(tokenizer), "segments": 0},
        extra={} if labels is None else {"label": _labels(labels, len(texts))},
    )


def _refuse_longer(lengths: np.ndarray, room: int) -> None:
    longest = int(np.argmax(lengths))
    if lengths[longest] > room:
        raise ValueError(
            f"expected texts of at most {room} tokens beside the special ones, got {lengths[longest]} in "
            f"text {longest}: take longer rows, cut texts (truncate=True), or split them (data.text.packed)"
        )


def _labels(labels: Sequence[int] | Sequence[float] | np.ndarray, num: int) -> np.ndarray:
    values = np.asarray(labels)
    if values.shape[:1] != (num,):
        raise ValueError(f"expected a label for each of {num} texts, got shape {values.shape}")
    return values.astype(np.float32 if values.dtype.kind == "f" else np.int32)


def split(texts: Sequence[str] | Stored, tokenizer: Tokenizer, length: int) -> Source:
    """All texts after each other, each ended by the end of a document, cut into rows: none is padded.

    Rows begin and end anywhere in a text, and a row may hold several, which attend to each other (as in
    GPT-2); `packed` keeps them apart. What is left at the end, less than a row, is left out.

    Args:
        texts: documents, or a stored corpus.
        tokenizer: what it ends documents with (`special.eos`) stands behind each; nothing where it has none.
        length: tokens of a row. A next-token model predicts the last `length - 1` of them.

    Returns:
        A source of {"tokens": int32 [length]}.

    Raises:
        ValueError: no texts, or fewer tokens than a row has.
    """
    check_length(length)
    ids = joined(texts, tokenizer)
    if len(ids) < length:
        raise ValueError(f"expected texts of at least the {length} tokens of a row, got {len(ids)} in all")
    starts = np.arange(len(ids) // length) * length
    return Rows({"tokens": ids}, starts, np.full(len(starts), length), length=length, fill={"tokens": 0})


def joined(texts: Sequence[str] | Stored, tokenizer: Tokenizer) -> np.ndarray:
    """The ids of all texts as one array, what ends a document behind each; `windows` takes it.

    Raises:
        ValueError: no texts.
    """
    if isinstance(texts, Stored):
        return check_stored(texts, tokenizer).ids
    found = tokenize(texts, tokenizer)
    eos = tokenizer.special.eos
    if eos is None:
        return found.ids
    ends = found.bounds[1:][np.diff(found.bounds) > 0]
    return np.insert(found.ids, ends, eos)
