"""Sentences of like meaning: `Searcher` for programs, `jssl search` for the terminal."""

from jssl.search.command import main
from jssl.search.searcher import Hit, Searcher

__all__ = ["Hit", "Searcher", "main"]
