"""`jssl search RUN CORPUS`: the lines of a text file that are nearest to a query, by a run's encoder."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from jssl import platform
from jssl.data.text import read_lines
from jssl.runner import load
from jssl.search.searcher import Searcher


def search(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    corpus: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CORPUS")],
    query: str | None = None,
    top: int = 5,
    batch_size: int = 256,
) -> None:
    """Print the nearest lines of a text file, each after its cosine with the query.

    Args:
        run: The folder of a run of text.
        corpus: A text file, a sentence a line; its features are kept in the run's folder.
        query: A sentence; if not given, each line of the standard input is one.
        top: Lines to find.
        batch_size: Sentences that are embedded at once.
    """
    sentences = read_lines(corpus)
    platform.configure()
    searcher = Searcher(load(Path(run)), sentences, batch_size=batch_size)
    queries = [query] if query is not None else (line.strip() for line in sys.stdin)
    for sentence in queries:
        if not sentence:
            continue
        if query is None:
            print(f"> {sentence}")
        for hit in searcher.nearest([sentence], top)[0]:
            print(f"{hit.similarity:6.3f}  {hit.sentence}", flush=True)


def main(args: Sequence[str]) -> None:
    """The command, with its words after `jssl search`.

    Raises:
        ValueError: not the folder of a run of text, no such file, faiss isn't installed.
    """
    tyro.cli(search, prog="jssl search", args=list(args))
