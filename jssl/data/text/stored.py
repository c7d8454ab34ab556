"""Corpora of any size: tokenized once into a folder, and mapped into memory from it ever after."""

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Int, Integer

from jssl.data.absent import is_absent
from jssl.data.text.load import load_tokenizer
from jssl.data.text.rows import compact, frame
from jssl.data.text.special import Special
from jssl.data.text.tokenizer import CHUNK, Tokenizer

DESCRIPTION = "corpus.json"
"""Written last, before the folder gets its name."""

BOUNDS = np.dtype(np.int64)


@dataclass(frozen=True, eq=False)
class Stored:
    """A corpus of token ids: what `store` wrote, as `packed`, `passages`, `split` and `joined` take it.

    Attributes:
        ids: of all documents after each other, mapped from the disk.
        sentences: where sentences begin in the ids, and where the last one ends; none is empty.
        documents: the same of documents.
        tokenizer: that made the ids.
    """

    ids: Integer[np.ndarray, " tokens"]
    sentences: Int[np.ndarray, " sentences_and_one"]
    documents: Int[np.ndarray, " documents_and_one"]
    tokenizer: Tokenizer

    def divided(self, held_out: float) -> tuple["Stored", "Stored"]:
        """The corpus without the documents at its end that are held out, and these.

        Args:
            held_out: their share of the documents, in (0, 1); one at least.

        Raises:
            ValueError: there is a single document, or the share is out of range.
        """
        num = len(self.documents) - 1
        count = max(1, round(held_out * num))
        if not 0 < held_out < 1 or count >= num:
            raise ValueError(f"expected a share in (0, 1) of several documents, got {held_out} of {num}")
        return self._part(0, num - count), self._part(num - count, num)

    def _part(self, first: int, last: int) -> "Stored":
        start, stop = self.documents[first], self.documents[last]
        low, high = np.searchsorted(self.sentences, [start, stop])
        sentences, documents = self.sentences[low : high + 1], self.documents[first : last + 1]
        if start:
            sentences, documents = sentences - start, documents - start
        return Stored(self.ids[start:stop], sentences, documents, self.tokenizer)


def check_stored(corpus: Stored, tokenizer: Tokenizer) -> Stored:
    """The corpus, unless rows of it are asked for with another tokenizer than its own."""
    if tokenizer is not corpus.tokenizer and tokenizer.pieces != corpus.tokenizer.pieces:
        raise ValueError(
            f"expected the tokenizer that the corpus was stored with, {corpus.tokenizer}, got {tokenizer}"
        )
    return corpus


def store(folder: str | Path, documents: Iterable[str | Sequence[str]], tokenizer: Tokenizer) -> Path:
    """Tokenize a corpus into a folder, a chunk of documents at a time, for `stored` to open.

        tokenizer = data.text.load_tokenizer("bert-base-uncased")
        data.text.store("wikipedia", data.text.stream_documents("wiki-*.txt.gz"), tokenizer)

    A token takes two bytes (four where the vocabulary has more than 65,536), a sentence or document eight. A
    tokenizer without [CLS] ends each document by the token that it has for it, as GPT-2's.

    Args:
        folder: is made, and must not be there. Until all is written its name ends in ".part".
        documents: lists of sentences, or strings (documents of one sentence), never held as a whole. What has
            no token in it is left out.
        tokenizer: is saved with it.

    Returns:
        The folder.

    Raises:
        ValueError: the folder exists; no tokens in the documents; what the tokenizer refuses.
    """
    whole = Path(folder).expanduser()
    if whole.exists():
        raise ValueError(f"expected a folder that is not there yet, got {whole}: open it by data.text.stored")
    part = whole.with_name(f"{whole.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    with (
        (part / "tokens.bin").open("wb") as tokens,
        (part / "sentences.bin").open("wb") as sentences,
        (part / "documents.bin").open("wb") as ends,
    ):
        counts = _write(_chunks(documents), tokenizer, tokens, sentences, ends)
    if not counts["tokens"]:
        shutil.rmtree(part)
        raise ValueError("expected documents with tokens in them, got none")
    tokenizer.save(part / "tokenizer")
    (part / DESCRIPTION).write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
    return part.rename(whole)


def _chunks(documents: Iterable[str | Sequence[str]]) -> Iterator[list[list[str]]]:
    """Documents of a chunk's worth of sentences together, as lists of sentences."""
    if isinstance(documents, str):
        raise ValueError('expected documents, got one string: store it as ["..."]')
    chunk: list[list[str]] = []
    size = 0
    for document in documents:
        chunk.append([document] if isinstance(document, str) else list(document))
        size += len(chunk[-1])
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _write(
    chunks: Iterable[list[list[str]]],
    tokenizer: Tokenizer,
    tokens: BinaryIO,
    sentences: BinaryIO,
    ends: BinaryIO,
) -> dict[str, int]:
    """Ids and where sentences and documents end, into three files; how many there are."""
    before, after = frame(tokenizer)
    eos = [] if before else [np.array(after, np.int32)]
    num_tokens = num_sentences = num_documents = 0
    for file in (sentences, ends):
        np.zeros(1, BOUNDS).tofile(file)
    for chunk in chunks:
        encoded = iter(tokenizer.encode_batch([sentence for document in chunk for sentence in document]))
        found = [[ids for _, ids in zip(document, encoded, strict=False) if len(ids)] for document in chunk]
        found = [[*document[:-1], np.concatenate([document[-1], *eos])] for document in found if document]
        if not found:
            continue
        rows = [ids for document in found for ids in document]
        bounds = num_tokens + np.cumsum([len(ids) for ids in rows])
        lasts = np.cumsum([len(document) for document in found]) - 1
        compact(np.concatenate(rows), tokenizer.size).tofile(tokens)
        bounds.astype(BOUNDS).tofile(sentences)
        bounds[lasts].astype(BOUNDS).tofile(ends)
        num_tokens, num_sentences = int(bounds[-1]), num_sentences + len(rows)
        num_documents += len(found)
    return {"tokens": num_tokens, "sentences": num_sentences, "documents": num_documents}


def stored(folder: str | Path | None, *, vocab_size: int | None = None) -> Stored:
    """Open a corpus that `store` has written; nothing but its bounds is read.

    Within `data.absent` the folder needn't be there: a small corpus of zeros stands in for it.

    Args:
        folder: of the corpus.
        vocab_size: rows of the token embeddings that it is for, as many as the tokenizer has ids or more.

    Raises:
        ValueError: no such folder; it is not whole; its tokenizer has more ids than `vocab_size`.
    """
    if is_absent():
        return _stand_in(vocab_size or 2**15)
    if folder is None:
        raise ValueError("expected the folder of a corpus, got none: make one from texts by data.text.store")
    path = Path(folder).expanduser()
    if not (path / DESCRIPTION).is_file():
        part = path.with_name(f"{path.name}.part")
        more = f"; {part} was not finished" if part.exists() else ""
        raise ValueError(
            f"expected a corpus in {path}, got none{more}: make it from texts by data.text.store"
        )
    counts = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
    tokenizer = load_tokenizer(path / "tokenizer")
    if vocab_size is not None and tokenizer.size > vocab_size:
        raise ValueError(
            f"expected a corpus of at most vocab_size={vocab_size} token ids, got one of {tokenizer.size} in "
            f"{path}: give the network as many embeddings"
        )
    ids = _mapped(path / "tokens.bin", compact(np.zeros(0, int), tokenizer.size).dtype, counts["tokens"])
    sentences, documents = (
        _mapped(path / f"{name}.bin", BOUNDS, counts[name] + 1) for name in ("sentences", "documents")
    )
    return Stored(ids, sentences, documents, tokenizer)


def _mapped(file: Path, dtype: np.dtype, count: int) -> np.ndarray:
    size = file.stat().st_size if file.is_file() else 0
    if size != count * dtype.itemsize:
        raise ValueError(
            f"{file}: expected {count * dtype.itemsize} bytes, got {size}; copy the corpus again, or store "
            "it anew"
        )
    return np.asarray(np.memmap(file, dtype, "r"))


class _Nothing:
    """The codec of a tokenizer that stands in for another of its size."""

    def __init__(self, size: int):
        self.pieces = ("",) * size

    def begins_word(self, piece: str) -> bool:
        return True

    def encode(self, texts: Sequence[str], special: bool) -> list[np.ndarray]:
        return [np.zeros(len(text), np.int32) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        return "?" * len(ids)

    def save(self, folder: Path, special: dict[str, str]) -> None:
        raise ValueError("expected a tokenizer, got what stands in for one")


def _stand_in(size: int) -> Stored:
    """A million zeros in sentences of 32 and documents of 16,384, longer than rows."""
    num = 2**20
    tokenizer = Tokenizer(_Nothing(size), Special(0, 1, 2, 3, 4, 5))
    ids = np.broadcast_to(compact(np.zeros((), int), size), (num,))
    return Stored(ids, np.arange(0, num + 1, 32), np.arange(0, num + 1, 2**14), tokenizer)
