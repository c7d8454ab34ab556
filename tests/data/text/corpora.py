"""Small corpora and tokenizers for the tests, and where fetched data lie."""

import functools
import os
import shutil
from pathlib import Path

import pytest

from jssl.data import text

FETCHED = Path(os.environ.get("JSSL_DATA", "~/.cache/jssl-data")).expanduser()

LINES = [
    "The quick brown fox jumps over the lazy dog.",
    "Déjà vu: naïve café owners don't pay $3.50!",
    "unbelievable, unaffordable, undoable",
    "In the beginning God created the heavens and the earth.",
    "東京 is a city.  Two   spaces, and a\ttab.",
    "smile \U0001f600 and e\u0301 combine",
]


def fetched(name: str) -> Path:
    """A folder of data that was fetched; the test is skipped where it is absent."""
    folder = FETCHED / name
    if not folder.exists():
        pytest.skip(f"needs {name} in {FETCHED}: fetch it there, or set JSSL_DATA to where it is")
    return folder


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
