"""What the verbs on jobs share: one job after the other, each told, a failure stopping no other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from lading.base.errors import LadingError
from lading.cli import output
from lading.cli.failures import report
from lading.cli.session import Session
from lading.ingest.queueing import follow_job
from lading.jobs.queue import Queue
from lading.jobs.states import JobState

Act = Callable[[Queue, int], Sequence[int] | None]


def steer(
    session: Session,
    job_ids: Sequence[int],
    act: Act,
    *,
    allowed: Collection[JobState],
    done: str,
    dry_run: bool,
) -> int:
    """Do `act` to each job; returns the exit status, that of the worst error.

    `act` returns the jobs it moved besides the one it was called for. A dry run only looks whether
    each job's state is among `allowed`.
    """
    results: list[dict[str, object]] = []
    status = 0
    with session.open_database() as db:
        queue = Queue(db, hook=follow_job)
        for job_id in dict.fromkeys(job_ids):
            try:
                before = queue.get(job_id)
                possible = before.status in allowed
                moved = [] if dry_run else list(act(queue, job_id) or [])
                after = queue.get(job_id)
            except LadingError as error:
                status = max(status, error.exit_status)
                results.append({"job_id": job_id, "error": error.as_dict()})
                if not session.as_json:
                    report(error, as_json=False, debug=session.debug)
                continue
            others = [number for number in moved if number != job_id]
            results.append(
                {
                    "job_id": job_id,
                    "before": before.status,
                    "after": after.status,
                    "possible": possible,
                    "also": others,
                }
            )
            if not session.as_json:
                _tell(job_id, before.status, possible, others, done=done, dry_run=dry_run)
    if session.as_json:
        output.emit({"results": results, "dry_run": dry_run})
    return status


def _tell(
    job_id: int,
    state: JobState,
    possible: bool,
    others: Sequence[int],
    *,
    done: str,
    dry_run: bool,
) -> None:
    if not dry_run:
        also = f" and with it {', '.join(map(str, others))}" if others else ""
        output.say(f"job {job_id} {done}{also}")
    elif possible:
        output.say(f"job {job_id} ({state}) would be {done}")
    else:
        output.say(f"job {job_id} is {state}; it cannot be {done}")
