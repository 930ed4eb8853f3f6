"""Assets are narrowed to a person by what people confirmed, merged persons being one."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from lading.db import Database
from lading.db.counting import Count
from lading.library.browsing import browse_assets, count_browsed
from lading.library.faces import save_suggestions
from lading.library.filters import AssetFilter
from lading.library.people import (
    add_person,
    add_reference,
    confirm_faces,
    find_person,
    merge_persons,
    refuse_faces,
    unmerge_person,
)
from lading.library.people_assets import leading_name, list_leading
from lading.library.statements import moment
from lading.library.tables import asset
from lading.operations.errors import BadFilter
from lading.operations.selections import select_matching
from lading.operations.values import Resource
from lading.people.detecting import save_found
from tests.people.library import a_face, a_scan, add_faces, add_photo
from tests.people.test_decisions import suggestion

ME = "test"


def shown(conn: Any, person: int, **filters: Any) -> list[int]:
    """The assets of a list that is narrowed to a person; as many as are counted and selected."""
    wanted = AssetFilter(person=person, **filters)
    found = [row.id for row in browse_assets(conn, wanted).assets]
    assert count_browsed(conn, wanted) == Count(len(found))
    return sorted(found)


def test_a_person_is_in_the_photos_in_which_people_confirmed_a_face(database: Database) -> None:
    with database.write() as conn:
        anna, annie, bert = (add_person(conn, name, actor=ME) for name in ("Anna", "Annie", "Bert"))
        ann = add_person(conn, "ann", actor=ME)
        photos = [add_photo(conn, "2025", f"{number}.jpg") for number in range(7)]
        faces = [add_faces(conn, each, [a_face(1, 1.0), a_face(5, 2.0)]) for each in photos]
        confirm_faces(conn, anna, [faces[0][0], faces[0][1], faces[1][0]], actor=ME)
        confirm_faces(conn, annie, [faces[2][0]], actor=ME)
        confirm_faces(conn, ann, [faces[3][0]], actor=ME)
        confirm_faces(conn, bert, [faces[0][1], faces[6][0]], actor=ME)
        refuse_faces(conn, anna, [faces[4][0]], actor=ME)
        reference = add_reference(conn, anna, faces[0][0], actor=ME)
        found = [suggestion(conn, faces[5][0], anna, reference)]
        assert save_suggestions(conn, [faces[5][0]], found, {anna.id}) == 1
        assert shown(conn, anna.id) == photos[:2]
        assert shown(conn, bert.id) == [photos[0], photos[6]]
        assert shown(conn, bert.id + 1_000) == []

        merge_persons(conn, annie, anna, actor=ME)
        merge_persons(conn, find_person(conn, "Anna"), ann, actor=ME)
        for one in (anna, annie, ann):
            assert shown(conn, one.id) == photos[:4]
            assert leading_name(conn, one.id) == "ann"
        assert list_leading(conn, 2) == {ann.id: "ann", bert.id: "Bert"}
        assert list_leading(conn, 1) == {}
        assert leading_name(conn, bert.id + 1_000) is None
        made = select_matching(conn, Resource.ASSETS, {"person": str(annie.id)}, actor=ME)
        assert made.count == 4

        # A scan that does not find the face any more takes nothing back; the trash does.
        save_found(photos[1], a_scan(key="k2"), conn)
        gone = update(asset).where(asset.c.id == photos[0])
        conn.execute(gone.values(deleted_at=moment(conn)))
        assert shown(conn, anna.id) == photos[1:4]
        assert shown(conn, anna.id, deleted=True) == photos[:1]

        unmerge_person(conn, find_person(conn, "Annie"), actor=ME)
        assert shown(conn, annie.id) == [photos[2]]
        assert shown(conn, ann.id) == [photos[1], photos[3]]
        for wrong in ("Anna", "9" * 25):
            with pytest.raises(BadFilter):
                select_matching(conn, Resource.ASSETS, {"person": wrong}, actor=ME)
