"""The text that comes with jssl."""

from pathlib import Path
from typing import NamedTuple

from jssl.data.text.files import read_documents

EMBEDDED = Path(__file__).parent.parent / "embedded" / "web_bible" / "web.txt.bz2"

EVERY = 10
"""Each tenth chapter is held out, so that all books but the shortest are in both parts."""


class Corpus(NamedTuple):
    """Documents of sentences, to train on and to evaluate on."""

    train: list[list[str]]
    held_out: list[list[str]]


def web_bible() -> Corpus:
    """The World English Bible: 1,189 chapters (documents) of 31,102 verses (sentences), 4 million characters.

    Every tenth chapter is held out, 118 of them, the same ones always. Some passages are told twice in the
    Bible (Kings and Chronicles, the Gospels), so what is held out is not all unheard of.

    Returns:
        `train` and `held_out`, lists of chapters, which are lists of verses: what `passages` takes.
        `[" ".join(verses) for verses in web_bible().train]` are the chapters as texts.

    Reference: public domain; jssl/data/embedded/web_bible/NOTICE.
    """
    chapters = read_documents(EMBEDDED)
    held_out = chapters[EVERY - 1 :: EVERY]
    train = [chapter for place, chapter in enumerate(chapters, 1) if place % EVERY]
    return Corpus(train, held_out)
