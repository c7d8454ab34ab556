"""Texts out of files and data sets, as lists of strings."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jssl.data.source import Source

OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
"""How files are opened that are compressed, by the end of their name."""

BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read_bytes(path: str | Path) -> bytes:
    """What is in a file, decompressed where its name ends in .gz, .bz2 or .xz."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise ValueError(f"expected a text file, got {file}, which is no file")
    try:
        with OPENERS.get(file.suffix, open)(file, "rb") as opened:
            return opened.read()
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise ValueError(f"cannot read {file}: {error}; mend or replace it") from error


def read_text(path: str | Path, encoding: str = "utf-8") -> str:
    """A whole file as one string, with line ends as "\\n" and without a byte-order mark.

    Raises:
        ValueError: no file, no text in it, or bytes that are not of the encoding, with its place.
    """
    content = read_bytes(path)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        likely = BYTE_ORDER_MARKS.get(content[:2], "latin-1")
        raise ValueError(
            f"{path}: expected {encoding}, got byte 0x{content[error.start]:02x} at offset {error.start} "
            f"({error.reason}); name the file's encoding (perhaps encoding={likely!r}), or convert the file"
        ) from error
    except LookupError as error:
        raise ValueError(f"expected the name of an encoding, as 'utf-8', got {encoding!r}") from error
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if not text.strip():
        raise ValueError(f"{path}: expected text, got none")
    return text


def read_lines(path: str | Path, *, encoding: str = "utf-8") -> list[str]:
    """The lines of a text file that are not blank: one text each.

    Only a line feed ends a line (with or without a carriage return), nothing else that Unicode has for it.

    Args:
        path: the file, also compressed (.gz, .bz2, .xz).
        encoding: as Python names it.

    Raises:
        ValueError: no file, another encoding (with the place of the first wrong byte), or no text in it.
    """
    return [line for line in read_text(path, encoding).split("\n") if line.strip()]


def read_documents(path: str | Path, *, encoding: str = "utf-8") -> list[list[str]]:
    """The documents of a text file, apart by blank lines; each is the list of its lines.

    Where lines are sentences, that is what `passages` takes. `["\\n".join(lines) for lines in documents]` are
    the documents as texts.

    Args:
        path: the file, also compressed (.gz, .bz2, .xz).
        encoding: as Python names it.

    Raises:
        ValueError: as `read_lines`.
    """
    documents: list[list[str]] = [[]]
    for line in read_text(path, encoding).split("\n"):
        if line.strip():
            documents[-1].append(line)
        elif documents[-1]:
            documents.append([])
    return [lines for lines in documents if lines]


def stream_documents(*paths: str | Path, encoding: str = "utf-8") -> Iterator[list[str]]:
    """The documents of text files of any size, one after the other, as `read_documents` has them.

    Args:
        paths: files, also compressed, or patterns of their names, as "wiki-*.txt.gz".
        encoding: as Python names it.

    Raises:
        ValueError: no file, or another encoding.
    """
    for path in paths:
        pattern = Path(path).expanduser()
        files = sorted(pattern.parent.glob(pattern.name))
        if not files:
            raise ValueError(f"expected text files, got {pattern}, which is none")
        for file in files:
            yield from _documents_of(file, encoding)


def _documents_of(file: Path, encoding: str) -> Iterator[list[str]]:
    lines: list[str] = []
    try:
        with OPENERS.get(file.suffix, open)(file, "rt", encoding=encoding, newline="\n") as opened:
            for line in opened:
                text = line.removeprefix("\ufeff").rstrip("\r\n")
                if text.strip():
                    lines.append(text)
                elif lines:
                    yield lines
                    lines = []
    except (OSError, EOFError, lzma.LZMAError, UnicodeError, LookupError) as error:
        raise ValueError(f"cannot read {file}: {error}; mend or replace it, or name its encoding") from error
    if lines:
        yield lines


def read_jsonl(path: str | Path, field: str, *, encoding: str = "utf-8") -> list[str]:
    """One field of a file with a JSON object on each line; blank lines are left out.

    Args:
        path: the file, also compressed (.gz, .bz2, .xz).
        field: the name of the field, whose values are strings.
        encoding: as Python names it.

    Raises:
        ValueError: as `read_lines`; a line that is no JSON object, has no such field, or another value than a
            string in it; each with the number of the line, from 1.
    """
    lines = enumerate(read_text(path, encoding).split("\n"), 1)
    texts = [_value(f"{path}, line {number}", line, field) for number, line in lines if line.strip()]
    if not texts:
        raise ValueError(f"{path}: expected a JSON object on each line, got none")
    return texts


def _value(where: str, line: str, field: str) -> str:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: expected a JSON object, got {_short(line)}: {error}") from error
    if not isinstance(row, dict):
        raise ValueError(f"{where}: expected a JSON object, got {_short(line)}")
    if field not in row:
        raise ValueError(f'{where}: expected the field "{field}", got {sorted(row)}')
    if not isinstance(row[field], str):
        raise ValueError(f'{where}: expected a string as "{field}", got {_short(repr(row[field]))}')
    return row[field]


def _short(line: str) -> str:
    return line if len(line) <= 60 else f"{line[:57]}..."


def texts(source: Source, field: str = "text") -> list[str]:
    """One field of a source's examples as strings: `texts(data.tfds("imdb_reviews", ...), "text")`.

    Args:
        source: examples with the field as bytes in UTF-8 (what TFDS has) or as strings. A TFDS source gives
            its features of text when they are asked for: `data.tfds(..., features=("text",))`.
        field: its name.

    Raises:
        ValueError: no examples, no such field, or a value that is no text, with its place.
    """
    if not len(source):
        raise ValueError("expected a source of texts, got one without examples")
    return [_decoded(index, source[index], field) for index in range(len(source))]


def _decoded(index: int, example: dict[str, Any], field: str) -> str:
    if field not in example:
        raise ValueError(
            f'example {index}: expected the field "{field}", got {sorted(example)}; a TFDS source reads text '
            f'when it is asked for it: data.tfds(..., features=("{field}",))'
        )
    value = np.asarray(example[field]).item() if np.ndim(example[field]) == 0 else example[field]
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        raise ValueError(f'example {index}: expected text as "{field}", got {_short(repr(value))}')
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f'example {index}: expected "{field}" in UTF-8, got byte 0x{value[error.start]:02x} at offset '
            f"{error.start}; decode the examples first (data.mapped)"
        ) from error
