"""PostgreSQL's short way: a claim or a plain finish is one statement on a connection kept open.

Each statement moves the job, chains its event and commits. Whatever it does not cover (dependents,
rows of the handler, a job touched since its claim) changes no row here and is left to the longer
way, which decides.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final

from sqlalchemy import exc

from lading.db import Database
from lading.db.errors import translated
from lading.jobs.claiming import LANE
from lading.jobs.values import Claim
from lading.ledger.chain import postgresql_append_sql
from lading.ledger.events import JobDone, JobStarted

_CLAIM: Final = f"""
WITH c AS MATERIALIZED (
  SELECT id FROM import_job
  WHERE status = 'queued' {{kinds}}
    AND NOT EXISTS (SELECT 1 FROM queue_control WHERE lane = '{LANE}' AND paused)
  ORDER BY priority, id LIMIT 1 FOR UPDATE SKIP LOCKED
),
u AS (
  UPDATE import_job j SET status = 'running', lease = j.lease + 1, attempt = j.attempt + 1,
    worker = %(worker)s, started_at = now(), heartbeat_at = now(), stop_requested = false
  FROM c WHERE j.id = c.id
  RETURNING j.id, j.lease, j.attempt, j.attempts_max, j.kind, j.params, j.batch_id,
    j.xmin::text AS row_version
),
s AS (
  SELECT '{JobStarted.kind}' AS event_kind, %(actor)s::text AS event_actor,
    batch_id AS event_batch_id, id AS event_job_id,
    concat('{{{{"attempt":', attempt, ',"lease":', lease, ',"worker":', %(worker_json)s::text,
      '}}}}') AS event_payload
  FROM u
),
{postgresql_append_sql("s")}
SELECT * FROM u"""

# The condition on the kind is hidden from the planner's guesses, as in `first_in_line`.
_CLAIM_ANY: Final = _CLAIM.format(kinds="")
_CLAIM_OF_KINDS: Final = _CLAIM.format(kinds="AND coalesce(kind = ANY(%(kinds)s), false)")

# Who adds a dependent gives the job a new row version, so the comparison with the one seen at the
# claim sees dependents that were committed after this statement's snapshot was taken.
_DONE: Final = f"""
WITH u AS (
  UPDATE import_job j SET status = 'done', finished_at = now(), heartbeat_at = now(),
    active_key = NULL, stop_requested = false, error = NULL, error_code = NULL
  WHERE j.id = %(job_id)s AND j.lease = %(lease)s AND j.status = 'running'
    AND j.xmin = %(row_version)s::text::xid
    AND NOT EXISTS (SELECT 1 FROM import_job_dep d WHERE d.wait_for_id = %(job_id)s)
  RETURNING j.id, j.batch_id
),
s AS (
  SELECT '{JobDone.kind}' AS event_kind, %(actor)s::text AS event_actor,
    batch_id AS event_batch_id, id AS event_job_id, %(payload)s::text AS event_payload
  FROM u
),
{postgresql_append_sql("s")}
SELECT id FROM u"""


class Lane:
    """One connection of one thread, outside the pool, on which each statement commits itself."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._open = ExitStack()
        self._cursor: Any = None
        self._errors: type[Exception] = db.engine.dialect.loaded_dbapi.Error

    def claim(self, worker: str, kinds: Sequence[str] | None) -> Claim | None:
        """The first job in line, or None when there is none or intake is paused."""
        facts: dict[str, Any] = {
            "worker": worker,
            "actor": f"worker:{worker}",
            "worker_json": json.dumps(worker),
        }
        if kinds is not None:
            facts["kinds"] = list(kinds)
        row = self._one(_CLAIM_ANY if kinds is None else _CLAIM_OF_KINDS, facts)
        if row is None:
            return None
        job_id, lease, attempt, attempts_max, kind, params, batch_id, row_version = row
        return Claim(
            job_id=job_id,
            lease=lease,
            attempt=attempt,
            attempts_max=attempts_max,
            kind=kind,
            params=json.loads(params),
            batch_id=batch_id,
            worker=worker,
            row_version=row_version,
        )

    def done(self, claim: Claim) -> bool:
        """Finish a job that nobody touched since its claim and nobody waits for.

        False means that nothing was written, for whatever reason.
        """
        facts = {
            "job_id": claim.job_id,
            "lease": claim.lease,
            "row_version": claim.row_version,
            "actor": claim.actor,
            "payload": JobDone(lease=claim.lease).to_json(),
        }
        return self._one(_DONE, facts) is not None

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._cursor = None
        self._open.close()

    def _one(self, statement: str, facts: dict[str, Any]) -> tuple[Any, ...] | None:
        with translated(self._db.url_shown):
            cursor = self._cursor or self._connect()
            try:
                cursor.execute(statement, facts, prepare=True)
                row: tuple[Any, ...] | None = cursor.fetchone()
            except self._errors as error:
                # Idle is what a refused statement leaves. A connection that was cut may be neither
                # broken nor closed yet, and would say for good that it is at work on a command.
                lost = cursor.connection.info.transaction_status.name != "IDLE"
                if lost:
                    self.close()
                raise exc.DBAPIError.instance(
                    statement, None, error, self._errors, True, lost
                ) from error
            return row

    def _connect(self) -> Any:
        conn = self._open.enter_context(self._db.autocommit())
        # Out of the pool: a lane must not use up the connections of those who come and go.
        conn.detach()
        driver: Any = conn.connection.dbapi_connection
        self._cursor = driver.cursor()
        return self._cursor
