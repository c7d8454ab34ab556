"""Labelled text sets, from small files of the published forms, with their traps."""

import numpy as np
import pytest

from jssl import data


def write(folder, name, *lines, end="\n"):
    (folder / name).write_bytes("".join(line + end for line in lines).encode())


def test_sts_sets_by_year_and_without_what_was_never_scored(tmp_path):
    # A quote is a character as any other, and so is what Unicode calls the end of a line.
    write(tmp_path, "2012.MSRpar.test.tsv", '4.5\t"A dog\tHe said "no"', "0\ta\x85b\tc\u2028d")
    write(tmp_path, "2015.answers-forums.test.tsv", "\tnever\tscored", "2.25\tx\ty")
    write(tmp_path, "2012.MSRpar.train.tsv", "1\tp\tq")
    write(tmp_path, "notes.test.tsv", "nothing of the kind")
    sets = data.sts_pairs(tmp_path)
    assert {year: list(members) for year, members in sets.items()} == {
        "2012": ["MSRpar"],
        "2015": ["answers-forums"],
    }
    pairs = sets["2012"]["MSRpar"]
    assert pairs.first == ['"A dog', "a\x85b"]
    assert pairs.second == ['He said "no"', "c\u2028d"]
    assert pairs.scores.dtype == np.float32
    np.testing.assert_array_equal(pairs.scores, [4.5, 0])
    assert sets["2015"]["answers-forums"][:2] == (["x"], ["y"])
    assert data.sts_pairs(tmp_path, "train")["2012"]["MSRpar"].first == ["p"]


def test_sick_with_both_ends_of_lines(tmp_path):
    header = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment"
    write(tmp_path, "SICK_train.txt", header, "1\ta\tb\t4.5\tNEUTRAL", "2\tc\td\t1\tCONTRADICTION")
    write(tmp_path, "SICK_trial.txt", header, "3\te\tf\t3\tENTAILMENT")
    write(tmp_path, "SICK_test_annotated.txt", header, "4\tg\th\t2.5\tENTAILMENT", end="\r\n")
    found = data.sick(tmp_path)
    assert [part.labels.tolist() for part in found] == [[1, 0], [2], [2]]
    assert found.test.second == ["h"]
    np.testing.assert_array_equal(found.train.scores, [4.5, 1])


def test_sst2(tmp_path):
    write(tmp_path, "train.tsv", "a fine film\t1", "dull , dull\t0")
    write(tmp_path, "dev.tsv", "so so\t0")
    write(tmp_path, "test.tsv", "good\t1")
    found = data.sst2(tmp_path)
    assert found.train.texts == ["a fine film", "dull , dull"]
    assert [part.labels.tolist() for part in found[:3]] == [[1, 0], [0], [1]]
    assert found.train.labels.dtype == np.int32
    assert found.classes == ("negative", "positive")


def test_bbc(tmp_path):
    write(tmp_path, "train.tsv", "label\ttext", "tech\tchips", "business\tshares", "tech\tphones")
    write(tmp_path, "test.tsv", "label\ttext", "business\tgold")
    found = data.bbc(tmp_path)
    assert found.classes == ("business", "tech")
    assert found.train.labels.tolist() == [1, 0, 1]
    assert found.test == (["gold"], [0])
    assert found.dev is None


def test_sentences_end_at_lines_of_blanks_and_tabs(tmp_path):
    lines = ["Ann\tB-person", "Lee\tI-person", "\t", "ran\tO", "", "", "\u00a0\tO", ".\tNOUN\tO"]
    write(tmp_path, "some.conll", *lines)
    found = data.conll(tmp_path / "some.conll")
    assert found.words == [["Ann", "Lee"], ["ran"], ["\u00a0", "."]]
    assert found.tags == [["B-person", "I-person"], ["O"], ["O", "O"]]


def test_wnut17(tmp_path):
    names = ["wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"]
    for place, name in enumerate(names):
        write(tmp_path, name, *["Ann\tB-person", "", "ran\tO", ""][: 2 * (1 + place % 2)])
    found = data.wnut17(tmp_path)
    assert found.train == ([["Ann"]], [["B-person"]])
    assert found.dev.words == [["Ann"], ["ran"]]
    assert found.test.tags == [["B-person"]]


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (data.sts_pairs, r"files YEAR\.SET\.test\.tsv .* holds none"),
        (data.sick, r"SICK with SICK_train\.txt, .* SICK_trial\.txt, SICK_test_annotated\.txt are not there"),
        (data.sst2, r"SST-2 with train\.tsv, dev\.tsv, test\.tsv, got .* are not there"),
        (data.bbc, r"BBC news with train\.tsv, test\.tsv"),
        (data.wnut17, r"WNUT-17 with wnut17train\.conll"),
        (data.conll, "word TAB tag, one word a line, got .* no file"),
    ],
)
def test_what_is_missing_is_named(tmp_path, load, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path)


def test_what_has_another_form_is_named_with_its_line(tmp_path):
    write(tmp_path, "2012.a.test.tsv", "1\ta\tb", "2\tc")
    with pytest.raises(ValueError, match=r"2012\.a\.test\.tsv, line 2: expected 3 columns .* got 2"):
        data.sts_pairs(tmp_path)
    write(tmp_path, "2012.a.test.tsv", "one\ta\tb")
    with pytest.raises(ValueError, match="expected scores that are numbers"):
        data.sts_pairs(tmp_path)
    for name in ("train", "dev", "test"):
        write(tmp_path, f"{name}.tsv", "a\t2")
    with pytest.raises(ValueError, match="expected the classes 0, 1, got also '2'"):
        data.sst2(tmp_path)
    write(tmp_path, "a.conll", "word O")
    with pytest.raises(ValueError, match=r"a\.conll, line 1: expected word TAB tag, got 'word O'"):
        data.conll(tmp_path / "a.conll")
    write(tmp_path, "a.conll", "", "\t")
    with pytest.raises(ValueError, match="got no words"):
        data.conll(tmp_path / "a.conll")
