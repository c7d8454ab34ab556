"""Rows of token numbers as texts, written for the run's page: `texts.json`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from jssl.data.text import Tokenizer

SHOWN = 12
"""How many rows with hidden words the page shows."""

LETTERS = 240
"""Longer examples are cut."""


class Reader(NamedTuple):
    """What turns rows into texts: the tokenizer, and the token that fills rows up, if there is one."""

    tokenizer: Tokenizer
    pad: int | None = None

    def read(self, row: Int[np.ndarray, " n"], most: int = LETTERS) -> str:
        """A row's text on one line, without special tokens."""
        text = " ".join(self.tokenizer.decode(self._whole(row), special=False).split())
        return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"

    def _whole(self, row: np.ndarray) -> np.ndarray:
        return row if self.pad is None else row[row != self.pad]

    def pieces(
        self, gaps: Int[np.ndarray, " n"], filled: Int[np.ndarray, " n"], original: Int[np.ndarray, " n"]
    ) -> list[dict[str, Any]]:
        """A text in pieces, whose "text" joins to the whole one.

        A token that was hidden or exchanged is a piece with the "guess" besides, and with what was "seen"
        where that was another token than the mask. Special tokens are pieces marked as "special".

        Args:
            gaps: the row as the network saw it.
            filled: with its guesses.
            original: as it was.
        """
        real = np.ones(len(original), bool) if self.pad is None else original != self.pad
        gaps, filled, original = (row[real] for row in (gaps, filled, original))
        hidden = gaps != original
        special = np.isin(original, self.tokenizer.special_ids) & ~hidden
        alone = hidden | special
        starts = np.flatnonzero(alone | np.append(True, alone[:-1]))
        bounds = zip(starts.tolist(), [*starts[1:].tolist(), len(original)], strict=True)
        found = []
        for start, end in bounds if len(original) else ():
            piece = {"text": self._added(original[:start], original[start:end])}
            if hidden[start]:
                piece["guess"] = self._added(original[:start], filled[start:end])
                if gaps[start] != self.tokenizer.special.mask:
                    piece["seen"] = self._added(original[:start], gaps[start:end])
            found.append(piece | ({"special": True} if special[start] else {}))
        return found

    def _added(self, before: np.ndarray, tokens: np.ndarray) -> str:
        """What tokens add to a text: pieces of words join it, and words come after a space."""
        shown = self.tokenizer.decode(before)
        whole = self.tokenizer.decode(np.concatenate([before, tokens]))
        # Where a character's bytes are parted, the text before is not the whole one's beginning.
        return whole[len(shown) :] if whole.startswith(shown) else self.tokenizer.decode(tokens)


def are_rows(values: np.ndarray) -> bool:
    """Whether a method shows rows with gaps, filled in, and as they were: token numbers [batch, 3, n]."""
    return values.ndim == 3 and values.shape[1] == 3 and np.issubdtype(values.dtype, np.integer)


def write_texts(
    folder: Path,
    reader: Reader,
    shown: Mapping[str, np.ndarray],
    examples: np.ndarray | None = None,
) -> None:
    """The file that the page draws texts from.

    Args:
        folder: the run's.
        reader: of the rows.
        shown: what the method shows; what isn't rows of tokens is left out.
        examples: what is embedded for the page's map and neighbours; read where these are rows of tokens.
    """
    hidden = {
        name: [reader.pieces(*row) for row in values[:SHOWN]]
        for name, values in shown.items()
        if are_rows(values)
    }
    known = [] if examples is None or examples.ndim != 2 else [reader.read(row) for row in examples]
    content = {"hidden": hidden, "examples": known}
    (folder / "texts.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
