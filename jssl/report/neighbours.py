"""The nearest neighbours of a few test examples."""

from __future__ import annotations

import numpy as np

from jssl.report import sprites
from jssl.report.embedding_map import unit_features
from jssl.report.markup import Markup, join, tag
from jssl.report.run_files import Embeddings, Run

QUERIES, NEIGHBOURS = 10, 8
SENTENCES = 4
"""Of texts fewer neighbours are drawn: one is a line."""


def choose_queries(labels: np.ndarray | None, count: int) -> np.ndarray:
    """The first example of each class in turn, so that every class is seen; without labels from all over."""
    if labels is None:
        return np.linspace(0, count - 1, min(QUERIES, count)).astype(np.int64)
    turns = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        turns[labels == label] = np.arange((labels == label).sum())
    return np.lexsort((labels, turns))[:QUERIES]


def nearest(features: np.ndarray, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The most similar other examples by cosine, best first: indices and similarities, [queries, count]."""
    unit = unit_features(features)
    similar = unit[queries] @ unit.T
    similar[np.arange(len(queries)), queries] = -np.inf
    order = np.argsort(-similar, axis=1, kind="stable")[:, : min(count, len(features) - 1)]
    return order, np.take_along_axis(similar, order, axis=1)


def draw(run: Run, examples: Embeddings, tiles: sprites.Sheet | None) -> Markup | None:
    """A row for each query; the neighbours' border tells whether their class is the query's."""
    labels = examples.labels
    worded = tiles is None and len(run.texts.examples) >= len(examples.features)
    if len(examples.features) < 2 or (tiles is None and labels is None and not worded):
        return None
    queries = choose_queries(labels, len(examples.features))
    order, similar = nearest(examples.features, queries, SENTENCES if worded else NEIGHBOURS)
    caption = tag("p", _caption(labels, queries, order), class_="note")
    if worded:
        return join(caption, _sentences(run, labels, queries, order, similar))
    rows = []
    for query, found, values in zip(queries, order, similar, strict=True):
        cells = [
            _neighbour(run, labels, int(query), int(i), float(s), tiles)
            for i, s in zip(found, values, strict=True)
        ]
        head = tag("span", _example(run, labels, int(query), tiles, ""), class_="query")
        rows.append(
            tag(
                "div",
                head,
                tag("span", "→", class_="arrow"),
                *cells,
                class_="neighbours" if tiles else "neighbours words",
            )
        )
    return join(caption, tag("div", *rows, class_="neighbour-rows"))


def _sentences(
    run: Run, labels: np.ndarray | None, queries: np.ndarray, order: np.ndarray, similar: np.ndarray
) -> Markup:
    """Each query's text, and below it those of its neighbours, with the cosine before them."""
    rows = []
    for query, found, values in zip(queries, order, similar, strict=True):
        items = (
            tag("li", tag("small", f"{value:.2f}"), tag("span", _worded(run, labels, int(i), int(query))))
            for i, value in zip(found, values, strict=True)
        )
        head = tag("p", _worded(run, labels, int(query)))
        rows.append(tag("div", head, tag("ol", *items), class_="sentences"))
    return tag("div", *rows, class_="neighbour-rows")


def _worded(run: Run, labels: np.ndarray | None, index: int, query: int | None = None) -> Markup:
    """An example's text after its class, if it has one."""
    text = run.texts.examples[index] or "(no text)"
    if labels is None:
        return join(text)
    verdict = "" if query is None else " right" if labels[query] == labels[index] else " wrong"
    return join(tag("span", run.class_name(int(labels[index])), class_=f"chip{verdict}"), " ", text)


def _caption(labels: np.ndarray | None, queries: np.ndarray, order: np.ndarray) -> Markup:
    text = "A test example, then those that the encoder finds most like it (cosine)."
    if labels is None:
        return join(text)
    right = int((labels[order] == labels[queries][:, None]).sum())
    return join(
        f"{text} {right} of {order.size} have the same class: ",
        tag("span", "same", class_="key right"),
        " ",
        tag("span", "another", class_="key wrong"),
    )


def _neighbour(
    run: Run, labels: np.ndarray | None, query: int, index: int, similar: float, tiles: sprites.Sheet | None
) -> Markup:
    verdict = "" if labels is None else "right" if labels[query] == labels[index] else "wrong"
    return tag("span", _example(run, labels, index, tiles, verdict, f"{similar:.2f}"), class_="neighbour")


def _example(
    run: Run, labels: np.ndarray | None, index: int, tiles: sprites.Sheet | None, verdict: str, note: str = ""
) -> Markup:
    """The image with its class, or the class alone where the examples are no images."""
    name = "" if labels is None else run.class_name(int(labels[index]))
    words = ", ".join(word for word in (name, note) if word)
    if tiles is None:
        return tag("span", name, class_=f"chip {verdict}".rstrip(), title=words)
    return tiles.tile(index, label=words, class_=verdict)
