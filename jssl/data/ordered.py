"""A whole source in its order, read ahead by threads: for sources that don't fit into memory."""

import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from jssl.data.source import CHUNK, Example, Source, fetch


def in_order(source: Source, *, size: int = CHUNK, threads: int = 16) -> Iterator[Example]:
    """All examples once, in chunks of `size`; the last one may be shorter.

    Args:
        source: the examples, all of one shape; never read as a whole.
        size: examples in a chunk.
        threads: that read, each a chunk; as many chunks lie in memory.

    Raises:
        ValueError: sizes below 1; while iterating: what the source raises.
    """
    if size < 1 or threads < 1:
        raise ValueError(f"expected size and threads of 1 or more, got {size} and {threads}")
    return _read_ahead(source, size, threads)


def _read_ahead(source: Source, size: int, threads: int) -> Iterator[Example]:
    total = len(source)
    spans = (range(start, min(start + size, total)) for start in range(0, total, size))
    pool = ThreadPoolExecutor(threads)
    try:
        ahead = deque(pool.submit(fetch, source, span) for span in itertools.islice(spans, threads))
        while ahead:
            chunk = ahead.popleft().result()
            ahead.extend(pool.submit(fetch, source, span) for span in itertools.islice(spans, 1))
            yield chunk
    finally:
        pool.shutdown(cancel_futures=True)
