"""Pictures of the pretext task: rows of images such as views and reconstructions, and clusters' members."""

from __future__ import annotations

import numpy as np

from jssl.report import sprites
from jssl.report.markup import Markup, join, tag
from jssl.report.palette import class_colour
from jssl.report.run_files import Run
from jssl.report.wording import short

MAX_ROWS, MAX_COLUMNS, LARGEST, BUDGET = 12, 12, 96, 250_000
CLUSTERS, MEMBERS = 12, 12

COLUMN_NAMES = {("reconstruction", 3): ("masked", "reconstruction", "original")}
CAPTIONS = {
    "views": "Each strip is one image as the method sees it: the random changes that it must see through.",
    "reconstruction": "What is hidden, what the network makes of it, and the truth.",
}


def draw_rows(name: str, images: np.ndarray) -> tuple[sprites.Sheet, Markup]:
    """Rows of images, [rows, columns, height, width, channels]: the sheet and the strips that show it."""
    images = images[:MAX_ROWS, :MAX_COLUMNS]
    rows, columns = images.shape[:2]
    drawn = sprites.sheet(
        f"sheet-{_css_name(name)}", images.reshape(-1, *images.shape[2:]), budget=BUDGET, largest=LARGEST
    )
    heads = COLUMN_NAMES.get((name, columns))
    strips = [
        tag(
            "div",
            *(_cell(drawn, row * columns + at, heads[at] if heads else "") for at in range(columns)),
            class_="strip",
        )
        for row in range(rows)
    ]
    caption = tag("p", CAPTIONS[name], class_="note") if name in CAPTIONS else None
    return drawn, join(caption, tag("div", *strips, class_="strips"))


def _cell(drawn: sprites.Sheet, index: int, head: str) -> Markup:
    name = tag("small", head) if head else None
    return tag("span", drawn.tile(index, label=head), name, class_="cell")


def _css_name(name: str) -> str:
    return "".join(
        letter if letter.isalnum() and letter.isascii() else f"_{ord(letter):x}" for letter in name
    )


def draw_clusters(run: Run, scores: np.ndarray, tiles: sprites.Sheet | None) -> Markup:
    """The clusters that most test inputs fall into, each with its best members and its mix of classes.

    Args:
        scores: [n, k], of the first n test inputs over k clusters; the highest is the input's cluster.
        tiles: the test inputs' images, if they are images.
    """
    assigned = scores.argmax(axis=1)
    sizes = np.bincount(assigned, minlength=scores.shape[1])
    shares = sizes[sizes > 0] / sizes.sum()
    effective = float(np.exp(-(shares * np.log(shares)).sum()))
    used = np.argsort(-sizes, kind="stable")[: min(CLUSTERS, int((sizes > 0).sum()))]
    summary = (
        f"{len(scores):,} test inputs fall into {int((sizes > 0).sum())} of {scores.shape[1]} clusters "
        f"(as even as {short(round(effective, 1))} of the same size). The {len(used)} largest:"
    )
    cards = [
        _cluster(run, int(index), scores[:, index], np.flatnonzero(assigned == index), tiles)
        for index in used
    ]
    return join(tag("p", summary, class_="note"), tag("div", *cards, class_="clusters"))


def _cluster(
    run: Run, index: int, scores: np.ndarray, members: np.ndarray, tiles: sprites.Sheet | None
) -> Markup:
    best = members[np.argsort(-scores[members], kind="stable")][:MEMBERS]
    labels = None if run.embeddings is None else run.embeddings.labels
    known = None if labels is None else labels[members[members < len(labels)]]
    pictured = [] if tiles is None else [int(i) for i in best if i < tiles.number]
    shown = [tiles.tile(i, label=_name(run, labels, i)) for i in pictured if tiles is not None]
    title = tag("b", f"Cluster {index}")
    size = tag("span", f"{len(members)} members")
    return tag(
        "div",
        tag("div", title, size, class_="cluster-head"),
        None if known is None or not known.size else _class_mix(run, known),
        tag("div", *shown, class_="members") if shown else None,
        class_="cluster",
    )


def _name(run: Run, labels: np.ndarray | None, index: int) -> str:
    return "" if labels is None or index >= len(labels) else run.class_name(int(labels[index]))


def _class_mix(run: Run, labels: np.ndarray) -> Markup:
    """A stacked bar of the members' classes and the names of the two most frequent."""
    classes, counts = np.unique(labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    parts = [(int(classes[i]), float(counts[i] / counts.sum())) for i in order]
    bars = [
        tag(
            "i",
            style=f"width:{100 * share:.1f}%;background:{class_colour(label)}",
            title=run.class_name(label),
        )
        for label, share in parts
    ]
    words = ", ".join(f"{run.class_name(label)} {100 * share:.0f} %" for label, share in parts[:2])
    return join(tag("div", *bars, class_="mix"), tag("small", words))
