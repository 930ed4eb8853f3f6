"""Runs of an archive from the listing to the library, whole, safe and dry, on each database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lading.db import Database
from lading.ingest.rehearsal import RefusedItem, rehearse
from lading.ingest.verifying import VerifyLevel
from lading.jobs.states import JobState
from lading.ledger.queries import list_events
from lading.ledger.states import BatchState, Outcome
from lading.ledger.tables import ingest_batch_item
from lading.library.tables import asset, asset_file
from lading.sources.archive.decide import identity_of
from lading.sources.archive.reports import rejection_of_refused, report_of_rehearsal
from lading.sources.archive.runs import RunOutcome
from lading.testing.archive_bucket import ArchiveBucket, master_metadata
from lading.testing.installation import ACTOR
from lading.testing.servers_s3 import S3Facts
from tests.archive.taking_in import (
    ONE,
    THREE,
    TWO,
    TakingIn,
    count_of,
    on_sqlite,
    picture,
    require_sound,
)

MakeTakingIn = Callable[..., TakingIn]


def put_mixture(archive: ArchiveBucket) -> None:
    """Four good codes, one bad of each phase, and keys that end at each rule."""
    archive.put_codes(3)
    archive.put_code("AO-FIL-00001", folder="FILE")
    archive.put_code("VO-BRD-00010", without={"pdf"})
    archive.put_code("VO-BRD-00011", md5_of=b"other bytes")
    archive.put_code("VO-BRD-00012", metadata=b"{not json")
    for key in ("BRD/VO-BRD-123456.mp4", "DVD/VO-BRD-00001.mp4", "BRD//VO-BRD-00004.mp4"):
        archive.put(key)
    for key in ("UMT/VO-UMT-14387.mp4", "BRD/notes.txt", "BRD/"):
        archive.put(key)


REJECTED_OF_MIXTURE = {
    "BRD//VO-BRD-00004.mp4": "key_unreadable",
    "BRD/VO-BRD-123456.mp4": "code_malformed",
    "DVD/VO-BRD-00001.mp4": "type_mismatch",
    "VO-BRD-00010": "sidecar_missing",
    "VO-BRD-00011": "md5_mismatch",
    "VO-BRD-00012": "json_unreadable",
}


# --- a whole run ------------------------------------------------------------------------------


def require_story(here: TakingIn) -> None:
    """What a mixed archive becomes, from the first run to the one that finds nothing new."""
    report = here.run()
    assert here.batch(report).state is BatchState.PARTIAL
    assert report.phase1 == {
        "pages": report.phase1["pages"],
        "listed": 33,
        "extension": 31,
        "folder": 30,
        "code": 29,
        "accepted": 27,
        "rejected": 3,
        "codes": 7,
        "bytes": report.phase1["bytes"],
    }
    assert (report.new, report.held, report.created, report.updated) == (6, 0, 4, 0)
    assert (report.rejected, report.refused, report.pending) == (4, 2, 0)
    assert here.rules(report) == REJECTED_OF_MIXTURE
    assert sorted(here.assets()) == ["AO-FIL-00001", ONE, TWO, THREE]
    files = here.files(ONE)
    assert sorted(files) == [f"BRD/{ONE}.{ext}" for ext in ("json", "md5", "mp4", "pdf")]
    copy = files[f"BRD/{ONE}.mp4"]
    md5 = hashlib.md5(f"streaming copy of {ONE}".encode(), usedforsecurity=False).hexdigest()
    assert (copy.role, copy.store, copy.location) == ("streaming", "source:archive", copy.path)
    assert (copy.md5, copy.etag, copy.sha256, copy.media_type) == (md5, md5, None, "video/mp4")
    assert list(here.installation.store.list()) == []  # every byte stays where it is
    require_sound(here)

    before = picture(here.db, without=("ingest_event", "ledger_head"))
    with here.db.read() as conn:
        last = list_events(conn)[-1].seq
    started = here.start()
    assert (started.outcome, started.job_id) == (RunOutcome.NOTHING_NEW, None)
    assert picture(here.db, without=("ingest_event", "ledger_head")) == before
    with here.db.read() as conn:
        assert [event.kind for event in list_events(conn, after=last)] == ["scan_finished"]


def test_a_mixed_archive_is_taken_in_and_a_second_run_writes_only_that_it_looked(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    put_mixture(archive)
    require_story(here)


def test_the_same_story_is_true_of_a_real_object_store(
    sqlite_database: Database,
    s3_server_of: Callable[[str], S3Facts],
    take_in_by: MakeTakingIn,
) -> None:
    archive = ArchiveBucket(s3_server_of("radosgw"))
    put_mixture(archive)
    keys = archive.keys()
    require_story(take_in_by(sqlite_database, archive))
    assert archive.keys() == keys


@on_sqlite
def test_what_the_metadata_says_of_the_master_is_recorded(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put_code(ONE)
    archive.put_code("AC-DAT-00007", bare_md5=True)
    here.run()
    with here.db.read() as conn:
        rows = {row.title: row for row in conn.execute(asset.select())}
    video, audio = rows[ONE], rows["AC-DAT-00007"]
    assert (video.asset_type, video.content_hash) == ("video", identity_of(ONE))
    assert (video.width, video.height, video.duration_s) == (1920, 1080, 120.0)
    detail = json.loads(video.detail)
    assert detail["inventory_code"] == ONE
    assert detail["master"]["mime"] == "video/quicktime"
    assert (detail["checked_by"], detail["complete"]) == ("etag", True)
    assert audio.asset_type == "audio"
    assert json.loads(audio.detail)["master"]["mime"] in {"audio/wav", "audio/vnd.wave"}


# --- the safe run (B7) ------------------------------------------------------------------------


def test_a_safe_run_that_meets_a_fault_writes_nothing_and_goes_on_when_it_is_mended(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put_codes(3)
    archive.put_code("VO-BRD-00002", md5_of=b"other bytes")
    started = here.start(safe_run=True)
    here.installation.drain()
    assert started.job_id is not None
    job = here.installation.queue.get(started.job_id)
    assert (job.status, job.error_code) == (JobState.FAILED, "import_aborted")
    assert count_of(here.db, asset) == count_of(here.db, asset_file) == 0
    report = here.report(started)
    assert here.rules(report) == {TWO: "md5_mismatch"}
    assert (report.created, report.pending, report.error) == (0, 2, "import_aborted")

    archive.put_code(TWO)
    mended = here.run(safe_run=True)
    assert (mended.created, mended.state, mended.problems) == (3, "imported", 0)
    require_sound(here)


@on_sqlite
def test_a_safe_run_does_not_let_something_odd_pass(here: TakingIn, archive: ArchiveBucket) -> None:
    """The checksum is of the master alone: nothing says anything against the streaming copy."""
    archive.put_codes(2)
    archive.put(f"BRD/{ONE}.md5", b"0" * 32 + f"  {ONE}.mov\n".encode())
    aborted = here.run(safe_run=True)
    assert here.rules(aborted) == {ONE: "safe_run_noted"}
    assert count_of(here.db, asset) == 0
    plain = here.run()
    assert (plain.created, plain.problems) == (2, 0)


def test_a_safe_run_aborts_when_the_library_has_moved_on_meanwhile(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    """Another run brought one of its codes after it was planned."""
    archive.put_codes(2)
    other = here.start(within="BRD/VO-BRD-00001")
    started = here.start(safe_run=True)
    here.installation.drain()
    assert here.report(other).created == 1
    report = here.report(started)
    assert (report.state, report.error, report.pending) == ("failed", "import_aborted", 2)
    assert list(here.assets()) == [ONE]
    assert here.run(safe_run=True).created == 1
    require_sound(here)


# --- the dry run (B6) -------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [False, True])
def test_a_dry_run_writes_nothing_and_says_what_the_real_run_then_does(
    strict: bool, here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put_codes(2)
    here.run()
    put_mixture(archive)
    archive.put(f"BRD/{ONE}.json", json.dumps(master_metadata(ONE), indent=1).encode())
    before = picture(here.db)
    refused: list[RefusedItem] = []
    at = datetime.now(UTC)
    found = rehearse(here.installation.parts, here.source, strict=strict, on_refused=refused.append)
    said = report_of_rehearsal(
        found, source="archive", safe_run=strict, started_at=at, finished_at=at
    )
    assert picture(here.db) == before
    assert {one.item: one.rule for one in map(rejection_of_refused, refused)} == (
        REJECTED_OF_MIXTURE
    )
    done = here.run()
    for name in (
        *("run", "phase1", "left_out", "held", "new", "created", "updated"),
        *("rejected", "refused", "problems", "rules"),
    ):
        assert getattr(said, name) == getattr(done, name), name
    assert (said.created, said.updated, said.held) == (2, 1, 1)
    real = {one.item: one for one in here.rejections(done)}
    assert {one.item: one for one in map(rejection_of_refused, refused)} == real


def test_a_dry_run_needs_no_right_to_write(
    sqlite_database: Database, archive: ArchiveBucket, take_in_by: MakeTakingIn
) -> None:
    """Not a byte of the database's files is another afterwards."""
    put_mixture(archive)
    here = take_in_by(sqlite_database, archive)
    assert sqlite_database.engine.url.database is not None
    folder = Path(sqlite_database.engine.url.database).parent
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    found = rehearse(here.installation.parts, here.source)
    assert (found.create, found.refused_total) == (4, 6)
    after = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    # Whoever opens it makes two files beside it; one is empty, the other is never of the data.
    assert {p: b for p, b in after.items() if b and not p.name.endswith("-shm")} == {
        p: b for p, b in before.items() if b and not p.name.endswith("-shm")
    }


# --- verify -----------------------------------------------------------------------------------


@on_sqlite
def test_verify_finds_streaming_copies_that_were_removed_or_altered(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put_codes(4)
    report = here.run()
    assert report.batch_id is not None
    archive.delete(f"BRD/{ONE}.mp4")
    archive.put(f"BRD/{TWO}.mp4", b"another length")
    same_length = f"streaming copy of {THREE}".encode().replace(b"copy", b"c0py")
    archive.put(f"BRD/{THREE}.mp4", same_length)
    by_size = here.installation.ingest.verify(report.batch_id, actor=ACTOR)
    assert {(p.subject, p.kind) for p in by_size.problems} == {
        (f"BRD/{ONE}.mp4", "item_refused"),
        (f"BRD/{TWO}.mp4", "size_mismatch"),
    }
    by_hash = here.installation.ingest.verify(
        report.batch_id, actor=ACTOR, level=VerifyLevel.SHA256
    )
    assert {(p.subject, p.kind) for p in by_hash.problems} == {
        (f"BRD/{ONE}.mp4", "item_refused"),
        (f"BRD/{TWO}.mp4", "size_mismatch"),
        (f"BRD/{THREE}.mp4", "hash_mismatch"),
    }
    altered = next(p for p in by_hash.problems if p.kind == "hash_mismatch")
    assert altered.found == hashlib.md5(same_length, usedforsecurity=False).hexdigest()


@on_sqlite
def test_a_run_is_planned_by_one_process_and_imported_by_another(
    here: TakingIn, archive: ArchiveBucket, tmp_path: Path
) -> None:
    archive.put_codes(2)
    started = here.start()
    other = TakingIn(here.db, archive, tmp_path / "store")
    other.installation.drain()
    assert other.report(started).created == 2
    with here.db.read() as conn:
        rows = conn.execute(ingest_batch_item.select()).all()
    assert {row.outcome for row in rows} == {Outcome.CREATED.value}


@on_sqlite
def test_a_key_of_a_thousand_characters_is_taken_in(here: TakingIn, archive: ArchiveBucket) -> None:
    archive.put_code(ONE)
    long_key = "BRD/" + "/".join(["f" * 200] * 4) + f"/{ONE}.2.json"
    archive.put(long_key, json.dumps(master_metadata(ONE)).encode())
    assert here.run().created == 1
    assert long_key in here.files(ONE)
    require_sound(here)
