"""What people say stands, whatever workers and other people write at the same moment.

One transaction is held where the other has looked and not yet written. Who has to wait there is
sent away after a moment, and comes again when the first is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, exc, text

from lading.db import Database
from lading.jobs import claiming
from lading.jobs.queue import Queue
from lading.library import faces, people
from lading.library.face_lists import passed_over
from lading.library.faces import ask_for_scans, reset_faces, save_given, save_suggestions
from lading.library.passed_over import pass_over_faces
from lading.library.people import (
    FaceIsReference,
    add_person,
    add_reference,
    confirm_faces,
    merge_persons,
    refuse_faces,
    rename_person,
    unmerge_person,
    withdraw_decisions,
)
from lading.library.people_queries import asset_faces, decisions, reference_images
from lading.library.people_tables import FaceState
from lading.library.people_values import FolderOfFaces, Person, Said
from lading.library.statements import chunked, moment
from lading.people.detecting import save_found
from lading.people.jobs import FACES_JOB_KIND, MATCH_JOB_KIND, Lined, line_up
from lading.testing.installation import ACTOR
from lading.testing.servers_db import fresh_database
from tests.people.library import (
    SOURCE,
    PeopleInstallation,
    a_face,
    a_scan,
    add_faces,
    add_photo,
    digest_of,
)
from tests.people.test_decisions import ME, suggestion
from tests.photos.tree import PhotosBench


@pytest.fixture
def several(server_of: Callable[..., Any]) -> Iterator[Database]:
    """A database that lets several write at a time."""
    with fresh_database(server_of("postgresql")) as database:
        yield database


class Scene:
    """A photo with three faces, of which the first is Anna's reference image; and Bert."""

    def __init__(self, db: Database) -> None:
        self.db = db
        with db.write() as conn:
            self.photo = add_photo(conn, "album", "1.jpg")
            ids = add_faces(conn, self.photo, [a_face(1), a_face(3), a_face(5)])
            self.anna, self.bert = (add_person(conn, n, actor=ME) for n in ("Anna", "Bert"))
            self.image = add_reference(conn, self.anna, ids[0], actor=ME)
            self.own, self.face, self.other = ids

    def suggest(self, conn: Connection, person: Person | None = None) -> int:
        """Let the engine take the face for somebody's, Anna's unless told."""
        whom = person or self.anna
        found = suggestion(conn, self.face, whom, self.image)
        return save_suggestions(conn, [self.face], [found], {self.anna.id, whom.id})

    def said(self, face: int | None = None) -> dict[int, FaceState]:
        with self.db.read() as conn:
            found = decisions(conn, [face or self.face])
        return {one.person_id: one.state for each in found.values() for one in each}

    def meanwhile(
        self, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, work: Callable[..., Any]
    ) -> list[bool]:
        """Have `work` done in another transaction right after the function of this name.

        The list gets whether it could be done there; else it is to be done again later.
        """
        done: list[bool] = []
        real = getattr(where, name)

        def looked(*args: Any, **kwargs: Any) -> Any:
            found = real(*args, **kwargs)
            if not done:
                done.append(False)
                try:
                    with self.db.write() as conn:
                        conn.execute(text("SET LOCAL lock_timeout = '50ms'"))
                        work(conn)
                    done[0] = True
                except exc.OperationalError:
                    pass
            return found

        monkeypatch.setattr(where, name, looked)
        return done


def test_a_confirmation_stands_when_the_suggestion_is_forgotten_meanwhile(
    several: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(several)
    several.run(scene.suggest)
    done = scene.meanwhile(monkeypatch, people, "said_of_faces", reset_faces)
    with several.write() as conn:
        confirm_faces(conn, scene.anna, [scene.face], actor=ME)
    assert done == [True]
    assert scene.said() == {scene.anna.id: FaceState.CONFIRMED}


@pytest.mark.parametrize("verb", ["confirm", "pass over", "refuse"])
def test_a_match_says_nothing_of_a_face_that_is_decided_while_it_writes(
    several: Database, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    scene = Scene(several)
    act: Callable[[Connection], Any] = {
        "confirm": lambda conn: confirm_faces(conn, scene.bert, [scene.face], actor=ME),
        "pass over": lambda conn: pass_over_faces(conn, [scene.face], actor=ME),
        "refuse": lambda conn: refuse_faces(conn, scene.anna, [scene.face], actor=ME),
    }[verb]
    done = scene.meanwhile(monkeypatch, faces, "_unconfirmed", act)
    several.run(scene.suggest)
    if not done[0]:
        several.run(act)
    expected = {
        "confirm": {scene.bert.id: FaceState.CONFIRMED},
        "pass over": {},
        "refuse": {scene.anna.id: FaceState.REFUSED},
    }
    assert scene.said() == expected[verb]


@pytest.mark.parametrize("verb", ["confirm", "pass over"])
def test_a_scan_that_misses_a_face_keeps_what_is_said_of_it_meanwhile(
    several: Database, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    scene = Scene(several)
    act: Callable[[Connection], Any] = {
        "confirm": lambda conn: confirm_faces(conn, scene.bert, [scene.other], actor=ME),
        "pass over": lambda conn: pass_over_faces(conn, [scene.other], actor=ME),
    }[verb]
    with several.write() as conn:
        # Between the look at what nobody decided about and the end of it.
        pending = [act]

        def cut(items: Any, *size: int) -> Any:
            if pending:
                work = pending.pop()
                try:
                    with several.write() as other:
                        other.execute(text("SET LOCAL lock_timeout = '50ms'"))
                        work(other)
                except exc.OperationalError:
                    late.append(work)
            return chunked(items, *size)

        late: list[Callable[[Connection], Any]] = []
        monkeypatch.setattr(faces, "chunked", cut)
        save_found(scene.photo, a_scan(a_face(1), a_face(3), key="k2"), conn)
    if late:
        # Nobody decided in time: the face is gone, and whoever decides is told.
        with pytest.raises(people.UnknownFace):
            several.run(act)
        return
    with several.read() as conn:
        assert scene.other in {one.id for one in asset_faces(conn, scene.photo)}
        assert verb == "confirm" or scene.other in passed_over(conn, [scene.other])


def test_who_was_refused_is_not_suggested_by_the_name_of_somebody_who_is_one_with_them(
    sqlite_database: Database,
) -> None:
    scene = Scene(sqlite_database)
    with sqlite_database.write() as conn:
        merge_persons(conn, scene.bert, scene.anna, actor=ME)
        refuse_faces(conn, scene.anna, [scene.face], actor=ME)
        # A job that read before that comes late, and goes by an image of Bert's.
        scene.suggest(conn, scene.bert)
    assert scene.said() == {scene.anna.id: FaceState.REFUSED}


def test_who_takes_a_decision_back_takes_back_no_other_one(sqlite_database: Database) -> None:
    scene = Scene(sqlite_database)
    with sqlite_database.write() as conn:
        confirm_faces(conn, scene.bert, [scene.face, scene.other], actor="user:one")
        first = Said(FaceState.CONFIRMED, "user:one", moment(conn))
    with sqlite_database.write() as conn:
        refuse_faces(conn, scene.bert, [scene.face], actor="user:two")
    with sqlite_database.write() as conn:
        both = [scene.face, scene.other]
        undone = withdraw_decisions(conn, scene.bert, both, actor="user:one", only=first)
    assert undone == [scene.other]
    assert scene.said() == {scene.bert.id: FaceState.REFUSED}
    with sqlite_database.write() as conn:
        confirm_faces(conn, scene.bert, [scene.face], actor="user:two")
        assert withdraw_decisions(conn, scene.bert, [scene.face], actor=ME, only=first) == []
    assert scene.said() == {scene.bert.id: FaceState.CONFIRMED}


def test_a_face_by_which_somebody_is_recognised_is_said_to_be_nobody_elses(
    sqlite_database: Database,
) -> None:
    scene = Scene(sqlite_database)
    with sqlite_database.write() as conn:
        for act, whom in ((confirm_faces, scene.bert), (refuse_faces, scene.anna)):
            with pytest.raises(FaceIsReference) as told:
                act(conn, whom, [scene.face, scene.own], actor=ME)
            assert (told.value.subject, told.value.found) == (f"face {scene.own}", "Anna")
        assert decisions(conn, [scene.face]) == {}
        refuse_faces(conn, scene.bert, [scene.own], actor=ME)
        # Two who are one have one image of it, and each has their own again after that.
        merge_persons(conn, scene.anna, scene.bert, actor=ME)
        assert add_reference(conn, scene.bert, scene.own, actor=ME) == scene.image
        assert [one.id for one in reference_images(conn, scene.bert.id)] == [scene.image]
        unmerge_person(conn, scene.anna, actor=ME)
        assert [one.id for one in reference_images(conn, scene.anna.id)] == [scene.image]


def test_what_is_asked_for_while_such_a_job_is_at_work_waits_behind_it(
    sqlite_database: Database,
) -> None:
    scene, db = Scene(sqlite_database), sqlite_database
    queue = Queue(db)
    folder = FolderOfFaces(SOURCE, digest_of("album"), "album")
    ask = partial(line_up, queue=queue, folders=[folder], actor=ME, scan=True)
    assert db.run(ask) == Lined(1, 1)
    assert db.run(ask) == Lined(0, 0), "it has not begun, and will see all there is"
    claim = claiming.claim_next(db, "worker", [FACES_JOB_KIND])
    assert claim is not None
    db.run(partial(ask_for_scans, source=SOURCE))
    assert db.run(ask) == Lined(1, 1)
    assert db.run(ask) == Lined(0, 0)
    assert scene.said() == {}


def test_a_job_matches_the_person_of_its_number_whatever_others_are_called(
    sqlite_database: Database, tmp_path: Any
) -> None:
    bench = PhotosBench(tmp_path)
    installation = PeopleInstallation(sqlite_database, bench, tmp_path)
    scene = Scene(sqlite_database)
    with sqlite_database.write() as conn:
        (near,) = add_faces(conn, add_photo(conn, "later", "2.jpg"), [a_face(1, 1.1)])
        rename_person(conn, scene.bert, str(scene.anna.id), actor=ME)
    assert installation.people.match(actor=ACTOR, folder="later", source=SOURCE) == Lined(0, 1)
    installation.drain()
    (job,) = installation.jobs(MATCH_JOB_KIND)
    assert job.status == "done"
    assert scene.said(near) == {scene.anna.id: FaceState.SUGGESTED}


def test_a_picture_that_is_given_again_is_the_same_picture(sqlite_database: Database) -> None:
    scene, sha256 = Scene(sqlite_database), "a" * 64
    found = a_scan(a_face(1), a_face(3))
    with sqlite_database.write() as conn:
        ids = save_given(conn, "anna.jpg", sha256, found)
        image = add_reference(conn, scene.anna, ids[0], actor=ME)
        assert save_given(conn, "copy.jpg", sha256, found) == ids
        assert add_reference(conn, scene.anna, ids[0], actor=ME) == image
        # What another engine or another place says of it is kept beside.
        assert not set(save_given(conn, "anna.jpg", sha256, a_scan(a_face(5)))) & set(ids)
        assert save_given(conn, "anna.jpg", sha256, replace(found, key="k2")) != ids
        assert [one.id for one in reference_images(conn, scene.anna.id)] == [scene.image, image]
