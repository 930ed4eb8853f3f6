"""Makes assets, files and documents to import, and takes pictures of the whole library."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, event, select

from lading.db import Database
from lading.db.schema import metadata
from lading.ledger.states import Outcome
from lading.library.assets import save_asset
from lading.library.containers import save_container
from lading.library.values import (
    AssetFacts,
    AssetProposal,
    ContainerFacts,
    ContainerRef,
    Document,
    FileFacts,
    Saved,
)

LIBRARY_TABLES = [
    table
    for table in metadata.sorted_tables
    if table.name.startswith(("asset", "site", "access", "container"))
]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def a_file(path: str, content: str | None = None, **facts: Any) -> FileFacts:
    sha256 = digest(content if content is not None else path)
    return FileFacts(
        **{
            "role": "original",
            "path": path,
            "sha256": sha256,
            "size_bytes": 1000,
            "media_type": "image/jpeg",
            "store": "main",
            "location": f"{sha256[:2]}/{sha256}",
            **facts,
        }
    )


def a_document(text: str, kind: str | None = None) -> Document:
    return Document(kind, digest(text), text.encode())


@dataclass
class Photo:
    """An asset as an upstream publishes it; change a field and save it again."""

    name: str
    facts: dict[str, Any] = field(default_factory=dict)
    files: list[FileFacts] | None = None
    source: str | None = "{}"
    ai_runs: dict[str, str] = field(default_factory=lambda: {"photo.analysis": "{}"})
    cover: str | None = None

    @property
    def hash(self) -> str:
        return digest(self.name)

    def asset_facts(self) -> AssetFacts:
        given: dict[str, Any] = {
            "content_hash": self.hash,
            "asset_type": "photo",
            "title": self.name,
            "captured_at": datetime(2026, 5, 1, 7, 30, 0, 123456, tzinfo=UTC),
            "captured_offset_min": 120,
            "width": 6000,
            "height": 4000,
            "duration_s": 0.1 + 0.2,
            "detail": {"iso": 400, "lens": "50 mm", "exposure_s": 0.005},
        }
        return AssetFacts(**{**given, **self.facts})

    def all_files(self) -> list[FileFacts]:
        if self.files is not None:
            return self.files
        return [
            a_file("original/a.jpg", self.name),
            a_file("derivatives/large.webp", self.name + "L", role="derivative", variant="large"),
        ]

    def save(self, conn: Connection, batch_id: int | None = 1) -> Saved:
        return save_asset(
            conn,
            self.asset_facts(),
            self.all_files(),
            source=None if self.source is None else a_document(self.source),
            ai_runs=[a_document(text, kind) for kind, text in self.ai_runs.items()],
            cover=self.cover,
            batch_id=batch_id,
        )

    def proposal(self) -> AssetProposal:
        return AssetProposal(
            facts=self.asset_facts(),
            files=self.all_files(),
            source_sha256=None if self.source is None else digest(self.source),
            ai_runs={kind: digest(text) for kind, text in self.ai_runs.items()},
            cover_hash=self.cover,
        )


def save(database: Database, *photos: Photo, batch_id: int | None = 1) -> list[Saved]:
    with database.write() as conn:
        return [photo.save(conn, batch_id) for photo in photos]


def save_gallery(
    database: Database,
    key: str,
    members: Sequence[str],
    *,
    kind: str = "gallery",
    batch_id: int | None = 1,
    **facts: Any,
) -> Saved:
    with database.write() as conn:
        return save_container(
            conn,
            ContainerFacts(kind=kind, key=key, members=members, **{"title": key, **facts}),
            batch_id=batch_id,
        )


def gallery(key: str) -> ContainerRef:
    return ContainerRef("gallery", key)


def outcome(saved: Saved) -> Outcome:
    return saved.outcome


def picture(conn: Connection, *, without: Sequence[str] = ()) -> dict[str, list[Any]]:
    """Every row of every library table, leaving out the columns named."""
    return {
        table.name: sorted(
            (
                tuple(row)
                for row in conn.execute(select(*(c for c in table.c if c.name not in without)))
            ),
            key=repr,
        )
        for table in LIBRARY_TABLES
    }


def picture_of(database: Database, *, without: Sequence[str] = ()) -> dict[str, list[Any]]:
    with database.read() as conn:
        return picture(conn, without=without)


@dataclass
class Statements:
    """What was sent to the database."""

    sent: list[str] = field(default_factory=list)

    @property
    def writes(self) -> list[str]:
        words = ("INSERT", "UPDATE", "DELETE", "REPLACE", "COPY")
        return [sql for sql in self.sent if sql.lstrip().upper().startswith(words)]


@contextmanager
def watched(database: Database) -> Iterator[Statements]:
    statements = Statements()

    def note(conn: Any, cursor: Any, statement: str, *args: Any) -> None:
        statements.sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
