"""Vocabularies of subwords: what the `tokenizers` library does, as a codec."""

import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jssl.data.text.special import Special, find_special
from jssl.data.text.tokenizer import Tokenizer

SPACES = ("Ġ", "Ċ", "ĉ", "č", "▁")
"""How byte-level BPE writes a space, line feed, tab and carriage return, and SentencePiece a space."""


class Subwords:
    """A tokenizer of the `tokenizers` library, kept as its JSON, so that it can be pickled."""

    def __init__(self, serialized: str):
        self.serialized = serialized
        backend = self._plain
        self.pieces = tuple(backend.id_to_token(index) or "" for index in range(_num_ids(backend)))

    @functools.cached_property
    def _plain(self) -> Any:
        backend = _open(self.serialized)
        backend.encode_special_tokens = True  # in the library's words: as ordinary text
        return backend

    @functools.cached_property
    def _naming(self) -> Any:
        return _open(self.serialized)

    def __getstate__(self) -> dict[str, Any]:
        return {"serialized": self.serialized, "pieces": self.pieces}

    @functools.cached_property
    def continuation(self) -> str | None:
        """What the tokens of WordPiece that continue a word begin with; None for other models."""
        return json.loads(self.serialized)["model"].get("continuing_subword_prefix") or None

    def begins_word(self, piece: str) -> bool:
        if self.continuation is not None:
            return not piece.startswith(self.continuation)
        return piece.startswith(SPACES)

    def encode(self, texts: Sequence[str], special: bool) -> list[np.ndarray]:
        backend = self._naming if special else self._plain
        found = backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(encoding.ids, np.int32) for encoding in found]

    def decode(self, ids: Sequence[int]) -> str:
        return self._plain.decode(list(ids), skip_special_tokens=False)

    def save(self, folder: Path, special: dict[str, str]) -> None:
        (folder / "tokenizer.json").write_text(self.serialized, encoding="utf-8")
        named = {f"{part}_token": name for part, name in special.items()}
        (folder / "special_tokens_map.json").write_text(json.dumps(named, indent=2), encoding="utf-8")


def _num_ids(backend: Any) -> int:
    return max(backend.get_vocab(with_added_tokens=True).values(), default=-1) + 1


def _open(serialized: str) -> Any:
    from tokenizers import Tokenizer as Backend

    backend = Backend.from_str(serialized)
    # Published ones come with the length of the model that they were made for. Rows are cut and padded here.
    backend.no_truncation()
    backend.no_padding()
    return backend


def add_special(backend: Any, names: Iterable[str]) -> None:
    """Makes tokens special ones; RoBERTa's <mask> takes the space before it, as a word does."""
    from tokenizers import AddedToken

    tokens = [AddedToken(name, lstrip=name == "<mask>", normalized=False) for name in names]
    backend.add_special_tokens(tokens)


def subwords(backend: Any, named: dict[str, str] | None = None) -> Tokenizer:
    """The tokenizer around one of the `tokenizers` library.

    Args:
        backend: a `tokenizers.Tokenizer`; it is copied.
        named: part to token, where the names aren't the usual ones; see `find_special`.
    """
    codec = Subwords(backend.to_str())
    special: Special = find_special(backend.get_vocab(with_added_tokens=True), named)
    added = backend.get_added_tokens_decoder()
    return Tokenizer(codec, special, [index for index, token in added.items() if token.special])
