"""Which classes are taken for which: the confusion matrix of the nearest-neighbour predictions."""

from __future__ import annotations

import numpy as np

from jssl.report.markup import Markup, join, tag
from jssl.report.run_files import Run

MAX_CLASSES, MAX_PAIRS = 24, 6


def count(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Examples by true class (row) and predicted class (column); negative labels are left out."""
    known = (labels >= 0) & (predictions >= 0)
    size = int(max(labels.max(initial=0), predictions.max(initial=0))) + 1
    matrix = np.zeros((size, size), np.int64)
    np.add.at(matrix, (labels[known], predictions[known]), 1)
    return matrix


def draw(run: Run) -> Markup | None:
    """The matrix in percent of the true class, below the pairs that are confused most."""
    examples = run.embeddings
    if examples is None or examples.labels is None or examples.predictions is None:
        return None
    matrix = count(examples.labels, examples.predictions)
    if not matrix.sum():
        return None
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    correct = float(np.trace(matrix) / matrix.sum())
    note = (
        f"kNN predictions of {int(matrix.sum()):,} test examples, {100 * correct:.1f} % right. "
        "In percent of the true class."
    )
    drawing = _table(run, shares, matrix) if len(matrix) <= MAX_CLASSES else None
    return join(tag("p", note, class_="note"), _pairs(run, shares), drawing)


def _pairs(run: Run, shares: np.ndarray) -> Markup | None:
    """The most frequent mistakes in words."""
    wrong = shares * (1 - np.eye(len(shares)))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MAX_PAIRS]
    items = []
    for true, predicted in zip(*np.unravel_index(order, wrong.shape), strict=True):
        if wrong[true, predicted] > 0:
            share = tag("b", f"{100 * wrong[true, predicted]:.0f} %")
            items.append(tag("li", f"{run.class_name(int(true))} → {run.class_name(int(predicted))} ", share))
    return tag("ul", *items, class_="pairs") if items else None


def _table(run: Run, shares: np.ndarray, matrix: np.ndarray) -> Markup:
    names = [run.class_name(index) for index in range(len(matrix))]
    heads = [tag("th", tag("span", name), scope="col") for name in names]
    rows = [
        tag(
            "tr",
            tag("th", names[true], scope="row"),
            *(_cell(names, shares, matrix, true, predicted) for predicted in range(len(matrix))),
        )
        for true in range(len(matrix))
    ]
    corner = tag("td", tag("small", "true ↓ predicted →"))
    table = tag("table", tag("thead", tag("tr", corner, *heads)), tag("tbody", *rows), class_="confusion")
    return tag("div", table, class_="scroll")


def _cell(names: list[str], shares: np.ndarray, matrix: np.ndarray, true: int, predicted: int) -> Markup:
    share = float(shares[true, predicted])
    colour = "--right" if true == predicted else "--wrong"
    strength = round(100 * share**0.6 * 0.85)
    return tag(
        "td",
        f"{100 * share:.0f}" if share >= 0.005 else "",
        style=f"background:color-mix(in srgb,var({colour}) {strength}%,transparent)",
        class_="strong" if strength > 55 else None,
        title=f"{names[true]} taken for {names[predicted]}: {int(matrix[true, predicted])}",
    )
