"""Rows of token numbers as texts, written for the run's page: `texts.json`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from jssl.data.text import Tokenizer
from jssl.evals.entities import OUTSIDE, Entity, entities

SHOWN = 12
"""How many rows with hidden words, and with entities, the page shows."""

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

    def tagged(
        self, row: Int[np.ndarray, " n"], truth: Mapping[int, str], guess: Mapping[int, str]
    ) -> list[dict[str, Any]]:
        """A text in pieces, cut where an entity begins or ends, whose "text" joins to the whole one.

        Of pieces that are part of an entity "truth" and "guess" are its kind, of others none; "right" says
        whether an entity is found as it is, with both ends.

        Args:
            row: tokens.
            truth: the tags of words by the places of their first tokens.
            guess: the tags that were predicted, by the same places.
        """
        words = sorted(truth)
        real = np.flatnonzero(~np.isin(row, self.tokenizer.special_ids)).tolist()
        # A word may be unknown, and so a special token.
        end = max([*words, *real]) + 1
        of_words = [_by_word([tags[place] for place in words]) for tags in (truth, guess)]
        found: list[dict[str, Any]] = []
        before: tuple[Entity | None, ...] | None = None
        begin = words[0]
        for word, place in enumerate([*words, end]):
            now = tuple(owner[word] for owner in of_words) if place < end else None
            if before is not None and now != before:
                true, said = before
                piece: dict[str, Any] = {"text": self._added(row[words[0] : begin], row[begin:place])}
                if true or said:
                    piece |= {"truth": true and true.kind, "guess": said and said.kind, "right": true == said}
                found.append(piece)
                begin = place
            before = now
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


def _by_word(tags: Sequence[str]) -> list[Entity | None]:
    """The entity that each word belongs to."""
    owners: list[Entity | None] = [None] * len(tags)
    for entity in entities(tags):
        owners[entity.start : entity.stop] = [entity] * (entity.stop - entity.start)
    return owners


def tag_texts(
    reader: Reader, rows: np.ndarray, guesses: np.ndarray, labels: np.ndarray, names: Sequence[str]
) -> list[list[dict[str, Any]]]:
    """Some of the texts in which there are entities or some were found, as `Reader.tagged` gives them.

    Args:
        reader: of the rows.
        rows: tokens [examples, n].
        guesses: the number of a tag for each token.
        labels: the number of the right tag at the first token of each word, else -1.
        names: the tags by their numbers.
    """
    outside = names.index(OUTSIDE)
    inside = (labels >= 0) & ((labels != outside) | (guesses != outside))
    found = np.flatnonzero(inside.any(axis=1))
    chosen = found[np.linspace(0, len(found) - 1, min(SHOWN, len(found))).astype(int)]
    texts = []
    for index in chosen:
        words = np.flatnonzero(labels[index] >= 0).tolist()
        truth, guess = (
            {place: names[numbers[index, place]] for place in words} for numbers in (labels, guesses)
        )
        texts.append(reader.tagged(rows[index], truth, guess))
    return texts


def are_tags(names: Sequence[str]) -> bool:
    """Whether classes are tags of entities: "O", "B-KIND" and "I-KIND"."""
    return OUTSIDE in names and all(name == OUTSIDE or name[:2] in ("B-", "I-") for name in names)


def write_texts(
    folder: Path,
    reader: Reader,
    shown: Mapping[str, np.ndarray],
    examples: np.ndarray | None = None,
    tagged: Sequence[Sequence[Mapping[str, Any]]] = (),
) -> None:
    """The file that the page draws texts from.

    Args:
        folder: the run's.
        reader: of the rows.
        shown: what the method shows; what isn't rows of tokens is left out.
        examples: what is embedded for the page's map and neighbours; read where these are rows of tokens.
        tagged: of `tag_texts`.
    """
    hidden = {
        name: [reader.pieces(*row) for row in values[:SHOWN]]
        for name, values in shown.items()
        if are_rows(values)
    }
    known = [] if examples is None or examples.ndim != 2 else [reader.read(row) for row in examples]
    content = {"hidden": hidden, "examples": known, "tagged": tagged}
    (folder / "texts.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
