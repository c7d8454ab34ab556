"""Corpora on the disk give the same rows as those in memory."""

import itertools
import shutil

import numpy as np
import pytest

from jssl import data
from jssl.data import text
from tests.data.text.corpora import verses


def documents():
    """Ragged ones: a long sentence, an empty one, an empty document, single sentences."""
    lines = verses(120)
    cut = [
        lines[:40],
        lines[40:41],
        [],
        [" ".join(lines[41:60])],
        ["", *lines[60:100], ""],
        [""],
        lines[100:],
    ]
    return [list(document) for document in cut]


def wordpiece():
    return text.train_wordpiece(itertools.chain.from_iterable(documents()), size=400)


@pytest.fixture
def folder(tmp_path):
    return text.store(tmp_path / "corpus", documents(), wordpiece())


def assert_equal(found, expected, names=None):
    found, expected = data.as_arrays(found), data.as_arrays(expected)
    assert set(found) == set(expected)
    for name in names or expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def test_passages_are_those_of_memory(folder):
    corpus = text.stored(folder)
    expected = text.passages(documents(), corpus.tokenizer, 61)
    found = text.passages(corpus, corpus.tokenizer, 61)
    assert_equal(found, expected, ("tokens", "segments", "sentences"))
    numbers = data.as_arrays(found)["document"]
    kept = [place for place, document in enumerate(documents()) if any(document)]
    np.testing.assert_array_equal(np.array(kept)[numbers], data.as_arrays(expected)["document"])


def test_packed_rows_are_those_of_memory(tmp_path):
    texts = ["\n".join(document) for document in documents()]
    for number, tokenizer in enumerate((wordpiece(), text.train_bpe(texts, size=300))):
        corpus = text.stored(text.store(tmp_path / str(number), texts, tokenizer))
        assert_equal(text.packed(corpus, corpus.tokenizer, 64), text.packed(texts, tokenizer, 64))


def test_rows_without_padding_are_those_of_memory(tmp_path):
    texts = ["\n".join(document) for document in documents()]
    tokenizer = text.train_bpe(texts, size=300)
    corpus = text.stored(text.store(tmp_path / "corpus", iter(texts), tokenizer))
    np.testing.assert_array_equal(text.joined(corpus, corpus.tokenizer), text.joined(texts, tokenizer))
    assert_equal(text.split(corpus, corpus.tokenizer, 33), text.split(texts, tokenizer, 33))
    assert corpus.ids[-1] == tokenizer.special.eos


def test_many_documents_are_written_in_several_turns(tmp_path):
    lines = verses(3_000)
    tokenizer = text.byte_tokenizer(special=True)
    corpus = text.stored(
        text.store(tmp_path / "corpus", (lines[i : i + 7] for i in range(0, 3_000, 7)), tokenizer)
    )
    assert corpus.ids.astype(np.uint8).tobytes() == "".join(lines).encode()
    expected = np.cumsum([0, *(len(line.encode()) for line in lines)])
    np.testing.assert_array_equal(corpus.sentences, expected)
    np.testing.assert_array_equal(corpus.documents, np.append(expected[:-1:7], expected[-1]))


def test_the_end_is_held_out(folder):
    corpus = text.stored(folder)
    known, new = corpus.divided(0.3)
    assert (len(known.documents), len(new.documents)) == (4, 3), "with the ends of the last ones"
    np.testing.assert_array_equal(np.concatenate([known.ids, new.ids]), corpus.ids)
    for part in (known, new):
        assert part.sentences[0] == part.documents[0] == 0
        assert part.sentences[-1] == part.documents[-1] == len(part.ids)
        assert set(part.documents) <= set(part.sentences)
    with pytest.raises(ValueError, match=r"several documents, got 1\.0 of 5"):
        corpus.divided(1.0)


def test_half_a_folder_is_none(tmp_path):
    def breaking():
        yield "a text"
        raise RuntimeError("the disk is full")

    folder = tmp_path / "corpus"
    with pytest.raises(RuntimeError):
        text.store(folder, breaking(), text.byte_tokenizer())
    with pytest.raises(ValueError, match=r"none; .*corpus\.part was not finished"):
        text.stored(folder)
    text.store(folder, ["a text"], text.byte_tokenizer())
    assert len(text.stored(folder).ids) == 6
    with pytest.raises(ValueError, match="not there yet"):
        text.store(folder, ["a text"], text.byte_tokenizer())
    (folder / "tokens.bin").write_bytes(b"cut")
    with pytest.raises(ValueError, match=r"tokens\.bin: expected 12 bytes, got 3"):
        text.stored(folder)


def test_nothing_to_store(tmp_path):
    for nothing in ([], [""], [[]], [["", ""]]):
        with pytest.raises(ValueError, match="documents with tokens in them, got none"):
            text.store(tmp_path / "corpus", nothing, text.byte_tokenizer())
    with pytest.raises(ValueError, match="got one string"):
        text.store(tmp_path / "other", "a text", text.byte_tokenizer())
    with pytest.raises(ValueError, match="the folder of a corpus, got none"):
        text.stored(None)
    assert not (tmp_path / "corpus").exists()


def test_tokenizers_that_do_not_fit(folder):
    corpus = text.stored(folder)
    with pytest.raises(ValueError, match="tokenizer that the corpus was stored with"):
        text.packed(corpus, text.byte_tokenizer(special=False), 16)
    with pytest.raises(ValueError, match="at most vocab_size=100 token ids, got one of 400"):
        text.stored(folder, vocab_size=100)


def test_files_are_read_document_by_document(tmp_path):
    (tmp_path / "a.txt").write_text("\ufeffone\ntwo\r\n\n\nthree", encoding="utf-8")
    (tmp_path / "b.txt").write_text("\n four \n", encoding="utf-8")
    expected = [*text.read_documents(tmp_path / "a.txt"), *text.read_documents(tmp_path / "b.txt")]
    assert (
        list(text.stream_documents(tmp_path / "*.txt")) == expected == [["one", "two"], ["three"], [" four "]]
    )
    with pytest.raises(ValueError, match="expected text files"):
        list(text.stream_documents(tmp_path / "*.gz"))
    (tmp_path / "c.txt").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"cannot read .*c\.txt"):
        list(text.stream_documents(tmp_path / "c.txt"))


def test_absent_corpora_are_zeros(folder):
    shutil.rmtree(folder)
    with data.absent():
        corpus = text.stored(None, vocab_size=30_522)
    assert corpus.tokenizer.size == 30_522
    rows = text.passages(corpus, corpus.tokenizer, 509)
    assert rows[0]["tokens"].shape == (509,)
    assert rows[0]["sentences"].max() > 1
    assert text.packed(corpus, corpus.tokenizer, 128)[0]["segments"].max() == 1
