"""An index of the items that failed or were rejected: they are few, and looked for among all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add it on PostgreSQL, which would read all items; the others find them by their batches."""
    if op.get_context().dialect.name == "postgresql":
        op.create_index(
            "ix_ingest_batch_item_spoiled",
            "ingest_batch_item",
            ["batch_id", "revision"],
            postgresql_where=sa.text("outcome IN ('rejected', 'failed')"),
        )
