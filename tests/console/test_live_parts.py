"""What the stream sends of overview, jobs, workers and problems fits into the pages it is for."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from lading.accounts.values import Role
from lading.console.app import open_console
from lading.console.live.fragments import Fragment, Fragments, Notice, Visible
from lading.console.live.ticks import Tick
from lading.console.pages import engine, job, jobs, overview, problems, workers
from lading.console.parts import Console
from lading.jobs.states import JobState
from lading.jobs.values import JobFilter, NewJob
from tests.console.browser.serving import Served
from tests.console.visiting import Element, parse, visiting

GetServed = Callable[[str], Served]


@pytest.fixture(scope="module")
def fragments() -> Fragments:
    found = Fragments()
    for page in (engine, job, jobs, overview, problems, workers):
        page.live(found)
    return found


@pytest.fixture(scope="module")
def console(served: GetServed) -> Console:
    return open_console(served("busy").lading)


def everything(seq: int = 1) -> Tick:
    """Anything may have changed."""
    return Tick(since=0, seq=seq, at=datetime.now(UTC), complete=False)


def steady(element: Element) -> str:
    """What is read there, without what another moment changes.

    Two readers began to look at different moments: to one of them a job may have stalled already.
    """
    words = "measuring|stalled|Stalled|Running|less than a minute|about|just now|ago|-"
    passing = rf"{words}|[\d.,:]+|\b([hsd]|min|.?B/s)\b"
    return re.sub(r"\s+", " ", re.sub(passing, "", element.text)).strip()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
@pytest.mark.parametrize(
    "url", ["/", "/jobs", "/jobs?view=waiting", "/jobs/{running}", "/workers", "/problems"]
)
def test_each_part_sent_stands_on_its_page_and_says_the_same(
    served: GetServed, console: Console, fragments: Fragments, role: Role, url: str
) -> None:
    one = served("busy")
    running = one.lading.queue.list(JobFilter(states=[JobState.RUNNING])).jobs[0]
    with visiting(one, role) as visitor:
        page = visitor.get(url.format(running=running.id))
    stream = page.by_id("live").attrs["data-url"]
    topics = re.findall(r"topics=([a-z,]+)", stream)[0].split(",")
    shown = frozenset(int(n) for n in re.findall(r"\d+", stream.partition("job=")[2]))
    caller = one.accounts.caller_of_session(one.session_of(role))
    assert caller is not None
    sent = fragments.render(console, caller, topics, Visible(jobs=shown, since=1), everything())
    parts = [part for part in sent if isinstance(part, Fragment)]
    assert {"engine", "nav-problems"} < {part.target_id for part in parts}
    for part in parts:
        (made,) = (child for child in parse(part.html).children if isinstance(child, Element))
        assert made.attrs["id"] == part.target_id
        there = page.by_id(part.target_id)
        assert "data-live" in there.attrs, part.target_id
        assert "data-live" in made.attrs, part.target_id
        if part.target_id not in {"engine", "card-engine"}:
            assert steady(made) == steady(there), part.target_id
    rows = {row.attrs["id"] for row in page.rows if row.attrs.get("id", "").startswith("j-")}
    assert rows <= {part.target_id for part in parts}


def test_new_jobs_are_counted_since_the_page_was_read(
    serve_own: GetServed, fragments: Fragments
) -> None:
    served = serve_own("busy")
    console = open_console(served.lading)
    before = console.engine.read().seq
    caller = served.accounts.caller_of_session(served.session_of(Role.VIEWER))
    assert caller is not None

    def told(since: int) -> list[object]:
        tick = everything(console.engine.read().seq)
        sent = fragments.render(console, caller, ["jobs"], Visible(since=since), tick)
        return [dict(part.facts) for part in sent if isinstance(part, Notice)]

    assert told(before) == [{"new": 0}]
    (queued, *_) = served.lading.queue.list(JobFilter(states=[JobState.QUEUED])).jobs
    served.lading.queue.cancel(queued.id, actor="user:otto", why="")
    served.lading.queue.retry(queued.id, actor="user:otto")
    assert told(before) == [{"new": 0}]
    with served.lading.db.write() as conn:
        served.lading.queue.enqueue(conn, [NewJob("import_batch")] * 2, actor="user:otto")
    assert told(before) == [{"new": 2}]


def test_buttons_of_a_job_are_sent_only_when_it_moved(
    served: GetServed, console: Console, fragments: Fragments
) -> None:
    one = served("busy")
    running = one.lading.queue.list(JobFilter(states=[JobState.RUNNING])).jobs[0]
    caller = one.accounts.caller_of_session(one.session_of(Role.OPERATOR))
    assert caller is not None
    visible = Visible(jobs=frozenset({running.id}), since=1)

    def sent(kinds: set[str], ids: set[int]) -> set[str]:
        tick = Tick(
            since=1, seq=2, at=datetime.now(UTC), job_ids=frozenset(ids), kinds=frozenset(kinds)
        )
        parts = fragments.render(console, caller, ["job"], visible, tick)
        return {part.target_id for part in parts if isinstance(part, Fragment)}

    assert sent(set(), {running.id}) == {"job-head"}
    assert sent({"job_stop_requested"}, {running.id}) == {"job-head", "job-buttons"}
    assert sent({"job_done"}, {running.id + 1}) == set()
