"""Cleaning: what is kept, in which form, and that near duplicates are what their definition says."""

import numpy as np
import pytest

from jssl.data import text
from jssl.data.text.near import likeness, shingles
from tests.data.text.corpora import verses


def test_each_reason_is_counted_and_labels_follow():
    given = ["b  b", None, "", " \n", "a", "b b", float("nan"), "e\u0301", "é", "ﬁ"]
    cleaned = text.clean(given)
    assert cleaned.texts == ["b b", "a", "é", "ﬁ"]
    np.testing.assert_array_equal(cleaned.kept, [0, 4, 7, 9])
    assert cleaned.report == text.Report(
        given=10, kept=4, changed=2, missing=2, empty=2, duplicates=2, near_duplicates=0
    )
    np.testing.assert_array_equal(np.arange(10)[cleaned.kept], cleaned.kept)


def test_the_options_do_what_they_say():
    assert text.clean(["ﬁ x²"], form="NFKC").texts == ["fi x2"]
    assert text.clean(["e\u0301"], form=None).texts == ["e\u0301"]
    assert text.clean([" a\n\nb "], whitespace=False).texts == ["a\n\nb"]
    assert text.clean(["a", "a"], duplicates=False).texts == ["a", "a"]
    assert text.tidy("a\u00a0\u3000b") == "a b"
    assert text.tidy("a\ud800") == "a\ufffd"


def test_what_cannot_be_cleaned_is_refused():
    with pytest.raises(ValueError, match="expected texts to keep, got 2 that"):
        text.clean([None, ""])
    with pytest.raises(ValueError, match=r"got float at 1: 2\.5"):
        text.clean(["a", 2.5])
    for threshold, words in ((0.0, 3), (1.5, 3), (0.8, 0)):
        with pytest.raises(ValueError, match="threshold in"):
            text.near_duplicates(["a"], threshold, words=words)


def test_shingles_are_runs_of_words():
    assert len(shingles("one two three four", 3)) == 2
    assert shingles("One, two: THREE", 3) == shingles("one two three", 3)
    assert shingles("one two", 3) == shingles("One two!", 3) != shingles("two one", 3)
    assert shingles("!?", 3) != shingles("??", 3)
    assert likeness({1, 2, 3}, {2, 3, 4}) == 0.5


def test_near_duplicates_are_found_and_the_first_is_kept():
    long = "in the beginning god created the heavens and the earth and the earth was formless and empty now"
    given = [
        long,
        "quite another sentence about ships and the sea",
        long.upper() + "!",
        long + " indeed",
        "short",
    ]
    np.testing.assert_array_equal(text.near_duplicates(given, 0.8), [False, False, True, True, False])
    cleaned = text.clean(given, near=0.8)
    np.testing.assert_array_equal(cleaned.kept, [0, 1, 4])
    assert cleaned.report.near_duplicates == 2


def naive(texts: list[str], threshold: float, words: int) -> np.ndarray:
    """All pairs."""
    sets = [set(zip(*(t.lower().split()[i:] for i in range(words)), strict=False)) for t in texts]
    dropped = []
    for i, own in enumerate(sets):
        near = (
            j for j in range(i) if not dropped[j] and len(own & sets[j]) >= threshold * len(own | sets[j])
        )
        dropped.append(any(True for _ in near))
    return np.array(dropped)


def test_almost_all_of_what_comparing_all_pairs_finds():
    rng = np.random.default_rng(0)
    plain = [" ".join("".join(c for c in verse if c.isalnum() or c == " ").split()) for verse in verses(300)]
    texts = [verse for verse in plain if len(verse.split()) > 8]
    for verse in texts[:150]:
        words = verse.split()
        words[rng.integers(len(words))] = "other"
        texts.append(" ".join(words))
    expected, found = naive(texts, 0.6, 3), text.near_duplicates(texts, 0.6)
    assert expected.sum() > 50
    assert (found & expected).sum() >= 0.95 * expected.sum()
    assert not (found & ~expected).any()


def test_the_same_in_every_run():
    first = text.near_duplicates(verses(500), 0.5, seed=1)
    np.testing.assert_array_equal(first, text.near_duplicates(verses(500), 0.5, seed=1))
