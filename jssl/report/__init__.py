"""The page of a run: one self-contained HTML file, drawn from the files of the run's folder alone."""

from jssl.report.comparison import draw_sweep
from jssl.report.page import draw

__all__ = ["draw", "draw_sweep"]
