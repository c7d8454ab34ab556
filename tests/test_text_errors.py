"""What can go wrong with texts, tokenizers and networks that don't fit ends in one message."""

import pytest

from experiments.bert_base import bert_base
from experiments.bert_small_bible import bert_small_bible
from experiments.clm_shakespeare import clm_shakespeare
from experiments.gpt2_124m import gpt2_124m
from jssl import data, experiment

TINY = ["--width", "32", "--depth", "1", "--heads", "1", "--steps", "1", "--batch-size", "2"]


@pytest.fixture
def message(capsys, tmp_path):
    """The last line that an experiment's command ends with."""

    def run(factory, *options):
        with pytest.raises(SystemExit) as ended:
            experiment.main(
                factory, [*TINY, "--run-dir", str(tmp_path / "run"), "--mesh", "data=1", *options]
            )
        assert ended.value.code not in (0, None)
        said = str(ended.value.code) if isinstance(ended.value.code, str) else capsys.readouterr().err
        assert "Traceback" not in said
        return " ".join(said.split())

    return run


@pytest.mark.parametrize("factory", [bert_small_bible, clm_shakespeare])
def test_an_empty_corpus(message, tmp_path, factory):
    file = tmp_path / "empty.txt"
    file.write_text("\n\n")
    said = message(factory, "--text", str(file))
    assert f"error: {file}: expected" in said


def test_no_corpus(message, tmp_path):
    assert "error: expected the folder of a corpus, got none" in message(gpt2_124m)
    assert "none: make it from texts by data.text.store" in message(bert_base, "--data-dir", str(tmp_path))


def test_a_corpus_of_more_tokens_than_the_network_has(message, tmp_path):
    documents = data.text.web_bible().train[:3]
    folder = data.text.store(tmp_path / "corpus", documents, data.text.byte_tokenizer())
    said = message(bert_base, "--data-dir", str(folder), "--vocab-size", "100")
    assert "error: expected a corpus of at most vocab_size=100 token ids, got one of 261" in said


def test_a_corpus_of_fewer_tokens_than_a_row(message, tmp_path):
    folder = data.text.store(tmp_path / "corpus", ["a text", "another"], data.text.byte_tokenizer())
    said = message(gpt2_124m, "--data-dir", str(folder))
    assert "error: expected at least the 1025 tokens of a row, got 6" in said


def test_a_tokenizer_without_a_mask(message, tmp_path):
    folder = data.text.store(
        tmp_path / "corpus", ["a text", "another"], data.text.byte_tokenizer(special=False)
    )
    assert "error: expected a tokenizer with" in message(bert_base, "--data-dir", str(folder))
