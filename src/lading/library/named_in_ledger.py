"""Finds what the ledger says of one asset or container: events that name it, and of its batches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, select

from lading.ledger.events import AssetsDeleted
from lading.ledger.library_events import PackageChanged, SiteChanged
from lading.ledger.queries import EventView, event_view
from lading.ledger.tables import ingest_event

EVENTS_MAX: Final = 100
_BY_NAME: Final = (AssetsDeleted.kind, SiteChanged.kind, PackageChanged.kind)


def events_naming(
    conn: Connection, name: str, *batch_ids: int | None, limit: int = EVENTS_MAX
) -> list[EventView]:
    """Events that name a content hash or `kind:key`, and those of its batches, the newest first.

    Events that name things are those of changes by hand; there are few of them, and each is
    looked into.
    """
    event = ingest_event.c
    named = event.payload.contains(json.dumps(name), autoescape=True)  # quoted as payloads do
    walks = [(event.kind == kind) & named for kind in _BY_NAME]
    numbers = {number for number in batch_ids if number is not None}
    walks += [(event.batch_id == n) & event.kind.not_in(_BY_NAME) for n in sorted(numbers)]
    return _newest(conn, walks, limit)


def events_about_site(conn: Connection, key: str, *, limit: int = EVENTS_MAX) -> list[EventView]:
    """What was done to a site, the newest first."""
    return _newest(conn, [_about(SiteChanged.kind, "site", key)], limit)


def events_about_package(conn: Connection, key: str, *, limit: int = EVENTS_MAX) -> list[EventView]:
    """What was done to an access package and to which sites it was given, the newest first."""
    walks = [
        _about(PackageChanged.kind, "package", key),
        _about(SiteChanged.kind, "package", key),
    ]
    return _newest(conn, walks, limit)


def _about(kind: str, name: str, key: str) -> ColumnElement[bool]:
    event = ingest_event.c
    said = f'"{name}":{json.dumps(key)}'  # as payloads are written: no spaces
    return (event.kind == kind) & event.payload.contains(said, autoescape=True)


def _newest(conn: Connection, walks: Sequence[ColumnElement[bool]], limit: int) -> list[EventView]:
    # One walk along an index each; together they would be a walk through the whole ledger.
    seq = ingest_event.c.seq
    rows = [
        row
        for walk in walks
        for row in conn.execute(select(ingest_event).where(walk).order_by(seq.desc()).limit(limit))
    ]
    rows.sort(key=lambda row: int(row.seq), reverse=True)
    return [event_view(row) for row in rows[:limit]]
