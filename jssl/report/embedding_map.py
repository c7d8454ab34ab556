"""The embeddings as a map in two dimensions, coloured by class."""

from __future__ import annotations

import numpy as np

from jssl.report import sprites
from jssl.report.chart import dots
from jssl.report.markup import Markup, data_script, join, tag
from jssl.report.palette import class_colour
from jssl.report.run_files import Embeddings, Run

SIZE, MARGIN, COMPONENTS = 640, 14, 50
LETTERS = 120
"""Of the text that is shown of an example."""


def unit_features(features: np.ndarray) -> np.ndarray:
    """Features of length one, so that distance means angle; a zero or non-finite row is zero."""
    clean = np.where(np.isfinite(features).all(axis=1, keepdims=True), features, 0.0).astype(np.float32)
    norms = np.sqrt((clean**2).sum(axis=1, keepdims=True))
    return clean / np.where(norms > 0, norms, 1.0)


def project(features: np.ndarray) -> np.ndarray | None:
    """Unit features [n, dim] to [n, 2] by PCA and t-SNE; None where they are too few or all alike.

    Reference: van der Maaten and Hinton 2008, Visualizing Data using t-SNE.
    """
    count, dim = features.shape
    if count < 10 or float(features.std(axis=0).max(initial=0.0)) < 1e-6:
        return None
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    features = np.pad(features, ((0, 0), (0, max(0, 2 - dim))))
    components = min(COMPONENTS, features.shape[1], count)
    reduced = PCA(components, svd_solver="randomized", random_state=0).fit_transform(features)
    perplexity = min(30.0, (count - 1) / 3)
    # A start of unit scale would take the early iterations to shrink; t-SNE wants it small.
    start = reduced[:, :2] / max(float(reduced[:, 0].std()), 1e-12) * 1e-4
    tsne = TSNE(
        2, perplexity=perplexity, angle=0.7, init=start.astype(np.float32), max_iter=500, random_state=0
    )
    # So small a problem is several times faster on one thread than on threads that wait for each other.
    with threadpool_limits(1):
        return tsne.fit_transform(reduced)


def draw(run: Run, examples: Embeddings, tiles: sprites.Sheet | None) -> Markup:
    """The map with its legend and a card that shows the example under the pointer."""
    places = project(unit_features(examples.features))
    if places is None:
        return tag("p", "No map: the embeddings are fewer than ten or all the same.", class_="note")
    across, down = (_to_drawing(places[:, axis]) for axis in (0, 1))
    labels = np.zeros(len(across), np.int64) if examples.labels is None else examples.labels
    classes = sorted({int(label) for label in labels})
    named = examples.labels is not None
    layers = [_layer(across, down, labels, label, named=named) for label in classes]
    drawing = tag(
        "svg",
        *layers,
        tag("circle", r=9, class_="here"),
        viewBox=f"0 0 {SIZE} {SIZE}",
        role="img",
        aria_label=f"map of {len(across)} embeddings",
    )
    points = {
        "x": np.round(across).astype(int).tolist(),
        "y": np.round(down).astype(int).tolist(),
        "label": labels.tolist() if named else None,
        "names": {label: run.class_name(label) for label in classes},
        "sheet": None if tiles is None else [tiles.columns, tiles.rows],
        "texts": [text[:LETTERS] for text in run.texts.examples[: len(across)]] if tiles is None else [],
    }
    return join(
        tag("p", _caption(examples), class_="note"),
        tag("div", drawing, _side(run, classes if named else [], tiles), data_script(points), class_="map"),
    )


def _caption(examples: Embeddings) -> str:
    coloured = "coloured by class" if examples.labels is not None else "no labels given"
    return f"{len(examples.features):,} test examples, t-SNE of the normalised features; {coloured}."


def _to_drawing(values: np.ndarray) -> np.ndarray:
    """To the drawing's width; a few far outliers are held at the edge."""
    low, high = np.percentile(values, [0.2, 99.8])
    share = (values - low) / max(float(high - low), 1e-12)
    return MARGIN + np.clip(share, -0.01, 1.01) * (SIZE - 2 * MARGIN)


def _layer(across: np.ndarray, down: np.ndarray, labels: np.ndarray, label: int, *, named: bool) -> Markup:
    chosen = labels == label
    colour = class_colour(label) if named else "var(--accent)"
    return tag(
        "path",
        d=dots(across[chosen], down[chosen]),
        style=f"stroke:{colour}",
        class_="cloud",
        data_class=label,
    )


def _side(run: Run, classes: list[int], tiles: sprites.Sheet | None) -> Markup:
    items = [
        tag(
            "button",
            tag("i", style=f"background:{class_colour(label)}"),
            run.class_name(label),
            type="button",
            data_class=label,
            aria_pressed="true",
        )
        for label in classes
    ]
    picture = None if tiles is None else tag("span", class_=f"tile {tiles.name}")
    card = tag("div", picture, tag("p", "Point at the map."), class_="card")
    return tag("div", card, tag("div", *items, class_="legend") if items else None, class_="side")
