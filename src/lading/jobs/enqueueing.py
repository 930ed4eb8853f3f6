"""Puts jobs in line, in the caller's transaction: once per active key, after what they wait for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, exc, insert, select

from lading.db.clock import now
from lading.jobs.dependencies import dependency_error, lock_parents
from lading.jobs.errors import BadJob, DependencyFailed
from lading.jobs.moves import CHUNK_IDS, Move, wake
from lading.jobs.rules import Placing, place
from lading.jobs.states import JobState
from lading.jobs.tables import import_job, import_job_dep
from lading.jobs.values import PRIORITY_MAX, PRIORITY_MIN, Enqueued, JobMoved, NewJob
from lading.ledger.chain import Entry
from lading.ledger.events import JobFailed, JobQueued

PARAMS_BYTES_MAX: Final = 65_536

_KIND_LENGTH_MAX: Final = 64
_KEY_LENGTH_MAX: Final = 190
_KEY_TRIES_MAX: Final = 8


def enqueue(
    conn: Connection, jobs: Sequence[NewJob], *, actor: str
) -> tuple[list[Enqueued], list[Move], list[Entry]]:
    """Insert `jobs`; returns their numbers, the failures at birth, and the entries to append.

    Raises `BadJob` for what cannot be stored and `JobMissing` for an unknown job to wait for.
    """
    encoded = [_encode(job) for job in jobs]
    states = lock_parents(conn, (awaited for job in jobs for awaited in job.wait_for))
    placings = [place(job.wait_for, states, delayed=job.delay_s > 0) for job in jobs]
    rows = [_row(*parts) for parts in zip(jobs, encoded, placings, strict=True)]
    enqueued = _insert(conn, jobs, rows)
    moves: list[Move] = []
    entries: list[Entry] = []
    edges: list[dict[str, int]] = []
    for job, placing, made in zip(jobs, placings, enqueued, strict=True):
        if not made.created:
            continue
        awaited = sorted(set(job.wait_for))
        edges.extend({"job_id": made.job_id, "wait_for_id": parent} for parent in awaited)
        queued = JobQueued(job_kind=job.kind, priority=job.priority, wait_for=awaited or None)
        entries.append(Entry(queued, actor, None, job.batch_id, made.job_id))
        if placing.failed_by is not None:
            moves.append(_failed_at_birth(made.job_id, job, placing.failed_by, actor))
    if edges:
        conn.execute(insert(import_job_dep), edges)
    if any(
        made.created and placing.state is JobState.QUEUED
        for made, placing in zip(enqueued, placings, strict=True)
    ):
        wake(conn)
    return enqueued, moves, entries


def _encode(job: NewJob) -> str:
    _check(job)
    try:
        text = json.dumps(dict(job.params), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadJob(f"the job's params are not plain JSON: {error}", subject=job.kind) from error
    if len(text) > PARAMS_BYTES_MAX:
        raise BadJob(
            "the job's params are too large",
            subject=job.kind,
            expected=f"at most {PARAMS_BYTES_MAX} bytes",
            found=len(text),
        )
    return text


def _check(job: NewJob) -> None:
    if not 0 < len(job.kind) <= _KIND_LENGTH_MAX:
        raise BadJob("the job's kind is empty or too long", subject=job.kind)
    if not PRIORITY_MIN <= job.priority <= PRIORITY_MAX:
        raise BadJob(
            "the job's priority is out of range",
            subject=job.kind,
            expected=f"{PRIORITY_MIN} to {PRIORITY_MAX}",
            found=job.priority,
        )
    if job.attempts_max < 1 or job.delay_s < 0:
        raise BadJob("attempts_max must be positive and delay_s not negative", subject=job.kind)
    if job.active_key is not None and not 0 < len(job.active_key) <= _KEY_LENGTH_MAX:
        raise BadJob("the job's active key is empty or too long", subject=job.kind)


def _row(job: NewJob, params: str, placing: Placing) -> dict[str, Any]:
    failed = placing.state is JobState.FAILED
    waits_for_time = job.delay_s > 0 and not failed
    return {
        "kind": job.kind,
        "params": params,
        "batch_id": job.batch_id,
        "status": placing.state.value,
        "priority": job.priority,
        "attempts_max": job.attempts_max,
        "pending_deps": placing.pending_deps,
        "not_before": now(job.delay_s) if waits_for_time else None,
        "created_at": now(),
        "queued_at": now() if placing.state is JobState.QUEUED else None,
        "finished_at": now() if failed else None,
        "active_key": None if failed else job.active_key,
        "own_key": job.active_key,
        "failed_by": placing.failed_by,
        "error": None if placing.failed_by is None else dependency_error(placing.failed_by),
        "error_code": DependencyFailed.code if failed else None,
    }


def _insert(
    conn: Connection, jobs: Sequence[NewJob], rows: Sequence[dict[str, Any]]
) -> list[Enqueued]:
    """Insert the rows whose active key is free; the others get the number of who holds it."""
    keys = {job.active_key for job in jobs if job.active_key is not None}
    for _ in range(_KEY_TRIES_MAX):
        holders = _holders(conn, keys)
        fresh: list[int] = []
        first_of: dict[str, int] = {}
        for index, job in enumerate(jobs):
            key = job.active_key
            if key is None or (key not in holders and key not in first_of):
                fresh.append(index)
                if key is not None:
                    first_of[key] = index
        try:
            if keys:
                # Someone may take a key between the look and the insert; then look again.
                with conn.begin_nested():
                    ids = _insert_rows(conn, [rows[index] for index in fresh])
            else:
                ids = _insert_rows(conn, [rows[index] for index in fresh])
        except exc.IntegrityError:
            if not keys:
                raise
            continue
        made = dict(zip(fresh, ids, strict=True))
        holders.update({key: made[index] for key, index in first_of.items()})
        return [
            Enqueued(made[index], created=True)
            if index in made
            else Enqueued(holders[job.active_key or ""], created=False)
            for index, job in enumerate(jobs)
        ]
    raise BadJob("the active key changes hands faster than it can be read", subject=min(keys))


def _holders(conn: Connection, keys: set[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    ordered = sorted(keys)
    for start in range(0, len(ordered), CHUNK_IDS):
        query = select(import_job.c.active_key, import_job.c.id).where(
            import_job.c.active_key.in_(ordered[start : start + CHUNK_IDS])
        )
        found.update((row.active_key, row.id) for row in conn.execute(query))
    return found


def _insert_rows(conn: Connection, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert and return the numbers, in order. Times are SQL, so rows of one shape go together."""
    ids: list[int] = []
    for shape in _same_shape(rows):
        clock = {name: value for name, value in shape[0].items() if isinstance(value, now)}
        plain = [{k: v for k, v in row.items() if k not in clock} for row in shape]
        statement = (
            insert(import_job)
            .values(clock)
            .returning(import_job.c.id, sort_by_parameter_order=True)
        )
        ids.extend(conn.execute(statement, plain).scalars())
    return ids


def _same_shape(rows: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Runs of neighbouring rows whose times are the same SQL."""
    run: list[dict[str, Any]] = []
    shape: object = None
    for row in rows:
        its = {name: value.offset_us for name, value in row.items() if isinstance(value, now)}
        if run and its != shape:
            yield run
            run = []
        shape = its
        run.append(row)
    if run:
        yield run


def _failed_at_birth(job_id: int, job: NewJob, cause: int, actor: str) -> Move:
    error = dependency_error(cause)
    moved = JobMoved(
        job_id=job_id,
        kind=job.kind,
        batch_id=job.batch_id,
        before=JobState.WAITING,
        after=JobState.FAILED,
        why=DependencyFailed.code,
        actor=actor,
        error=error,
        error_code=DependencyFailed.code,
    )
    return Move(moved, [JobFailed(error=error, code=DependencyFailed.code, failed_by=cause)])
