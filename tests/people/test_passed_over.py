"""Faces that people passed over wait for no name, and the lists of faces say which do."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from lading.db import Database
from lading.db.keyset import BadCursor
from lading.ledger.people_events import FacesPassedOver
from lading.ledger.queries import list_events
from lading.library.face_lists import (
    FaceFilter,
    count_said,
    count_suggested,
    count_unassigned,
    last_found,
    locations,
    newest_confirmed,
    passed_over,
    said_by_person,
    said_faces,
    unassigned_faces,
)
from lading.library.faces import save_suggestions
from lading.library.passed_over import look_again, pass_over_faces
from lading.library.people import (
    UnknownFace,
    add_person,
    add_reference,
    confirm_faces,
    merge_persons,
    refuse_faces,
    withdraw_decisions,
)
from lading.library.people_queries import (
    asset_faces,
    decisions,
    faces_of_person,
    faces_to_match,
    list_persons,
    unidentified_faces,
    with_unidentified_face,
)
from lading.library.people_tables import BY_ENGINE, FaceState
from lading.library.statements import moment
from lading.library.tables import asset
from lading.people.detecting import save_found
from tests.people.library import SOURCE, a_face, a_scan, add_faces, add_photo, digest_of
from tests.people.test_decisions import suggestion

ME = "test"


def waiting(conn: Any, **filters: Any) -> list[int]:
    return [one.id for one in unassigned_faces(conn, FaceFilter(**filters)).faces]


def test_faces_passed_over_are_matched_to_nobody_until_that_is_taken_back(
    database: Database,
) -> None:
    with database.write() as conn:
        photo = add_photo(conn, "album", "1.jpg")
        anna = add_person(conn, "Anna", actor=ME)
        one, two, three = add_faces(conn, photo, [a_face(1), a_face(3), a_face(5)])
        image = add_reference(conn, anna, one, actor=ME)
        late = suggestion(conn, two, anna, image)
        save_suggestions(conn, [two], [late], {anna.id})
        assert pass_over_faces(conn, [one, two, three], actor=ME) == [two, three]
        assert pass_over_faces(conn, [two], actor=ME) == []
        assert decisions(conn, [two]) == {}
        assert unidentified_faces(conn) == []
        assert with_unidentified_face(conn, [photo]) == set()
        assert faces_to_match(conn, SOURCE, digest_of("album"), "s1") == []
        # A job that compared it before comes too late.
        assert save_suggestions(conn, [two], [late], {anna.id}) == 0
        assert waiting(conn) == []
        assert waiting(conn, passed_over=True) == [three, two]
        assert {by for by, _ in passed_over(conn, [one, two, three]).values()} == {ME}
        # Neither a scan that misses it nor one that finds it again forgets it.
        save_found(photo, a_scan(a_face(3), key="k2"), conn)
        assert {each.id: each.detached for each in asset_faces(conn, photo)} == {
            one: True,
            two: False,
            three: True,
        }
        assert waiting(conn, passed_over=True) == [two]
        save_found(photo, a_scan(a_face(1), a_face(3), a_face(5), key="k3"), conn)
        assert waiting(conn, passed_over=True) == [three, two]
        assert look_again(conn, [one, two], actor=ME) == [two]
        assert waiting(conn) == [two]
        # Whose it is, is news also of one that was passed over.
        assert confirm_faces(conn, anna, [three], actor=ME) == [three]
        assert passed_over(conn, [three]) == {}
        with pytest.raises(UnknownFace):
            pass_over_faces(conn, [two, 999], actor=ME)
    with database.read() as conn:
        told = [event.payload for event in list_events(conn, kinds=[FacesPassedOver.kind])]
    assert [(each["faces"], each["again"]) for each in told] == [
        ([two, three], False),
        ([two], True),
    ]


def test_lists_of_faces_go_page_by_page_and_by_folder(database: Database) -> None:
    with database.write() as conn:
        anna, annie = (add_person(conn, name, actor=ME) for name in ("Anna", "Annie"))
        album = add_photo(conn, "album", "1.jpg")
        root = add_photo(conn, "", "2.jpg")
        faces = add_faces(conn, album, [a_face(slot) for slot in range(6)])
        (other,) = add_faces(conn, root, [a_face(7)])
        first = unassigned_faces(conn, FaceFilter(), limit=4)
        rest = unassigned_faces(conn, FaceFilter(), limit=4, cursor=first.next_cursor)
        assert [one.id for one in [*first.faces, *rest.faces]] == [other, *faces[::-1]]
        assert rest.next_cursor is None
        back = unassigned_faces(conn, FaceFilter(), limit=4, cursor=rest.prev_cursor)
        assert back.faces == first.faces
        assert waiting(conn, source=SOURCE, folder="album") == faces[::-1]
        assert waiting(conn, source="elsewhere") == []
        assert count_unassigned(conn, FaceFilter(source=SOURCE, folder="")).value == 1
        assert locations(conn, [album, root]) == {album: "album/1.jpg", root: "2.jpg"}
        image = add_reference(conn, anna, faces[0], actor=ME)
        far = [
            suggestion(conn, face_id, anna, image, distance=0.2 + place / 20)
            for place, face_id in enumerate(faces[1:4])
        ]
        save_suggestions(conn, faces[1:4], far, {anna.id})
        confirm_faces(conn, annie, [faces[4]], actor=ME)
        refuse_faces(conn, anna, [faces[5]], actor=ME)
        merge_persons(conn, annie, anna, actor=ME)
        both = {anna.id, annie.id}
        assert {state: count.value for state, count in count_said(conn, both).items()} == {
            FaceState.SUGGESTED: 3,
            FaceState.CONFIRMED: 2,
            FaceState.REFUSED: 1,
        }
        least = said_faces(conn, both, FaceState.SUGGESTED, limit=2)
        sure = said_faces(conn, both, FaceState.SUGGESTED, limit=2, cursor=least.next_cursor)
        ids = [one.id for one, _ in [*least.faces, *sure.faces]]
        assert ids == faces[3:0:-1]
        assert sure.faces[0][1].distance == pytest.approx(0.2)
        newest = said_faces(conn, both, FaceState.CONFIRMED)
        assert [one.id for one, _ in newest.faces] == [faces[4], faces[0]]
        assert newest_confirmed(conn, both) == {anna.id: faces[0], annie.id: faces[4]}
        assert set(last_found(conn, both)) == both
        assert [each.confirmed for each in list_persons(conn, {anna.id})] == [2]
        assert list_persons(conn, set()) == []
        with pytest.raises(BadCursor):
            unassigned_faces(conn, FaceFilter(), cursor="x")


def test_what_is_taken_back_is_suggested_again_if_the_engine_would_still_go_by_it(
    database: Database,
) -> None:
    with database.write() as conn:
        anna, bert = (add_person(conn, name, actor=ME) for name in ("Anna", "Bert"))
        photo = add_photo(conn, "album", "1.jpg")
        one, two, three, four = add_faces(conn, photo, [a_face(slot) for slot in (1, 3, 5, 7)])
        image = add_reference(conn, anna, one, actor=ME)
        found = [suggestion(conn, each, anna, image) for each in (two, three)]
        save_suggestions(conn, [two, three], found, {anna.id})

        def take_back(*faces: int) -> list[int]:
            return withdraw_decisions(conn, anna, faces, actor=ME, suggest_again=True)

        def states(face_id: int) -> list[tuple[int, str, str]]:
            said = decisions(conn, [face_id]).get(face_id, [])
            return [(each.person_id, each.state.value, each.decided_by) for each in said]

        confirm_faces(conn, anna, [two, four], actor=ME)
        refuse_faces(conn, anna, [three], actor=ME)
        assert take_back(two, three, four) == [two, three, four]
        by_engine = [(anna.id, "suggested", BY_ENGINE)]
        assert (states(two), states(three), states(four)) == (by_engine, by_engine, [])
        # Not beside what is said of somebody else,
        refuse_faces(conn, anna, [two], actor=ME)
        confirm_faces(conn, bert, [two], actor=ME)
        take_back(two)
        assert states(two) == [(bert.id, "confirmed", ME)]
        # nor by a reference image that was removed, nor of a face that was measured anew.
        confirm_faces(conn, anna, [three], actor=ME)
        save_found(photo, a_scan(*(a_face(slot) for slot in (1, 3, 5)), key="k2"), conn)
        take_back(three)
        assert states(three) == []


def test_nobody_is_asked_about_a_photo_in_the_trash(database: Database) -> None:
    with database.write() as conn:
        anna = add_person(conn, "Anna", actor=ME)
        kept, trashed = (add_photo(conn, "album", name) for name in ("1.jpg", "2.jpg"))
        (own,) = add_faces(conn, kept, [a_face(1)])
        one, two, three = add_faces(conn, trashed, [a_face(1), a_face(3), a_face(5)])
        image = add_reference(conn, anna, own, actor=ME)
        save_suggestions(conn, [one], [suggestion(conn, one, anna, image)], {anna.id})
        confirm_faces(conn, anna, [two], actor=ME)
        for at, asked in ((moment(conn), 0), (None, 1)):
            conn.execute(update(asset).where(asset.c.id == trashed).values(deleted_at=at))
            found = said_faces(conn, [anna.id], FaceState.SUGGESTED).faces
            assert [face.id for face, _ in found] == [one] * asked
            assert faces_of_person(conn, anna.id, FaceState.SUGGESTED) == found
            assert waiting(conn) == [three] * asked
            counts = count_said(conn, [anna.id])
            assert counts[FaceState.SUGGESTED].value == count_suggested(conn).value == asked
            (summary,) = list_persons(conn)
            assert summary.suggested == asked
            assert said_by_person(conn, [anna.id]).get((anna.id, FaceState.SUGGESTED), 0) == asked
            # What people said of it is told all the same.
            assert summary.confirmed == counts[FaceState.CONFIRMED].value == 2
