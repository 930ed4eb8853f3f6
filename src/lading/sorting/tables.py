"""The journal of sorting: its runs, and every move of a file with where it stands."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    UniqueConstraint,
)

from lading.db.schema import row_id, table
from lading.db.types import Code, LongText, Name, Sha256Hex, UtcDateTime

sort_run = table(
    "sort_run",
    row_id(),
    Column("key", Code, nullable=False),  # the name outside: `srt_` and a random word
    Column("wanted", LongText, nullable=False),  # JSON: source, target, folder, patterns
    Column("actor", Name, nullable=False),
    Column("state", Code, nullable=False),
    Column("digest", Code),  # of the plan, when it is made
    Column("identities", LongText),  # JSON: the identity of each root when the plan was made
    Column("verdicts", LongText),  # JSON: how many files have which verdict
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("key"),
)

sort_move = table(
    "sort_move",
    Column("run_id", ForeignKey("sort_run.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("group_path", LongText, nullable=False),  # of the main file it stays together with
    Column("source_path", LongText, nullable=False),
    Column("target_path", LongText, nullable=False),
    Column("sha256", Sha256Hex, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("placed_mtime_ns", BigInteger),  # of the file at its target, once it is there
    Column("placed_inode", BigInteger),
    Column("stays", SmallInteger, nullable=False),  # 1 where the original is not removed
    Column("state", Code, nullable=False),
    Column("code", Code),
    Column("sentence", LongText),
    Index("ix_sort_move_state", "run_id", "state", "position"),
)
