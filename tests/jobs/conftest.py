"""What the queue's tests share: a queue on each database, and a second pair of hands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pytest

from lading.db import Database
from tests.jobs.bench import Bench

T = TypeVar("T")


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


@pytest.fixture
def meanwhile() -> Iterator[Callable[[Callable[[], T]], Future[T]]]:
    """Runs something in another thread, on another connection."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield pool.submit
