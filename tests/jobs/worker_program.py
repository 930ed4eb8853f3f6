"""A worker as a process of its own, for tests that send it signals.

    python worker_program.py <url> <mode>

Modes: `items` works on jobs in steps that the test allows through standard input, and says on
standard output where it stands; `drain` works off no-op jobs and ends when none is left. Both
write rows of the table `probe` in the jobs' guarded transactions.
"""

from __future__ import annotations

import sys

from sqlalchemy import Connection, text

from lading.base.stopping import StopSignal
from lading.db import open_database
from lading.jobs.context import JobContext, JobResult
from lading.jobs.errors import LeaseLost
from lading.jobs.queue import Queue
from lading.jobs.settings import WorkerSettings
from lading.jobs.signals import install_signal_handlers
from lading.jobs.worker import Worker
from lading.ledger.chain import Entry

INSERT = text("INSERT INTO probe (job_id, seq, lease) VALUES (:job_id, :seq, :lease)")
ITEMS = 3


def say(words: str) -> None:
    print(words, flush=True)


def write_item(conn: Connection, context: JobContext, seq: int) -> None:
    claim = context.claim
    conn.execute(INSERT, {"job_id": claim.job_id, "seq": seq, "lease": claim.lease})


def items(context: JobContext) -> JobResult:
    """Items 1 to 3, each after a line from the test; stops between items when asked to."""
    say(f"started {context.claim.job_id}")
    for seq in range(1, ITEMS + 1):
        if sys.stdin.readline() == "until stopped\n":
            say("waiting")
            context.stop.wait(60)
            say("stop seen")
        try:
            with context.transaction() as conn:
                write_item(conn, context, seq)
        except LeaseLost:
            say("refused")
            raise
        say(f"item {seq}")
        if context.stop.is_set():
            return JobResult.stopped()
    return JobResult()


def noop(context: JobContext) -> JobResult:
    """One row, in the finishing transaction; a second one at the same lease would be a fault."""

    def write(conn: Connection) -> list[Entry]:
        write_item(conn, context, 0)
        return []

    return JobResult(write=write)


def main() -> int:
    url, mode = sys.argv[1:]
    database = open_database(url)
    stop = StopSignal()
    install_signal_handlers(stop)
    if mode == "drain":
        settings = WorkerSettings(
            stale_after_s=1.5, heartbeat_s=0.3, rescue_every_s=0.4, poll_min_s=0.02, poll_max_s=0.2
        )
    else:
        # The zombie must not rescue its own job: that is the other worker's part.
        settings = WorkerSettings(rescue_every_s=3_600, poll_max_s=0.2)
    handlers = {"items": items, "noop": noop}
    worker = Worker(database, Queue(database), handlers, settings, stop=stop)
    say("ready")
    report = worker.run(drain=mode == "drain")
    say(f"ended done={report.done} released={report.released} lost={report.lost}")
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
