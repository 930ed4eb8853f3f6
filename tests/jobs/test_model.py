"""The queue does what a plain model of it does, whatever is asked of it in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from lading.base.errors import RequestError
from lading.base.stopping import StopReason
from lading.jobs.errors import LeaseLost
from lading.jobs.values import Claim
from lading.testing.servers_db import Backend, Server, fresh_database
from tests.jobs.bench import Bench

Wish = tuple[int, list[int], str | None, bool, int]
"""Priority, jobs to wait for (any numbers; they are wrapped), key, delayed, attempts_max."""

WISHES: st.SearchStrategy[Wish] = st.tuples(
    st.integers(0, 3),
    st.lists(st.integers(0, 30), max_size=3),
    st.sampled_from([None, None, None, "a", "b"]),
    st.sampled_from([False, False, True]),
    st.integers(1, 3),
)

UNFINISHED = {"waiting", "queued", "running", "paused"}
SPOILED = {"failed", "cancelled"}


@dataclass
class Model:
    """One job as the model sees it."""

    priority: int
    wait_for: list[int]
    attempts_max: int
    key: str | None
    state: str = "queued"
    timed: bool = False
    attempt: int = 0
    lease: int = 0
    failed_by: int | None = None
    stop_requested: bool = field(default=False)


class QueueMachine(RuleBasedStateMachine):
    """Asks the queue and the model the same; after each step both must agree about every job."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.open = ExitStack()
        self.bench = Bench(self.open.enter_context(fresh_database(server)))
        self.jobs: dict[int, Model] = {}
        self.claims: list[Claim] = []
        self.paused = False

    def teardown(self) -> None:
        self.bench.check_chain()
        self.open.close()

    # -- the model's own moves

    def pending(self, job: Model) -> int:
        return sum(self.jobs[i].state != "done" for i in job.wait_for)

    def settle(self, job: Model) -> None:
        job.state = "waiting" if self.pending(job) or job.timed else "queued"

    def spread(self, root: int) -> None:
        for job_id in sorted(self.jobs):
            job = self.jobs[job_id]
            spoiled = [i for i in sorted(job.wait_for) if self.jobs[i].state in SPOILED]
            if job.state == "waiting" and spoiled and job_id > root:
                job.state, job.failed_by, job.timed = "failed", spoiled[0], False

    def end(self, job_id: int, state: str) -> None:
        self.jobs[job_id].state = state
        self.jobs[job_id].timed = False
        self.jobs[job_id].stop_requested = False
        if state in SPOILED:
            self.spread(job_id)
        else:
            for job in self.jobs.values():
                if job_id in job.wait_for and job.state == "waiting":
                    self.settle(job)

    def holds(self, claim: Claim) -> bool:
        job = self.jobs[claim.job_id]
        return job.state == "running" and job.lease == claim.lease

    def holder(self, key: str | None) -> int | None:
        return next(
            (i for i, j in self.jobs.items() if key and j.key == key and j.state in UNFINISHED),
            None,
        )

    def under_claim(self, index: int, act: Callable[[Claim], object]) -> Claim | None:
        """Do it under one of all claims ever made; only one that holds may get through."""
        if not self.claims:
            return None
        claim = self.claims[index % len(self.claims)]
        try:
            act(claim)
        except LeaseLost:
            assert not self.holds(claim)
            return None
        assert self.holds(claim)
        return claim

    def by_hand(self, index: int, allowed: set[str], act: Callable[[int], object]) -> int | None:
        """Do it to one of all jobs; only one in an allowed state may get through."""
        if not self.jobs:
            return None
        job_id = sorted(self.jobs)[index % len(self.jobs)]
        try:
            act(job_id)
        except RequestError:
            assert self.jobs[job_id].state not in allowed
            return None
        assert self.jobs[job_id].state in allowed
        return job_id

    # -- what is asked

    @initialize(wishes=st.lists(WISHES, min_size=4, max_size=10))
    def fill(self, wishes: list[Wish]) -> None:
        for wish in wishes:
            self.enqueue(wish)

    @rule(wish=WISHES)
    def enqueue(self, wish: Wish) -> None:
        priority, parents, key, delayed, attempts_max = wish
        known = sorted(self.jobs)
        wait_for = sorted({known[i % len(known)] for i in parents}) if known else []
        holder = self.holder(key)
        job_id = self.bench.one(
            priority=priority,
            wait_for=wait_for,
            active_key=key,
            delay_s=1_000 if delayed else 0,
            attempts_max=attempts_max,
        )
        if holder is not None:
            assert job_id == holder
            return
        job = Model(priority, wait_for, attempts_max, key, timed=delayed)
        self.jobs[job_id] = job
        spoiled = [i for i in wait_for if self.jobs[i].state in SPOILED]
        if spoiled:
            job.state, job.failed_by, job.timed = "failed", spoiled[0], False
        else:
            self.settle(job)

    @rule()
    def claim(self) -> None:
        claim = self.bench.queue.claim("w")
        line = sorted((j.priority, i) for i, j in self.jobs.items() if j.state == "queued")
        if self.paused or not line:
            assert claim is None
            return
        assert claim is not None
        job = self.jobs[line[0][1]]
        job.state, job.stop_requested = "running", False
        job.lease += 1
        job.attempt += 1
        assert (claim.job_id, claim.lease, claim.attempt) == (line[0][1], job.lease, job.attempt)
        self.claims.append(claim)

    @rule()
    def claim_and_finish(self) -> None:
        before = len(self.claims)
        self.claim()
        if len(self.claims) > before:
            self.finish(len(self.claims) - 1)

    @rule(index=st.integers(0, 30))
    def finish(self, index: int) -> None:
        if claim := self.under_claim(index, self.bench.queue.done):
            self.end(claim.job_id, "done")

    @rule(index=st.integers(0, 30))
    def fail(self, index: int) -> None:
        if claim := self.under_claim(index, lambda c: self.bench.queue.fail(c, ValueError())):
            self.end(claim.job_id, "failed")

    @rule(index=st.integers(0, 30))
    def retry_later(self, index: int) -> None:
        claim = self.under_claim(
            index, lambda c: self.bench.queue.retry_later(c, ValueError(), delay_s=1_000)
        )
        if claim is None:
            return
        job = self.jobs[claim.job_id]
        if job.attempt >= job.attempts_max:
            self.end(claim.job_id, "failed")
        else:
            job.state, job.timed, job.stop_requested = "waiting", True, False

    @rule(index=st.integers(0, 30), why=st.sampled_from([StopReason.SHUTDOWN, StopReason.OPERATOR]))
    def release(self, index: int, why: StopReason) -> None:
        if claim := self.under_claim(index, lambda c: self.bench.queue.release(c, why)):
            job = self.jobs[claim.job_id]
            job.state = "queued" if why is StopReason.SHUTDOWN else "paused"
            job.attempt -= 1
            job.stop_requested = False

    @rule(index=st.integers(0, 30))
    def fall_silent_and_be_rescued(self, index: int) -> None:
        running = [i for i, job in sorted(self.jobs.items()) if job.state == "running"]
        if not running:
            return
        job_id = running[index % len(running)]
        self.bench.silence(job_id)
        assert self.bench.queue.rescue(stale_after_s=900, actor="w") == [job_id]
        job = self.jobs[job_id]
        job.lease += 1
        job.stop_requested = False
        if job.attempt >= job.attempts_max:
            self.end(job_id, "failed")
        else:
            job.state = "queued"

    @rule()
    def let_time_come(self) -> None:
        self.bench.let_time_come()
        self.bench.queue.schedule(actor="w")
        for job in self.jobs.values():
            if job.state == "waiting" and job.timed and not self.pending(job):
                job.state, job.timed = "queued", False

    @rule(index=st.integers(0, 30))
    def cancel(self, index: int) -> None:
        done = self.by_hand(
            index,
            {"waiting", "queued", "paused"},
            lambda i: self.bench.queue.cancel(i, actor="u", why="no"),
        )
        if done is not None:
            self.end(done, "cancelled")

    @rule(index=st.integers(0, 30))
    def request_stop(self, index: int) -> None:
        done = self.by_hand(
            index, {"running"}, lambda i: self.bench.queue.request_stop(i, actor="u", why="no")
        )
        if done is not None:
            self.jobs[done].stop_requested = True

    @rule(index=st.integers(0, 30))
    def resume(self, index: int) -> None:
        done = self.by_hand(index, {"paused"}, lambda i: self.bench.queue.resume(i, actor="u"))
        if done is not None:
            self.jobs[done].state = "queued"

    @rule(index=st.integers(0, 30), priority=st.integers(0, 3))
    def set_priority(self, index: int, priority: int) -> None:
        done = self.by_hand(
            index,
            UNFINISHED,
            lambda i: self.bench.queue.set_priority(i, priority, actor="u"),
        )
        if done is not None:
            self.jobs[done].priority = priority

    @rule(index=st.integers(0, 30))
    def retry(self, index: int) -> None:
        if not self.jobs:
            return
        job_id = sorted(self.jobs)[index % len(self.jobs)]
        job = self.jobs[job_id]
        spoiled = any(self.jobs[i].state in SPOILED for i in job.wait_for)
        refused = job.state not in SPOILED or spoiled or self.holder(job.key) is not None
        try:
            revived = self.bench.queue.retry(job_id, actor="u")
        except RequestError:
            assert refused
            return
        assert not refused
        assert revived == [job_id]
        job.attempt, job.failed_by = 0, None
        self.settle(job)

    @rule()
    def pause_or_resume_intake(self) -> None:
        self.paused = not self.paused
        if self.paused:
            self.bench.queue.pause_intake(actor="u", why="no")
        else:
            self.bench.queue.resume_intake(actor="u")

    @invariant()
    def agree(self) -> None:
        rows = {job.id: job for job in self.bench.queue.list(limit=1_000).jobs}
        assert rows.keys() == self.jobs.keys()
        for job_id, job in self.jobs.items():
            row = rows[job_id]
            found = (
                row.status.value,
                row.attempt,
                row.lease,
                row.priority,
                row.failed_by,
                row.stop_requested,
                row.not_before is not None,
                row.active_key,
            )
            assert found == (
                job.state,
                job.attempt,
                job.lease,
                job.priority,
                job.failed_by,
                job.stop_requested,
                job.timed,
                job.key if job.state in UNFINISHED else None,
            ), job_id
            if job.state == "waiting":
                assert row.pending_deps == self.pending(job)


def test_the_queue_agrees_with_its_model(server_of: Callable[[Backend], Server]) -> None:
    server = server_of("sqlite")

    class OnThisServer(QueueMachine):
        def __init__(self) -> None:
            super().__init__(server)

    run_state_machine_as_test(
        OnThisServer,
        settings=settings(
            max_examples=25,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
