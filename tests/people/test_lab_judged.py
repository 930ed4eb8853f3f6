"""What the lab says of faces is what matching does to them, on every database; no engine runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from lading.base.stopping import StopSignal
from lading.db import Database
from lading.library.people import (
    UnknownPerson,
    add_person,
    add_reference,
    confirm_faces,
    merge_persons,
    refuse_faces,
)
from lading.library.people_tables import face_lab_run
from lading.library.people_values import FaceFacts
from lading.library.photo_values import FilePlace, FileStamp, Photo, PhotoFacts
from lading.library.photos import save_photo
from lading.library.tables import asset
from lading.library.values import AssetFacts
from lading.media.derive import FileAt
from lading.media.faces.engine import Box, Detected, Embedding
from lading.media.faces.rules import ChangeKind
from lading.media.faces.scanning import Scanned, detection_of
from lading.media.faces.settings import DetectionSettings, FaceSettings, MatchingSettings
from lading.people import lab
from lading.people.adopted import (
    settings_held,
    settings_of_version,
    settings_versions,
)
from lading.people.adopting import Effect, Scope, adopt_run, adopt_version, effects_of
from lading.people.detecting import save_found
from lading.people.errors import (
    LabTooLarge,
    SettingsAdoptedMeanwhile,
    UnknownFaceSettings,
    UnknownLabRun,
)
from lading.people.jobs import FACES_JOB_KIND
from lading.people.lab import LAB_JOB_KIND, lab_run, list_runs, run_lab, start_run
from lading.people.lab_values import LabResult, LabRun
from lading.people.people import People
from lading.people.processes import FaceProcesses
from lading.people.speed import Speed
from lading.testing.installation import ACTOR
from tests.console.api_client import differences, picture
from tests.people.library import KIND, PeopleInstallation, a_face, a_scan
from tests.photos.tree import PhotosBench

HELD = MatchingSettings()
ANNA, BERT = 0.0, 1.0
"""Where the two are on a line; a face is as far from each as its number says."""

ALBUM: Mapping[str, tuple[float, ...]] = {
    "album/anna.jpg": (ANNA,),
    "album/bert.jpg": (BERT,),
    "album/both.jpg": (0.3, 0.7),
    "album/<b>&'odd\".jpg": (0.44, 0.48, 1.45),
    "album/far.jpg": (3.0, -0.35),
    "album/nobody.jpg": (),
    "other/refused.jpg": (0.2,),
    "other/known.jpg": (0.6, 0.25),
}


class Placed(FaceProcesses):
    """Stands for the processes that look for faces, and finds those that were placed."""

    @contextmanager
    def scanner(self, settings: DetectionSettings, *_: Any, **__: Any) -> Iterator[Any]:
        yield _Looking(settings)


class _Looking:
    def __init__(self, settings: DetectionSettings) -> None:
        self.how = detection_of(settings)

    def scan(self, files: Iterable[FileAt]) -> Iterator[tuple[FileAt, Scanned]]:
        for file in files:
            places = enumerate(ALBUM[file.relative])
            faces = tuple(_detected(a_face(slot, place, 0.0)) for slot, place in places)
            yield file, Scanned(100, 80, faces, 0, KIND, self.how)


def _put(conn: Connection, root: Path, name: str) -> list[int]:
    """A photo that lies there and was looked into; its faces."""
    path = root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(name)
    stat = path.stat()
    content_hash = hashlib.sha256(name.encode()).hexdigest()
    photo = Photo(
        asset=AssetFacts(content_hash=content_hash, asset_type="image"),
        size_bytes=stat.st_size,
        media_type="image/jpeg",
        facts=PhotoFacts(),
    )
    stamp = FileStamp(stat.st_size, stat.st_mtime_ns, stat.st_ino)
    save_photo(conn, FilePlace.at("home", name), stamp, photo)
    asset_id = conn.execute(
        select(asset.c.id).where(asset.c.content_hash == content_hash)
    ).scalar_one()
    found = [a_face(slot, place, 0.0) for slot, place in enumerate(ALBUM[name])]
    key = detection_of(DetectionSettings()).key
    return save_found(asset_id, a_scan(*found, key=key), conn)


def _detected(facts: FaceFacts) -> Detected:
    return Detected(
        Box(*facts.box),
        facts.score,
        facts.side_px,
        facts.sharpness,
        facts.roll_degrees,
        facts.turn,
        Embedding(facts.embedding_kind, facts.embedding),
    )


class Lab(PeopleInstallation):
    """An album that was taken in, with two persons and what was said of some faces."""

    def __init__(self, db: Database, bench: PhotosBench, folder: Path) -> None:
        super().__init__(db, bench, folder)
        opened = self.people
        self.people = People(db, self.queue, self.store, opened.roots, Placed())
        # Written as an import and a search for faces write it, which are tried elsewhere.
        self.found: dict[str, list[int]] = {}
        with db.write() as conn:
            for name in ALBUM:
                self.found[name] = _put(conn, bench.root, name)
            self.anna = add_person(conn, "Anna", actor=ACTOR)
            self.bert = add_person(conn, "Bert", actor=ACTOR)
            add_reference(conn, self.anna, self.face("album/anna.jpg"), actor=ACTOR)
            add_reference(conn, self.bert, self.face("album/bert.jpg"), actor=ACTOR)
            refuse_faces(conn, self.anna, [self.face("other/refused.jpg")], actor=ACTOR)
            confirm_faces(conn, self.bert, [self.face("other/known.jpg", 1)], actor=ACTOR)
            confirm_faces(conn, self.anna, [self.face("other/known.jpg")], actor=ACTOR)

    def face(self, name: str, slot: int = 0) -> int:
        """The face in that column of a picture."""
        return self.found[name][slot]

    def run(self, settings: FaceSettings, folder: str = "album", **more: Any) -> LabRun:
        """Try settings, by a worker."""
        number = start_run(self.people, "home", folder, settings, actor=ACTOR, **more)
        self.drain()
        return lab_run(self.people, number)

    def suggestions(self) -> dict[int, str]:
        """Whom each face is suggested to be, by face."""
        said = {face: self.said(face) for faces in self.found.values() for face in faces}
        return {
            face: name
            for face, states in said.items()
            for name, state in states.items()
            if state == "suggested"
        }


@pytest.fixture
def installed(database: Database, tmp_path: Path) -> Lab:
    return Lab(database, PhotosBench(tmp_path), tmp_path)


@pytest.fixture
def quick(sqlite_database: Database, tmp_path: Path) -> Lab:
    """The same on one database, for what no database decides."""
    return Lab(sqlite_database, PhotosBench(tmp_path), tmp_path)


def test_a_run_writes_no_other_row_and_its_verdicts_are_the_suggestions_after_it_is_adopted(
    installed: Lab,
) -> None:
    adopted_as_judged(installed, 1200, MatchingSettings(distance_max=0.5, margin_min=0.03))


def test_the_same_holds_where_faces_are_found_as_before(quick: Lab) -> None:
    adopted_as_judged(quick, 1600, MatchingSettings(distance_max=0.4, margin_min=0.1))


def adopted_as_judged(installed: Lab, side_max: int, thresholds: MatchingSettings) -> None:
    people = installed.people
    people.match(actor=ACTOR)
    installed.drain()
    draft = FaceSettings(DetectionSettings(side_max=side_max), thresholds)
    before = picture(installed.db)
    numbers = [
        start_run(people, "home", folder, draft, actor=ACTOR, enqueue=False)
        for folder in ("album", "other")
    ]
    runs = [run_lab(people, number, stop=StopSignal()) for number in numbers]
    assert differences(before, picture(installed.db)) == ["face_lab_run"]

    foretold = {}
    for run in runs:
        for face, verdict in zip(run.faces, run.verdicts(), strict=True):
            assert face.known is not None
            if face.confirmed is None and verdict.person is not None:
                foretold[face.known] = {1: "Anna", 2: "Bert"}[int(verdict.person)]
    assert installed.suggestions() != foretold
    adopt_run(people, numbers[0], actor=ACTOR, scope=Scope.EVERYTHING)
    scans = len(installed.jobs(FACES_JOB_KIND))
    installed.drain()
    assert installed.suggestions() == foretold
    # Nothing was said of those that people refused, and each file was scanned anew if need be.
    refused = installed.face("other/refused.jpg")
    assert refused not in foretold
    assert scans == (0 if side_max == 1600 else 2)
    assert installed.said(installed.face("other/known.jpg")) == {"Anna": "confirmed"}


def test_a_run_about_some_persons_compares_with_everybody_and_tells_of_them_alone(
    quick: Lab,
) -> None:
    everybody = quick.run(FaceSettings(), "other")
    berts = quick.run(FaceSettings(), "other", persons=["Bert"])
    assert berts.persons == (quick.bert.id,)
    # Nearest to Bert, taken for him by people, or nearest to him once Anna was refused.
    places = sorted(ALBUM[face.file][round(face.box.left * 10)] for face in berts.faces)
    assert places == [0.2, 0.25, 0.6]
    annas = quick.run(FaceSettings(), "album", persons=[quick.anna.id])
    assert annas.result.others == 4
    assert {face.measured.candidates[0].person for face in annas.faces} == {quick.anna.id}
    by_face = {face.known: face.measured.candidates for face in everybody.faces}
    for face in berts.faces:
        assert face.measured.candidates == by_face[face.known]
    with quick.db.write() as conn:
        annie = add_person(conn, "Annie", actor=ACTOR)
        merge_persons(conn, annie, quick.anna, actor=ACTOR)
    number = start_run(
        quick.people, "home", "album", FaceSettings(), actor=ACTOR, persons=["Annie"]
    )
    assert lab_run(quick.people, number).persons == (quick.anna.id,)


def test_a_scope_says_what_it_puts_in_line_and_how_long_that_takes(installed: Lab) -> None:
    people = installed.people
    draft = FaceSettings(matching=MatchingSettings(distance_max=0.47))
    run = installed.run(draft)
    new, unidentified, everything = effects_of(people, draft, run)
    assert new == Effect(Scope.NEW)
    # All but the two references and the two that are confirmed, by nobody's doing so far.
    assert (unidentified.faces, unidentified.files, unidentified.match_jobs) == (8, 4, 4)
    assert unidentified.seconds is None, "nothing was ever matched"
    people.match(actor=ACTOR)
    installed.drain()
    _, unidentified, everything = effects_of(people, draft, run)
    assert (unidentified.faces, everything.faces) == (3, 8)
    assert unidentified.seconds is not None
    assert everything.scanned == 0

    rescan = FaceSettings(DetectionSettings(side_max=1200), draft.matching)
    *_, unmeasured = effects_of(people, rescan)
    assert (unmeasured.scanned, unmeasured.scan_jobs, unmeasured.match_jobs) == (8, 2, 4)
    assert unmeasured.seconds is None, "no file was ever looked into by a job"
    again = installed.run(rescan)
    *_, measured = effects_of(people, rescan, again)
    assert again.result.seconds_each
    assert measured.seconds is not None
    assert measured.seconds >= 8 * again.result.seconds_each

    for scope, effect in ((Scope.UNIDENTIFIED, unidentified), (Scope.EVERYTHING, everything)):
        held, lined = adopt_run(people, run.id, actor=ACTOR, scope=scope)
        assert (held.version, lined.scans, lined.matches) == (1, 0, effect.match_jobs)
        installed.drain()
    held, lined = adopt_run(people, again.id, actor=ACTOR, scope=Scope.EVERYTHING)
    assert (held.version, lined.scans, lined.matches) == (2, 2, 4)
    assert adopt_run(people, again.id, actor=ACTOR)[1].matches == 0


def test_an_earlier_version_holds_again_unless_somebody_was_faster(quick: Lab) -> None:
    people, db = quick.people, quick.db
    run = quick.run(FaceSettings(matching=MatchingSettings(distance_max=0.4)))
    first, _ = adopt_run(people, run.id, actor=ACTOR, expected=0)
    looser = MatchingSettings(distance_max=0.55)
    adopt_run(people, run.id, actor="user:ada", matching=looser, expected=1)
    with pytest.raises(SettingsAdoptedMeanwhile) as caught:
        adopt_version(people, 0, actor=ACTOR, expected=1)
    assert caught.value.current["distance_max"] == 0.55
    assert caught.value.yours["distance_max"] == HELD.distance_max
    third, _ = adopt_version(people, 1, actor=ACTOR, expected=2)
    assert third == (3, first.settings)
    assert adopt_version(people, 1, actor=ACTOR)[0] == third
    with db.read() as conn:
        versions = settings_versions(conn)
        assert [each.version for each in versions] == [3, 2, 1, 0]
        assert [dict(each.changed) for each in versions] == [
            {"distance_max": (0.55, 0.4)},
            {"distance_max": (0.4, 0.55)},
            {"distance_max": (0.5, 0.4)},
            {},
        ]
        assert [each.lab_run for each in versions] == [None, run.id, run.id, None]
        assert versions[1].adopted_by == "user:ada"
        assert [each.version for each in settings_versions(conn, limit=2)] == [3, 2]
        assert [each.version for each in settings_versions(conn, before=2)] == [1, 0]
        with pytest.raises(UnknownFaceSettings):
            settings_of_version(conn, 9)
    adopt_version(people, 0, actor=ACTOR)
    with db.read() as conn:
        assert settings_held(conn).settings == FaceSettings()


def test_the_distances_of_the_library_say_what_a_limit_loses_and_takes(
    quick: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = quick.run(FaceSettings())
    pairs = run.result.pairs
    # References lie at no distance from themselves and are left out; Bert was wrongly confirmed.
    assert (pairs.confirmed, pairs.compared) == (2, 2)
    assert pairs.distances.same == pytest.approx((0.6, 0.75))
    assert pairs.distances.different == pytest.approx((0.25, 0.4))
    assert (pairs.distances.lost(0.7), pairs.distances.taken(0.3)) == (1, 1)
    own = quick.run(FaceSettings(), persons=["Anna"]).result.pairs.distances
    assert own.same == pytest.approx((0.6,))
    monkeypatch.setattr(lab, "CONFIRMED_MAX", 1)
    sampled = quick.run(FaceSettings()).result.pairs
    assert (sampled.confirmed, sampled.compared) == (2, 1)


def test_a_draft_is_told_as_new_lost_and_in_conflict(quick: Lab) -> None:
    run = quick.run(FaceSettings(), "other")
    loose = MatchingSettings(distance_max=0.9, margin_min=0.0)
    kinds = {
        ALBUM[quick_face.file][round(quick_face.box.left * 10)]: change.kind
        for change in run.changes(MatchingSettings(distance_max=0.21), loose)
        for quick_face in run.faces
        if quick_face.measured.face == change.after.measured.face
    }
    # 0.2 is nobody's before, as Anna was refused; the others were confirmed as the farther one.
    assert kinds == {
        0.2: ChangeKind.NEW,
        0.25: ChangeKind.CONFLICT,
        0.6: ChangeKind.CONFLICT,
    }
    assert {each.kind for each in run.changes(loose, MatchingSettings(distance_max=0.21))} == {
        ChangeKind.LOST
    }


def test_files_that_are_gone_or_changed_are_told_and_the_rest_is_judged(quick: Lab) -> None:
    number = start_run(quick.people, "home", "album", FaceSettings(), actor=ACTOR)
    root = quick.people.root("home")
    (root / "album/far.jpg").unlink()
    (root / "album/both.jpg").write_bytes(b"another picture")
    quick.drain()
    run = lab_run(quick.people, number)
    (job,) = quick.jobs(LAB_JOB_KIND)
    assert (job.status, job.items_done, job.items_failed) == ("done", 4, 2)
    wrong = {file.name: file.error for file in run.files if file.error}
    assert set(wrong) == {"album/far.jpg", "album/both.jpg"}
    assert all(str(error).startswith("not_as_taken_in: ") for error in wrong.values())
    assert {face.file for face in run.faces} == {
        "album/anna.jpg",
        "album/bert.jpg",
        "album/<b>&'odd\".jpg",
    }


def test_a_folder_that_is_too_large_is_refused_and_so_many_faces_are_kept_as_fit(
    quick: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "FACES_MAX", 3)
    run = quick.run(FaceSettings())
    left = [file for file in run.files if file.error]
    assert 0 < len(run.faces) < 8
    assert left
    assert all("3 faces were found before it" in str(file.error) for file in left)
    monkeypatch.setattr(lab, "FILES_MAX", 5)
    with pytest.raises(LabTooLarge, match="more than 5"):
        start_run(quick.people, "home", "album", FaceSettings(), actor=ACTOR)
    odd = "<b>&'odd\".jpg"
    assert len(quick.run(FaceSettings(), file_name=odd).files) == 1


def test_the_newest_runs_are_kept_and_those_that_were_adopted(
    installed: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "RUNS_KEPT", 2)
    first = installed.run(FaceSettings(matching=MatchingSettings(distance_max=0.4)))
    adopt_run(installed.people, first.id, actor=ACTOR)
    later = [installed.run(FaceSettings()).id for _ in range(3)]
    with installed.db.read() as conn:
        assert [run.id for run in list_runs(conn)] == [later[2], later[1], first.id]
        assert [run.id for run in list_runs(conn, before=later[2], limit=1)] == [later[1]]
        assert len(conn.execute(select(face_lab_run.c.id)).all()) == 3
    with pytest.raises(UnknownLabRun):
        lab_run(installed.people, later[0])


def test_a_result_is_read_as_it_was_written_also_by_a_version_that_noted_less() -> None:
    old = (
        '{"files": [{"name": "a.jpg", "width": 4, "height": 3, "error": null}], "faces": [{"file":'
        ' "a.jpg", "box": [0.1, 0.1, 0.2, 0.2], "measured": {"face": 0, "side_px": 90, "score":'
        ' 1.0, "candidates": []}, "confirmed": null}]}'
    )
    read = LabResult.from_text(old)
    assert (read.files[0].asset_id, read.faces[0].known, read.seconds_each) == (None, None, None)
    assert LabResult.from_text(read.as_text()) == read


def test_a_speed_is_a_start_and_so_much_an_item() -> None:
    assert Speed.fitted([]) is None
    line = Speed.fitted([(10, 2.0), (110, 12.0)])
    assert line is not None
    assert (line.start_s, line.item_s) == pytest.approx((1.0, 0.1))
    assert line.seconds(jobs=2, items=30) == pytest.approx(5.0)
    alike = Speed.fitted([(5, 1.0), (5, 3.0)])
    assert alike is not None
    assert alike.seconds(jobs=1, items=10) == pytest.approx(4.0)
    idle = Speed.fitted([(0, 0.5)])
    assert idle is not None
    assert idle.seconds(jobs=4, items=0) == pytest.approx(2.0)
    # The more there was, the quicker it went: nothing is foretold to take less than no time.
    odd = Speed.fitted([(1, 9.0), (100, 1.0)])
    assert odd is not None
    assert odd.item_s == 0.0


def test_only_people_who_are_there_can_be_chosen(quick: Lab) -> None:
    with pytest.raises(UnknownPerson):
        start_run(quick.people, "home", "album", FaceSettings(), actor=ACTOR, persons=["Zoe"])
