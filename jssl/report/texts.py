"""Texts with hidden words that were filled in."""

from __future__ import annotations

from jssl.report.markup import Markup, join, tag
from jssl.report.run_files import Piece


def draw(rows: list[list[Piece]]) -> Markup:
    """The rows as running text: each hidden token with the truth and, where it was wrong, the guess."""
    hidden = [piece for row in rows for piece in row if piece.guess is not None]
    right = sum(piece.guess == piece.text for piece in hidden)
    caption = tag(
        "p",
        "Held-out text, with what the network put in the place of hidden tokens: "
        f"{right:,} of {len(hidden):,} right. ",
        tag("span", "found", class_="gap right"),
        " ",
        _mistake("guess", "truth", "gap"),
        class_="note",
    )
    return join(caption, tag("div", *(tag("p", *map(_piece, row)) for row in rows), class_="passages"))


def _piece(piece: Piece) -> Markup:
    if piece.guess is None:
        return tag("span", piece.text.strip(), class_="special") if piece.special else join(piece.text)
    truth, guess = visible(piece.text), visible(piece.guess)
    # The space before a word is none of the word; a hidden space is.
    before = " " if piece.text[:1].isspace() and piece.text.strip() else ""
    seen = f"; the network saw {visible(piece.seen)}" if piece.seen is not None else ""
    if piece.guess == piece.text:
        return join(before, tag("span", truth, class_="gap right", title=f"hidden, and found{seen}"))
    return join(before, _mistake(guess, truth, f"hidden{seen}"))


def _mistake(guess: str, truth: str, title: str) -> Markup:
    return tag("span", tag("del", guess), " ", tag("b", truth), class_="gap wrong", title=title)


def visible(text: str) -> str:
    """A token's text without the spaces around it; one of spaces alone by signs for them."""
    return text.strip() or text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥") or "∅"
