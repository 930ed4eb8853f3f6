"""The pages of archives say what runs did, and lead from each number to what it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from lading.accounts.values import Role
from lading.console.app import open_console
from lading.console.live.fragments import Fragment, Fragments, Notice, Visible
from lading.console.live.ticks import Tick
from lading.console.pages import archive
from lading.jobs.values import JobFilter
from lading.ledger.archive_events import ArchiveRehearsed, ArchiveRunStarted
from lading.ledger.queries import list_events
from lading.sources.archive.run_jobs import REJECTIONS_KEPT, RUN_JOB_KIND
from lading.testing.console_archive import (
    ARCHIVE,
    COMPLETE,
    ODD,
    ONLY_REJECTED,
    WITHOUT_REPORT,
    archive_objects,
    code_objects,
    put_in_memory,
)
from tests.console.browser.serving import Served
from tests.console.visitor import Sight, Visitor, visiting, work_on

GetServed = Callable[[str], Served]


@pytest.fixture(scope="module")
def visitor(served: GetServed) -> Iterator[Visitor]:
    with visiting(served("archive")) as one:
        yield one


@pytest.fixture
def own(serve_own: GetServed) -> Served:
    """An archive of this test's own, with its bucket in memory."""
    served = serve_own("archive")
    put_in_memory(served.lading, archive_objects())
    return served


def runs(sight: Sight) -> dict[str, dict[str, str]]:
    return {row["Run"]: row for row in sight.rows("List of runs")}


def funnel(sight: Sight) -> dict[str, str]:
    """Each step of the funnel with all that it says."""
    steps = [item for funnel in sight.main.all("ol", class_="run-funnel") for item in funnel.cells]
    return {
        step.cells[0].text: step.text.removeprefix(step.cells[0].text).strip() for step in steps
    }


def run_jobs(served: Served) -> list[dict[str, object]]:
    found = served.lading.queue.list(JobFilter(kinds=[RUN_JOB_KIND])).jobs
    return [dict(job.params) for job in found]


def events(served: Served, kind: str) -> list[dict[str, object]]:
    with served.lading.db.read() as conn:
        return [dict(event.payload) for event in list_events(conn, kinds=[kind])]


def test_the_menu_has_the_archive_only_where_one_is_configured(
    visitor: Visitor, served: GetServed
) -> None:
    links = [a.attributes.get("href") for a in visitor.get("/").root.all("a")]
    assert "/archive" in links
    with visiting(served("empty")) as without:
        links = [a.attributes.get("href") for a in without.get("/").root.all("a")]
        assert "/archive" not in links
        assert "No archive is configured" in without.get("/archive").text


def test_runs_and_dry_runs_are_one_list_that_says_what_each_was_asked_and_did(
    visitor: Visitor,
) -> None:
    rows = visitor.get("/archive").rows("List of runs")
    said = [row["What it did, and was asked to be"] for row in rows]
    assert said == [
        "Would insert 1, wrote nothing Dry run, safe run, keys that begin with AUD/",
        "Inserted 19 A usual run of everything",
        "Stopped at first warning, wrote nothing Safe run, keys that begin with FILE/",
        "Would insert 19, wrote nothing Dry run",
    ]
    assert [row["State"] for row in rows] == ["Rehearsed", "Partial", "Failed", "Rehearsed"]
    assert [(row["Keys"], row["Codes"], row["Rejected"]) for row in rows] == [
        ("28", "7", "1"),
        ("113", "24", "15"),
        ("12", "3", "1"),
        ("113", "24", "15"),
    ]
    assert all("user:otto" in row["When and by whom"] for row in rows)


def test_the_list_of_runs_is_narrowed_and_paged_by_its_address(visitor: Visitor) -> None:
    dry = visitor.get("/archive?kind=dry")
    assert [row["State"] for row in dry.rows("List of runs")] == ["Rehearsed", "Rehearsed"]
    assert "2 shown of 2 runs" in dry.text
    assert "Ignored in the address" in visitor.get("/archive?nonsense=1").text


def test_a_run_that_waits_is_shown_before_it_did_anything(visitor: Visitor) -> None:
    (row,) = visitor.get("/archive").rows("Runs at work")
    assert row["Run"] == "Dry run of archive"
    assert row["State"] == "Queued"
    assert row["Asked to be"] == "usual, keys that begin with BRD/"


def test_the_funnel_says_how_many_passed_and_how_many_ended_at_each_rule(visitor: Visitor) -> None:
    sight = visitor.get("/archive/runs/2")
    assert funnel(sight) == {
        "Listed": "113 keys",
        "Allowed extension": "108 keys 5 left out",
        "Not excluded": "100 keys 8 left out",
        "Valid code": "94 keys 6 rejected",
        "Prefix matches type": "90 keys 4 rejected",
        "With a code": "24 codes",
        "Not already held": "24 codes 0 held",
        "Files complete": "21 codes 3 rejected",
        "Sidecars valid": "19 codes 2 rejected",
        "Inserted": "19 codes 0 updated",
    }


def test_every_number_of_the_funnel_leads_to_what_it_counts(visitor: Visitor) -> None:
    sight = visitor.get("/archive/runs/2")
    links = {
        (step.cells[0].text, link.text): link.attributes["href"]
        for funnel in sight.main.all("ol", class_="run-funnel")
        for step in funnel.cells
        for link in step.all("a")
    }
    assert len(links) == 16
    for (_, words), url in links.items():
        number, what = words.split(" ", 1)
        where = visitor.get(url)
        fragment = urlsplit(url).fragment
        if fragment:
            assert f'id="{fragment}"' in where.html
        elif what == "rejected":
            assert where.text.startswith(f"Archive Rejects {number} of run 2")
        elif url.startswith("/library/assets"):
            assert f"{number} assets" in where.text


def test_what_was_left_out_is_told_by_the_value_of_its_rule_with_examples(visitor: Visitor) -> None:
    sight = visitor.get("/archive/runs/2")
    folders = {row["Folder"]: row for row in sight.rows("Folders that are excluded")}
    assert folders["UMT/"]["Keys"] == "7"
    assert folders["UMT/"]["Some of them"].startswith("UMT/VO-UMT-00001.mp4")
    extensions = {
        row["Extension"]: row["Keys"] for row in sight.rows("Extensions that are not taken")
    }
    assert extensions == {".mov": "3", ".db": "1", "marks of folders": "1"}


def test_a_safe_run_that_stopped_says_what_stopped_it(visitor: Visitor) -> None:
    sight = visitor.get("/archive/runs/1")
    assert "Stopped at first warning, wrote nothing" in sight.text
    assert funnel(sight)["Sidecars valid"] == "0 codes 1 rejected 2 waiting"
    assert "safe_run_noted" in sight.text


@pytest.mark.parametrize("run", ["99", "dry-2", "dry-", "x", "0", "dry-99999999999999999999"])
def test_a_run_that_is_not_there_is_not_found(visitor: Visitor, run: str) -> None:
    assert "There is no such run" in visitor.get(f"/archive/runs/{run}", status=404).text


def test_codes_are_listed_by_state_with_what_is_there_of_each(visitor: Visitor) -> None:
    def codes(query: str) -> list[dict[str, str]]:
        return visitor.get(f"/archive/objects{query}").rows("Inventory codes")

    assert len(codes("")) == 19
    assert len(codes("?state=complete")) == 18
    (incomplete,) = codes("?state=incomplete")
    assert (incomplete["Code"], incomplete[".pdf"], incomplete[".json"]) == (
        WITHOUT_REPORT,
        "absent",
        "present",
    )
    assert "video/quicktime" in incomplete["Master"]
    assert "ffprobe format.tags.major_brand" in incomplete["Master"]
    rejected = {row["Code"]: row for row in codes("?state=rejected")}
    assert rejected[ONLY_REJECTED]["Streaming copy"] == "invalid"
    assert rejected["VO-BRD-14396"][".md5"] == "absent"
    assert rejected["VO-BRD-14397"][".json"] == "invalid"
    assert rejected["VO-BRD-14397"][".pdf"] == "present"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("?q=VO-BRD-1438", 10),
        ("?q=vo-brd-1438", 10),
        (f"?q={COMPLETE}", 1),
        ("?q=BRD", 0),
        ("?q=VO_BRD", 0),
        ("?carrier=AUD", 5),
        ("?carrier=aud", 5),
        ("?carrier=A", 0),
        ("?carrier=FIL&state=complete", 3),
        ("?state=rejected&carrier=AUD", 1),
        ("?state=rejected&q=VO-BRD-1439", 4),
    ],
)
def test_codes_are_found_by_their_beginning_and_their_type(
    visitor: Visitor, query: str, count: int
) -> None:
    sight = visitor.get(f"/archive/objects{query}")
    assert sight.main.all("p", class_="count-line")[0].text.split()[0] == str(count)
    assert len(sight.rows("Inventory codes")) == count if count else "Nothing matches" in sight.text


def test_a_code_of_the_library_is_told_with_files_master_checks_and_history(
    visitor: Visitor,
) -> None:
    sight = visitor.get(f"/archive/objects/{COMPLETE}")
    assert [row["There"] for row in sight.rows("Files of the code")] == ["present"] * 4
    assert sight.rows("Files of the code")[0]["MD5"].endswith("compared by ETag")
    assert "QuickTime is a container that is taken for masters of films" in sight.text
    assert "prores" in sight.text
    assert sight.rows("Runs that met it") == [
        {
            "Run": "Run 2 of archive",
            "Outcome": "Created",
            "When": sight.rows("Runs that met it")[0]["When"],
            "Why": "",
        }
    ]
    assert visitor.get(sight.links()["Its page in the library"]).heading == COMPLETE
    assert "has nothing to compare with" in visitor.get(f"/archive/objects/{ODD}").text


def test_a_code_that_was_only_ever_rejected_has_its_page(visitor: Visitor) -> None:
    sight = visitor.get(f"/archive/objects/{ONLY_REJECTED}")
    (row,) = sight.rows("Rejections")
    assert row["Rule"] == "md5_mismatch"
    assert f"BRD/{ONLY_REJECTED}.mp4" in row["Key or code"]
    assert "Ask the archive to compare the file with its master" in sight.text
    assert "Its page in the library" not in sight.links()


def test_a_code_that_only_rejected_keys_name_has_its_page(visitor: Visitor) -> None:
    sight = visitor.get("/archive/objects/VO-BRD-14404")
    assert {row["Rule"] for row in sight.rows("Rejections")} == {"type_mismatch"}
    assert len(sight.rows("Rejections")) == 2
    (row,) = visitor.get("/archive/objects/VO-BRD-14406").rows("Rejections")
    assert row["Rule"] == "no_folder"


def test_an_unknown_code_says_so_and_what_to_do(visitor: Visitor) -> None:
    text = visitor.get("/archive/objects/VO-BRD-99999", status=404).text
    assert "No run of an archive has met this inventory code" in text
    assert "dry run of its folder" in text
    assert "goes wrong at character 2" in visitor.get("/archive/objects/V0-BRD-1", status=404).text


def test_rejections_are_grouped_by_rule_and_mark_where_a_name_goes_wrong(visitor: Visitor) -> None:
    sight = visitor.get("/archive/rejects?rule=code_malformed")
    rows = {row["Key or code"]: row["Expected and found"] for row in sight.rows("Rejections")}
    assert len(rows) == 6
    assert rows["BRD/V0-BRD-14400.mp4"] == (
        "V 0 -BRD-14400 wrong at character 2, wanted: O or C Perhaps meant: VO-BRD-14400"
    )
    assert rows["BRD/VO-BRD-144021.json"].startswith("VO-BRD-14402 1 wrong at character 13")
    assert "ends before character 12, wanted: a digit" in rows["BRD/VO-BRD-1440.mp4"]
    marks = [found.text for found in sight.main.all("mark")]
    assert {"0", "=", "_", "v", "1"} <= set(marks)


def test_all_rules_are_shown_with_some_of_each_and_the_way_to_all(visitor: Visitor) -> None:
    sight = visitor.get("/archive/rejects")
    assert "15 of the latest run" in sight.text
    assert len(sight.rows("Rejected: code_malformed")) == 5
    whole = visitor.get(sight.links()["All 6 of code_malformed"])
    assert len(whole.rows("Rejections")) == 6


def test_what_a_dry_run_would_reject_is_listed_as_well(visitor: Visitor) -> None:
    (url,) = {
        link.attributes["href"]
        for link in visitor.get("/archive?kind=dry").main.all("a")
        if link.text == "1" and "rejects" in link.attributes["href"]
    }
    (row,) = visitor.get(f"{url}&rule=file_empty").rows("Rejections")
    assert row["Key or code"] == "AUD/AO-AUD-00009.mp3 AO-AUD-00009"


def test_a_viewer_sees_all_and_is_offered_nothing(served: GetServed) -> None:
    with visiting(served("archive"), Role.VIEWER) as viewer:
        for page in ("/archive", "/archive/rejects", f"/archive/objects/{COMPLETE}"):
            offered = set(viewer.get(page).buttons()) - {"Filter", "Show"}
            assert not {one for one in offered if not one.startswith("Copy")}, page
        viewer.post("/archive/runs", {"dry_run": "1"}, status=403)


def test_a_dry_run_from_the_page_is_a_job_that_leaves_one_event_and_nothing_else(
    own: Served,
) -> None:
    with visiting(own) as operator:
        before = len(events(own, ArchiveRehearsed.kind))
        codes = operator.get("/archive/objects").text
        sight = operator.press(operator.get("/archive"), "Start", fill={"prefix": "FILE/"})
        assert {"dry_run": True, "safe_run": False, "prefix": "FILE/"}.items() <= (
            run_jobs(own)[0].items()
        )
        assert len(sight.rows("Runs at work")) == 2
        work_on(own, RUN_JOB_KIND)
        rehearsed = events(own, ArchiveRehearsed.kind)[before:]
        assert [one["prefix"] for one in rehearsed] == ["BRD/", "FILE/"]
        newest = operator.get("/archive").rows("List of runs")[0]
        assert newest["What it did, and was asked to be"] == (
            "Would insert 0, wrote nothing Dry run, keys that begin with FILE/"
        )
        assert operator.get("/archive/objects").text == codes


def test_a_real_run_puts_an_import_in_line_and_its_funnel_fills_as_it_goes(own: Served) -> None:
    bucket = put_in_memory(own.lading, archive_objects())
    bucket.objects.update(code_objects("BRD", "VO-BRD-15000"))
    with visiting(own) as operator:
        operator.post("/archive/runs", {"source": ARCHIVE})
        work_on(own, RUN_JOB_KIND)
        (started,) = events(own, ArchiveRunStarted.kind)[2:]
        assert started["outcome"] == "queued"
        row = operator.get("/archive").rows("List of runs")[0]
        assert row["State"] == "Queued"
        waiting = operator.get("/archive/runs/3")
        assert funnel(waiting)["Not already held"] == "6 codes 19 held"
        assert funnel(waiting)["Sidecars valid"] == "0 codes 0 rejected 3 waiting"
        assert waiting.links()[f"job {started['import_job']}"]
        assert "batch=3" in waiting.root.one("div", id="live").attributes["data-url"]
        work_on(own, "import_batch")
        assert funnel(operator.get("/archive/runs/3"))["Inserted"] == "1 codes 0 updated"
        assert operator.get("/archive/objects/VO-BRD-15000").heading == "VO-BRD-15000"


def test_a_run_that_finds_nothing_new_says_so_by_its_event(own: Served) -> None:
    with visiting(own) as operator:
        operator.post("/archive/runs", {})
        work_on(own, RUN_JOB_KIND)
        assert events(own, ArchiveRunStarted.kind)[-1]["outcome"] == "nothing_new"


def test_a_narrow_run_does_not_hide_what_the_last_whole_one_rejected(own: Served) -> None:
    put_in_memory(own.lading, archive_objects() | {"AUD/AO-AUD-0001.mp3": b"short"})
    with visiting(own) as operator:
        operator.post("/archive/runs", {"prefix": "AUD/"})
        work_on(own, RUN_JOB_KIND)
        assert operator.get("/archive").rows("List of runs")[0]["Run"] == "Run 3"
        assert "15 of the latest run" in operator.get("/archive/rejects").text


@pytest.mark.parametrize(
    ("rule", "prefix"),
    [
        ("md5_mismatch", f"BRD/{ONLY_REJECTED}"),
        ("sidecar_missing", "BRD/VO-BRD-14396"),
        ("folder_unknown", "BETACAM SP/VO-BRD-14405"),
        ("no_folder", "VO-BRD-14406"),
    ],
)
def test_re_validating_is_a_dry_run_of_that_code_alone(own: Served, rule: str, prefix: str) -> None:
    with visiting(own) as operator:
        operator.press(operator.get(f"/archive/rejects?rule={rule}"), "Re-validate")
        job = run_jobs(own)[0]
        assert (job["dry_run"], job["prefix"]) == (True, prefix)


def test_a_rule_is_ignored_with_a_reason_and_stays_in_the_list(own: Served) -> None:
    with visiting(own) as operator:
        sight = operator.get("/archive/rejects?rule=no_folder")
        after = operator.press(sight, "Ignore 1", fill={"note": "It is a test of theirs"})
        assert "Ignored: acknowledged until it changes" in after.text
        assert len(after.rows("Rejections")) == 1
        done = parse_qs(urlsplit(after.path).query)["done"][0]
        assert own.lading.operations.get(done).params["note"] == "It is a test of theirs"


def test_no_prefix_with_a_character_that_cannot_be_shown_is_taken(own: Served) -> None:
    with visiting(own) as operator:
        sight = operator.post("/archive/runs", {"prefix": "BRD/\x07"}, status=400)
        assert "No key can begin so" in sight.text


def test_a_dry_run_keeps_no_more_rejections_than_a_ledger_should_hold(own: Served) -> None:
    many = {f"BRD/x{number}.mp4": b"x" for number in range(REJECTIONS_KEPT + 5)}
    put_in_memory(own.lading, many)
    with visiting(own) as operator:
        operator.post("/archive/runs", {"dry_run": "1"})
        work_on(own, RUN_JOB_KIND)
        newest = events(own, ArchiveRehearsed.kind)[-1]
        assert len(newest["rejections"]) == REJECTIONS_KEPT  # type: ignore[arg-type]
        url = operator.get("/archive").rows("List of runs")[0]["Run"].replace("Dry run ", "dry-")
        assert "5 more are not here" in operator.get(f"/archive/rejects?run={url}").text


def test_rows_and_funnel_are_sent_anew_to_who_looks_at_them(own: Served) -> None:
    fragments = Fragments()
    archive.live(fragments)
    caller = own.accounts.caller_of_session(own.session_of(Role.OPERATOR))
    assert caller is not None
    visible = Visible(batches=frozenset({2}), jobs=frozenset({7}), since=1)
    tick = Tick(
        since=1,
        seq=2,
        at=datetime(2026, 11, 21, tzinfo=UTC),
        kinds=frozenset({ArchiveRehearsed.kind}),
        batch_ids=frozenset({2}),
        job_ids=frozenset({7}),
    )
    made = fragments.render(
        open_console(own.lading), caller, ["archive", "archive-run"], visible, tick
    )
    html = {one.target_id: one.html for one in made if isinstance(one, Fragment)}
    assert set(html) == {"run-2", "j-7", "run-numbers"}
    assert all(f'id="{target}"' in text for target, text in html.items())
    assert "Inserted 19" in html["run-2"]
    assert [one.facts for one in made if isinstance(one, Notice)] == [{"new": 4}]
