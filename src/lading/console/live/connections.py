"""Who is connected: at most so many streams for one account, and each only while it may be."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from lading.accounts.values import Caller
from lading.base.errors import LadingError
from lading.console.live.feed import Feed, News, Subscription

STREAMS_MAX: Final = 4
"""A browser has six connections to one host over HTTP/1.1; with all of them in streams it hangs."""

PING_EVERY_S: Final = 15.0
RECHECK_EVERY_S: Final = 30.0

REPLACED: Final = "replaced"
SIGNED_OUT: Final = "signed-out"

StillValid = Callable[[Caller], Awaitable[bool]]


class Connections:
    """The open streams of one process, by account. For one event loop."""

    def __init__(self, *, streams_max: int = STREAMS_MAX) -> None:
        self._streams_max = streams_max
        self._open: defaultdict[int, deque[Subscription]] = defaultdict(deque)

    def enter(self, account_id: int, subscription: Subscription) -> None:
        """Count a stream; the account's oldest ends if it has too many now."""
        streams = self._open[account_id]
        streams.append(subscription)
        while len(streams) > self._streams_max:
            streams.popleft().end(REPLACED)

    def leave(self, account_id: int, subscription: Subscription) -> None:
        """Count a stream no longer. May be called twice."""
        streams = self._open[account_id]
        if subscription in streams:
            streams.remove(subscription)
        if not streams:
            del self._open[account_id]

    def count(self, account_id: int) -> int:
        """How many streams an account has."""
        return len(self._open.get(account_id, ()))


class Ear:
    """One caller's ear on the feed; asks every so often whether they still may hear."""

    def __init__(
        self,
        feed: Feed,
        connections: Connections,
        caller: Caller,
        still_valid: StillValid,
        *,
        ping_every_s: float,
        recheck_every_s: float,
    ) -> None:
        self._feed = feed
        self._connections = connections
        self._caller = caller
        self._still_valid = still_valid
        self._ping_every_s = ping_every_s
        self._recheck_every_s = recheck_every_s
        self._check_at_s = 0.0
        self._subscription: Subscription | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Listen for the block, and stop also if the task is cancelled between two messages."""
        account_id = self._caller.account.id
        subscription = self._subscription = self._feed.subscribe()
        self._connections.enter(account_id, subscription)

        def leave(_task: object = None) -> None:
            self._feed.leave(subscription)
            self._connections.leave(account_id, subscription)

        self._check_at_s = asyncio.get_running_loop().time() + self._recheck_every_s
        task = asyncio.current_task()
        if task is not None:
            # A generator that is not read any further is not told so until it is collected.
            task.add_done_callback(leave)
        try:
            yield
        finally:
            leave()

    async def next(self) -> News:
        """What happened; nothing at all in it says that it is time for a ping."""
        if self._subscription is None:
            raise RuntimeError("listen first")
        loop = asyncio.get_running_loop()
        left_s = max(0.0, self._check_at_s - loop.time())
        news = await self._subscription.next(min(self._ping_every_s, left_s))
        if news.ended is not None or loop.time() < self._check_at_s:
            return news
        self._check_at_s = loop.time() + self._recheck_every_s
        try:
            valid = await self._still_valid(self._caller)
        except LadingError:
            # Nobody can say while the database is away; they are asked again.
            return news
        return news if valid else News(ended=SIGNED_OUT)
