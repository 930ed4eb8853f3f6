"""Keeps small pictures that are costly to make, in memory and up to a bound.

They are made by two threads at most, so that a page full of them keeps nobody else waiting.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Final

KEPT_BYTES_MAX: Final = 32 << 20
"""Some 4,000 faces."""
THREADS: Final = 2


class KeptPictures:
    """Encoded pictures by version. Safe to share between threads.

    Those who ask for one that is being cut wait for the same.
    """

    def __init__(self, kept_bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="pictures")
        self._kept_bytes_max = kept_bytes_max
        self._lock = threading.RLock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._under_way: dict[str, Future[bytes]] = {}

    async def get(self, version: str, make: Callable[[], bytes]) -> bytes:
        """The picture of this version, made unless it is kept. Raises as `make` does."""
        with self._lock:
            if (kept := self._kept.get(version)) is not None:
                self._kept.move_to_end(version)
                return kept
            future = self._under_way.get(version)
            if future is None:
                future = self._threads.submit(make)
                self._under_way[version] = future
                future.add_done_callback(partial(self._keep, version))
        # Who goes away must not take the picture from the others who wait for it.
        return await asyncio.shield(asyncio.wrap_future(future))

    def _keep(self, version: str, made: Future[bytes]) -> None:
        with self._lock:
            self._under_way.pop(version, None)
            if made.cancelled() or made.exception() is not None:
                return
            self._kept[version] = made.result()
            self._kept_bytes += len(made.result())
            while self._kept_bytes > self._kept_bytes_max:
                _, dropped = self._kept.popitem(last=False)
                self._kept_bytes -= len(dropped)
