"""Vocabularies of published models give the ids that transformers gives, from each of their files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from jssl.data import text
from tests.data.text.corpora import copy, fetched

GOLDEN = Path(__file__).parent.parent.parent / "golden"
VOCABULARIES = GOLDEN / "vocabularies"
VALUES = np.load(GOLDEN / "tokenizers_of_transformers.npz")
TEXTS = json.loads(str(VALUES["texts"]))


def assert_golden(name: str, tokenizer: text.Tokenizer) -> None:
    before = [] if tokenizer.special.cls is None else [tokenizer.special.cls]
    after = [] if tokenizer.special.cls is None else [tokenizer.special.sep]
    for given, row in zip(TEXTS, VALUES[name], strict=True):
        expected = row[row >= 0].tolist()
        assert [*before, *tokenizer.encode(given, special=True).tolist(), *after] == expected, given


@pytest.mark.parametrize(
    ("name", "file", "lowercase"),
    [
        ("bert", "bert/vocab.txt", None),
        ("bert_cased", "bert/vocab.txt", False),
        ("gpt2", "gpt2/vocab.json", None),
        ("roberta", "roberta", None),
    ],
)
def test_ids_are_those_of_transformers(name, file, lowercase):
    assert_golden(name, text.load_tokenizer(VOCABULARIES / file, lowercase=lowercase))


def test_the_ids_of_minilm():
    folder = fetched("minilm/vocab.txt").parent
    for path in (folder, folder / "tokenizer.json", folder / "vocab.txt"):
        tokenizer = text.load_tokenizer(path)
        assert_golden("minilm", tokenizer)
        assert tokenizer.size == 30_522
        assert tokenizer.special == text.Special(pad=0, unk=100, cls=101, sep=102, mask=103, eos=102)
        assert tokenizer.special_ids == (0, 100, 101, 102, 103)
    ids = tokenizer.encode("hello world " * 1000)  # tokenizer.json would cut them at 128
    assert len(ids) == 2000


def test_the_ids_of_gpt2():
    tokenizer = text.load_tokenizer(fetched("gpt2/encoder.json").parent)
    assert_golden("openai", tokenizer)
    assert tokenizer.size == 50_257
    assert tokenizer.special == text.Special(eos=50_256)


def test_encoded_rows_are_the_padded_ids_of_transformers():
    tokenizer = text.load_tokenizer(VOCABULARIES / "bert")
    keep = [place for place, given in enumerate(TEXTS) if "[" not in given]
    golden = VALUES["bert"]
    rows = text.encoded([TEXTS[place] for place in keep], tokenizer, golden.shape[1], truncate=False)
    batch = rows.__getitems__(range(len(keep)))
    np.testing.assert_array_equal(batch["tokens"], np.where(golden < 0, 0, golden)[keep])
    np.testing.assert_array_equal(batch["segments"], (golden >= 0)[keep])


def test_case_is_told_by_the_vocabulary_or_its_configuration(tmp_path):
    folder = copy(VOCABULARIES / "bert", tmp_path / "a", "vocab.txt")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    lower, cased = text.load_tokenizer(VOCABULARIES / "bert"), text.load_tokenizer(folder)
    assert "[UNK]" not in lower.decode(lower.encode("The God"))
    assert "[UNK]" in cased.decode(cased.encode("The God"))
    (tmp_path / "vocab.txt").write_text("[UNK]\nGod\n")
    capital = text.load_tokenizer(tmp_path / "vocab.txt")
    assert capital.encode("God").tolist() == [1]


def test_parts_are_named_by_the_map_of_special_tokens(tmp_path):
    text.load_tokenizer(VOCABULARIES / "gpt2").save(tmp_path)
    (tmp_path / "special_tokens_map.json").write_text(
        json.dumps({"pad_token": {"content": "!", "lstrip": False}, "eos_token": "<|endoftext|>"})
    )
    tokenizer = text.load_tokenizer(tmp_path)
    assert tokenizer.pieces[tokenizer.special.pad] == "!"
    assert tokenizer.special_ids == (0, tokenizer.special.pad)
    (tmp_path / "special_tokens_map.json").write_text('{"pad_token": "[NONE]"}')
    with pytest.raises(ValueError, match=r"that the vocabulary has, got \[NONE\]"):
        text.load_tokenizer(tmp_path)


def test_what_is_no_tokenizer_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected one of tokenizer\.json, .*vocab\.txt in .*, got none$"):
        text.load_tokenizer(tmp_path)
    (tmp_path / "spiece.model").write_bytes(b"")
    with pytest.raises(ValueError, match=r"spiece\.model has to be converted"):
        text.load_tokenizer(tmp_path)
    shutil.copy(VOCABULARIES / "gpt2" / "vocab.json", tmp_path / "vocab.json")
    with pytest.raises(ValueError, match=r"cannot read .*expected merges\.txt beside it"):
        text.load_tokenizer(tmp_path)
    for broken in ("{", '{"model": {}}', "[]"):
        (tmp_path / "tokenizer.json").write_text(broken)
        with pytest.raises(ValueError, match=r"cannot read the tokenizer .*tokenizer\.json"):
            text.load_tokenizer(tmp_path)
    (tmp_path / "symbols.json").write_text("{}")
    with pytest.raises(ValueError, match="expected a tokenizer that jssl has saved"):
        text.load_tokenizer(tmp_path / "symbols.json")
