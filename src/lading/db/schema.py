"""The one metadata that all tables are declared on, and the options every table shares."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.schema import SchemaItem

from lading.db.types import RowId

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def table(name: str, *items: SchemaItem, **options: Any) -> Table:
    """Declare a table with binary collation, InnoDB, and row numbers that are never reused."""
    options = {
        "sqlite_autoincrement": any(
            isinstance(i, Column) and i.primary_key and i.type is RowId for i in items
        ),
        "mariadb_engine": "InnoDB",
        "mariadb_charset": "utf8mb4",
        # Without `nopad`, two keys that differ in trailing spaces would be one.
        "mariadb_collate": "utf8mb4_nopad_bin",
        **options,
    }
    return Table(name, metadata, *items, **options)


def row_id() -> Column[int]:
    """The surrogate primary key `id`."""
    return Column("id", RowId, primary_key=True, autoincrement=True)
