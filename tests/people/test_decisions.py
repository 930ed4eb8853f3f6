"""What people decided is never lost: over rescans, merges and unmerges, compared with a dict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.db import Database, rehearsal
from lading.ledger.verify import verify_chain
from lading.library.faces import ask_for_scans, known_faces, reset_faces, save_suggestions
from lading.library.people import (
    FaceIsReference,
    PersonNameRefused,
    PersonsNotMerged,
    UnknownFace,
    UnknownPerson,
    UnknownReference,
    add_person,
    add_reference,
    all_persons,
    confirm_faces,
    find_person,
    group_of,
    merge_persons,
    person_meant,
    refuse_faces,
    remove_reference,
    rename_person,
    root_of,
    unmerge_person,
    withdraw_decisions,
)
from lading.library.people_queries import (
    asset_faces,
    decisions,
    faces_of_person,
    faces_to_match,
    files_to_scan,
    folders_to_match,
    folders_to_scan,
    list_persons,
    reference_images,
    refused_persons,
    stored_face,
    unidentified_faces,
    with_unidentified_face,
)
from lading.library.people_tables import FaceState
from lading.library.people_values import FolderOfFaces, Person, Suggestion
from lading.media.faces.engine import Box
from lading.people.detecting import save_found
from lading.people.rules import same_faces
from lading.testing.servers_db import fresh_database
from tests.people.library import SOURCE, a_face, a_scan, add_faces, add_photo, digest_of

ME = "test"
SLOTS = range(4)
NAMES = ("Anna", "Bert", "Carl")


def suggestion(
    conn: Any, face_id: int, person: Person, reference_id: int, **facts: Any
) -> Suggestion:
    return Suggestion(
        **{
            "face_id": face_id,
            "scan_id": stored_face(conn, face_id).scan_id,
            "person_id": person.id,
            "reference_id": reference_id,
            "distance": 0.3,
            "margin": 0.2,
            "rule": "all_passed",
            "settings_digest": "s1",
            **facts,
        }
    )


def test_faces_persons_and_counts_are_the_same_on_every_database(database: Database) -> None:
    with database.write() as conn:
        first = add_photo(conn, "album", "1.jpg")
        second = add_photo(conn, "", "2.jpg", "the same content")
        assert add_photo(conn, "album", "copy.jpg", "the same content") == second
        left = files_to_scan(conn, SOURCE, digest_of("album"), "k1")
        assert {file.location for file in left} == {"album/1.jpg", "album/copy.jpg"}
        one, two = add_faces(conn, first, [a_face(1), a_face(3)])
        (three,) = add_faces(conn, second, [a_face(5)])
        assert list(files_to_scan(conn, SOURCE, digest_of("album"), "k1")) == []
        assert len(folders_to_scan(conn, "k2")) == 2
        anna, bert = (add_person(conn, name, actor=ME) for name in ("Anna", "Bert"))
        image = add_reference(conn, anna, one, actor=ME)
        album = FolderOfFaces(SOURCE, digest_of("album"), "album")
        root = FolderOfFaces(SOURCE, digest_of(""), "")
        assert folders_to_match(conn, "s1") == [root, album]
        wanted = faces_to_match(conn, SOURCE, album.digest, "s1")
        assert [each.id for each in wanted] == [two, three]
        assert wanted[0].facts == a_face(3)
    with database.write() as conn:
        found = [
            suggestion(conn, two, anna, image),
            suggestion(conn, three, anna, image, distance=0.4),
        ]
        assert save_suggestions(conn, [two, three], found, {anna.id}) == 2
        assert unidentified_faces(conn) == []
        assert with_unidentified_face(conn, [first, second]) == set()
        assert folders_to_match(conn, "s1") == []
        assert folders_to_match(conn, "s2") == [root, album]
        assert folders_to_match(conn, "s2", again=False) == []
        least_sure = faces_of_person(conn, anna.id, FaceState.SUGGESTED)
        assert [face.id for face, _ in least_sure] == [three, two]
        (summary, other) = list_persons(conn)
        assert (summary.confirmed, summary.suggested, summary.references) == (1, 2, 1)
        assert (other.person, other.confirmed) == (bert, 0)
    with database.write() as conn:
        assert refuse_faces(conn, anna, [three], actor=ME) == [three]
        assert refused_persons(conn, [three]) == {three: frozenset({anna.id})}
        # The engine neither writes over what people said nor brings it back.
        again = [suggestion(conn, one, bert, image), suggestion(conn, three, anna, image)]
        save_suggestions(conn, [one, three], again, {anna.id, bert.id})
        assert {d.state for d in decisions(conn, [three])[three]} == {FaceState.REFUSED}
        assert {d.person_id for d in decisions(conn, [one])[one]} == {anna.id}
        # Nor does it say anything of an embedding that is not there any more.
        late = suggestion(conn, three, bert, image, scan_id=stored_face(conn, one).scan_id)
        assert save_suggestions(conn, [three], [late], {bert.id}) == 0
        assert reset_faces(conn, SOURCE, digest_of("album")) == 1
        assert ask_for_scans(conn, SOURCE, digest_of("album")) == 2
        assert folders_to_scan(conn, "k1") == [root, album]
        assert {each.id for each in unidentified_faces(conn)} == {two, three}
        remove_reference(conn, image, actor=ME)
        assert reference_images(conn) == []
        assert add_reference(conn, anna, one, actor=ME) == image
        assert [each.id for each in reference_images(conn, anna.id, kind="toy")] == [image]
    with database.write() as conn:
        # Found again elsewhere, not at all, and again: two persons, who are one for a while.
        assert confirm_faces(conn, bert, [two], actor=ME) == [two]
        merge_persons(conn, bert, anna, actor=ME)
        (new,) = save_found(first, a_scan(a_face(8), key="k2"), conn)
        kept = {each.id: each.detached for each in asset_faces(conn, first)}
        assert kept == {new: False, one: True, two: True}
        save_found(first, a_scan(a_face(3), a_face(1), key="k3"), conn)
        kept = {each.id: each.detached for each in asset_faces(conn, first)}
        assert kept == {one: False, two: False}
        (everybody,) = list_persons(conn)
        assert (everybody.person.id, everybody.confirmed) == (anna.id, 2)
        unmerge_person(conn, find_person(conn, "Bert"), actor=ME)
        assert [each.confirmed for each in list_persons(conn)] == [1, 1]
    with database.read() as conn:
        assert verify_chain(conn).whole


def test_a_face_at_the_same_place_is_the_same_face_and_each_is_taken_once() -> None:
    left, right = Box(0.1, 0.1, 0.2, 0.2), Box(0.6, 0.1, 0.2, 0.2)
    moved = Box(0.12, 0.1, 0.2, 0.2)
    assert same_faces([right, moved], [("l", left), ("r", right)]) == {0: "r", 1: "l"}
    assert same_faces([moved, left], [("l", left)]) == {1: "l"}
    assert same_faces([left], [("new", left), ("old", left)]) == {0: "new"}
    assert same_faces([Box(0.3, 0.1, 0.2, 0.2)], [("l", left)]) == {}


def test_a_decision_outlives_scans_that_miss_the_face_or_fail(sqlite_database: Database) -> None:
    with sqlite_database.write() as conn:
        asset_id = add_photo(conn, "album", "1.jpg")
        anna = add_person(conn, "Anna", actor=ME)
        one, two = add_faces(conn, asset_id, [a_face(1), a_face(3)])
        confirm_faces(conn, anna, [one], actor=ME)
        made_by = decisions(conn, [one])[one][0].scan_id
        save_found(asset_id, a_scan(error="face_engine_failed", key="k2"), conn)
        assert [(face.id, face.detached) for face in asset_faces(conn, asset_id)] == [
            (one, False),
            (two, False),
        ]
        assert list(files_to_scan(conn, SOURCE, digest_of("album"), "k2")) == []
        save_found(asset_id, a_scan(key="k3"), conn)
        assert [(face.id, face.detached) for face in asset_faces(conn, asset_id)] == [(one, True)]
        assert unidentified_faces(conn) == []
        (back,) = save_found(asset_id, a_scan(a_face(1.1, 7.0), key="k4"), conn)
        assert back == one
        (face,) = asset_faces(conn, asset_id)
        assert (face.detached, face.facts) == (False, a_face(1.1, 7.0))
        (said,) = decisions(conn, [one])[one]
        assert (said.state, said.decided_by, said.scan_id) == (FaceState.CONFIRMED, ME, made_by)


def test_what_cannot_be_is_refused(sqlite_database: Database) -> None:
    with sqlite_database.write() as conn:
        anna = add_person(conn, "Anna", actor=ME)
        bert = add_person(conn, "Bert", actor=ME)
        asset_id = add_photo(conn, "", "1.jpg")
        (one,) = add_faces(conn, asset_id, [a_face(1)])
        image = add_reference(conn, anna, one, actor=ME)
        for name in ("", " Anna", "A\nB", "x" * 191, "Anna"):
            with pytest.raises(PersonNameRefused):
                add_person(conn, name, actor=ME)
        with pytest.raises(PersonNameRefused):
            rename_person(conn, bert, "Anna", actor=ME)
        with pytest.raises(FaceIsReference) as taken:
            add_reference(conn, bert, one, actor=ME)
        assert taken.value.found == "Anna"
        with pytest.raises(UnknownFace):
            confirm_faces(conn, anna, [one, 999], actor=ME)
        with pytest.raises(UnknownPerson):
            find_person(conn, "Nobody")
        with pytest.raises(PersonsNotMerged):
            unmerge_person(conn, anna, actor=ME)
        with pytest.raises(PersonsNotMerged):
            merge_persons(conn, anna, anna, actor=ME)
        merge_persons(conn, bert, anna, actor=ME)
        with pytest.raises(PersonsNotMerged):
            merge_persons(conn, anna, bert, actor=ME)
        assert person_meant(conn, "Bert") == anna
        assert find_person(conn, str(bert.id)).merged_into == anna.id
        remove_reference(conn, image, actor=ME)
        with pytest.raises(UnknownReference):
            remove_reference(conn, image, actor=ME)


@pytest.fixture(scope="module")
def one_database(server_of: Callable[..., Any]) -> Iterator[Database]:
    with fresh_database(server_of("sqlite")) as database:
        yield database


faces = st.sampled_from(SLOTS)
names = st.sampled_from(NAMES)
steps = st.one_of(
    st.tuples(st.just("scan"), st.sets(faces), st.floats(0, 0.2)),
    st.tuples(st.sampled_from(["confirm", "refuse", "withdraw", "suggest"]), names, faces),
    st.tuples(st.just("merge"), names, names),
    st.tuples(st.just("unmerge"), names, st.none()),
    st.tuples(st.just("reset"), st.none(), st.none()),
)


class Model:
    """What people said, as dicts: by slot of the one picture, and by who it was said of."""

    def __init__(self) -> None:
        self.said: dict[int, dict[str, str]] = {}
        self.hints: dict[int, str] = {}
        self.into: dict[str, str] = {}

    def root(self, name: str) -> str:
        while name in self.into:
            name = self.into[name]
        return name

    def group(self, name: str) -> set[str]:
        return {each for each in NAMES if self.root(each) == self.root(name)}

    def verdicts(self, slot: int) -> dict[str, set[str]]:
        """By who it turned out to be, all that was said."""
        found: dict[str, set[str]] = {}
        for name, state in self.said.get(slot, {}).items():
            found.setdefault(self.root(name), set()).add(state)
        return found

    def confirm(self, name: str, slot: int) -> None:
        said, group = self.said.setdefault(slot, {}), self.group(name)
        if any(said.get(each) == "confirmed" for each in group):
            return
        for each in [n for n, state in said.items() if n not in group and state == "confirmed"]:
            del said[each]
        hint = self.hints.pop(slot, None)
        refused = [n for n in NAMES if n in group and said.get(n) == "refused"]
        own = hint if hint in group else (refused or [self.root(name)])[0]
        said[own] = "confirmed"

    def refuse(self, name: str, slot: int) -> None:
        said, group = self.said.setdefault(slot, {}), self.group(name)
        hint = self.hints.get(slot)
        own = {each for each in said if each in group}
        if hint in group:
            own.add(str(self.hints.pop(slot)))
        for each in own or {self.root(name)}:
            said[each] = "refused"

    def withdraw(self, name: str, slot: int) -> None:
        said = self.said.get(slot, {})
        for each in self.group(name):
            said.pop(each, None)


@given(st.lists(steps, max_size=14))
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_decisions_are_those_of_a_dict_whatever_is_scanned_and_merged(
    one_database: Database, done: list[Any]
) -> None:
    model = Model()
    with rehearsal(), one_database.write() as conn:
        persons = {name: add_person(conn, name, actor=ME) for name in NAMES}
        asset_id = add_photo(conn, "a", "1.jpg")
        ids = dict(
            zip(SLOTS, add_faces(conn, asset_id, [a_face(s * 2) for s in SLOTS]), strict=True)
        )
        images = {
            name: add_reference(conn, persons[name], face_id, actor=ME)
            for name, face_id in zip(
                NAMES,
                add_faces(conn, add_photo(conn, "b", "2.jpg"), [a_face(s * 2) for s in range(3)]),
                strict=True,
            )
        }
        for number, (verb, first, second) in enumerate(done):
            if verb == "scan":
                scan(conn, model, asset_id, ids, first, second, f"k{number}")
            elif verb == "merge":
                merge(conn, model, persons, first, second)
            elif verb == "unmerge":
                if first in model.into:
                    unmerge_person(conn, find_person(conn, first), actor=ME)
                    del model.into[first]
            elif verb == "reset":
                reset_faces(conn)
                model.hints.clear()
            elif second in ids:
                decide(conn, model, persons, images, ids, verb, first, second)
            compare(conn, model, asset_id, ids)


def scan(
    conn: Any, model: Model, asset_id: int, ids: dict[int, int], seen: set[int], by: float, key: str
) -> None:
    model.hints.clear()
    found = save_found(asset_id, a_scan(*(a_face(s * 2 + by) for s in sorted(seen)), key=key), conn)
    kept = {slot for slot, said in model.said.items() if said}
    for slot, face_id in zip(sorted(seen), found, strict=True):
        assert ids.get(slot, face_id) == face_id, "a face that was there is the same one"
        ids[slot] = face_id
    for slot in [each for each in ids if each not in seen | kept]:
        del ids[slot]


def merge(conn: Any, model: Model, persons: dict[str, Person], whom: str, into: str) -> None:
    if whom in model.into or model.root(into) == whom:
        with pytest.raises(PersonsNotMerged):
            merge_persons(conn, persons[whom], persons[into], actor=ME)
        return
    merge_persons(conn, persons[whom], persons[into], actor=ME)
    model.into[whom] = model.root(into)


def decide(
    conn: Any,
    model: Model,
    persons: dict[str, Person],
    images: dict[str, int],
    ids: dict[int, int],
    verb: str,
    name: str,
    slot: int,
) -> None:
    whom = person_meant(conn, name)
    assert whom.name == model.root(name)
    if verb == "suggest":
        found = [suggestion(conn, ids[slot], persons[name], images[name])]
        group = group_of(all_persons(conn), whom.id)
        states = set(model.said.get(slot, {}).values())
        save_suggestions(conn, [ids[slot]], found, group)
        if "confirmed" not in states:
            model.hints.pop(slot, None)
            if name not in model.said.get(slot, {}):
                model.hints[slot] = name
        return
    act = {"confirm": confirm_faces, "refuse": refuse_faces, "withdraw": withdraw_decisions}[verb]
    act(conn, whom, [ids[slot]], actor=ME)
    getattr(model, verb)(name, slot)


def compare(conn: Any, model: Model, asset_id: int, ids: dict[int, int]) -> None:
    persons = all_persons(conn)
    there = {face.id for face in known_faces_of(conn, asset_id)}
    assert there == set(ids.values())
    for slot, face_id in ids.items():
        said: dict[str, set[str]] = {}
        for one in decisions(conn, [face_id]).get(face_id, []):
            root = persons[root_of(persons, one.person_id)].name
            said.setdefault(root, set()).add(one.state.value)
        expected = model.verdicts(slot)
        if (hint := model.hints.get(slot)) is not None:
            expected.setdefault(model.root(hint), set()).add("suggested")
        assert said == expected
    assert all(not said or slot in ids for slot, said in model.said.items())


def known_faces_of(conn: Any, asset_id: int) -> list[Any]:
    listed = asset_faces(conn, asset_id)
    assert {one.face_id for one in known_faces(conn, asset_id)} == {one.id for one in listed}
    return listed
