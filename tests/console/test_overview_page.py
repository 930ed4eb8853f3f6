"""The overview: its numbers are those of the lists they lead to, and it says what to do first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from lading.console.readers.backlog import InLine, depths, read_backlog
from lading.db import Database
from lading.jobs.queue import Queue
from lading.jobs.values import NewJob
from tests.console.browser.serving import Served
from tests.console.visiting import Element, Visitor, visiting

GetServed = Callable[[str], Served]
AT = datetime(2026, 6, 29, 18, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def busy(served: GetServed) -> Iterator[Visitor]:
    """An operator who looks at an engine at work, and changes nothing."""
    with visiting(served("busy")) as visitor:
        yield visitor


def test_with_nothing_imported_it_says_what_to_do_first_in_order(served: GetServed) -> None:
    with visiting(served("empty")) as visitor:
        page = visitor.get("/")
        (first,) = page.all("ol", class_="first-steps")
        steps = [step.all("b")[0].text for step in first.all("li")]
        assert steps == [
            "Configure a source",
            "Start a worker",
            "Scan the source",
            "Queue what was found",
        ]
        done = ["is-done" in step.attrs.get("class", "") for step in first.all("li")]
        assert done == [True, False, False, False]
        assert "Nothing needs you" in page.by_id("card-needs").text


def test_once_something_is_imported_it_no_longer_says_so(busy: Visitor) -> None:
    assert not busy.get("/").all("ol", class_="first-steps")


def needs(page: Element) -> dict[str, int]:
    """Every number of "Needs you" by where it leads."""
    return {
        link.attrs["href"]: int(link.all("b")[0].text.replace(",", ""))
        for link in page.by_id("card-needs").all("a")
    }


@pytest.mark.parametrize("data", ["failing", "busy", "seed_57"])
def test_what_needs_someone_leads_to_a_list_of_as_many(served: GetServed, data: str) -> None:
    with visiting(served(data)) as visitor:
        found = needs(visitor.get("/"))
        assert found
        for url, count in found.items():
            page = visitor.get(url)
            if url != "/problems":
                assert len(page.rows) == count, url
            else:
                shown = sum(other for known, other in found.items() if "/problems/" in known)
                assert page.by_id("problem-count").text.startswith(f"{shown + count} problems")


def test_the_funnel_counts_what_its_links_list(busy: Visitor) -> None:
    page = busy.get("/").by_id("card-funnel")
    steps = {li.all("span")[0].text: li for li in page.all("li")}
    assert list(steps) == ["found", "preflighted", "queued", "imported", "verified"]
    counts = [int(li.all("b")[0].text) for li in steps.values()]
    assert counts[0] >= counts[3] > 0
    for li in steps.values():
        (url,) = li.links.values()
        listed = busy.get(url)
        assert "Ignored" not in listed.text
        assert (len(listed.rows) > 0) == (li.all("b")[0].text != "0"), url


def test_every_bar_is_in_the_table_beside_it_with_the_same_link(busy: Visitor) -> None:
    for span, steps in {"1h": 60, "24h": 48, "30d": 30}.items():
        page = busy.get(f"/?range={span}")
        charts = page.all("figure", class_="chart-box")
        assert len(charts) == 4
        for chart in charts:
            (drawing,) = chart.all("svg")
            drawn = [a.attrs["href"] for a in drawing.all("a")]
            named = [a.attrs["href"] for a in chart.all("table")[0].all("a")]
            assert drawn == named
            assert len(drawn) == steps
            assert drawing.attrs["aria-hidden"] == "true"


def test_bars_of_what_came_in_lead_to_the_batches_that_brought_it(busy: Visitor) -> None:
    chart = busy.get("/?range=30d").by_id("chart-items")
    rows = [row for row in chart.all("tr") if row.all("td")]
    (filled,) = (row for row in rows if row.all("td")[0].text != "0")
    (url,) = filled.links.values()
    imported = busy.get(url).rows
    assert imported
    assert all("Imported" in row.text or "Partial" in row.text for row in imported)
    empty = next(row for row in rows if row.all("td")[0].text == "0")
    assert not busy.get(next(iter(empty.links.values()))).rows


def test_a_range_that_no_chart_has_is_said_to_be_ignored(busy: Visitor) -> None:
    page = busy.get("/?range=1y")
    assert "range=1y" in next(note.text for note in page.all("p", role="note"))
    assert page.all("nav", class_="ranges")[0].all("a", aria_current="page")[0].text == "24 hours"


def test_storage_workers_sources_and_events_are_there(busy: Visitor) -> None:
    page = busy.get("/")
    assert re.search(r"[\d.]+ .B free of [\d.]+ .B", page.text)
    assert "original" in page.text
    assert "ingest-1/4711" in page.by_id("card-workers").links
    assert "node2 reachable" in page.by_id("card-sources").text.replace("  ", " ")
    assert "scanned" in page.by_id("card-sources").text
    assert len(page.all("table", class_="recent")[0].rows) == 20


def test_depths_count_who_stood_in_line_at_each_end() -> None:
    step = timedelta(minutes=1)
    steps = [AT + step * number for number in range(4)]
    ends = [at + step for at in steps]
    stood = [
        InLine(AT + step * 0.5, AT + step * 1.5),
        InLine(AT - step, None),
        InLine(AT + step * 3.5, AT + step * 9),
    ]
    found = depths(stood, steps, ends)
    assert [depth.jobs for depth in found] == [2, 1, 1, 2]
    assert [depth.oldest_s for depth in found] == [120.0, 180.0, 240.0, 300.0]
    assert depths([], steps[:1], ends[:1])[0].oldest_s is None


def test_the_backlog_is_of_jobs_in_line_alone(database: Database) -> None:
    queue = Queue(database)
    with database.write() as conn:
        made = queue.enqueue(conn, [NewJob("import_batch") for _ in range(5)], actor="test")
        queue.enqueue(conn, [NewJob("import_batch", wait_for=(made[0].job_id,))], actor="test")
    assert queue.claim("worker") is not None
    queue.cancel(made[4].job_id, actor="test", why="")
    backlog = read_backlog(database, "1h")
    assert backlog.whole
    assert backlog.steps[-1].jobs == 3
    assert backlog.steps[0].jobs == 0
    assert not read_backlog(database, "1h", jobs_max=2).whole
