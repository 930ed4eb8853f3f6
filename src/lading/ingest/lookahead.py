"""Fetches some items ahead of the one being written, in order and bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def fetch_ahead(
    executor: Executor, things: Sequence[T], fetch: Callable[[T], R], *, ahead: int
) -> Iterator[tuple[T, Future[R]]]:
    """Each of `things` with the future of its `fetch`, in order, at most `ahead` under way.

    When the caller stops early, what has not begun is cancelled and what has is waited for, so
    that nothing moves bytes after the end.
    """
    waiting: deque[tuple[T, Future[R]]] = deque()
    rest = iter(things)
    try:
        for thing in rest:
            waiting.append((thing, executor.submit(fetch, thing)))
            if len(waiting) >= ahead:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        for _, future in waiting:
            future.cancel()
        for _, future in waiting:
            if not future.cancelled():
                future.exception()
