"""A table of these tests' own, with every type of column."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, MetaData, Table

from lading.db.types import Code, LongBytes, LongText, Name, RowId, Sha256Hex, UtcDateTime

scratch_metadata = MetaData()

sample = Table(
    "sample",
    scratch_metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("number", Integer, nullable=False),
    Column("name", Name),
    Column("code", Code),
    Column("digest", Sha256Hex),
    Column("story", LongText),
    Column("body", LongBytes),
    Column("at", UtcDateTime),
    Column("flag", Boolean),
    Column("share", Double),
    Column("size", BigInteger, nullable=False, default=7),
    mariadb_engine="InnoDB",
    mariadb_charset="utf8mb4",
    mariadb_collate="utf8mb4_nopad_bin",
)
