"""The simplest vocabularies: bytes, and the characters that a corpus has."""

import json
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from jssl.data.text.special import BERT, find_special
from jssl.data.text.tokenizer import Tokenizer

FILE = "symbols.json"

UNITS: dict[str, tuple[str, np.dtype]] = {
    "bytes": ("utf-8", np.dtype(np.uint8)),
    "characters": ("utf-32-le", np.dtype("<u4")),
}
"""How a text becomes numbers."""


class Symbols:
    """Ids of bytes or characters, in their order, and of named special tokens behind them."""

    def __init__(self, unit: str, codes: Sequence[int], names: Sequence[str]):
        self.unit = unit
        self.encoding, dtype = UNITS[unit]
        self.codes = np.array(sorted(codes), dtype)
        self.names = tuple(names)
        self.pieces = (*(self._shown(code) for code in self.codes.tolist()), *self.names)
        self.unknown = self.pieces.index("[UNK]") if unit == "characters" and "[UNK]" in names else None

    def _shown(self, code: int) -> str:
        return chr(code) if self.unit == "characters" or code < 128 else f"<0x{code:02X}>"

    def begins_word(self, piece: str) -> bool:
        return piece.isspace()

    def encode(self, texts: Sequence[str], special: bool) -> list[np.ndarray]:
        if not (special and self.names):
            return [self._symbols(text) for text in texts]
        pattern = re.compile(f"({'|'.join(re.escape(name) for name in self.names)})")
        return [self._with_names(pattern.split(text)) for text in texts]

    def _with_names(self, parts: list[str]) -> np.ndarray:
        ids = [
            np.array([len(self.codes) + self.names.index(part)], np.int32) if odd else self._symbols(part)
            for odd, part in ((place % 2, part) for place, part in enumerate(parts))
        ]
        return np.concatenate(ids)

    def _symbols(self, text: str) -> np.ndarray:
        values = np.frombuffer(text.encode(self.encoding), self.codes.dtype)
        ids = np.searchsorted(self.codes, values).astype(np.int32)
        known = self.codes[np.minimum(ids, len(self.codes) - 1)] == values
        if known.all():
            return ids
        if self.unknown is None:
            place = int(np.argmin(known))
            raise ValueError(
                f"expected characters among the {len(self.codes)} of the vocabulary, got {text[place]!r} at "
                f"{place}; make the tokenizer of all texts, or with special=True, which has [UNK] for them"
            )
        return np.where(known, ids, np.int32(self.unknown))

    def decode(self, ids: Sequence[int]) -> str:
        ordinary = len(self.codes)
        runs = groupby(ids, key=lambda index: index < ordinary)
        return "".join(
            self._text(list(run)) if plain else "".join(self.names[index - ordinary] for index in run)
            for plain, run in runs
        )

    def _text(self, ids: list[int]) -> str:
        return self.codes[ids].tobytes().decode(self.encoding, "replace")

    def save(self, folder: Path, special: dict[str, str]) -> None:
        content = {"unit": self.unit, "codes": self.codes.tolist(), "special": list(self.names)}
        (folder / FILE).write_text(json.dumps(content), encoding="utf-8")


def symbols(codec: Symbols) -> Tokenizer:
    """The tokenizer of the codec; its special tokens are known by their names."""
    first = len(codec.codes)
    ids = {name: first + place for place, name in enumerate(codec.names)}
    return Tokenizer(codec, find_special(ids), ids.values())


def read_symbols(path: Path) -> Tokenizer:
    """What `Tokenizer.save` has written.

    Raises:
        ValueError: the file is another one.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return symbols(Symbols(content["unit"], content["codes"], content["special"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected a tokenizer that jssl has saved, got another file") from error


def byte_tokenizer(*, special: bool = True) -> Tokenizer:
    """The bytes of the UTF-8 form: ids 0 to 255, for any text in any language, and nothing to train.

    Args:
        special: ids 256 to 260 are [PAD], [UNK] (which never comes up), [CLS], [SEP] and [MASK].

    Deviations: ByT5 (Xue et al. 2021, arXiv:2105.13626) has its special tokens before the bytes.
    """
    return symbols(Symbols("bytes", range(256), BERT if special else ()))


def character_tokenizer(texts: Iterable[str], *, special: bool = False) -> Tokenizer:
    """The characters that the texts have, in the order of their code points.

    Args:
        texts: all that are to be encoded.
        special: [PAD], [UNK], [CLS], [SEP] and [MASK] follow the characters, and [UNK] stands for those that
            the texts lack. Without it they are refused.

    Raises:
        ValueError: no text.

    Reference: nanoGPT, data/shakespeare_char/prepare.py, whose ids are the same.
    """
    characters: set[str] = set()
    for text in [texts] if isinstance(texts, str) else texts:
        characters.update(text)
    if not characters:
        raise ValueError("expected texts with characters in them, got none")
    return symbols(
        Symbols("characters", [ord(character) for character in characters], BERT if special else ())
    )
