"""The queue's tables: jobs, what they wait for, the pause switch, and the workers seen alive."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect

from lading.db.schema import row_id, table
from lading.db.types import Code, LongText, Name, UtcDateTime

import_job = table(
    "import_job",
    row_id(),
    Column("kind", Code, nullable=False),
    Column("params", LongText, nullable=False),  # JSON; small: a heartbeat rewrites the row
    Column("batch_id", BigInteger),
    Column("status", Code, nullable=False),
    Column("priority", SmallInteger, nullable=False, server_default="5"),  # small goes first
    Column("not_before", UtcDateTime),  # only meaningful while waiting
    Column("pending_deps", Integer, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("attempts_max", Integer, nullable=False, server_default="5"),
    # The fencing token: +1 on every claim and every takeover, never reset, never refunded.
    Column("lease", BigInteger, nullable=False, server_default="0"),
    Column("worker", Name),  # host/pid/uuid: unique per process life
    Column("created_at", UtcDateTime, nullable=False),
    Column("queued_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("heartbeat_at", UtcDateTime),  # in no index: heartbeats stay cheap
    Column("finished_at", UtcDateTime),
    Column("stop_requested", Boolean(create_constraint=False), nullable=False, server_default="0"),
    Column("items_done", Integer, nullable=False, server_default="0"),
    Column("items_skipped", Integer, nullable=False, server_default="0"),
    Column("items_failed", Integer, nullable=False, server_default="0"),
    Column("items_total", Integer),
    Column("bytes_moved", BigInteger, nullable=False, server_default="0"),
    Column("bytes_skipped", BigInteger, nullable=False, server_default="0"),
    Column("bytes_total", BigInteger),
    Column("current_item", Name),
    Column("error", LongText),
    Column("error_code", Code),
    Column("failed_by", BigInteger),  # the job whose failure failed this one
    # Idempotent enqueue: set while the job is unfinished, null afterwards; `own_key` is what it
    # is set to again when the job is retried.
    Column("active_key", Name),
    Column("own_key", Name),
    UniqueConstraint("active_key"),
    Index("ix_import_job_batch", "batch_id", "id"),
    Index("ix_import_job_finished", "finished_at"),
    Index("ix_import_job_kind", "kind", "id"),
    postgresql_with={"fillfactor": 75, "autovacuum_vacuum_scale_factor": 0.01},
)


def _has_partial_indexes(
    ddl: object,
    target: object,
    bind: object,
    tables: object = None,
    state: object = None,
    *,
    dialect: Dialect,
    **options: object,
) -> bool:
    del ddl, target, bind, tables, state, options
    return dialect.name in {"sqlite", "postgresql"}


# The queued set alone is indexed where the database can do that; see docs/decisions.
_claim = Index(
    "ix_import_job_claim",
    import_job.c.priority,
    import_job.c.id,
    postgresql_where=text("status = 'queued'"),
    sqlite_where=text("status = 'queued'"),
).ddl_if(callable_=_has_partial_indexes)
_running = Index(
    "ix_import_job_running",
    import_job.c.id,
    postgresql_where=text("status = 'running'"),
    sqlite_where=text("status = 'running'"),
).ddl_if(callable_=_has_partial_indexes)
_due = Index(
    "ix_import_job_due",
    import_job.c.not_before,
    postgresql_where=text("status = 'waiting' AND not_before IS NOT NULL"),
    sqlite_where=text("status = 'waiting' AND not_before IS NOT NULL"),
).ddl_if(callable_=_has_partial_indexes)
# For lists alone: only who says `id > 0`, which is always so, is given this index. A planner that
# could take it for a claim would sort the whole line each time.
EVERY_JOB: Final = "id > 0"
_listed = Index(
    "ix_import_job_status",
    import_job.c.status,
    import_job.c.id,
    postgresql_where=text(EVERY_JOB),
    sqlite_where=text(EVERY_JOB),
)
_claim_mariadb = Index(
    "ix_import_job_status_priority", import_job.c.status, import_job.c.priority, import_job.c.id
).ddl_if(dialect="mariadb")
_due_mariadb = Index(
    "ix_import_job_status_due", import_job.c.status, import_job.c.not_before
).ddl_if(dialect="mariadb")

import_job_dep = table(
    "import_job_dep",
    Column("job_id", ForeignKey("import_job.id"), primary_key=True),
    Column("wait_for_id", ForeignKey("import_job.id"), primary_key=True),
    Index("ix_import_job_dep_wait_for", "wait_for_id"),
)

queue_control = table(
    "queue_control",
    Column("lane", String(32), primary_key=True),
    Column("paused", Boolean(create_constraint=False), nullable=False, server_default="0"),
    Column("paused_by", Name),
    Column("paused_at", UtcDateTime),
    Column("why", Name),
)

worker = table(
    "worker",
    Column("id", Name, primary_key=True),
    Column("host", Name, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Code, nullable=False),
    Column("slots", SmallInteger, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("stopped_at", UtcDateTime),
)
