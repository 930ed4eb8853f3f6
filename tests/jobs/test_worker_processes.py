"""Workers as real processes that get real signals: SIGTERM, SIGKILL, SIGSTOP and SIGCONT."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from sqlalchemy import text

from lading.jobs.states import JobState
from lading.jobs.values import NewJob
from lading.testing.servers_db import url_of
from tests.jobs import worker_program
from tests.jobs.bench import Bench, wait_for


class Program:
    """One worker process; `expect` reads its lines until the one that is wanted."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def expect(self, line: str) -> str:
        assert self.process.stdout is not None
        for found in self.process.stdout:
            if found.startswith(line):
                return found.strip()
        raise AssertionError(f"the worker ended without saying {line!r}")

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)


@contextmanager
def worker(bench: Bench, mode: str) -> Iterator[Program]:
    process = subprocess.Popen(
        [sys.executable, worker_program.__file__, url_of(bench.db), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Program(process)
        finally:
            process.kill()


def make_probe(bench: Bench) -> None:
    with bench.db.write() as conn:
        conn.execute(
            text(
                "CREATE TABLE probe (job_id BIGINT, seq INT, lease BIGINT,"
                " PRIMARY KEY (job_id, seq, lease))"
            )
        )


def rows(bench: Bench) -> list[tuple[int, int]]:
    with bench.db.read() as conn:
        found = conn.execute(text("SELECT seq, lease FROM probe ORDER BY lease, seq"))
        return [(row.seq, row.lease) for row in found]


def test_sigterm_lets_the_item_in_hand_finish_and_the_job_keep_its_attempt(bench: Bench) -> None:
    make_probe(bench)
    job_id = bench.one("items")
    with worker(bench, "items") as program:
        program.expect(f"started {job_id}")
        program.tell("go")
        program.expect("item 1")
        program.tell("until stopped")
        program.expect("waiting")
        program.send(signal.SIGTERM)
        program.expect("stop seen")
        program.expect("item 2")
        assert program.expect("ended") == "ended done=0 released=1 lost=0"
        assert program.process.wait() == 0
    row = bench.queue.get(job_id)
    assert (row.status, row.attempt, row.lease, row.worker) == (JobState.QUEUED, 0, 1, None)
    assert rows(bench) == [(1, 1), (2, 1)]
    seen = bench.queue.workers()
    assert len(seen) == 1
    assert seen[0].stopped_at is not None
    assert seen[0].pid == program.process.pid


def test_a_second_signal_ends_the_worker_at_once(bench: Bench) -> None:
    make_probe(bench)
    job_id = bench.one("items")
    with worker(bench, "items") as program:
        program.expect(f"started {job_id}")
        program.send(signal.SIGTERM)
        wait_until_taken(program, signal.SIGTERM)
        program.send(signal.SIGINT)
        assert program.process.wait() == 128 + signal.SIGINT
    row = bench.queue.get(job_id)
    assert (row.status, row.lease) == (JobState.RUNNING, 1)


def wait_until_taken(program: Program, number: signal.Signals) -> None:
    """Return when the process no longer has this signal pending, so that the next is a second."""
    pending = True
    while pending:
        with open(f"/proc/{program.process.pid}/status") as status:
            masks = [line.split()[1] for line in status if line.startswith(("ShdPnd", "SigPnd"))]
        pending = any(int(mask, 16) & (1 << (number - 1)) for mask in masks)


def test_a_job_whose_worker_was_killed_is_done_by_the_next_one(bench: Bench) -> None:
    make_probe(bench)
    job_id = bench.one("items")
    with worker(bench, "items") as program:
        program.expect(f"started {job_id}")
        program.tell("go")
        program.expect("item 1")
        program.send(signal.SIGKILL)
        program.process.wait()
    bench.silence(job_id)
    with worker(bench, "items") as program:
        program.expect(f"started {job_id}")
        for _ in range(worker_program.ITEMS):
            program.tell("go")
        program.expect("item 3")
        wait_for(lambda: bench.state(job_id) is JobState.DONE)
        program.send(signal.SIGTERM)
        assert program.expect("ended") == "ended done=1 released=0 lost=0"
    assert rows(bench) == [(1, 1), (1, 3), (2, 3), (3, 3)]
    row = bench.queue.get(job_id)
    assert (row.status, row.attempt) == (JobState.DONE, 2)
    assert bench.events(job_id) == [
        "job_queued",
        "job_started",
        "job_rescued",
        "job_started",
        "job_done",
    ]


def test_a_worker_that_was_stopped_past_the_threshold_can_write_nothing_when_it_wakes(
    bench: Bench,
) -> None:
    make_probe(bench)
    job_id = bench.one("items")
    with worker(bench, "items") as program:
        program.expect(f"started {job_id}")
        program.tell("go")
        program.expect("item 1")
        program.send(signal.SIGSTOP)
        wait_for(lambda: bool(bench.queue.rescue(stale_after_s=0.2, actor="worker:w2")))
        successor = bench.claim("w2")
        program.tell("go")
        program.send(signal.SIGCONT)
        program.expect("refused")
        assert bench.queue.get(job_id).worker == "w2"
        program.send(signal.SIGTERM)
        assert program.expect("ended") == "ended done=0 released=0 lost=1"
    assert rows(bench) == [(1, 1)]
    bench.queue.done(successor)
    assert bench.state(job_id) == "done"
    bench.check_chain()


def enough_done(bench: Bench, threshold: int) -> bool:
    return bench.queue.counts()[JobState.DONE] >= threshold


def test_no_job_is_done_twice_at_one_lease_however_workers_die(bench: Bench) -> None:
    make_probe(bench)
    ids = bench.put(*(NewJob("noop", attempts_max=50) for _ in range(200)))
    chance = random.Random(200)
    with ExitStack() as stack:
        programs = [stack.enter_context(worker(bench, "drain")) for _ in range(4)]
        for threshold in (20, 60, 100):
            wait_for(partial(enough_done, bench, threshold))
            victim = programs.pop(chance.randrange(len(programs)))
            victim.send(signal.SIGKILL)
            if threshold == 20:
                programs.append(stack.enter_context(worker(bench, "drain")))
        for program in programs:
            program.expect("ended")
            assert program.process.wait() == 0
    assert bench.queue.counts()[JobState.DONE] == len(ids)
    with bench.db.read() as conn:
        done = conn.execute(text("SELECT job_id, lease FROM probe ORDER BY job_id")).all()
    # The row and the end of its job were one transaction: one row for each job, at its last lease.
    assert [row.job_id for row in done] == ids
    assert [row.lease for row in done] == [bench.queue.get(job_id).lease for job_id in ids]
    for job_id in ids:
        assert bench.events(job_id).count("job_done") == 1
    bench.check_chain()
