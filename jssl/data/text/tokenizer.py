"""The tokenizer: strings to ids and back, whatever the vocabulary is made of."""

import functools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int32

from jssl.data.text.special import Special

CHUNK = 1024
"""Texts that are encoded at once: bounds the memory beyond the result's."""


SURROGATE = re.compile("[\ud800-\udfff]")


def check_text(index: int, text: Any) -> None:
    """Refuses what is no string, or no valid one: halves of surrogate pairs, as broken JSON leaves them."""
    if not isinstance(text, str):
        raise ValueError(
            f"expected strings, got {type(text).__name__} at {index}; data.text.clean leaves out the missing"
        )
    if not text.isascii() and (found := SURROGATE.search(text)):
        raise ValueError(
            f"expected valid Unicode, got half of a surrogate pair at character {found.start()} of text "
            f"{index}; data.text.clean replaces it"
        )


@runtime_checkable
class Codec(Protocol):
    """What tokenizers differ in: subwords, bytes, characters."""

    pieces: tuple[str, ...]
    """The tokens by their ids; "" where an id has none."""

    def begins_word(self, piece: str) -> bool:
        """Whether the token is one that words begin with."""
        ...

    def encode(self, texts: Sequence[str], special: bool) -> list[np.ndarray]:
        """Ids of each text."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens by their names."""
        ...

    def save(self, folder: Path, special: dict[str, str]) -> None:
        """Writes what `load_tokenizer` reads."""
        ...


class Tokenizer:
    """Strings to ids and back. Made by `train_wordpiece`, `load_tokenizer` and their kind; can be pickled.

    special: ids of the tokens that have a part to play, a `Special`.
    special_ids: the ids of all special tokens, sorted: what is never masked nor drawn at random.
    """

    def __init__(self, codec: Codec, special: Special, special_ids: Iterable[int] = ()):
        self.codec = codec
        self.special = special
        parts = {index for index in special if index is not None}
        self.special_ids: tuple[int, ...] = tuple(sorted(parts | set(special_ids)))

    @property
    def size(self) -> int:
        """The number of ids, 0 to size - 1: the rows that an embedding of tokens needs."""
        return len(self.codec.pieces)

    @property
    def pieces(self) -> tuple[str, ...]:
        """The tokens by their ids."""
        return self.codec.pieces

    def encode(self, text: str, *, special: bool = False) -> Int32[np.ndarray, " n"]:
        """The ids of a text, without any that begin or end it (rows add these).

        Args:
            text: any string.
            special: names of special tokens in the text, as "[MASK]", become these tokens. Otherwise they are
                text as any other, so that no document can end itself.

        Raises:
            ValueError: a character that the vocabulary lacks, where nothing stands for the unknown.
        """
        return self.encode_batch([text], special=special)[0]

    def encode_batch(self, texts: Iterable[str], *, special: bool = False) -> list[np.ndarray]:
        """The ids of each text, as `encode` gives them; subwords use all cores.

        Raises:
            ValueError: as `encode`; something that is no string, or has half of a surrogate pair.
        """
        wanted = [texts] if isinstance(texts, str) else list(texts)
        for index, text in enumerate(wanted):
            check_text(index, text)
        found: list[np.ndarray] = []
        for start in range(0, len(wanted), CHUNK):
            found += self.codec.encode(wanted[start : start + CHUNK], special)
        return found

    def decode(self, ids: Any, *, special: bool = True) -> str:
        """The text of ids.

        Args:
            ids: one row of them, in [0, size); an array of any kind, or a list.
            special: special tokens are named in the text; False leaves them out.

        Raises:
            ValueError: an id outside of the vocabulary.
        """
        row = np.asarray(ids, np.int64).reshape(-1)
        if len(row) and not 0 <= row.min() <= row.max() < self.size:
            raise ValueError(f"expected ids in [0, {self.size}), got [{row.min()}, {row.max()}] among them")
        kept = row if special else row[~np.isin(row, self.special_ids)]
        return self.codec.decode(kept.tolist())

    @functools.cached_property
    def starts(self) -> Bool[np.ndarray, " size"]:
        """Which tokens begin a word: those without ## (WordPiece), with a space before them (the others).

        Special tokens do. A text's first word has no space before it in byte-level BPE: its tokens belong to
        what comes before it, that is to its beginning.
        """
        begins = np.array([self.codec.begins_word(piece) for piece in self.pieces])
        begins[list(self.special_ids)] = True
        return begins

    def save(self, path: str | Path) -> Path:
        """Writes the tokenizer into a folder, which `load_tokenizer` reads.

        For subwords these are tokenizer.json and special_tokens_map.json, as `transformers` has them.
        """
        folder = Path(path).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        parts = {part: index for part, index in self.special._asdict().items() if index is not None}
        self.codec.save(folder, {part: self.pieces[index] for part, index in parts.items()})
        return folder

    def __repr__(self) -> str:
        return f"Tokenizer({type(self.codec).__name__}, size={self.size}, special={self.special})"
