"""What belongs to one batch: its items, its events, where it came from, and its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from lading.console.answers import EXPORT_PAGE, Many, export, many
from lading.console.api.conventions import (
    NUMBER_MAX,
    Cursor,
    Export,
    Form,
    Limit,
    Number,
    Word,
    Words,
    asked,
    reads,
    require_beginning,
)
from lading.console.listing import Field
from lading.console.parts import Console
from lading.console.readers import batch as reader
from lading.console.readers.counted import count_events
from lading.console.readers.manifest import (
    Away,
    ManifestText,
    Sentinel,
    read_manifest,
    read_sentinel,
)
from lading.db.counting import Count
from lading.ledger.event_lists import EventFilter
from lading.ledger.item_lists import ItemFilter
from lading.ledger.queries import EventView, ItemView
from lading.ledger.states import Decision, Outcome

TAG: Final = "batches"
ITEM_FIELDS: Final = (
    Field("decision", "Planned", {d.value: d.value for d in Decision if d is not Decision.FAILED}),
    Field("outcome", "Outcome", {outcome.value: outcome.value for outcome in Outcome}),
    Field("reason", "Reason"),
    Field("q", "Item"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemAnswer:
    """One item, its neighbours by number, from 1, and the page of what the library has of it."""

    item: ItemView
    previous: int | None
    following: int | None
    library_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestAnswer:
    """The manifest and the sentinel as the upstream has them now, or why they cannot be shown."""

    manifest: ManifestText | None
    manifest_away: Away | None
    sentinel: Sentinel | None
    sentinel_away: Away | None


def routes() -> list[HTTPRouteHandler]:
    """Items, events, provenance, manifest and history of a batch."""
    return [items, one_item, events, provenance, manifest, history]


@reads(
    "/batches/{key:str}/items",
    "The items of a batch in the order of import",
    tag=TAG,
    operation_class=Export,
)
def items(
    console: NamedDependency[Console],
    key: FromPath[str],
    *,
    decision: Words = None,
    outcome: Words = None,
    reason: Word = None,
    q: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    form: Form = "json",
) -> Response[Many[ItemView]]:
    """A page of items, or all of them."""
    given = {"decision": decision, "outcome": outcome, "reason": reason, "q": q}
    query = asked(ITEM_FIELDS, given, cursor=cursor, limit=limit)
    batch = reader.find(console, key)
    filters = ItemFilter(
        planned=[Decision(value) for value in query.many("decision")],
        outcomes=[Outcome(value) for value in query.many("outcome")],
        reasons=query.many("reason"),
        q=query.one("q"),
    )
    if form == "json":
        page = reader.read_items(console, batch, filters, cursor=query.cursor, limit=limit)
        return Response(many(page.items, page, _count(console, key, filters)))
    require_beginning(cursor)

    def fetch(after: str | None) -> tuple[Sequence[ItemView], str | None]:
        found = reader.read_items(console, batch, filters, cursor=after, limit=EXPORT_PAGE)
        return found.items, found.next_cursor

    return export(f"items-{batch.id}", form, fetch, ItemView)


def _count(console: Console, key: str, filters: ItemFilter) -> Count | None:
    """How many match, where the plan says so without counting items by name."""
    if filters.q or filters.reasons:
        return None
    head = reader.read_head(console, reader.find(console, key))
    found = 0
    for row in head.plan:
        if filters.planned and row.decision not in filters.planned:
            continue
        became = {row.expected: row.as_planned, Outcome.PENDING: row.pending, **row.otherwise}
        found += sum(
            count
            for outcome, count in became.items()
            if not filters.outcomes or outcome in filters.outcomes
        )
    return Count(found)


@reads("/batches/{key:str}/items/{number:int}", "One item by its place, from 1", tag=TAG)
def one_item(console: NamedDependency[Console], key: FromPath[str], number: Number) -> ItemAnswer:
    """One item."""
    found = reader.read_item(console, reader.find(console, key), number)
    return ItemAnswer(
        item=found.item,
        previous=found.previous,
        following=found.following,
        library_url=found.line.library_url,
    )


@reads("/batches/{key:str}/events", "The events of a batch, the newest first", tag=TAG)
def events(
    console: NamedDependency[Console],
    key: FromPath[str],
    *,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Many[EventView]:
    """A page of events."""
    batch = reader.find(console, key)
    page = reader.read_events(console, batch, cursor=cursor, limit=limit, newest_first=True)
    return many(page.events, page, count_events(console, EventFilter(batch_id=batch.id)))


@reads("/batches/{key:str}/provenance", "Where a batch came from, and by what", tag=TAG)
def provenance(console: NamedDependency[Console], key: FromPath[str]) -> reader.Provenance:
    """The provenance of a batch."""
    return reader.read_provenance(console, reader.find(console, key))


@reads("/batches/{key:str}/history", "Revisions, jobs and moves of a batch", tag=TAG)
def history(console: NamedDependency[Console], key: FromPath[str]) -> reader.History:
    """What happened to a batch as a whole."""
    return reader.read_history(console, reader.find(console, key))


@reads("/batches/{key:str}/manifest", "Its manifest and sentinel as they are now", tag=TAG)
def manifest(
    console: NamedDependency[Console],
    key: FromPath[str],
    *,
    first: Annotated[int, QueryParameter(ge=1, le=NUMBER_MAX, description="From this line")] = 1,
    limit: Annotated[int, QueryParameter(ge=1, le=5_000, description="How many lines.")] = 500,
) -> ManifestAnswer:
    """Some lines of the manifest."""
    batch = reader.find(console, key)
    text = read_manifest(console, batch, first=first, limit=limit)
    sentinel = read_sentinel(console, batch)
    return ManifestAnswer(
        manifest=text if isinstance(text, ManifestText) else None,
        manifest_away=text if isinstance(text, Away) else None,
        sentinel=sentinel if isinstance(sentinel, Sentinel) else None,
        sentinel_away=sentinel if isinstance(sentinel, Away) else None,
    )
