"""Tokenizers of published models, and saved ones."""

import json
from pathlib import Path
from typing import Any

from jssl.data.text.special import NAMES, Special
from jssl.data.text.subwords import add_special, subwords
from jssl.data.text.symbols import FILE, read_symbols
from jssl.data.text.tokenizer import Tokenizer

MERGES = {"vocab.json": "merges.txt", "encoder.json": "vocab.bpe"}
"""Files of byte-level BPE that belong together: as transformers has them, and as OpenAI published them."""

FILES = ("tokenizer.json", FILE, *MERGES, "vocab.txt")


def load_tokenizer(path: str | Path, *, lowercase: bool | None = None) -> Tokenizer:
    """The tokenizer of a published model, or one that was saved; nothing is downloaded.

    Args:
        path: a folder, or one of its files: tokenizer.json (the `tokenizers` library); vocab.txt (BERT:
            WordPiece); vocab.json beside merges.txt (GPT-2, RoBERTa: byte-level BPE); or what
            `Tokenizer.save` wrote. Parts that tokens play are read from special_tokens_map.json, or go by the
            usual names.
        lowercase: for vocab.txt: fold case and accents. None: what tokenizer_config.json says, else whether
            the vocabulary has no capital letter.

    Returns:
        A tokenizer whose `size` must be the number of rows of the model's embedding, which may be padded to
        more than it.

    Raises:
        ValueError: no such file, none that is known, or one that is broken.
    """
    file = _file(Path(path).expanduser())
    if file.name == FILE:
        return read_symbols(file)
    try:
        backend = _read(file, lowercase)
    except Exception as error:  # the library raises nothing more specific
        raise ValueError(f"cannot read the tokenizer {file}: {error}") from error
    return subwords(backend, _named(file.parent))


def _file(path: Path) -> Path:
    """The file that a path means."""
    if path.is_file():
        return path
    if found := [path / name for name in FILES if (path / name).is_file()]:
        return found[0]
    more = " (a spiece.model has to be converted first, by transformers)" if any(path.glob("*.model")) else ""
    raise ValueError(f"expected one of {', '.join(FILES)} in {path}, got none{more}")


def _read(file: Path, lowercase: bool | None) -> Any:
    from tokenizers import Tokenizer as Backend

    if file.suffix == ".txt":
        return _bert(file, lowercase)
    if file.name in MERGES or "model" not in json.loads(file.read_text(encoding="utf-8")):
        return _byte_level(file)
    return Backend.from_file(str(file))


def _bert(file: Path, lowercase: bool | None) -> Any:
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, normalizers, pre_tokenizers

    vocabulary = models.WordPiece.read_file(str(file))
    config = _json(file.with_name("tokenizer_config.json"))
    if lowercase is None:
        capital = any(piece != piece.lower() for piece in vocabulary if not piece.startswith("["))
        lowercase = config.get("do_lower_case", not capital)
    backend = Backend(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(
        lowercase=lowercase,
        strip_accents=config.get("strip_accents"),
        handle_chinese_chars=config.get("tokenize_chinese_chars", True),
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    add_special(backend, _known(vocabulary))
    return backend


def _byte_level(file: Path) -> Any:
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, pre_tokenizers

    merges = file.with_name(MERGES.get(file.name, "merges.txt"))
    if not merges.is_file():
        raise ValueError(f"expected {merges.name} beside it, got none")
    vocabulary, pairs = models.BPE.read_file(str(file), str(merges))
    backend = Backend(models.BPE(vocabulary, pairs))
    prefix = _json(file.with_name("tokenizer_config.json")).get("add_prefix_space", False)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    backend.decoder = decoders.ByteLevel()
    add_special(backend, _known(vocabulary))
    return backend


def _known(vocabulary: dict[str, int]) -> list[str]:
    """The usual special tokens that a vocabulary has, by their ids."""
    usual = {name for names in NAMES.values() for name in names}
    return sorted(usual & set(vocabulary), key=vocabulary.__getitem__)


def _json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _named(folder: Path) -> dict[str, str]:
    """Part to token, of special_tokens_map.json."""
    entries = _json(folder / "special_tokens_map.json")
    names = {part: entries.get(f"{part}_token") for part in Special._fields}
    return {part: name["content"] if isinstance(name, dict) else name for part, name in names.items() if name}
