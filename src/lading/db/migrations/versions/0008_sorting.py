"""The journal of sorted photos: its runs, and each move of a file."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0008"
down_revision = "0007"

RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Instant = (
    sa.DateTime()
    .with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
    .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
)
Sha256Hex = sa.String(64)
Code = sa.String(64)
Name = sa.String(190)
LongText = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    """Create the two tables."""
    _table(
        "sort_run",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        _required("key", Code),
        _required("wanted", LongText),
        _required("actor", Name),
        _required("state", Code),
        sa.Column("digest", Code),
        sa.Column("identities", LongText),
        sa.Column("verdicts", LongText),
        _required("created_at", Instant),
        sa.Column("finished_at", Instant),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sort_run")),
        sa.UniqueConstraint("key", name=op.f("uq_sort_run_key")),
        sqlite_autoincrement=True,
    )
    _table(
        "sort_move",
        sa.Column(
            "run_id",
            RowId,
            sa.ForeignKey("sort_run.id", name=op.f("fk_sort_move_run_id")),
            nullable=False,
        ),
        sa.Column("position", sa.Integer(), nullable=False, autoincrement=False),
        _required("group_path", LongText),
        _required("source_path", LongText),
        _required("target_path", LongText),
        _required("sha256", Sha256Hex),
        _required("size_bytes", sa.BigInteger()),
        _required("mtime_ns", sa.BigInteger()),
        _required("inode", sa.BigInteger()),
        sa.Column("placed_mtime_ns", sa.BigInteger()),
        sa.Column("placed_inode", sa.BigInteger()),
        _required("stays", sa.SmallInteger()),
        _required("state", Code),
        sa.Column("code", Code),
        sa.Column("sentence", LongText),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_sort_move")),
    )
    op.create_index(
        "ix_sort_move_state",
        "sort_move",
        ["run_id", "state", "position"],
        if_not_exists=_again(),
    )


def _again() -> bool:
    # Statements commit one by one on MariaDB; a migration cut off there is run again.
    return op.get_context().dialect.name == "mariadb"


def _required(name: str, type_: Any) -> sa.Column[Any]:
    return sa.Column(name, type_, nullable=False)


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
