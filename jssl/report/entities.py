"""Texts with the named entities that are there and those that were found."""

from __future__ import annotations

from jssl.report.markup import Markup, join, tag
from jssl.report.run_files import Tagged

NONE = "none"


def draw(rows: list[list[Tagged]]) -> Markup | None:
    """The rows as running text: each entity with its kind and, where it was not found so, what was."""
    if not rows:
        return None
    caption = tag(
        "p",
        "Held-out texts in which there are entities, or some were found. One is right with its kind and both "
        "its ends. ",
        _entity(Tagged("found", "kind", "kind", True)),
        " ",
        _entity(Tagged("wrong", "truth", "guess")),
        class_="note",
    )
    return join(caption, tag("div", *(tag("p", *map(_piece, row)) for row in rows), class_="passages"))


def _piece(piece: Tagged) -> Markup:
    if piece.truth is None and piece.guess is None:
        return join(piece.text)
    before = " " if piece.text[:1].isspace() else ""
    return join(before, _entity(piece._replace(text=piece.text.strip())))


def _entity(piece: Tagged) -> Markup:
    if piece.right:
        return tag("span", piece.text, " ", tag("small", piece.truth), class_="gap right")
    same = piece.truth == piece.guess
    kinds = [] if same else [tag("del", piece.guess or NONE), " "]
    title = "the kind is right, the ends are not" if same else None
    kinds.append(tag("b", piece.truth or NONE))
    return tag("span", piece.text, " ", tag("small", *kinds), class_="gap wrong", title=title)
