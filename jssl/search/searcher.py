"""An exact index of sentences by the features that a run's encoder gives them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jssl.runner import Run


class Hit(NamedTuple):
    """A sentence that was found, and its cosine with the query."""

    sentence: str
    similarity: float


class Searcher:
    """Finds the sentences whose features have the highest cosines with a query's, compared with every one.

    The index is kept in the run's folder, under `search/`, by the sentences' content and the checkpoint's
    step: the next time only queries are embedded. It takes 4 bytes for each sentence and dimension.

    Args:
        run: of text, as `experiment.load` gives it.
        sentences: what is searched.
        batch_size: sentences that are embedded at once.

    Raises:
        ValueError: faiss isn't installed; a run of something else than text; no sentences.
    """

    def __init__(self, run: Run, sentences: Sequence[str], *, batch_size: int = 256) -> None:
        self._faiss = _library()
        self._run = run
        self._sentences = sentences
        self.path = _path(run, sentences)
        if not self.path.exists():
            self._make(batch_size)
        self._index = self._faiss.read_index(str(self.path))

    def nearest(self, queries: Sequence[str], top: int = 5) -> list[list[Hit]]:
        """The `top` sentences for each query, best first; fewer where there are fewer."""
        if top < 1:
            raise ValueError(f"expected to find 1 sentence or more, got top={top}")
        similar, places = self._index.search(self._features(queries), min(top, len(self._sentences)))
        return [
            [Hit(self._sentences[int(place)], float(value)) for place, value in zip(*row, strict=True)]
            for row in zip(places, similar, strict=True)
        ]

    def _make(self, batch_size: int) -> None:
        features = self._features(self._sentences, batch_size)
        index = self._faiss.IndexFlatIP(features.shape[1])
        index.add(features)
        self.path.parent.mkdir(exist_ok=True)
        draft = self.path.with_suffix(".part")
        self._faiss.write_index(index, str(draft))
        draft.replace(self.path)

    def _features(self, sentences: Sequence[str], batch_size: int = 32) -> np.ndarray:
        features = self._run.encode(sentences, batch_size=batch_size)
        return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def _path(run: Run, sentences: Sequence[str]) -> Path:
    """Where the index of these sentences by this checkpoint is kept."""
    content = hashlib.sha256("\n".join(sentences).encode()).hexdigest()[:16]
    return run.folder / "search" / f"{content}-step{int(run.state.step)}.faiss"


def _library() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ValueError(
            "Searching needs the library faiss, which isn't installed: pip install 'jssl[search]', or "
            "pip install faiss-cpu."
        ) from error
    return faiss
