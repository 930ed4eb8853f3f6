"""Indexes for lists: each order and filter that pages offer walks one from its first entry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

PREFIX = "varchar_pattern_ops"


def upgrade() -> None:
    """Add the indexes; on PostgreSQL, make the one of item keys fit for beginnings of keys."""
    _index("ix_ingest_batch_source_state", "ingest_batch", "source", "state", "updated_at", "id")
    _index("ix_ingest_batch_type_state", "ingest_batch", "type", "state", "updated_at", "id")
    _index("ix_ingest_batch_key", "ingest_batch", "batch_key", "id", prefix="batch_key")
    item = ("ingest_batch_item", "batch_id", "revision")
    if op.get_context().dialect.name == "postgresql":
        op.drop_index("ix_ingest_batch_item_key", "ingest_batch_item")
        _index("ix_ingest_batch_item_key", *item, "item_key", prefix="item_key")
    _index("ix_ingest_batch_item_title", *item, "title", prefix="title")
    _index("ix_ingest_batch_item_planned", *item, "planned", "outcome", "seq")
    _index("ix_ingest_batch_item_why", *item, "reason", "seq")
    _index("ix_ingest_event_actor", "ingest_event", "actor", "seq")
    _index("ix_import_job_status", "import_job", "status", "id", where="id > 0")
    _index("ix_import_job_kind", "import_job", "kind", "id")


def _index(
    name: str, table: str, *columns: str, prefix: str | None = None, where: str | None = None
) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(
        name,
        table,
        columns,
        postgresql_ops={prefix: PREFIX} if prefix else {},
        postgresql_where=condition,
        sqlite_where=condition,
        # Statements commit one by one on MariaDB; a migration cut off there is run again.
        if_not_exists=op.get_context().dialect.name == "mariadb",
    )
