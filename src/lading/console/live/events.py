"""`GET /api/v1/events`: the ledger for scripts, by page, as lines of JSON, or as it grows.

Events are numbered without gaps in the order of commits. Whoever asks again after the last number
they have therefore gets every event exactly once, whatever happened to the connection or to us.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Final, Literal

import structlog
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream
from litestar.types import Guard
from sqlalchemy import select

from lading.accounts.values import Caller, Permission
from lading.base.errors import LadingError, RequestError
from lading.console.api.conventions import PROBLEMS, Export, refuse_unknown_parameters
from lading.console.live.live import Live
from lading.console.live.stream import RETRY_MS, last_event_id
from lading.console.live.wire import HEADERS, MEDIA_TYPE, PING, message, named
from lading.ledger.events import event_kinds
from lading.ledger.queries import EVENTS_PAGE, EventView, list_events
from lading.ledger.tables import ledger_head

NDJSON: Final = "application/x-ndjson"

_log = structlog.get_logger(__name__)


class UnknownEventKind(RequestError):
    """Events were asked for of a kind that this version does not write."""

    code = "unknown_event_kind"
    next_step = "Take a kind from docs/events.md, or leave `kinds` out."


@dataclass(frozen=True, slots=True)
class _Filter:
    batch_id: int | None
    job_id: int | None
    kinds: Collection[str]


@dataclass(frozen=True, slots=True)
class EventsPage:
    """Events in order. Ask again with `after=next_after`; `head` is the newest number there is."""

    items: Sequence[EventView]
    next_after: int
    head: int


@dataclass
class Followed(Export):
    """The description of a list that can also be followed."""

    forms: ClassVar[Sequence[str]] = (NDJSON, MEDIA_TYPE)


@dataclass(slots=True)
class _Reading:
    """A reader's place in the ledger; moves on over what its filter leaves out, too."""

    live: Live
    wanted: _Filter
    after: int

    def page(self, limit: int = EVENTS_PAGE) -> EventsPage:
        """The next page."""
        with self.live.db.read() as conn:
            # Before the events: whatever is committed between the two is read now or next time.
            head = conn.scalar(select(ledger_head.c.seq)) or 0
            items = list_events(
                conn,
                after=self.after,
                batch_id=self.wanted.batch_id,
                job_id=self.wanted.job_id,
                kinds=self.wanted.kinds,
                limit=limit,
            )
        if len(items) >= limit:
            self.after = items[-1].seq
        else:
            self.after = max(self.after, head, *(item.seq for item in items[-1:]))
        return EventsPage(items, self.after, head)


def routes(live: Live, guards: Sequence[Guard] = ()) -> list[HTTPRouteHandler]:
    """The handler of `/api/v1/events`."""

    @get(
        "/api/v1/events",
        guards=[*guards, refuse_unknown_parameters],
        summary="Events after a number; with Accept: text/event-stream, as they are written",
        tags=["events"],
        responses=PROBLEMS,
        operation_class=Followed,
    )
    async def read_events(
        *,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        after: Annotated[int, QueryParameter(ge=0, le=2**63 - 1)] = 0,
        kinds: FromQuery[str] = "",
        batch_id: Annotated[int | None, QueryParameter(ge=1, le=2**63 - 1)] = None,
        job_id: Annotated[int | None, QueryParameter(ge=1, le=2**63 - 1)] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=EVENTS_PAGE)] = 100,
        format: FromQuery[Literal["json", "ndjson"]] = "json",  # noqa: A002 - the parameter's own name
    ) -> Response[EventsPage]:
        caller.require(Permission.READ)
        wanted = _Filter(batch_id, job_id, _known_kinds(kinds))
        accepted = request.headers.get("accept", "")
        if format == "ndjson" or NDJSON in accepted:
            lines = _lines(_Reading(live, wanted, after))
            whole: Response[Any] = Stream(
                lines, media_type=NDJSON, headers={"Cache-Control": "no-store"}
            )
            return whole
        if MEDIA_TYPE in accepted:
            place = last_event_id(request, after)
            reading = _Reading(live, wanted, after if place is None else place)
            followed: Response[Any] = Stream(
                _follow(reading, caller), media_type=MEDIA_TYPE, headers=HEADERS
            )
            return followed
        page = await live.in_thread(_Reading(live, wanted, after).page, limit)
        return Response(page, headers={"Cache-Control": "no-store"})

    return [read_events]


def _known_kinds(text: str) -> list[str]:
    kinds = [kind for kind in text.split(",") if kind]
    unknown = sorted(set(kinds) - event_kinds().keys())
    if unknown:
        raise UnknownEventKind("there is no such kind of event", found=", ".join(unknown))
    return kinds


async def _lines(reading: _Reading) -> AsyncIterator[str]:
    """Every event there is now, one line each."""
    while True:
        page = await reading.live.in_thread(reading.page)
        if page.items:
            yield "".join(f"{_as_json(item)}\n" for item in page.items)
        if len(page.items) < EVENTS_PAGE:
            return


async def _follow(reading: _Reading, caller: Caller) -> AsyncIterator[bytes]:
    live = reading.live
    ear = live.ear(live.scripts, caller)
    with ear.open():
        yield message(None, retry_ms=RETRY_MS)
        behind = True
        while True:
            try:
                while behind:
                    page = await live.in_thread(reading.page)
                    behind = len(page.items) >= EVENTS_PAGE
                    said = [message(_as_json(item), seq=item.seq) for item in page.items]
                    # Without data it only moves the reader's place past what it did not ask for.
                    yield b"".join([*said, message(None, seq=page.next_after)])
            except LadingError as error:
                _log.warning("event_stream_stale", error=repr(error))
                yield named("stale", {})
            news = await ear.next()
            if news.ended is not None:
                yield named(news.ended, {})
                return
            behind = behind or (news.tick is not None and news.tick.seq > reading.after)
            if not behind:
                yield PING


def _as_json(event: EventView) -> str:
    facts = asdict(event) | {"at": event.at.isoformat()}
    return json.dumps(facts, separators=(",", ":"), ensure_ascii=False)
