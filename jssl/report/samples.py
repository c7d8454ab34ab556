"""What a language model wrote through its training."""

from __future__ import annotations

import numpy as np

from jssl.report.markup import Markup, join, tag
from jssl.report.run_files import Sample

SHOWN = 12


def draw(samples: list[Sample]) -> Markup | None:
    """The samples by step, the last one open; of many, some from the first to the last."""
    if not samples:
        return None
    places = np.unique(np.linspace(0, len(samples) - 1, min(SHOWN, len(samples))).round().astype(int))
    chosen = [samples[place] for place in places.tolist()]
    left_out = f" {len(chosen)} of {len(samples)} are shown." if len(chosen) < len(samples) else ""
    note = "Drawn from the model through its training, with the same random numbers every time."
    drawn = (
        tag(
            "details",
            tag("summary", f"step {sample.step:,}"),
            tag("pre", sample.text),
            class_="sample",
            open=sample is chosen[-1],
        )
        for sample in chosen
    )
    return join(tag("p", note + left_out, class_="note"), *drawn)
