"""The parts of one process's live streams: the follower, the topics, who is connected, threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from lading.accounts.values import Caller
from lading.console.live.connections import PING_EVERY_S, RECHECK_EVERY_S, Connections, Ear
from lading.console.live.feed import CLOCK_EVERY_S, LOOK_EVERY_S, Feed
from lading.console.live.fragments import Fragments
from lading.db import Database

THREADS: Final = 4
"""Streams read and render in threads of their own, so that no page waits for a stream."""

P = ParamSpec("P")
T = TypeVar("T")


class Live:
    """Everything the streams share. `still_valid` says whether a caller may go on listening.

    `console` is handed to the renderers as it is. Call `end_streams` when the process is asked to
    stop: a server waits for its connections to end, and a stream does not end by itself.
    """

    def __init__(
        self,
        console: Any,
        db: Database,
        fragments: Fragments,
        *,
        still_valid: Callable[[Caller], bool],
        look_every_s: float = LOOK_EVERY_S,
        clock_every_s: float = CLOCK_EVERY_S,
        ping_every_s: float = PING_EVERY_S,
        recheck_every_s: float = RECHECK_EVERY_S,
    ) -> None:
        self.console = console
        self.db = db
        self.fragments = fragments
        self.feed = Feed(db, look_every_s=look_every_s, clock_every_s=clock_every_s)
        self.pages = Connections()
        self.scripts = Connections()
        self._still_valid = still_valid
        self._ping_every_s = ping_every_s
        self._recheck_every_s = recheck_every_s
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="lading-live-render")

    def ear(self, connections: Connections, caller: Caller) -> Ear:
        """A caller's ear on the feed, counted among `connections`."""
        return Ear(
            self.feed,
            connections,
            caller,
            self._may_go_on,
            ping_every_s=self._ping_every_s,
            recheck_every_s=self._recheck_every_s,
        )

    async def _may_go_on(self, caller: Caller) -> bool:
        return await self.in_thread(self._still_valid, caller)

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking work beside the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(work, *args, **kwargs))

    def end_streams(self) -> None:
        """Tell all streams, and those still to come, that they end. From any thread.

        What they are reading at this moment, they may read to its end.
        """
        self.feed.close()

    def close(self) -> None:
        """Let go of the threads too, once no connection is left. May be called twice."""
        self.end_streams()
        self._threads.shutdown(wait=False)
