"""`GET /live`: sends a page the parts of it that changed, as HTML that htmx puts in their places.

Every message has the ledger's number as its id, so a page that reconnects says where it was and
is sent what changed since then, for what it shows; one that was away too long is told to read
itself again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Annotated, Any, Final

import structlog
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream
from litestar.types import Guard

from lading.accounts.values import Caller, Permission
from lading.base.errors import LadingError, RequestError
from lading.console.live.connections import Ear
from lading.console.live.fragments import Fragment, Notice, Visible
from lading.console.live.live import Live
from lading.console.live.ticks import Tick
from lading.console.live.wire import HEADERS, MEDIA_TYPE, PING, message, named

RETRY_MS: Final = 2_000
VISIBLE_MAX: Final = 500

_log = structlog.get_logger(__name__)


class BadStreamRequest(RequestError):
    """A stream was asked for with something that is no list of numbers."""

    code = "bad_stream_request"
    next_step = "Load the page again; a script reads the parameters in the API's description."


def routes(live: Live, guards: Sequence[Guard] = ()) -> list[HTTPRouteHandler]:
    """The handler of `/live`."""

    @get("/live", guards=list(guards), include_in_schema=False)
    async def live_stream(
        *,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        topics: FromQuery[str] = "",
        batch: FromQuery[str] = "",
        job: FromQuery[str] = "",
        after: Annotated[int | None, QueryParameter(ge=0, le=2**63 - 1)] = None,
        since: Annotated[int | None, QueryParameter(ge=0, le=2**63 - 1)] = None,
        above: Annotated[int, QueryParameter(ge=0, le=2**63 - 1)] = 0,
    ) -> Stream:
        caller.require(Permission.READ)
        position = last_event_id(request, after)
        visible = Visible(
            batches=_numbers("batch", batch),
            jobs=_numbers("job", job),
            since=since or after or 0,
            above=above,
        )
        page = _Page(live, caller, _topics(topics), visible, position)
        return Stream(page.messages(), media_type=MEDIA_TYPE, headers=HEADERS)

    return [live_stream]


def last_event_id(request: Request[Any, Any, Any], otherwise: int | None) -> int | None:
    """Where the reader was: what its browser says upon a reconnect goes before the address."""
    said = request.headers.get("last-event-id", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else otherwise


def _topics(text: str) -> list[str]:
    """Each once, however often it was asked for: every one is rendered whenever it changes."""
    return [topic for topic in dict.fromkeys(text.split(",")) if topic]


def _numbers(name: str, text: str) -> frozenset[int]:
    parts = [part for part in text.split(",") if part]
    if len(parts) > VISIBLE_MAX or not all(p.isascii() and p.isdigit() for p in parts):
        raise BadStreamRequest(
            "the stream cannot follow this", subject=name, expected=f"up to {VISIBLE_MAX} numbers"
        )
    return frozenset(int(part) for part in parts if len(part) < 19)


class _Page:
    """The stream of one page that is open somewhere."""

    def __init__(
        self,
        live: Live,
        caller: Caller,
        topics: Collection[str],
        visible: Visible,
        position: int | None,
    ) -> None:
        self._live = live
        self._caller = caller
        self._topics = topics
        self._visible = visible
        self._position = position
        self._sent: dict[str, str] = {}

    async def messages(self) -> AsyncIterator[bytes]:
        """Bytes of the stream, until it ends."""
        ear = self._live.ear(self._live.pages, self._caller)
        with ear.open():
            yield message(None, retry_ms=RETRY_MS)
            try:
                yield await self._live.in_thread(self._catch_up)
            except LadingError as error:
                yield self._stale(error)
            async for said in self._follow(ear):
                yield said

    async def _follow(self, ear: Ear) -> AsyncIterator[bytes]:
        stale = False
        while True:
            news = await ear.next()
            if news.ended is not None:
                yield named(news.ended, {})
                return
            if news.tick is None:
                yield named("stale", {}) if news.stale and not stale else PING
                stale = news.stale
                continue
            try:
                yield await self._live.in_thread(self._after, news.tick)
                stale = False
            except LadingError as error:
                yield self._stale(error)

    def _catch_up(self) -> bytes:
        tick = self._live.feed.glance(self._position)
        if self._position is not None and not tick.complete:
            return self._resync(tick)
        return self._show(tick)

    def _after(self, tick: Tick) -> bytes:
        if self._position is not None and tick.since > self._position:
            # What happened between our own look and the follower's first one.
            tick = self._live.feed.glance(self._position).then(tick)
        if not tick.complete:
            return self._resync(tick)
        return self._show(tick)

    def _show(self, tick: Tick) -> bytes:
        made = self._live.fragments.render(
            self._live.console, self._caller, self._topics, self._visible, tick
        )
        self._position = tick.seq
        fragments = [f for f in made if isinstance(f, Fragment) and self._is_new(f)]
        said = [message("".join(f.as_partial() for f in fragments), seq=tick.seq)] * bool(fragments)
        said += _notices(made)
        return b"".join(said) + self._beat(tick)

    def _is_new(self, fragment: Fragment) -> bool:
        if self._sent.get(fragment.target_id) == fragment.html:
            return False
        self._sent[fragment.target_id] = fragment.html
        return True

    def _resync(self, tick: Tick) -> bytes:
        self._position = tick.seq
        self._sent.clear()
        return named("resync", {"seq": tick.seq}, seq=tick.seq) + self._beat(tick)

    def _stale(self, error: LadingError) -> bytes:
        _log.warning("live_stream_stale", error=repr(error))
        return named("stale", {})

    def _beat(self, tick: Tick) -> bytes:
        """Says that what the page shows is of this moment."""
        return named("beat", {"at": tick.at.isoformat(), "seq": tick.seq}, seq=tick.seq)


def _notices(made: Iterable[Fragment | Notice]) -> list[bytes]:
    return [named(n.event, n.facts) for n in made if isinstance(n, Notice)]
