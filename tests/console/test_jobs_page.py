"""The pages of jobs: lists that are what their tabs count, sentences, logs, graphs, and actions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import update

from lading.accounts.values import Role
from lading.db.clock import now
from lading.ingest.parts import IMPORT_JOB_KIND
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.tables import worker as worker_table
from lading.jobs.values import JobFilter, JobRow, NewJob
from lading.testing.console_busy import SILENT
from tests.console.browser.serving import Served
from tests.console.visiting import Element, Visitor, visiting

GetServed = Callable[[str], Served]
ACTOR = "user:otto"


@pytest.fixture(scope="module")
def busy(served: GetServed) -> Iterator[Visitor]:
    """An operator who looks at an engine at work, and changes nothing."""
    with visiting(served("busy")) as visitor:
        yield visitor


@pytest.fixture
def jobs(served: GetServed) -> dict[JobState, list[JobRow]]:
    """The jobs of the engine at work, by state."""
    found: dict[JobState, list[JobRow]] = {state: [] for state in JobState}
    for job in served("busy").lading.queue.list(limit=100).jobs:
        found[job.status].append(job)
    return found


def number_in(text: str) -> int:
    found = re.search(r"[\d,]+", text)
    assert found is not None, text
    return int(found.group().replace(",", ""))


def tab_counts(page: Element) -> dict[str, tuple[int, str]]:
    return {
        re.sub(r" [\d,+]+$", "", text): (number_in(text), url)
        for text, url in page.by_id("job-views").links.items()
    }


def test_every_tab_counts_the_jobs_of_its_list(busy: Visitor) -> None:
    tabs = tab_counts(busy.get("/jobs"))
    assert list(tabs) == ["Active", "Waiting", "Failed", "Done", "All"]
    for name, (count, url) in tabs.items():
        assert len(busy.get(url).rows) == count, name
    assert tabs["All"][0] == sum(tabs[name][0] for name in tabs if name != "All") > 20


def test_a_tab_counts_what_its_filter_leaves(busy: Visitor, jobs: object) -> None:
    tabs = tab_counts(busy.get("/jobs?q=12"))
    assert tabs["All"][0] < 20
    for name, (count, url) in tabs.items():
        assert "q=12" in url
        assert len(busy.get(url).rows) == count, name


@pytest.mark.parametrize("state", JobState)
def test_a_chosen_state_lists_just_its_jobs(
    busy: Visitor, jobs: dict[JobState, list[JobRow]], state: JobState
) -> None:
    page = busy.get(f"/jobs?state={state}")
    shown = {row.attrs["id"] for row in page.rows}
    assert shown == {f"j-{job.id}" for job in jobs[state]}


def test_what_the_address_does_not_mean_is_said(busy: Visitor) -> None:
    running = len(busy.get("/jobs?state=running").rows)
    page = busy.get("/jobs?state=running,flying&colour=red&view=upside")
    note = next(one.text for one in page.all("p", role="note"))
    assert all(name in note for name in ("state=flying", "colour", "view=upside"))
    assert len(page.rows) == running > 0


def test_empty_lists_say_why_they_are_empty(served: GetServed, busy: Visitor) -> None:
    with visiting(served("empty")) as visitor:
        assert "No job has been made yet" in visitor.get("/jobs").text
    assert "Nothing matches" in busy.get("/jobs?view=all&reason=no_such_reason").text
    assert "No job failed" in busy.get("/jobs?view=failed").text


def test_a_row_tells_how_far_how_fast_and_on_what(
    busy: Visitor, jobs: dict[JobState, list[JobRow]]
) -> None:
    page = busy.get("/jobs")
    first = min(jobs[JobState.RUNNING], key=lambda job: job.id)
    row = page.by_id(f"j-{first.id}").text
    assert "3 done 1 skipped 1 failed of 20" in row
    assert "15 %" in row
    assert re.search(r"\d [kM]?B/s", row)
    assert "ingest-1/4711" in row
    waiting = busy.get("/jobs?view=waiting")
    chained = next(job for job in jobs[JobState.WAITING] if job.pending_deps)
    links = waiting.by_id(f"j-{chained.id}").links
    assert f"/jobs/{first.id}" in links.values()


def test_the_lists_strip_counts_and_rates_are_those_of_every_other_page(busy: Visitor) -> None:
    """Strip, Overview, Jobs, Workers and each Job say the same of what runs."""
    page = busy.get("/jobs?state=running")
    running = {row.attrs["id"][2:] for row in page.rows}
    strip = page.by_id("engine").links
    assert f"{len(running)} running" in strip
    overview = busy.get("/")
    assert f"{len(running)} running" in overview.by_id("card-engine").links
    shown = overview.by_id("card-engine").links.values()
    assert {url.split("/")[-1] for url in shown if re.fullmatch(r"/jobs/\d+", url)} == running
    workers = busy.get("/workers").by_id("workers-running").links.values()
    assert {url.split("/")[-1] for url in workers if url.startswith("/jobs/")} == running
    for number in running:
        # One that moves nothing has stalled by the time other tests have used this data.
        assert re.search("Running|Stalled", busy.get(f"/jobs/{number}").by_id("job-head").text)


def test_a_silent_job_leaves_running_on_all_pages_alike(serve_own: GetServed) -> None:
    served = serve_own("busy")
    stale_s = served.lading.settings.worker.stale_after_s
    (job,) = (
        job
        for job in served.lading.queue.list(JobFilter(states=[JobState.RUNNING])).jobs
        if job.worker == SILENT
    )
    with visiting(served) as visitor:
        before = visitor.get(f"/jobs/{job.id}").by_id("job-head").text
        assert "returns to the queue in" in before
        assert f"Job {job.id} returns to the queue in" in visitor.get("/workers").text
        with served.lading.db.write() as conn:
            long_ago = now(-stale_s - 5)
            conn.execute(
                update(import_job)
                .where(import_job.c.id == job.id)
                .values(heartbeat_at=long_ago, started_at=long_ago)
            )
            conn.execute(
                update(worker_table).where(worker_table.c.id == SILENT).values(seen_at=long_ago)
            )
        assert "No sign of life" in visitor.get("/jobs").by_id(f"j-{job.id}").text
        assert "No sign of life" in visitor.get(f"/jobs/{job.id}").by_id("job-head").text
        workers = visitor.get("/workers").by_id("workers-running").text
        assert "No sign of life" in workers
        assert f"Job {job.id} returns to the queue now" in workers
        assert "No sign of life" in visitor.get("/").by_id("card-engine").text


SENTENCES = {
    JobState.WAITING: r"Waiting on job \d+ \(import, \w+\)|Attempt 1 of \d+ met a passing fault;",
    JobState.QUEUED: r"In line behind [\d,]+ jobs?\.|First in line\.",
    JobState.RUNNING: r"Attempt \d+ of \d+, with ingest-\d/\d+",
    JobState.PAUSED: r"Stopped after an item, as it was asked to",
    JobState.DONE: r"Ended well after ",
    JobState.CANCELLED: r"Cancelled by user:otto: not needed any more\.",
}


@pytest.mark.parametrize("state", SENTENCES)
def test_every_job_says_in_a_sentence_where_it_stands(
    busy: Visitor, jobs: dict[JobState, list[JobRow]], state: JobState
) -> None:
    assert jobs[state]
    for job in jobs[state]:
        page = busy.get(f"/jobs/{job.id}")
        assert re.search(SENTENCES[state], page.by_id("job-head").text), job.id
        assert page.all("title")[0].children[0].strip().endswith("- Jobs - Lading")  # type: ignore[union-attr] # a text


def test_a_failed_job_says_what_failed_it(served: GetServed) -> None:
    with visiting(served("failing")) as visitor:
        jobs = served("failing").lading.queue.list(JobFilter(states=[JobState.FAILED])).jobs
        spoiled = next(job for job in jobs if job.failed_by is not None)
        page = visitor.get(f"/jobs/{spoiled.id}")
        assert "Failed without running" in page.by_id("job-head").text
        assert "Dependency failed" in page.by_id("job-head").text
        assert f"/jobs/{spoiled.failed_by}" in page.by_id("job-head").links.values()
        assert f"Retry job {spoiled.failed_by} and what waits for it" in page.buttons
        assert "Retry" not in page.buttons
        for job in jobs:
            text = visitor.get(f"/jobs/{job.id}").text
            assert f"{job.error_code}" in text
            assert "Next:" in text


def test_the_graph_is_drawn_and_listed_with_the_same_jobs(
    busy: Visitor, jobs: dict[JobState, list[JobRow]]
) -> None:
    chained = next(job for job in jobs[JobState.WAITING] if job.pending_deps)
    page = busy.get(f"/jobs/{chained.id}")
    (drawing,) = page.all("svg", class_="graph")
    (listed,) = page.all("ul", class_="branches")
    drawn = {a.attrs["href"] for a in drawing.all("a")}
    named = set(listed.links.values()) | {f"/jobs/{chained.id}"}
    assert drawn == named
    assert len(drawn) == 4
    assert all(a.attrs["tabindex"] == "-1" for a in drawing.all("a"))
    assert f"Import {chained.id}, this one" in listed.text


def test_many_jobs_are_grouped_instead_of_drawn(serve_own: GetServed) -> None:
    served = serve_own("empty")
    queue = served.lading.queue
    with served.lading.db.write() as conn:
        (root,) = queue.enqueue(conn, [NewJob(IMPORT_JOB_KIND)], actor=ACTOR)
    with served.lading.db.write() as conn:
        many = [NewJob(IMPORT_JOB_KIND, wait_for=(root.job_id,)) for _ in range(70)]
        made = queue.enqueue(conn, many, actor=ACTOR)
    with visiting(served) as visitor:
        page = visitor.get(f"/jobs/{root.job_id}")
        assert not page.all("svg", class_="graph")
        assert "71 jobs belong together" in page.text
        links = set(page.all("ul", class_="branches")[0].links.values())
        assert links == {f"/jobs/{job.job_id}" for job in made}


def test_the_log_is_every_event_of_the_job_each_with_an_address(
    served: GetServed, busy: Visitor, jobs: dict[JobState, list[JobRow]]
) -> None:
    job = next(job for job in jobs[JobState.RUNNING] if job.stop_requested)
    page = busy.get(f"/jobs/{job.id}/log")
    (download,) = (url for text, url in page.links.items() if text == "All as NDJSON")
    lines = [json.loads(line) for line in busy.client.get(download).text.splitlines()]
    assert [row.attrs["id"] for row in page.rows] == [f"e{event['seq']}" for event in lines]
    link = page.rows[2].all("a")[0].attrs["href"]
    assert link.endswith(f"#{page.rows[2].attrs['id']}")
    linked = busy.get(link)
    assert linked.rows[0].attrs["id"] == page.rows[2].attrs["id"]
    warnings = busy.get(f"/jobs/{job.id}/log?level=warning").rows
    assert ["job stop requested" in row.text for row in warnings] == [True]
    assert len(busy.get(f"/jobs/{job.id}/log?q=ENOUGH+for").rows) == 1
    assert "Nothing matches" in busy.get(f"/jobs/{job.id}/log?q=%25").text


def test_a_long_log_has_pages_that_miss_nothing(serve_own: GetServed) -> None:
    served = serve_own("empty")
    with served.lading.db.write() as conn:
        (made,) = served.lading.queue.enqueue(conn, [NewJob(IMPORT_JOB_KIND)], actor=ACTOR)
    for number in range(510):
        priority = 1 + number % 2
        served.lading.queue.set_priority(made.job_id, priority, actor=ACTOR)
    with visiting(served) as visitor:
        page = visitor.get(f"/jobs/{made.job_id}/log")
        assert len(page.rows) == 500
        assert "500 shown of 511" in page.text
        later = visitor.get(page.links["Later"])
        assert len(later.rows) == 11
        assert len(visitor.get(later.links["Earlier"]).rows) == 500


def test_the_other_tabs_of_a_job_have_what_they_are_for(
    busy: Visitor, jobs: dict[JobState, list[JobRow]]
) -> None:
    done = next(job for job in jobs[JobState.DONE] if job.batch_id is not None)
    items = busy.get(f"/jobs/{done.id}/items")
    assert items.rows
    assert "Created" in items.text
    for row in items.rows:
        (link,) = row.all("th")[0].all("a")
        assert busy.get(link.attrs["href"]).all("h1")[0].text == link.text
    assert "import_batch" in busy.get(f"/jobs/{done.id}/params").text
    cancelled = jobs[JobState.CANCELLED][0]
    history = busy.get(f"/jobs/{cancelled.id}/history")
    assert [row.all("td")[1].text for row in history.rows] == ["job queued", "job cancelled"]
    assert all("user:otto" in row.text for row in history.rows)
    assert "It is not about items" in busy.get(f"/jobs/{cancelled.id}/items").text
    assert busy.get(f"/jobs/{done.id}/overview").all("h1")[0].text == f"Import {done.id}"
    assert busy.url == f"/jobs/{done.id}"


@pytest.mark.parametrize("name", ["999999", "x", "0x1", "9" * 30])
def test_a_job_that_is_not_there_is_not_found(busy: Visitor, name: str) -> None:
    answer = busy.client.get(f"/jobs/{name}")
    assert answer.status_code == 404
    assert "no such job" in answer.text


def test_what_cannot_be_done_is_said_with_its_reason(
    busy: Visitor, jobs: dict[JobState, list[JobRow]]
) -> None:
    running = next(job for job in jobs[JobState.RUNNING] if not job.stop_requested)
    page = busy.get(f"/jobs/{running.id}").by_id("job-buttons")
    assert page.buttons == ["Stop after item", "Set priority"]
    assert "Cancel : It is running; stop it after the item in hand instead." in page.text
    assert "Ending its worker process does that" in page.text
    done = jobs[JobState.DONE][0]
    assert not busy.get(f"/jobs/{done.id}").by_id("job-buttons").buttons


def test_a_viewer_sees_no_button_that_changes_anything(served: GetServed) -> None:
    for data, urls in {
        "busy": ["/", "/jobs", "/jobs?view=waiting", "/jobs/12", "/jobs/15", "/workers"],
        "failing": ["/", "/jobs?view=failed", "/jobs/10", "/problems"],
        "paused": ["/jobs"],
    }.items():
        with visiting(served(data), Role.VIEWER) as visitor:
            for url in urls:
                forms = [
                    form.attrs["action"]
                    for form in visitor.get(url).all("form")
                    if form.attrs.get("method") == "post"
                ]
                assert forms == ["/sign-out"], (data, url)


def test_one_job_is_steered_from_its_page_without_script(serve_own: GetServed) -> None:
    served = serve_own("busy")
    queue = served.lading.queue

    def state(number: int) -> JobState:
        return queue.get(number).status

    (queued, *_), (paused, *_), (running, *_) = (
        queue.list(JobFilter(states=[wanted])).jobs
        for wanted in (JobState.QUEUED, JobState.PAUSED, JobState.RUNNING)
    )
    with visiting(served) as visitor:
        page = visitor.press(visitor.get(f"/jobs/{queued.id}"), "Set priority", priority="0")
        assert visitor.url.startswith(f"/jobs/{queued.id}?done=op_")
        assert queue.get(queued.id).priority == 0
        assert "First in line" in page.by_id("job-head").text
        page = visitor.press(page, "Cancel")
        assert state(queued.id) is JobState.CANCELLED
        assert "Cancelled 1 job" in page.by_id("told").text
        page = visitor.press(page, "Undo")
        assert state(queued.id) is JobState.QUEUED
        visitor.press(visitor.get(f"/jobs/{paused.id}"), "Resume")
        assert state(paused.id) is JobState.QUEUED
        page = visitor.press(visitor.get(f"/jobs/{running.id}"), "Stop after item")
        assert "stopping" in page.by_id("job-head").text
        assert queue.get(running.id).stop_requested


def test_a_retry_takes_along_what_failed_because_of_it(serve_own: GetServed) -> None:
    served = serve_own("failing")
    failed = served.lading.queue.list(JobFilter(states=[JobState.FAILED])).jobs
    spoiled = next(job for job in failed if job.failed_by is not None)
    with visiting(served) as visitor:
        page = visitor.get(f"/jobs/{spoiled.failed_by}")
        visitor.press(page, "Retry with 1 that waits for it")
    assert served.lading.queue.get(spoiled.failed_by or 0).status is JobState.QUEUED
    assert served.lading.queue.get(spoiled.id).status is JobState.WAITING


def test_many_jobs_are_cancelled_from_the_list_without_script(serve_own: GetServed) -> None:
    served = serve_own("busy")
    queued = [job.id for job in served.lading.queue.list(JobFilter(states=[JobState.QUEUED])).jobs]
    with visiting(served) as visitor:
        page = visitor.get("/jobs?view=waiting")
        page = visitor.press(page, "Cancel queued", tick=[str(n) for n in queued[:3]])
        assert visitor.url.startswith("/jobs?")
        assert parse_qs(urlsplit(visitor.url).query)["view"] == ["waiting"]
        assert "Cancelled 3 jobs" in page.by_id("told").text
    after = {served.lading.queue.get(number).status for number in queued[:3]}
    assert after == {JobState.CANCELLED}
    assert served.lading.queue.get(queued[3]).status is JobState.QUEUED


def test_a_group_of_failures_is_retried_at_once(serve_own: GetServed) -> None:
    served = serve_own("failing")
    (lost,) = served.lading.queue.list(JobFilter(reason="worker_lost")).jobs
    with visiting(served) as visitor:
        page = visitor.get("/jobs?view=failed")
        (group,) = (one for one in page.all("li", class_="group") if "worker_lost" in one.text)
        assert group.all("b")[0].text == "1"
        assert len(visitor.get(group.links["View"]).rows) == 1
        page = visitor.press(group, "Retry this one")
        assert "1 job back in line" in page.by_id("told").text
    assert served.lading.queue.get(lost.id).status is JobState.QUEUED


def test_a_group_that_has_grown_is_shown_again_instead_of_retried(serve_own: GetServed) -> None:
    served = serve_own("failing")
    (lost,) = served.lading.queue.list(JobFilter(reason="worker_lost")).jobs
    with visiting(served) as visitor:
        page = visitor.get("/jobs?view=failed")
        (group,) = (one for one in page.all("li", class_="group") if "worker_lost" in one.text)
        page = visitor.press(group, "Retry this one", expected="17")
        assert "sel=sel_" in visitor.url
        (row,) = page.rows
        assert "checked" in row.all("input")[0].attrs
    assert served.lading.queue.get(lost.id).status is JobState.FAILED


def test_intake_is_paused_with_a_reason_that_everybody_sees(serve_own: GetServed) -> None:
    served = serve_own("busy")
    with visiting(served) as visitor:
        page = visitor.get("/jobs?view=waiting")
        form = page.by_id("pause-intake")
        page = visitor.press(form, "Pause", why="a new disk")
        assert visitor.url == "/jobs?view=waiting"
        for url in ("/jobs", "/", "/workers"):
            assert "a new disk" in visitor.get(url).by_id("engine").text, url
        assert "Intake is paused by user:otto" in page.by_id("intake").text
        (queued, *_) = served.lading.queue.list(JobFilter(states=[JobState.QUEUED])).jobs
        head = visitor.get(f"/jobs/{queued.id}").by_id("job-head").text
        assert "Intake is paused by user:otto: nothing is taken up" in head
        page = visitor.press(page.by_id("intake"), "Resume intake")
        assert "Pause intake because" in page.by_id("intake").text
    assert not served.lading.queue.intake().paused


@pytest.mark.parametrize(
    ("back", "referer", "leads_to"),
    [
        ("", "{origin}/workers?x=1", "/workers?x=1"),
        ("", "https://elsewhere.example/problems?a=b", "/problems?a=b"),
        ("", "", "/"),
        ("//elsewhere.example/", "{origin}/workers", "/"),
        ("https://elsewhere.example/", "", "/"),
        ("/jobs?view=all", "{origin}/workers", "/jobs?view=all"),
    ],
)
def test_the_switch_leads_back_and_never_elsewhere(
    serve_own: GetServed, back: str, referer: str, leads_to: str
) -> None:
    served = serve_own("empty")
    with visiting(served) as visitor:
        data = {"_csrf": served.csrf_of(Role.OPERATOR), "back": back}
        answer = visitor.client.post(
            "/engine/pause",
            data=data,
            headers={"referer": referer.format(origin=served.origin)},
            follow_redirects=False,
        )
        assert answer.status_code == 303
        assert answer.headers["location"] == leads_to


def test_without_the_forms_secret_nothing_is_paused(served: GetServed) -> None:
    with visiting(served("empty")) as visitor:
        assert visitor.client.post("/engine/pause", data={"why": "x"}).status_code == 403
    assert not served("empty").lading.queue.intake().paused


def test_workers_are_told_apart_by_how_long_they_are_silent(busy: Visitor) -> None:
    page = busy.get("/workers")
    running = {row.all("th")[0].text: row.text for row in page.by_id("workers-running").rows}
    assert "Busy" in running["ingest-1/4711"]
    assert re.search(r"\d of 2", running["ingest-1/4711"])
    assert "Late" in running["ingest-2/815"]
    assert "ingest-1/4242" in page.text
    alone = busy.get(page.links["ingest-2/815"])
    assert alone.all("h1")[0].text == "Worker ingest-2/815"
    assert "returns to the queue in" in alone.text
    assert "SIGTERM" in alone.text
    assert busy.client.get("/workers/nobody/1/x").status_code == 404


def test_a_worker_of_another_version_is_flagged(serve_own: GetServed) -> None:
    served = serve_own("busy")
    with served.lading.db.write() as conn:
        conn.execute(
            update(worker_table).where(worker_table.c.id == SILENT).values(version="0.0.9")
        )
    with visiting(served) as visitor:
        assert "0.0.9, not this one" in visitor.get("/workers").text
        assert "version 0.0.9" in visitor.get("/").by_id("card-workers").text


def test_a_hundred_jobs_make_a_light_page(serve_own: GetServed) -> None:
    served = serve_own("busy")
    with served.lading.db.write() as conn:
        more = [NewJob(kind=IMPORT_JOB_KIND) for _ in range(100)]
        served.lading.queue.enqueue(conn, more, actor=ACTOR)
    with visiting(served) as visitor:
        answer = visitor.client.get("/jobs?view=all&limit=100")
        assert answer.text.count('id="j-') == 100
        assert len(answer.content) <= 170_000
