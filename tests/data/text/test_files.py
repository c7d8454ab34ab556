"""Texts out of files: what is read, and what every broken file says."""

import gzip
import lzma

import numpy as np
import pytest

from jssl import data
from jssl.data import text


def test_lines_are_texts_and_blank_ones_are_not(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes("\ufeffone \r\n\r\n  \ntwo\u2028still two\x85\x0c\nthré".encode())
    assert text.read_lines(file) == ["one ", "two\u2028still two\x85\x0c", "thré"]
    assert text.read_lines(str(file)) == text.read_lines(file)


def test_documents_are_apart_by_blank_lines(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("\n\na\nb\n\n \n\nc\n")
    assert text.read_documents(file) == [["a", "b"], ["c"]]


@pytest.mark.parametrize(("ending", "opener"), [(".gz", gzip.open), (".xz", lzma.open)])
def test_compressed_files_are_read_and_broken_ones_named(tmp_path, ending, opener):
    file = tmp_path / f"a.txt{ending}"
    with opener(file, "wt", encoding="utf-8") as opened:
        opened.write("añb\n" * 1000)
    assert text.read_lines(file) == ["añb"] * 1000
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(ValueError, match=rf"cannot read .*a\.txt\{ending}"):
        text.read_lines(file)


def test_another_encoding_is_refused_with_its_place(tmp_path):
    file = tmp_path / "latin.txt"
    file.write_bytes(b"abc\ncaf\xe9 au lait\n")
    with pytest.raises(ValueError, match=r"latin\.txt: expected utf-8, got byte 0xe9 at offset 7 .*latin-1"):
        text.read_lines(file)
    assert text.read_lines(file, encoding="latin-1") == ["abc", "café au lait"]
    file.write_bytes("wide".encode("utf-16"))
    with pytest.raises(ValueError, match=r"offset 0 .*utf-16"):
        text.read_lines(file)
    assert text.read_lines(file, encoding="utf-16") == ["wide"]
    with pytest.raises(ValueError, match="name of an encoding, as 'utf-8', got 'utf-88'"):
        text.read_lines(file, encoding="utf-88")


@pytest.mark.parametrize("read", [text.read_lines, text.read_documents, lambda f: text.read_jsonl(f, "text")])
def test_no_file_and_no_text_are_refused(tmp_path, read):
    file = tmp_path / "empty.txt"
    with pytest.raises(ValueError, match=r"expected a text file, got .*empty\.txt"):
        read(file)
    file.write_text(" \n\n")
    with pytest.raises(ValueError, match=r"empty\.txt: expected"):
        read(file)


def test_jsonl_reads_one_field(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "a\\nb", "n": 1}\n\n{"n": 2, "text": "\\u00e9"}\n')
    assert text.read_jsonl(file, "text") == ["a\nb", "é"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a"', "line 3: expected a JSON object"),
        ('["text"]', "line 3: expected a JSON object"),
        ('{"body": "a", "n": 1}', r"line 3: expected the field \"text\", got \['body', 'n'\]"),
        ('{"text": null}', 'line 3: expected a string as "text", got None'),
        ('{"text": [' + "1, " * 100 + "1]}", r"got \[1, 1.*\.\.\.$"),
    ],
)
def test_broken_lines_are_named_by_their_number(tmp_path, line, message):
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "a"}\n\n' + line + "\n")
    with pytest.raises(ValueError, match=message):
        text.read_jsonl(file, "text")


class Strings:
    """A source as TFDS has them, of bytes."""

    def __init__(self, *values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, index):
        return {"text": np.asarray(self.values[index]), "label": np.asarray(0)}


def test_texts_of_a_source_are_decoded():
    assert text.texts(Strings("é".encode(), b"", "ü")) == ["é", "", "ü"]
    assert text.texts(data.arrays(name=np.array(["a", "bc"])), "name") == ["a", "bc"]


def test_sources_without_texts_are_refused():
    with pytest.raises(ValueError, match="without examples"):
        text.texts(Strings())
    with pytest.raises(ValueError, match=r'example 0: expected the field "body".*features=\("body",\)'):
        text.texts(Strings(b"a"), "body")
    with pytest.raises(ValueError, match='example 1: expected "text" in UTF-8, got byte 0xe9 at offset 3'):
        text.texts(Strings(b"a", b"caf\xe9"))
    with pytest.raises(ValueError, match='example 0: expected text as "label", got 0'):
        text.texts(Strings(b"a"), "label")
