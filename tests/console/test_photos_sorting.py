"""Where photos would be moved is looked at, exactly that is done, and it can be taken back."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import event

from lading.accounts.values import Permission, Role
from lading.console.app import open_console
from lading.console.readers.photos_sorting import read_sorts
from lading.console.sorting_words import MOVE_LOOKS, RUN_LOOKS, SHOW_WORDS, VERDICT_LOOKS
from lading.sorting.previews import Show
from lading.sorting.rules import FIELDS
from lading.sorting.sorting import SORT_JOB_KIND
from lading.sorting.values import MoveState, RunState, Verdict, Wanted
from lading.testing.console_photos import ODD, SORTED_BEFORE, UNDATED, WRONG_CLOCK, tree_of
from tests.console.api_client import Script, picture, script
from tests.console.browser.serving import Served, copy_of, serving
from tests.console.photo_trees import know_anew
from tests.console.visitor import Sight, Visitor, visiting, work_on

GetServed = Callable[[str], Served]
PAGE = "/photos/sorting"
PREVIEW = f"{PAGE}/preview"
SORTS = "/photos/sorts"
BY_MONTH = "{year}/{month:02}/{name}{ext}"
HOSTILE_PATTERNS = (
    "../{name}{ext}",
    "/{name}{ext}",
    "a//{name}{ext}",
    "a\x01b/{name}{ext}",
    "a\nb/{name}{ext}",
    "{name}",
    "{name.__class__}{ext}",
    "{name",
    "{year:99999}{ext}",
)
HOSTILE_FOLDERS = ("..", "2024/../..", "/etc", "2024//garden", "./2024", "no\x01such", "a" * 5_000)


@pytest.fixture(scope="module")
def looked_at(
    template: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A console whose tree is known to its library; nothing in it is moved."""
    with serving(copy_of(template("photos"), tmp_path_factory.mktemp("own") / "photos")) as own:
        know_anew(own)
        yield own


@pytest.fixture
def own(serve_own: GetServed) -> Served:
    """A console whose tree is known to its library, for one test to move things in."""
    found = serve_own("photos")
    know_anew(found)
    return found


@pytest.fixture(scope="module")
def visitor(looked_at: Served) -> Iterator[Visitor]:
    with visiting(looked_at) as one:
        yield one


def files_of(served: Served) -> dict[str, bytes]:
    """What lies in the tree, by path."""
    root = tree_of(served.lading)
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def whole(visitor: Visitor, address: str) -> Sight:
    """The page of a preview that has come to its end; each look waits for it for a while."""
    while "The plan is still being made" in (sight := visitor.get(address)).text:
        pass
    return sight


def shown_moves(visitor: Visitor, sight: Sight) -> dict[str, str]:
    """From where to where, on all pages of a preview."""
    found: dict[str, str] = {}
    while True:
        for row in sight.rows("Files"):
            if row["To"] != "stays":
                found[row["From"]] = row["To"]
        if "More" not in sight.links():
            return found
        sight = visitor.get(sight.links()["More"])


def test_every_state_and_verdict_has_a_look_of_its_own_word() -> None:
    for looks, states in (
        (RUN_LOOKS, RunState),
        (MOVE_LOOKS, MoveState),
        (VERDICT_LOOKS, Verdict),
    ):
        assert set(looks) == set(states)
        assert len({look.word for look in looks.values()}) == len(looks)
        assert all(look.meaning.endswith(".") for look in looks.values())
    assert set(SHOW_WORDS) == set(Show)


def test_the_form_explains_every_field_that_a_pattern_may_have(visitor: Visitor) -> None:
    rows = visitor.get(PAGE).rows("What a pattern is made of")
    said = " ".join(f"{row['Write']} {row['What it is']}" for row in rows)
    assert set(re.findall(r"\{(\w+)", said)) == set(FIELDS)


def test_what_the_preview_shows_is_what_becomes_of_the_files_and_it_can_be_taken_back(
    own: Served,
) -> None:
    before = files_of(own)
    with visiting(own) as operator:
        form = operator.get(f"{PAGE}?source=home&folder=2024")
        assert {"Sorting"} <= set(form.links())
        sight = operator.press(form, "Where would it be moved?", fill={"pattern": BY_MONTH})
        sight = whole(operator, sight.path)
        assert own.lading.sorting.runs(limit=1)[0].wanted.folder == SORTED_BEFORE
        assert files_of(own) == before
        moves = shown_moves(operator, sight)
        assert moves["2024/new-year.jpg"] == "2024/01/new-year.jpg"
        assert moves[ODD] == "2024/03/_b_ _roses_ & more.jpg"
        assert f"{len(moves)} files would be moved" in sight.text

        run = operator.press(sight, "Sort exactly this")
        assert "What goes where is being worked out" in run.text
        assert "It can be taken back when it has ended" not in run.text
        assert "Undo" not in run.buttons()
        work_on(own, SORT_JOB_KIND)
        run = operator.get(run.path)
        assert f"{len(moves)} moved" in run.text
        expected = {moves.get(path, path): data for path, data in before.items()}
        assert files_of(own) == expected
        [state] = {row["Outcome"] for row in run.rows("Moves")}
        assert state == "Moved"
        assert {row["From"]: row["To"] for row in run.rows("Moves")}.items() <= moves.items()
        assert "No file came out like this" in operator.get(f"{run.path}?outcome=refused").text

        # What was shown before it is shown no more: the files are where they belong.
        again = whole(operator, sight.path)
        assert shown_moves(operator, again) == {}
        assert "Sort exactly this" not in again.buttons()

        moved = tree_of(own.lading) / moves["2024/new-year.jpg"]
        moved.write_bytes(b"somebody wrote it over")
        told = operator.press(run, "Undo")
        assert "Taking back" in told.text
        job = own.lading.sorting.run(run.path.rpartition("/")[2])
        work_on(own, SORT_JOB_KIND)
        back = operator.get(run.path)
        assert (job.state, "Taken back" in back.text) == (RunState.UNDOING, True)
        [left] = [row for row in back.rows("Moves") if row["Outcome"] == "Moved"]
        assert left["From"] == "2024/new-year.jpg"
        assert "move_refused" in left["Why"]
        assert "Undo the rest" in back.buttons()
        moved.unlink()
        now = files_of(own)
        assert now == {path: data for path, data in before.items() if path in now}
        assert set(before) - set(now) == {"2024/new-year.jpg"}


def test_a_plan_that_changed_after_the_preview_moves_nothing_and_says_what_to_do(
    own: Served,
) -> None:
    with visiting(own) as operator:
        sight = whole(operator, f"{PREVIEW}?source=home&folder=2023&pattern={quote(BY_MONTH)}")
        run = operator.press(sight, "Sort exactly this")
        changed = tree_of(own.lading) / "2023/dog-1.jpg"
        os.utime(changed, (1, 1))
        before = files_of(own)
        work_on(own, SORT_JOB_KIND)
        told = operator.get(run.path)
        assert "Plan changed" in told.text
        assert "was no longer what was accepted" in told.text
        assert files_of(own) == before
        again = whole(operator, told.links()["Where would it be moved?"])
        # The kept preview is told until somebody asks for another; the disk gives no sign.
        again = whole(operator, again.links()["Make it anew"])
        assert "dog-1.jpg changed since the last scan" in again.text


def test_a_preview_is_narrowed_counted_and_asked_for_one_photo(visitor: Visitor) -> None:
    sight = whole(visitor, f"{PREVIEW}?source=home&pattern=" + quote("all/{year}{ext}"))
    tabs = sight.main.one("nav", aria_label="What would become of files")
    counts = {
        link.text.removesuffix(link.one("span").text).strip(): int(link.one("span").text)
        for link in tabs.all("a")
    }
    assert counts["Undated"] == len(UNDATED + WRONG_CLOCK)
    assert counts["Numbered"] > 40
    assert counts["All"] == counts["Move"] + counts["Already there"] + counts.get("Left", 0)
    [undated] = [a.attributes["href"] for a in tabs.all("a") if a.text.startswith("Undated")]
    rows = visitor.get(undated).rows("Files")
    assert {row["From"] for row in rows} == set(UNDATED + WRONG_CLOCK)
    assert all(row["To"] == f"undated/{row['From']}" for row in rows)
    [numbered] = [a.attributes["href"] for a in tabs.all("a") if a.text.startswith("Numbered")]
    assert "its name is taken, so it is number 2" in visitor.get(numbered).text
    one = whole(visitor, f"{PREVIEW}?source=home&folder=2024&photo={quote(ODD)}")
    [row] = one.rows("Files")
    assert (row["From"], row["To"]) == (ODD, "2024/2024-03-31/_b_ _roses_ & more.jpg")
    nothing = whole(visitor, f"{PREVIEW}?source=home&folder=2024&photo=2022/x.jpg")
    assert "This file is not in the plan" in nothing.text


def test_the_pages_of_a_preview_are_those_of_one_plan(visitor: Visitor, looked_at: Served) -> None:
    first = whole(visitor, f"{PREVIEW}?source=home&limit=50")
    more = first.links()["More"]
    made_anew = whole(visitor, first.links()["Make it anew"])
    assert made_anew.links()["More"] != more
    assert "page is of a preview that is not kept" in visitor.get(more, status=400).text
    # Looked at again, it is not made once more.
    again = visitor.get(first.links()["Make it anew"])
    assert again.links()["More"] == made_anew.links()["More"]


@pytest.mark.parametrize("pattern", HOSTILE_PATTERNS)
def test_a_hostile_pattern_is_refused_at_its_field(visitor: Visitor, pattern: str) -> None:
    address = f"{PREVIEW}?source=home&pattern={quote(pattern)}&folder=2024"
    sight = visitor.get(address, status=400)
    field = sight.main.one("input", id="sort-pattern")
    assert field.attributes["aria-invalid"] == "true"
    named = field.attributes["aria-describedby"].split()
    assert sight.main.one("p", id=named[0]).text
    assert sight.main.one("input", id="sort-folder").attributes["value"] == "2024"


@pytest.mark.parametrize("folder", HOSTILE_FOLDERS)
def test_a_hostile_folder_is_refused_at_its_field(visitor: Visitor, folder: str) -> None:
    sight = visitor.get(f"{PREVIEW}?source=home&folder={quote(folder)}", status=400)
    wrong = sight.main.one("p", id="wrong-folder").text
    assert "The source has no such folder" in wrong
    assert sight.main.one("input", id="sort-folder").attributes["aria-invalid"] == "true"


def test_a_source_that_is_none_of_photos_is_refused_at_its_field(visitor: Visitor) -> None:
    for address, field in (
        (f"{PREVIEW}?source=etc", "source"),
        (PREVIEW, "source"),
        (f"{PREVIEW}?source=home&to=etc", "to"),
    ):
        sight = visitor.get(address, status=400)
        assert "There is no such tree of photos" in sight.main.one("p", id=f"wrong-{field}").text


def test_who_may_only_read_sees_runs_and_sorts_nothing(looked_at: Served) -> None:
    key = looked_at.lading.sorting.runs(limit=1)[0].key
    before = looked_at.lading.sorting.runs()
    with visiting(looked_at, Role.VIEWER) as viewer:
        page = viewer.get(PAGE)
        assert page.buttons() == ["Show"]
        assert page.rows("Runs of sorting")[0]["State"] == "Taken back"
        run = viewer.get(f"{PAGE}/{key}")
        assert len(run.rows("Moves")) == len(UNDATED)
        viewer.get(f"{PREVIEW}?source=home", status=403)
        body = {"source": "home", "accept": "0" * 16}
        viewer.post(PAGE, body, status=403)
        viewer.post(f"{PAGE}/{key}/undo", status=403)
    with script(looked_at, Role.VIEWER, [Permission.READ]) as reading:
        assert reading.get(f"{SORTS}/{key}")["state"] == "undone"
        for method, path in (
            ("GET", f"{SORTS}/plan?source=home"),
            ("POST", f"{SORTS}?dry_run=true"),
            ("POST", SORTS),
            ("POST", f"{SORTS}/{key}/undo"),
        ):
            refused = reading.send(method, path, {"source": "home"}, status=403)
            assert refused["code"] == "not_permitted"
    assert looked_at.lading.sorting.runs() == before


def test_a_program_rehearses_sorts_follows_and_takes_back(own: Served) -> None:
    with script(own, Role.OPERATOR, [Permission.READ, Permission.OPERATE]) as operator:
        body = {"source": "home", "folder": "2022", "pattern": BY_MONTH}
        before, files = picture(own.lading.db), files_of(own)
        told = rehearsed(operator, body)
        listed = operator.get(f"{SORTS}/plan", params=body | {"limit": 5})
        lines, cursor = list(listed["items"]), listed["next"]
        while cursor is not None:
            page = operator.get(f"{SORTS}/plan", params=body | {"limit": 5, "cursor": cursor})
            lines, cursor = lines + page["items"], page["next"]
        assert picture(own.lading.db) == before
        assert files_of(own) == files
        plan = {one["source_path"]: one["target_path"] for one in lines if one["target_path"]}
        assert len(plan) == told["moves"] == told["verdicts"]["move"]

        with_word = body | {"accept": told["accept"]}
        key = {"headers": {"idempotency-key": "once"}}
        run = operator.send("POST", SORTS, with_word, status=202, **key)
        assert operator.send("POST", SORTS, with_word, status=202, **key)["key"] == run["key"]
        assert len(operator.get(SORTS)["items"]) == 2
        early = operator.send("POST", f"{SORTS}/{run['key']}/undo", status=409)
        assert early["code"] == "sort_not_undoable"
        work_on(own, SORT_JOB_KIND)
        one = operator.get(f"{SORTS}/{run['key']}")
        assert (one["state"], one["moves"]) == ("sorted", {"moved": len(plan)})
        assert operator.get(f"/jobs/{one['job_id']}")["job"]["kind"] == SORT_JOB_KIND
        moves = operator.all(f"{SORTS}/{run['key']}/moves?state=moved", limit=4)
        assert {move["source_path"]: move["target_path"] for move in moves} == plan
        csv = operator.raw("GET", f"{SORTS}/{run['key']}/moves?format=csv").text
        assert len(csv.splitlines()) == len(plan) + 1
        assert operator.get(f"{SORTS}/{run['key']}/moves?state=refused")["items"] == []

        held = picture(own.lading.db)
        would = operator.send("POST", f"{SORTS}/{run['key']}/undo?dry_run=true")
        assert (would["dry_run"], would["back"], would["copies"]) == (True, len(plan), 0)
        assert picture(own.lading.db) == held
        operator.send("POST", f"{SORTS}/{run['key']}/undo", status=202)
        work_on(own, SORT_JOB_KIND)
        assert operator.get(f"{SORTS}/{run['key']}")["moves"] == {"undone": len(plan)}
        assert files_of(own) == files


def rehearsed(operator: Script, body: dict[str, str]) -> dict[str, Any]:
    """The totals of a plan; an answer waits for it for a while."""
    while True:
        told = operator.send("POST", f"{SORTS}?dry_run=true", body)
        assert told["dry_run"] is True
        if told["preview"]["complete"]:
            return dict(told["preview"])


def test_what_makes_no_sense_is_told_to_programs(looked_at: Served) -> None:
    with script(looked_at) as operator:
        for body, status, code in (
            ({"source": "etc"}, 400, "not_sortable"),
            ({"source": "home", "pattern": "../{name}{ext}"}, 400, "bad_sort_pattern"),
            ({"source": "home", "undated": "{year}{ext}"}, 400, "bad_sort_pattern"),
            ({"source": "home", "folder": "../home"}, 400, "bad_sort_folder"),
            ({"source": "home", "folder": "/2024"}, 400, "bad_sort_folder"),
        ):
            for query in ("", "?dry_run=true"):
                found = operator.send("POST", f"{SORTS}{query}", body, status=status)
                assert found["code"] == code, body
        assert operator.send("POST", SORTS, {"source": "home", "accept": "x"}, status=400)
        assert operator.get(f"{SORTS}/srt_0", status=404)["code"] == "unknown_sort_run"
        assert operator.get(f"{SORTS}?cursor=x", status=400)["code"] == "bad_cursor"
        wrong = operator.get(f"{SORTS}/plan?source=home&cursor=x.1", status=400)
        assert wrong["code"] == "bad_cursor"
        wrong = operator.get(f"{SORTS}/plan?source=home&show=x", status=400)
        assert wrong["code"] == "bad_parameter"


def test_a_list_of_runs_takes_as_many_statements_for_many_as_for_one(own: Served) -> None:
    console = open_console(own.lading)
    few = statements_of(own, lambda: read_sorts(console))
    for folder in ("2022", "2023", "2024"):
        wanted = Wanted(source="home", target="home", folder=folder)
        own.lading.sorting.start(wanted, actor="test")
    work_on(own, SORT_JOB_KIND)
    assert len(read_sorts(console).lines) == 4
    # One more, for runs of another state are counted otherwise.
    assert statements_of(own, lambda: read_sorts(console)) <= few + 1


def statements_of(served: Served, read: Callable[[], object]) -> int:
    """How many statements reading takes."""
    seen: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    engine = served.lading.db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        read()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return len(seen)


def test_a_tree_that_is_not_there_is_told_and_tried_anew(own: Served) -> None:
    root = tree_of(own.lading)
    away = Path(f"{root}-away")
    root.rename(away)
    with visiting(own) as operator:
        assert "root cannot be opened" in operator.get(f"{PREVIEW}?source=home", status=503).text
        away.rename(root)
        assert "would be moved" in whole(operator, f"{PREVIEW}?source=home").text
