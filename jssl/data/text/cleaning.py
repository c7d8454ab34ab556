"""Texts made alike in form, without what is missing, empty, or there already."""

import math
import unicodedata
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Int64

from jssl.data.text.near import near_duplicates
from jssl.data.text.tokenizer import SURROGATE


class Report(NamedTuple):
    """How many texts cleaning was given, kept, changed among those, and left out for each reason."""

    given: int
    kept: int
    changed: int
    missing: int
    empty: int
    duplicates: int
    near_duplicates: int


class Cleaned(NamedTuple):
    """Texts after cleaning.

    kept: each one's place among the texts that were given, so that `labels[kept]` are their labels.
    report: counts of what was done.
    """

    texts: list[str]
    kept: Int64[np.ndarray, " kept"]
    report: Report


def clean(
    texts: Sequence[str | float | None],
    *,
    form: Literal["NFC", "NFKC"] | None = "NFC",
    whitespace: bool = True,
    duplicates: bool = True,
    near: float | None = None,
    words: int = 3,
    seed: int = 0,
) -> Cleaned:
    """Brings texts into one form, and leaves out those that are missing, empty or there already.

    Args:
        texts: strings; None and NaN, which tables have where nothing is, are missing.
        form: of Unicode. NFC writes equal characters alike; NFKC also those of one meaning (ﬁ as fi, ² as 2),
            which loses typography; None leaves them.
        whitespace: runs of spaces and line ends become one space; False only cuts them off both ends.
        duplicates: of texts that are then equal, keep the first.
        near: of texts whose likeness, in (0, 1], is at least this, keep the first; None: not looked for. See
            `near_duplicates`; 0.8 finds texts of which some words differ.
        words: of the runs that likeness counts.
        seed: of the search for near duplicates.

    Returns:
        The texts that are kept, in their order, with their places and counts; the same in every run.

    Raises:
        ValueError: something that is neither a string nor missing; nothing is left.
    """
    report = dict.fromkeys(Report._fields, 0) | {"given": len(texts)}
    found: list[tuple[int, str]] = []
    seen: set[str] = set()
    for place, text in enumerate(texts):
        tidied = None if _missing(place, text) else tidy(str(text), form, whitespace)
        if reason := _reason(tidied, seen if duplicates else set()):
            report[reason] += 1
        elif tidied is not None:
            seen.add(tidied)
            found.append((place, tidied))
    if near is not None:
        dropped = near_duplicates([text for _, text in found], near, words=words, seed=seed)
        report["near_duplicates"] = int(dropped.sum())
        found = [pair for pair, drop in zip(found, dropped.tolist(), strict=True) if not drop]
    if not found:
        raise ValueError(f"expected texts to keep, got {len(texts)} that are missing or empty")
    report |= {"kept": len(found), "changed": sum(text != texts[place] for place, text in found)}
    kept = np.array([place for place, _ in found], np.int64)
    return Cleaned([text for _, text in found], kept, Report(**report))


def tidy(text: str, form: Literal["NFC", "NFKC"] | None = "NFC", whitespace: bool = True) -> str:
    """One text in a form of Unicode, with its whitespace collapsed; see `clean`.

    Halves of surrogate pairs, which broken JSON leaves, become U+FFFD.
    """
    valid = text if text.isascii() else SURROGATE.sub("\ufffd", text)
    normal = valid if form is None else unicodedata.normalize(form, valid)
    return " ".join(normal.split()) if whitespace else normal.strip()


def _missing(place: int, text: Any) -> bool:
    if isinstance(text, str):
        return False
    if text is None or (isinstance(text, float) and math.isnan(text)):
        return True
    raise ValueError(f"expected strings, None or NaN, got {type(text).__name__} at {place}: {text!r}")


def _reason(text: str | None, seen: set[str]) -> str | None:
    """Why a text is left out, if it is."""
    if text is None:
        return "missing"
    if not text:
        return "empty"
    return "duplicates" if text in seen else None
