"""The ledger's tables: batches, their items, events, and the head of the events' hash chain."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    UniqueConstraint,
    text,
)

from lading.db.schema import row_id, table
from lading.db.types import Code, LongText, Name, Sha256Hex, UtcDateTime

PREFIX: Final = "varchar_pattern_ops"
"""Lets PostgreSQL find what begins with a text by an index, whatever the collation."""

ingest_batch = table(
    "ingest_batch",
    row_id(),
    Column("source", Name, nullable=False),
    Column("batch_key", Name, nullable=False),  # a bundle's sync_id
    # +1 for each preflight; the items of one revision are one set of decisions.
    Column("revision", Integer, nullable=False, default=0),
    Column("queued_revision", Integer),  # the last one that was given to the workers
    Column("type", Code, nullable=False, default=""),  # empty while the manifest is unreadable
    Column("action", Code, nullable=False, default=""),
    Column("state", Code, nullable=False),
    Column("reason", Code),  # why it cannot be consumed, or why preflight or import failed
    Column("detail", LongText),  # JSON: expected, found, upstream's own words
    Column("fingerprint", Name, nullable=False),  # what a scan compares without reading
    Column("manifest_sha256", Sha256Hex),  # as last read; at import: as consumed (A6)
    Column("preflight_sha256", Sha256Hex),  # the manifest the decisions were made on
    Column("plan_digest", Sha256Hex),  # over all decisions of the last preflight (G6)
    Column("items_total", Integer, nullable=False, default=0),
    Column("bytes_total", BigInteger, nullable=False, default=0),
    Column("found_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("preflighted_at", UtcDateTime),
    Column("queued_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("source", "batch_key"),
    Index("ix_ingest_batch_state_updated", "state", "updated_at", "id"),
    Index("ix_ingest_batch_updated", "updated_at", "id"),
    Index("ix_ingest_batch_source_state", "source", "state", "updated_at", "id"),
    Index("ix_ingest_batch_type_state", "type", "state", "updated_at", "id"),
    Index("ix_ingest_batch_key", "batch_key", "id", postgresql_ops={"batch_key": PREFIX}),
)

ingest_batch_item = table(
    "ingest_batch_item",
    row_id(),
    Column("batch_id", ForeignKey("ingest_batch.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("seq", Integer, nullable=False),  # the order of import, from 0
    Column("item_key", Name, nullable=False),
    Column("kind", Code, nullable=False),  # asset, gallery, collection, event, …
    Column("title", Name),
    Column("content_hash", Sha256Hex),
    Column("bytes", BigInteger, nullable=False, default=0),
    Column("decision", Code, nullable=False),
    Column("planned", Code, nullable=False),  # the decision before any failure
    Column("outcome", Code, nullable=False),
    Column("reason", Code),
    Column("detail", LongText),  # JSON: file, expected, found
    Column("last_error", LongText),
    Column("attempts", SmallInteger, nullable=False, default=0),
    Column("job_id", BigInteger),
    Column("lease", BigInteger),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("batch_id", "revision", "seq"),
    Index(
        "ix_ingest_batch_item_key",
        "batch_id",
        "revision",
        "item_key",
        postgresql_ops={"item_key": PREFIX},
    ),
    Index(
        "ix_ingest_batch_item_title",
        "batch_id",
        "revision",
        "title",
        postgresql_ops={"title": PREFIX},
    ),
    Index("ix_ingest_batch_item_hash", "batch_id", "revision", "content_hash"),
    Index("ix_ingest_batch_item_outcome", "batch_id", "revision", "outcome", "seq"),
    Index("ix_ingest_batch_item_planned", "batch_id", "revision", "planned", "outcome", "seq"),
    Index("ix_ingest_batch_item_why", "batch_id", "revision", "reason", "seq"),
    Index("ix_ingest_batch_item_reason", "reason", "id"),
)


SPOILED: Final = "outcome IN ('rejected', 'failed')"
"""The condition of the index of items that went wrong; only who says just this is given it."""

# They are few among many. PostgreSQL alone would read all items for them; the others go by batch.
_spoiled = Index(
    "ix_ingest_batch_item_spoiled",
    ingest_batch_item.c.batch_id,
    ingest_batch_item.c.revision,
    postgresql_where=text(SPOILED),
).ddl_if(dialect="postgresql")

ingest_event = table(
    "ingest_event",
    # Dense and in commit order: handed out under the lock of `ledger_head`, never generated.
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", Code, nullable=False),
    Column("actor", Name, nullable=False),
    Column("source", Name),
    Column("batch_id", BigInteger),
    Column("job_id", BigInteger),
    Column("payload", LongText, nullable=False),  # JSON, hashed exactly as stored
    Column("hash", Sha256Hex, nullable=False),
    Index("ix_ingest_event_batch", "batch_id", "seq"),
    Index("ix_ingest_event_job", "job_id", "seq"),
    Index("ix_ingest_event_source_kind", "source", "kind", "seq"),
    Index("ix_ingest_event_kind", "kind", "seq"),
    Index("ix_ingest_event_actor", "actor", "seq"),
)

ledger_head = table(
    "ledger_head",
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Sha256Hex, nullable=False),
    postgresql_with={"fillfactor": 50},
)
