"""Selections, operations with their results, and acknowledgements."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0003"
down_revision = "0002"

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
    """Create the tables of the operations shelf."""
    _create_selections()
    _create_operations()
    _table(
        "acknowledgement",
        _row_id(),
        _required("target_kind", Code),
        _required("target_id", sa.BigInteger()),
        _required("target_name", Name),
        _required("actor", Name),
        _required("at", Instant),
        sa.Column("snoozed_until", Instant),
        sa.Column("note", LongText),
        _unique("acknowledgement", "target_kind", "target_id", "target_name"),
    )


def _create_selections() -> None:
    _table(
        "selection",
        _row_id(),
        _required("key", Code),
        _required("actor", Name),
        _required("resource", Code),
        sa.Column("filter", LongText),
        _required("as_of", Instant),
        _required("ledger_seq", sa.BigInteger()),
        _required("members", sa.Integer()),
        _required("bytes", sa.BigInteger()),
        _required("digest", Sha256Hex),
        _unique("selection", "key"),
    )
    _index("ix_selection_as_of", "selection", "as_of", "id")
    _table(
        "selection_member",
        _reference("selection_member", "selection_id", "selection"),
        _required("target_id", sa.BigInteger(), autoincrement=False),
        primary_key=("selection_id", "target_id"),
    )


def _create_operations() -> None:
    _table(
        "operation",
        _row_id(),
        _required("key", Code),
        _required("verb", Code),
        _required("resource", Code),
        _required("params", LongText),
        _required("actor", Name),
        _reference("operation", "selection_id", "selection"),
        _required("as_of", Instant),
        _required("state", Code),
        sa.Column("job_id", sa.BigInteger()),
        *(
            _required(name, sa.Integer())
            for name in ("total", "done", "skipped", "refused", "failed")
        ),
        _required("created_at", Instant),
        sa.Column("finished_at", Instant),
        sa.Column("undoes_id", sa.BigInteger()),
        sa.Column("undone_by_id", sa.BigInteger()),
        sa.Column("undo_until", Instant),
        _unique("operation", "key"),
    )
    _index("ix_operation_selection", "operation", "selection_id")
    _index("ix_operation_actor", "operation", "actor", "id")
    _index("ix_operation_verb", "operation", "verb", "id")
    _index("ix_operation_job", "operation", "job_id")
    _table(
        "operation_result",
        _reference("operation_result", "operation_id", "operation"),
        _required("position", sa.Integer(), autoincrement=False),
        _required("target_kind", Code),
        _required("target_id", sa.BigInteger()),
        _required("target_name", Name),
        _required("outcome", Code),
        sa.Column("code", Code),
        sa.Column("sentence", LongText),
        sa.Column("job_id", sa.BigInteger()),
        _unique("operation_result", "operation_id", "target_id"),
        primary_key=("operation_id", "position"),
    )
    _index("ix_operation_result_outcome", "operation_result", "operation_id", "outcome", "position")


def _on_mariadb() -> bool:
    return op.get_context().dialect.name == "mariadb"


def _table(name: str, *items: sa.schema.SchemaItem, primary_key: tuple[str, ...] = ("id",)) -> None:
    op.create_table(
        name,
        *items,
        sa.PrimaryKeyConstraint(*primary_key, name=f"pk_{name}"),
        sqlite_autoincrement=primary_key == ("id",),
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_nopad_bin",
        # Statements commit one by one on MariaDB; a migration cut off there is run again.
        if_not_exists=_on_mariadb(),
    )


def _index(name: str, table: str, *columns: str) -> None:
    op.create_index(name, table, columns, if_not_exists=_on_mariadb())


def _row_id() -> sa.Column[int]:
    return sa.Column("id", RowId, nullable=False, autoincrement=True)


def _required(name: str, kind: sa.types.TypeEngine[Any], **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **options)


def _reference(table: str, column: str, to: str) -> sa.Column[Any]:
    key = sa.ForeignKey(f"{to}.id", name=f"fk_{table}_{column}")
    return sa.Column(column, RowId, key, nullable=False)


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")
