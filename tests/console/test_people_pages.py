"""The pages of people say who is in photos and why, and take down what people say of faces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, select

from lading.accounts.values import Role
from lading.console.app import open_console
from lading.console.live.fragments import Fragment, Fragments, Visible
from lading.console.live.ticks import Tick
from lading.console.pages import people
from lading.console.readers.faces_unassigned import read_unassigned
from lading.console.readers.people import read_people
from lading.console.readers.people_one import read_person
from lading.jobs.tables import import_job
from lading.library.face_lists import FaceFilter
from lading.library.people import all_persons, find_person
from lading.library.people_queries import decisions
from lading.people.jobs import MATCH_JOB_KIND
from lading.testing.console_people import (
    ANNA,
    ANNIE,
    BERT,
    CLEO,
    DORA,
    GIVEN,
    NEW,
    ODD,
    PARTY,
    WINTER,
    faces_in,
)
from lading.testing.console_photos import tree_of
from tests.console.browser.serving import Served
from tests.console.visitor import Element, Sight, Visitor, visiting

GetServed = Callable[[str], Served]
STRANGERS = "6 faces that are alike"


@pytest.fixture(scope="module")
def looked_at(served: GetServed) -> Served:
    return served("people")


@pytest.fixture(scope="module")
def visitor(looked_at: Served) -> Iterator[Visitor]:
    with visiting(looked_at) as one:
        yield one


@pytest.fixture
def changed(serve_own: GetServed) -> Served:
    return serve_own("people")


def page_of(served: Served, name: str) -> str:
    with served.lading.db.read() as conn:
        return f"/people/{find_person(conn, name).id}"


def said(served: Served, face_id: int) -> dict[str, str]:
    """What is said of a face: states by name."""
    with served.lading.db.read() as conn:
        persons = all_persons(conn)
        return {
            persons[one.person_id].name: one.state.value
            for one in decisions(conn, [face_id]).get(face_id, [])
        }


def tiles(section: Element) -> list[int]:
    """The faces of a list, in order."""
    return [
        int(each.attributes["id"].removeprefix("face-"))
        for each in section.all("li")
        if each.attributes.get("id", "").startswith("face-")
    ]


def grid(sight: Sight, label: str) -> Element:
    return sight.main.one("ul", aria_label=label)


def faces_of(served: Served, name: str) -> list[int]:
    with served.lading.db.read() as conn:
        return faces_in(conn, name)


def test_without_a_source_the_pages_say_how_to_configure_one(served: GetServed) -> None:
    with visiting(served("empty")) as without:
        assert "/people" not in without.get("/").links().values()
        for page in ("/people", "/people/unassigned"):
            assert "No photos source is configured" in without.get(page).text, page


def test_everybody_is_listed_by_name_with_counts_and_what_waits(visitor: Visitor) -> None:
    sight = visitor.get("/people")
    rows = {
        row["Person"].removesuffix(f" with {ANNIE}"): row for row in sight.rows("List of people")
    }
    assert list(rows) == [ODD, ANNA, BERT, CLEO, DORA]
    anna = rows[ANNA]
    assert (anna["Confirmed"], anna["Suggested"], anna["Reference images"]) == ("14", "4", "10")
    assert anna["Weakest reference"].endswith("away")
    assert rows[ODD]["Weakest reference"] == "-"
    assert "10 faces wait for a name , 9 suggestions of all people for a decision" in sight.text
    found = visitor.get("/people?q=nnie")
    assert [row["Person"] for row in found.rows("List of people")] == [f"{ANNA} with {ANNIE}"]
    assert "Nobody of that name" in visitor.get("/people?q=zzz").text
    visitor.get("/people?cursor=x", status=400)


def test_pages_of_people_follow_each_other(looked_at: Served) -> None:
    db = looked_at.lading.db
    first = read_people(db, limit=2)
    rest = read_people(db, limit=3, cursor=first.next_cursor)
    names = [line.name for line in [*first.lines, *rest.lines]]
    assert names == [ODD, ANNA, BERT, CLEO, DORA]
    assert rest.next_cursor is None


def test_each_page_costs_as_many_statements_however_much_it_shows(looked_at: Served) -> None:
    db = looked_at.lading.db
    with db.read() as conn:
        anna, odd = find_person(conn, ANNA).id, find_person(conn, ODD).id
    seen: list[str] = []

    @event.listens_for(db.engine, "before_cursor_execute")
    def count(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    def cost(work: Callable[[], object]) -> int:
        seen.clear()
        work()
        return len(seen)

    try:
        assert cost(lambda: read_people(db, limit=1)) == cost(lambda: read_people(db, limit=5)) < 20
        assert cost(lambda: read_person(db, anna)) <= cost(lambda: read_person(db, odd)) + 8 < 40
        console = open_console(looked_at.lading)
        few = cost(lambda: read_unassigned(console, FaceFilter(), limit=1))
        assert cost(lambda: read_unassigned(console, FaceFilter(), limit=50)) == few < 10
    finally:
        event.remove(db.engine, "before_cursor_execute", count)


def test_a_person_shows_what_is_wrong_with_each_reference_and_why_a_face_is_suggested(
    visitor: Visitor, looked_at: Served
) -> None:
    sight = visitor.get(page_of(looked_at, ANNA))
    references = grid(sight, "Reference images").text
    for words in ("Weakest", "Unlike the others", "Small", "Blurred", "From the side", "Too alike"):
        assert words in references, words
    assert f"{GIVEN} Reference" in references
    assert "given as a file" in references
    assert "It is only" in visitor.get(page_of(looked_at, DORA)).text
    assert "5 to 30 that differ are advised" in visitor.get(page_of(looked_at, DORA)).text
    suggested = grid(sight, "Suggested")
    distances = [
        float(each.text.split(" is ")[1].split()[0]) for each in suggested.all("span", class_="why")
    ]
    assert len(distances) == 4
    assert distances == sorted(distances, reverse=True)
    assert "farther, at least 0.050. By reference" in suggested.text
    alts = [img.attributes["alt"] for img in suggested.all("img")]
    assert alts[0] == "Face in party_08.jpg, perhaps Anna"
    assert tiles(grid(visitor.get(page_of(looked_at, ANNA) + "?state=confirmed"), "Confirmed"))


def test_a_name_is_text_and_who_was_merged_leads_to_who_they_are(
    visitor: Visitor, looked_at: Served
) -> None:
    assert visitor.get(page_of(looked_at, ODD)).heading == ODD
    merged = visitor.get(page_of(looked_at, ANNIE))
    assert merged.path == page_of(looked_at, ANNA)
    assert "Annie: 1 confirmed, 0 suggested" in merged.text
    assert "Unmerge Annie" in merged.buttons()
    assert visitor.get("/people/999", status=404).status == 404
    assert visitor.get(f"{page_of(looked_at, ANNA)}?state=odd").text.count("Ignored in the") == 1


def test_who_only_reads_sees_no_button_and_is_refused(looked_at: Served) -> None:
    with visiting(looked_at, Role.VIEWER) as viewer:
        for page in ("/people", "/people/unassigned", page_of(looked_at, ANNA)):
            assert not {"Yes", "Assign", "Add person", "Merge", "Match now"} & set(
                viewer.get(page).buttons()
            )
        anna = page_of(looked_at, ANNA)
        for path, data in {
            "/people": {"name": "Eva"},
            "/people/faces": {"decide": "confirm:1", "person": "1"},
            "/people/undo": {"event": "1"},
            f"{anna}/rename": {"name": "Eva"},
            f"{anna}/references": {"face": "1"},
            f"{anna}/unmerge": {},
        }.items():
            viewer.post(path, data, status=403)


def test_yes_no_and_someone_else_are_taken_down_and_undone(changed: Served) -> None:
    anna = page_of(changed, ANNA)
    with visiting(changed) as visitor:
        sight = visitor.get(anna)
        least, second, third, _ = tiles(grid(sight, "Suggested"))
        sight = visitor.press(sight, "Yes")
        assert said(changed, least) == {ANNA: "confirmed"}
        assert "1 face confirmed to be Anna." in sight.text
        assert sight.path.startswith(anna)
        sight = visitor.press(sight, "Undo")
        # It is under review again, as if nobody had said anything.
        assert said(changed, least) == {ANNA: "suggested"}
        assert tiles(grid(sight, "Suggested"))[0] == least
        assert "Undo" not in sight.buttons()
        sight = visitor.press(sight, "They are not Anna", tick=[second, third])
        assert "2 faces said not to be Anna." in sight.text
        assert said(changed, second) == said(changed, third) == {ANNA: "refused"}
        sight = visitor.press(sight, "Undo")
        assert said(changed, second) == {ANNA: "suggested"}
        sight = visitor.press(sight, "They are this person", tick=[second], fill={"name": BERT})
        assert said(changed, second) == {BERT: "confirmed"}
        # Enter in the field for the name presses the first button of the form, and no face's Yes.
        form = next(
            each
            for each in sight.main.all("form")
            if each.all("input", name="name", list="known-people")
        )
        assert form.all("button")[0].attributes["value"] == "assign"
        sight = visitor.press(
            sight, "They are somebody new of this name", tick=[third], fill={"name": "Gil <i>"}
        )
        assert said(changed, third) == {"Gil <i>": "confirmed"}
        assert "1 face confirmed to be Gil <i>." in sight.text
        # Nothing ticked, nobody of that name: said, and nothing is changed.
        visitor.post("/people/faces", {"decide": "confirm", "person": anna[8:]}, status=400)
        visitor.post("/people/faces", {"decide": f"assign:{least}", "name": "Nobody"}, status=404)
        visitor.post("/people/faces", {"decide": f"eat:{least}"}, status=400)
        assert said(changed, least) == {ANNA: "suggested"}
        # A face that a scan dropped meanwhile does not hinder the others.
        sight = visitor.post(
            "/people/faces",
            {"decide": "confirm", "person": anna.rpartition("/")[2], "id": f"{least},99999"},
        )
        assert "1 face confirmed to be Anna. 1 face not there any more." in sight.text


def test_wrong_matches_are_put_right_in_bulk_and_given_back_by_undo(changed: Served) -> None:
    anna = page_of(changed, ANNA)
    with visiting(changed) as visitor:
        sight = visitor.get(f"{anna}?state=confirmed")
        wrong = [faces_of(changed, f"{PARTY}/party_{number:02}.jpg")[0] for number in (1, 4)]
        sight = visitor.press(sight, "They are this person", tick=wrong, fill={"name": BERT})
        assert [said(changed, each) for each in wrong] == [{BERT: "confirmed"}] * 2
        sight = visitor.press(sight, "Undo")
        assert [said(changed, each) for each in wrong] == [{ANNA: "confirmed"}] * 2
        sight = visitor.press(sight, "They are not Anna", tick=wrong)
        sight = visitor.get(f"{anna}?state=refused")
        assert tiles(grid(sight, "Refused")) == sorted(wrong, reverse=True)
        visitor.press(sight, "Take back")
        assert [said(changed, each) for each in wrong] == [{ANNA: "refused"}, {}]


def test_strangers_of_one_page_are_named_at_once_or_passed_over(changed: Served) -> None:
    with visiting(changed) as visitor:
        sight = visitor.get("/people/unassigned")
        group = tiles(grid(sight, f"{STRANGERS}, group 1"))
        singles = tiles(grid(sight, "Like no other of this page, group 0"))
        assert group == [
            faces_of(changed, f"{PARTY}/party_{n:02}.jpg")[2] for n in range(11, 0, -2)
        ]
        assert len(singles) == 4
        # Those of the group are ticked already.
        sight = visitor.press(sight, "Assign to somebody new", fill={"name": "Sofia"})
        assert "6 faces confirmed to be Sofia." in sight.text
        assert {tuple(said(changed, each)) for each in group} == {("Sofia",)}
        sight = visitor.press(sight, "Pass over", tick=singles[:2])
        assert "2 faces passed over." in sight.text
        assert tiles(sight.main) == singles[2:]
        passed = visitor.get("/people/unassigned?show=passed_over")
        assert set(singles[:2]) < set(tiles(grid(passed, "Passed over")))
        sight = visitor.press(passed, "Take back", tick=singles[:1])
        assert "1 face back among those that wait for a name." in sight.text
        assert tiles(visitor.get("/people/unassigned").main) == [singles[0], *singles[2:]]


def test_unassigned_faces_are_filtered_by_folder_and_go_page_by_page(
    visitor: Visitor, looked_at: Served
) -> None:
    found = visitor.get(f"/people/unassigned?source=home&folder={WINTER}")
    expected = [
        *faces_of(looked_at, f"{WINTER}/crowd.jpg")[2:],
        faces_of(looked_at, f"{WINTER}/annie.jpg")[1],
    ]
    assert sorted(tiles(found.main)) == sorted(expected)
    none = visitor.get(f"/people/unassigned?source=home&folder={NEW}")
    assert "No face waits there" in none.text
    assert "choose that as well" in visitor.get("/people/unassigned?folder=x").text


def test_references_come_from_faces_and_go(changed: Served) -> None:
    anna = page_of(changed, ANNA)
    with visiting(changed) as visitor:
        sight = visitor.get(f"{anna}?state=confirmed")
        before = len(grid(sight, "Reference images").all("li"))
        sight = visitor.press(sight, "Use as reference", index=0)
        assert f"{ANNA} is recognised by one more image." in sight.text
        assert len(grid(sight, "Reference images").all("li")) == before + 1
        sight = visitor.press(sight, "Remove")
        assert "is not recognised by that image any more" in sight.text
        assert len(grid(sight, "Reference images").all("li")) == before
        bert = faces_of(changed, f"{PARTY}/party_02.jpg")[1]
        refused = visitor.post(f"{anna}/references", {"face": str(bert)}, status=409)
        assert "omebody is recognised by this face" in refused.text


def test_people_are_added_renamed_merged_with_a_preview_and_unmerged(changed: Served) -> None:
    with visiting(changed) as visitor:
        sight = visitor.press(visitor.get("/people"), "Add person", fill={"name": " Fee "})
        assert (sight.heading, "Fee was added." in sight.text) == ("Fee", True)
        sight = visitor.press(sight, "Rename", fill={"name": "Felicitas"})
        assert "Fee is called Felicitas now." in sight.text
        taken = visitor.post(f"{sight.path.partition('?')[0]}/rename", {"name": ANNA}, status=409)
        assert "Somebody has this name already" in taken.text
        bert = visitor.get(page_of(changed, BERT))
        anna = page_of(changed, ANNA).rpartition("/")[2]
        preview = visitor.press(bert, "See what merging does", fill={"into": anna})
        *_, after = preview.rows("What merging does")
        assert (after["Confirmed"], after["Suggested"], after["Reference images"]) == (
            "23",
            "8",
            "18",
        )
        merged = visitor.press(preview, "Merge")
        assert merged.heading == ANNA
        assert "Bert: 9 confirmed, 4 suggested" in merged.text
        again = visitor.press(merged, f"Unmerge {BERT}")
        assert (again.heading, again.path.partition("?")[0]) == (BERT, page_of(changed, BERT))


def test_matching_is_put_in_line_for_one_person_or_everybody(changed: Served) -> None:
    lading = changed.lading
    with visiting(changed) as visitor:
        sight = visitor.press(visitor.get(page_of(changed, BERT)), "Match now")
        assert "In line for a worker: 2 jobs that match them." in sight.text
        assert "2 jobs that match for Bert are in line or at work." in sight.text
        query = select(import_job.c.params).where(import_job.c.kind == MATCH_JOB_KIND)
        with lading.db.read() as conn:
            assert all(BERT in str(each) for each in conn.scalars(query))
        sight = visitor.press(visitor.get("/people"), "Match faces")
        assert "jobs that match them" in sight.text
        sight = visitor.press(visitor.get("/people"), "Look for faces")
        assert "1 job that looks for faces" in sight.text
        assert (tree_of(lading) / NEW).is_dir()


def test_the_page_of_a_photo_marks_its_faces_and_takes_names(changed: Served) -> None:
    name = f"{PARTY}/party_01.jpg"
    anna, _, stranger = faces_of(changed, name)
    with visiting(changed) as visitor:
        confirmed = visitor.get(f"{page_of(changed, ANNA)}?state=confirmed")
        tile = confirmed.main.one("li", id=f"face-{anna}")
        sight = visitor.get(tile.all("a")[0].attributes["href"])
        drawn = sight.main.one("svg", class_="face-map")
        assert len(drawn.all("rect")) == 3
        assert drawn.all("rect", class_="confirmed")
        words, _, labels = drawn.attributes["aria-label"].partition(": ")
        assert words == "3 faces in party_01.jpg"
        assert set(labels.split(", ")) == {"Anna", "Bert", "unknown"}
        assert drawn.one("image").attributes["href"].startswith("/media/assets/")
        faces = grid(sight, "Faces")
        assert sorted(tiles(faces)) == [anna, anna + 1, stranger]
        assert faces.one("li", id=f"face-{anna}").text.endswith("Anna , confirmed; all photos")
        sight = visitor.press(
            sight, "Assign to somebody new", tick=[stranger], fill={"name": "Sofia"}
        )
        assert "1 face confirmed to be Sofia." in sight.text
        assert said(changed, stranger) == {"Sofia": "confirmed"}


def test_only_what_waits_changes_while_a_page_is_looked_at(
    looked_at: Served, visitor: Visitor
) -> None:
    console = open_console(looked_at.lading)
    fragments = Fragments()
    people.live(fragments)
    caller = looked_at.accounts.caller_of_session(looked_at.session_of(Role.OPERATOR))
    assert caller is not None
    for kinds, sent in (({"job_done"}, 1), ({"faces_decided"}, 1), ({"batch_found"}, 0)):
        tick = Tick(since=1, seq=2, at=datetime.now(UTC), kinds=frozenset(kinds))
        made = fragments.render(console, caller, ["people"], Visible(), tick)
        assert [type(each) for each in made] == [Fragment] * sent
    made = fragments.render(
        console, caller, ["people"], Visible(), Tick(since=0, seq=2, at=tick.at, complete=False)
    )
    [part] = made
    assert isinstance(part, Fragment)
    for page in ("/people", "/people/unassigned", page_of(looked_at, ANNA)):
        sight = visitor.get(page)
        assert part.html in sight.html
        assert sight.root.one("div", id="live").attributes["data-url"].endswith("people")
