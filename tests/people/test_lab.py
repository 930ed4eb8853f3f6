"""The lab, reference images from files, crashes, and the commands, on real pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageFilter
from sqlalchemy import select

from lading.base.stopping import StopSignal
from lading.db import Database
from lading.library.people import add_person, add_reference
from lading.library.people_queries import (
    files_to_scan,
    given_to_scan,
    list_persons,
    reference_images,
)
from lading.library.people_tables import face_scan
from lading.media.faces.references import Flaw
from lading.media.faces.rules import ChangeKind, Verdict
from lading.media.faces.scanning import detection_of
from lading.media.faces.settings import DetectionSettings, FaceSettings, MatchingSettings
from lading.people.adopted import adopt_settings, settings_held
from lading.people.adopting import adopt_run
from lading.people.errors import LabTooLarge, NotPhotos, ReferenceUnclear, UnknownLabRun
from lading.people.jobs import FACES_JOB_KIND, REFERENCES_JOB_KIND, Lined
from lading.people.lab import (
    LAB_JOB_KIND,
    compared_with_held,
    lab_run,
    run_lab,
    start_run,
)
from lading.people.references import add_reference_file, advice_on, weakest_reference
from lading.testing.installation import ACTOR
from lading.testing.snapshots import store_snapshot
from tests.cli.program import Program
from tests.media.test_faces import PORTRAITS, portrait, toy  # noqa: F401 - a fixture
from tests.media.written import encoded
from tests.people.library import PeopleInstallation, digest_of
from tests.photos.tree import PhotosBench


@pytest.fixture
def bench(tmp_path: Path) -> PhotosBench:
    bench = PhotosBench(tmp_path)
    bench.write("album/anna.jpg", (PORTRAITS / "astronaut.jpg").read_bytes())
    bench.write("album/blurred.jpg", encoded(portrait("astronaut").filter(ImageFilter.BoxBlur(2))))
    bench.write("album/nobody.jpg")
    return bench


@pytest.fixture
def installation(
    sqlite_database: Database, bench: PhotosBench, tmp_path: Path
) -> Iterator[PeopleInstallation]:
    installation = PeopleInstallation(sqlite_database, bench, tmp_path)
    yield installation
    installation.people.close()


def test_settings_are_tried_judged_and_adopted_and_a_run_writes_nothing_else(
    installation: PeopleInstallation,
) -> None:
    people, db = installation.people, installation.db
    installation.take_in()
    (anna,) = installation.faces("anna.jpg")
    (blurred,) = installation.faces("blurred.jpg")
    with db.write() as conn:
        whom = add_person(conn, "Anna", actor=ACTOR)
        add_reference(conn, whom, anna.id, actor=ACTOR)
    draft = FaceSettings(DetectionSettings(side_max=1000), MatchingSettings(side_min_px=900))
    number = start_run(people, "home", "album", draft, actor=ACTOR)
    assert not lab_run(people, number).finished
    with pytest.raises(UnknownLabRun):
        adopt_run(people, number, actor=ACTOR)
    installation.drain()
    (job,) = installation.jobs(LAB_JOB_KIND)
    assert (job.status, job.items_done) == ("done", 3)
    run = lab_run(people, number)
    assert {(file.name, file.error) for file in run.files} == {
        (f"album/{name}.jpg", None) for name in ("anna", "blurred", "nobody")
    }
    by_file = {face.file: face for face in run.faces}
    assert by_file["album/anna.jpg"].confirmed == whom.id
    assert by_file["album/blurred.jpg"].confirmed is None
    assert {verdict.verdict for verdict in run.verdicts()} == {Verdict.TOO_SMALL}
    held = MatchingSettings()
    assert {verdict.person for verdict in run.verdicts(held)} == {whom.id}
    assert {change.kind for change in compared_with_held(people, run, draft.matching)} == {
        ChangeKind.LOST
    }
    assert {c.kind for c in run.changes(draft.matching, held)} == {ChangeKind.NEW}

    # Nothing of it is in the library.
    assert installation.said(blurred.id) == {}
    with db.read() as conn:
        assert settings_held(conn).version == 0
        key = detection_of(FaceSettings().detection).key
        assert list(files_to_scan(conn, "home", digest_of("album"), key)) == []
    adopted, lined = adopt_run(people, number, matching=held, actor=ACTOR)
    assert adopted.settings == FaceSettings(draft.detection, held)
    assert lined == Lined()
    assert adopt_run(people, number, matching=held, actor=ACTOR) == (adopted, lined)
    one = start_run(people, "home", "album", draft, file_name="anna.jpg", actor=ACTOR)
    assert [f.name for f in run_lab(people, one, stop=StopSignal()).files] == ["album/anna.jpg"]
    with pytest.raises(LabTooLarge):
        start_run(people, "home", "elsewhere", draft, actor=ACTOR)
    with pytest.raises(NotPhotos):
        start_run(people, "other", "album", draft, actor=ACTOR)
    with pytest.raises(UnknownLabRun):
        lab_run(people, 99)


def test_a_reference_image_may_be_a_file_and_bad_ones_are_told(
    installation: PeopleInstallation, tmp_path: Path
) -> None:
    people, db = installation.people, installation.db
    installation.take_in()
    with db.write() as conn:
        for name in ("Anna", "Bert"):
            add_person(conn, name, actor=ACTOR)
    before = store_snapshot(installation.store)
    given = str(PORTRAITS / "astronaut.jpg")
    number = add_reference_file(people, "Anna", given, actor=ACTOR)
    stored = store_snapshot(installation.store)
    assert len(stored) == len(before) + 1
    blurred = tmp_path / "blurred.jpg"
    blurred.write_bytes(encoded(portrait("astronaut").filter(ImageFilter.BoxBlur(2))))
    other = add_reference_file(people, "Bert", str(blurred), actor=ACTOR)
    two = tmp_path / "two.jpg"
    both = Image.new("RGB", (1024, 512))
    both.paste(portrait("astronaut").resize((512, 512)), (0, 0))
    both.paste(portrait("admiral").resize((512, 512)), (512, 0))
    two.write_bytes(encoded(both))
    nothing = tmp_path / "nothing.jpg"
    nothing.write_bytes(encoded(Image.new("RGB", (200, 200))))
    for path, face in ((two, None), (two, 9), (nothing, None)):
        with pytest.raises(ReferenceUnclear):
            add_reference_file(people, "Anna", str(path), face_number=face, actor=ACTOR)
    with db.read() as conn:
        anna, bert = (each.person for each in list_persons(conn))
        (before_it,) = reference_images(conn, anna.id)
        assert before_it.id == number
        advice = advice_on(conn, anna.id)
        assert weakest_reference(conn, bert.id) is None
    flaws = {each.flaw: each for each in advice}
    assert flaws[Flaw.LIKE_ANOTHER_PERSON].other == other
    assert Flaw.TOO_FEW in flaws

    # The face in a file is compared with, and is itself in no photo.
    people.match(actor=ACTOR)
    installation.drain()
    (found,) = installation.faces("anna.jpg")
    assert installation.said(found.id) == {"Anna": "suggested"}

    # With other settings of detection it is measured anew, before anything is matched.
    with db.write() as conn:
        other_settings = FaceSettings(DetectionSettings(upsample=1))
        adopt_settings(conn, other_settings, actor=ACTOR)
    people.scan(actor=ACTOR)
    (job,) = installation.jobs(REFERENCES_JOB_KIND)
    installation.drain()
    (job,) = installation.jobs(REFERENCES_JOB_KIND)
    assert (job.status, job.items_done) == ("done", 2)
    assert store_snapshot(installation.store).items() >= stored.items()
    with db.read() as conn:
        (image,) = reference_images(conn, anna.id)
        digest = select(face_scan.c.settings_digest).where(face_scan.c.id == image.face.scan_id)
        assert conn.scalar(digest) == other_settings.detection.digest
        assert given_to_scan(conn, detection_of(other_settings.detection).key) == []
    assert image.id == number
    assert image.face.id == before_it.face.id
    assert image.face.facts.embedding != before_it.face.facts.embedding
    assert installation.said(found.id) == {"Anna": "suggested"}


def test_a_crash_is_blamed_on_one_file_and_the_next_job_has_processes_again(
    installation: PeopleInstallation,
    bench: PhotosBench,
    toy: Callable[..., DetectionSettings],  # noqa: F811 - the fixture
) -> None:
    settings = toy(deadly=(96, 40))
    with installation.db.write() as conn:
        adopt_settings(conn, FaceSettings(settings), actor=ACTOR)
    for folder in ("one", "two"):
        for number, height in enumerate((50, 40, 60)):
            image = Image.new("RGB", (96, height), (40 * number, 100, 50 if folder == "one" else 9))
            bench.write(f"{folder}/{number}.png", encoded(image, "PNG"))
    installation.take_in()
    for folder in ("one", "two"):
        assert [len(installation.faces(f"{folder}/{n}.png")) for n in range(3)] == [1, 0, 1]
    by_folder = {json.loads(job.params)["folder"]: job for job in installation.jobs(FACES_JOB_KIND)}
    for folder in ("one", "two"):
        job = by_folder[folder]
        assert (job.status, job.items_done, job.items_failed) == ("done", 2, 1)


def test_the_commands_lead_from_a_folder_to_a_name(tmp_path: Path, bench: PhotosBench) -> None:
    settings = tmp_path / "lading.toml"
    settings.write_text(
        f'data_dir = "{tmp_path}/data"\n[faces]\nenabled = true\n[sources.home]\n'
        f'kind = "photos"\npath = "{bench.root}"\nstable_for_s = 0\n'
    )

    lading = Program(tmp_path, settings).json

    lading("scan", "home")
    lading("queue", "album")
    lading("worker", "--drain")
    faces = {one["face"] for one in lading("people", "unidentified")["faces"]}
    assert len(faces) == 2
    lading("people", "add", "Anna")
    sure = min(faces)
    assert lading("people", "reference", "Anna", "--face", str(sure), "--dry-run")["dry_run"]
    assert lading("people", "list")["people"][0]["references"] == 0
    lading("people", "reference", "Anna", "--face", str(sure))
    assert lading("people", "match", "--dry-run") == {"scans": 0, "matches": 1, "dry_run": True}
    assert lading("people", "match") == {"scans": 0, "matches": 1, "dry_run": False}
    lading("worker", "--drain")
    (listed,) = lading("people", "list")["people"]
    assert (listed["confirmed"], listed["suggested"]) == (1, 1)
    tried = lading("people", "try", "home", "album/", "--side-min-px", "900")
    assert {one["verdict"] for one in tried["faces"]} == {"too_small"}
    judged = lading("people", "judge", str(tried["run"]), "--side-min-px", "60")
    assert {one["verdict"] for one in judged["faces"]} == {"recognised"}
    told = lading("people", "try", "home", "album/", "--person", "Anna")
    assert {one["verdict"] for one in told["faces"]} == {"recognised"}
    adopt = ("people", "adopt", str(tried["run"]), "--scope", "everything")
    would = {one["scope"]: one for one in lading(*adopt, "--dry-run")["effects"]}
    assert [one["version"] for one in lading("people", "settings")["versions"]] == [0]
    done = lading(*adopt)
    assert (done["version"], done["scans"]) == (1, 0)
    assert done["matches"] == would["everything"]["match_jobs"] == 1
    assert would["everything"]["seconds"] is not None
    assert lading("people", "revert", "0", "--dry-run")["dry_run"]
    assert lading("people", "revert", "0")["version"] == 2
    assert [one["version"] for one in lading("people", "settings")["versions"]] == [2, 1, 0]
    (other,) = faces - {sure}
    assert lading("people", "refuse", "Anna", str(other))["faces"] == [other]
    shown = lading("people", "show", "Anna")
    assert shown["suggested"] == []
    assert [one["face"] for one in shown["confirmed"]] == [sure]
