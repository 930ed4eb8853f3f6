"""What people decided about photos: when they were taken, and which are stacked under which."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0012"
down_revision = "0011"

Instant = (
    sa.DateTime()
    .with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
    .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
)
RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Code = sa.String(64)


def upgrade() -> None:
    """Create the tables of corrected dates and of stacks."""
    _table(
        "photo_date_change",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        _asset("photo_date_change", "asset_id"),
        sa.Column("operation", Code, nullable=False),
        sa.Column("before_id", sa.BigInteger()),
        sa.Column("how", Code, nullable=False),
        sa.Column("shift_s", sa.BigInteger()),
        sa.Column("taken_at", Instant),
        sa.Column("taken_offset_min", sa.SmallInteger()),
        sa.Column("actor", sa.String(190), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photo_date_change")),
        sa.UniqueConstraint(
            "operation", "asset_id", name=op.f("uq_photo_date_change_operation_asset_id")
        ),
        sqlite_autoincrement=True,
    )
    _index("ix_photo_date_change_asset", "photo_date_change", "asset_id", "id")
    _table(
        "photo_date",
        _asset("photo_date", "asset_id"),
        sa.Column("said_at", Instant),
        sa.Column("said_offset_min", sa.SmallInteger()),
        sa.Column(
            "change_id",
            RowId,
            sa.ForeignKey("photo_date_change.id", name=op.f("fk_photo_date_change_id")),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("asset_id", name=op.f("pk_photo_date")),
    )
    _table(
        "photo_stack",
        _asset("photo_stack", "asset_id"),
        _asset("photo_stack", "top_id"),
        sa.PrimaryKeyConstraint("asset_id", name=op.f("pk_photo_stack")),
    )
    _index("ix_photo_stack_top", "photo_stack", "top_id", "asset_id")


def _asset(table: str, name: str) -> sa.Column[int]:
    return sa.Column(
        name,
        RowId,
        sa.ForeignKey("asset.id", name=op.f(f"fk_{table}_{name}")),
        nullable=False,
        autoincrement=False,
    )


def _table(name: str, *items: Any, **options: Any) -> None:
    op.create_table(
        name,
        *items,
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_nopad_bin",
        if_not_exists=_again(),
        **options,
    )


def _index(name: str, table: str, *columns: str) -> None:
    op.create_index(name, table, list(columns), if_not_exists=_again())


def _again() -> bool:
    # Statements commit one by one on MariaDB; a migration cut off there is run again.
    return bool(op.get_context().dialect.name == "mariadb")
