"""The tables of what people do to many things at once, and of what they have taken note of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, UniqueConstraint

from lading.db.schema import row_id, table
from lading.db.types import Code, LongText, Name, Sha256Hex, UtcDateTime

selection = table(
    "selection",
    row_id(),
    Column("key", Code, nullable=False),  # the name outside: `sel_` and a random word
    Column("actor", Name, nullable=False),
    Column("resource", Code, nullable=False),
    Column("filter", LongText),  # JSON; null for what was picked by hand
    Column("as_of", UtcDateTime, nullable=False),
    Column("ledger_seq", BigInteger, nullable=False),  # the newest event at that time
    Column("members", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("digest", Sha256Hex, nullable=False),  # over the members' numbers, in order
    UniqueConstraint("key"),
    Index("ix_selection_as_of", "as_of", "id"),
)

selection_member = table(
    "selection_member",
    Column("selection_id", ForeignKey("selection.id"), primary_key=True),
    Column("target_id", BigInteger, primary_key=True, autoincrement=False),
)

operation = table(
    "operation",
    row_id(),
    Column("key", Code, nullable=False),  # the name outside: `op_` and a random word
    Column("verb", Code, nullable=False),
    Column("resource", Code, nullable=False),
    Column("params", LongText, nullable=False),  # JSON
    Column("actor", Name, nullable=False),
    Column("selection_id", ForeignKey("selection.id"), nullable=False),  # its own, of nobody else
    Column("as_of", UtcDateTime, nullable=False),
    Column("state", Code, nullable=False),
    Column("job_id", BigInteger),  # null when it was small enough to be carried out at once
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("undoes_id", BigInteger),
    Column("undone_by_id", BigInteger),
    Column("undo_until", UtcDateTime),  # null for what cannot be undone
    UniqueConstraint("key"),
    Index("ix_operation_selection", "selection_id"),
    Index("ix_operation_actor", "actor", "id"),
    Index("ix_operation_verb", "verb", "id"),
    Index("ix_operation_job", "job_id"),
)

operation_result = table(
    "operation_result",
    Column("operation_id", ForeignKey("operation.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("target_kind", Code, nullable=False),
    Column("target_id", BigInteger, nullable=False),
    Column("target_name", Name, nullable=False),
    Column("outcome", Code, nullable=False),
    Column("code", Code),
    Column("sentence", LongText),
    Column("job_id", BigInteger),
    UniqueConstraint("operation_id", "target_id"),
    Index("ix_operation_result_outcome", "operation_id", "outcome", "position"),
)

acknowledgement = table(
    "acknowledgement",
    row_id(),
    Column("target_kind", Code, nullable=False),  # batch, job or source
    Column("target_id", BigInteger, nullable=False),  # 0 for a source, which has a name alone
    Column("target_name", Name, nullable=False),
    Column("actor", Name, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("snoozed_until", UtcDateTime),
    Column("note", LongText),
    UniqueConstraint("target_kind", "target_id", "target_name"),
)
