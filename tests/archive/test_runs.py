"""Runs of an archive from the listing to the library, on a real bucket and each database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from lading.db import Database
from lading.db.clock import now
from lading.ingest.rehearsal import RefusedItem, rehearse
from lading.ingest.verifying import VerifyLevel
from lading.jobs.states import JobState
from lading.ledger.queries import list_events
from lading.ledger.states import BatchState, Outcome
from lading.ledger.tables import ingest_batch, ingest_batch_item
from lading.ledger.verify import verify_chain
from lading.library.tables import asset, asset_file
from lading.sources.archive.decide import identity_of
from lading.sources.archive.reports import rejection_of_refused, report_of_rehearsal
from lading.sources.archive.runs import RunOutcome
from lading.testing.archive_bucket import ArchiveBucket, master_metadata
from lading.testing.installation import ACTOR
from lading.testing.servers_s3 import S3Facts
from lading.testing.snapshots import library_snapshot
from tests.archive.taking_in import TakingIn, count_of, picture

MakeTakingIn = Callable[..., TakingIn]

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"])
"""For what is decided before any database sees it, or written as other stories write it."""

ONE, TWO, THREE = "VO-BRD-00001", "VO-BRD-00002", "VO-BRD-00003"


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


def require_sound(here: TakingIn) -> None:
    with here.db.read() as conn:
        assert verify_chain(conn).whole
    assert here.installation.ingest.verify(None, actor=ACTOR).problems == []


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


# --- the next runs ----------------------------------------------------------------------------


def test_a_new_code_in_an_archive_that_is_held_is_one_row_and_one_code_to_read(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put_codes(12)
    assert here.run().created == 12
    before = count_of(here.db, ingest_batch_item)
    archive.put_code("VO-BRD-00099")
    report = here.run()
    assert (report.new, report.created, report.held) == (1, 1, 12)
    assert count_of(here.db, ingest_batch_item) == before + 1
    assert here.batch(report).state is BatchState.IMPORTED


def test_a_changed_sidecar_updates_the_asset_which_keeps_its_number(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put_codes(2)
    here.run()
    ids, before = here.assets(), here.files(ONE)
    longer = master_metadata(ONE)
    longer["format"]["duration"] = "240.000000"
    for stream in longer["streams"]:
        stream["duration"] = "240.000000"
    archive.put(f"BRD/{ONE}.json", json.dumps(longer).encode())
    report = here.run()
    assert (report.new, report.updated, report.created, report.held) == (1, 1, 0, 1)
    assert here.assets() == ids
    after = here.files(ONE)
    assert {path: row.id for path, row in after.items()} == {p: r.id for p, r in before.items()}
    assert [path for path in after if after[path].etag != before[path].etag] == [f"BRD/{ONE}.json"]
    with here.db.read() as conn:
        assert (
            conn.scalar(
                asset.select().with_only_columns(asset.c.duration_s).where(asset.c.title == ONE)
            )
            == 240.0
        )
    require_sound(here)


def test_a_bucket_that_is_again_what_it_was_is_taken_in_again(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    """Somebody puts a wrong sidecar, and later the right one back: the listing is the first one."""
    archive.put_codes(2)
    here.run()
    first = here.files(ONE)
    archive.put(f"BRD/{ONE}.json", json.dumps(master_metadata(ONE), indent=1).encode())
    assert here.run().updated == 1
    archive.put_code(ONE)
    report = here.run()
    assert (report.updated, report.held) == (1, 1)
    assert {p: r.etag for p, r in here.files(ONE).items()} == {p: r.etag for p, r in first.items()}
    assert here.start().outcome is RunOutcome.NOTHING_NEW
    require_sound(here)


@on_sqlite
def test_a_sidecar_that_vanished_is_named_and_the_asset_stays_as_it_is(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put_codes(2)
    here.run()
    before = here.files(ONE)
    archive.delete(f"BRD/{ONE}.pdf")
    report = here.run()
    assert here.rules(report) == {ONE: "sidecar_missing"}
    (rejection,) = here.rejections(report)
    assert (rejection.phase, rejection.found) == (2, "no report (.pdf)")
    assert here.files(ONE) == before
    assert here.start().outcome is RunOutcome.NOTHING_NEW


@on_sqlite
def test_a_code_that_vanished_whole_changes_nothing_and_verify_misses_its_files(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put_codes(2)
    here.run()
    with here.db.read() as conn:
        before = library_snapshot(conn, with_times=True)
    for extension in ("mp4", "json", "md5", "pdf"):
        archive.delete(f"BRD/{ONE}.{extension}")
    report = here.run()
    assert (report.new, report.held, report.problems) == (0, 1, 0)
    with here.db.read() as conn:
        assert library_snapshot(conn, with_times=True) == before
    found = here.installation.ingest.verify(None, actor=ACTOR)
    assert {problem.subject for problem in found.problems} == {
        f"BRD/{ONE}.{extension}" for extension in ("mp4", "json", "md5", "pdf")
    }


@on_sqlite
def test_a_code_that_was_put_right_is_taken_in_by_the_next_run(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put_code(ONE, md5_of=b"other bytes")
    report = here.run()
    assert (here.rules(report), report.state) == ({ONE: "md5_mismatch"}, "failed")
    assert here.start().outcome is RunOutcome.NOTHING_NEW
    archive.put_code(ONE)
    assert here.run().created == 1


@on_sqlite
def test_an_asset_in_the_trash_stays_there(here: TakingIn, archive: ArchiveBucket) -> None:
    archive.put_codes(2)
    here.run()
    with here.db.write() as conn:
        conn.execute(update(asset).where(asset.c.title == ONE).values(deleted_at=now()))
    with here.db.read() as conn:
        before = library_snapshot(conn, with_times=True)
    archive.put(f"BRD/{ONE}.json", json.dumps(master_metadata(ONE), indent=1).encode())
    report = here.run()
    assert (report.new, report.held, report.problems) == (0, 2, 0)
    with here.db.read() as conn:
        assert library_snapshot(conn, with_times=True) == before


@on_sqlite
def test_a_code_that_another_archive_brought_is_that_ones(
    database: Database, archive: ArchiveBucket, tmp_path: Path
) -> None:
    archive.put_codes(2)
    first = TakingIn(database, archive, tmp_path / "store", name="first")
    first.run()
    before = first.files(ONE)
    archive.put_code(THREE)
    second = TakingIn(database, archive, tmp_path / "store", name="second")
    report = second.run()
    assert second.rules(report) == {ONE: "held_by_other_source", TWO: "held_by_other_source"}
    assert {(r.expected, r.found) for r in second.rejections(report)} == {
        ("source:second", "source:first")
    }
    assert report.created == 1
    assert first.files(ONE) == before


@on_sqlite
def test_a_run_of_a_folder_takes_in_that_folder_and_leaves_older_runs_waiting(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put_codes(2)
    archive.put_codes(2, type_code="DVD")
    here.installation.scan()
    (waiting,) = picture_of_states(here.db)
    report = here.run(within="DVD/")
    assert (report.created, report.phase1["codes"]) == (2, 2)
    states = picture_of_states(here.db)
    assert states[waiting] == "pending"
    assert here.run().created == 2
    assert here.start(within="DVD/").outcome is RunOutcome.NOTHING_NEW


def picture_of_states(db: Database) -> dict[str, str]:
    with db.read() as conn:
        rows = conn.execute(ingest_batch.select())
        return {row.batch_key: row.state for row in rows}


@on_sqlite
def test_runs_that_nobody_imported_are_replaced_by_the_newer_one(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put_code(ONE)
    here.installation.scan()
    archive.put_code(TWO)
    (planned,) = here.installation.scan()
    here.installation.ingest.preflight(planned, actor=ACTOR)
    archive.put_code(THREE)
    report = here.run()
    assert report.created == 3
    states = picture_of_states(here.db)
    assert sorted(states.values()) == ["imported", "superseded", "superseded"]
    assert {
        here.installation.batch(key).reason for key in states if states[key] == "superseded"
    } == {"replaced_by_newer_run"}
    # And they do not come back.
    here.installation.scan()
    assert picture_of_states(here.db) == states


@on_sqlite
def test_a_run_that_waits_is_not_started_twice(here: TakingIn, archive: ArchiveBucket) -> None:
    archive.put_code(ONE)
    first = here.start()
    second = here.start()
    assert first.outcome is RunOutcome.QUEUED
    assert (second.outcome, second.job_id) == (RunOutcome.UNDER_WAY, first.job_id)
    assert (second.batch_id, second.batch_key) == (first.batch_id, first.batch_key)


@on_sqlite
def test_a_run_whose_rejections_stay_is_only_taken_up_again_when_asked(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put_code(ONE)
    archive.put_code(TWO, md5_of=b"other bytes")
    first = here.run()
    assert here.start().outcome is RunOutcome.NOTHING_NEW
    again = here.run(again=True)
    assert again.batch_id == first.batch_id
    assert (here.rules(again), again.held) == ({TWO: "md5_mismatch"}, 1)


@on_sqlite
def test_a_bucket_of_rejections_alone_says_so_and_imports_nothing(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put("BRD/VO-BRD-123456.mp4")
    archive.put_code(ONE, without={"json", "md5"})
    started = here.start()
    assert (started.outcome, started.job_id) == (RunOutcome.NOTHING_TO_IMPORT, None)
    assert here.rules(here.report(started)) == {
        "BRD/VO-BRD-123456.mp4": "code_malformed",
        ONE: "sidecar_missing",
    }
    assert here.start().outcome is RunOutcome.NOTHING_NEW
    assert count_of(here.db, asset) == 0


@on_sqlite
def test_an_empty_bucket_is_a_run_of_nothing(here: TakingIn) -> None:
    report = here.run()
    assert (report.new, report.problems, report.phase1["listed"]) == (0, 0, 0)
    assert here.start().outcome is RunOutcome.NOTHING_NEW


# --- a bucket that moves on -------------------------------------------------------------------


def test_a_run_imports_what_was_planned_and_names_what_is_another_by_now(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put_codes(4)
    started = here.start()
    archive.put(f"BRD/{ONE}.json", json.dumps(master_metadata(ONE), indent=1).encode())
    archive.delete(f"BRD/{TWO}.pdf")
    archive.put_code("VO-BRD-00005")
    here.installation.drain()
    report = here.report(started)
    assert here.rules(report) == {ONE: "object_changed", TWO: "object_missing"}
    assert {one.subject for one in here.rejections(report)} == {
        f"BRD/{ONE}.json",
        f"BRD/{TWO}.pdf",
    }
    assert sorted(here.assets()) == [THREE, "VO-BRD-00004"]
    following = here.run()
    assert sorted(here.assets()) == [ONE, THREE, "VO-BRD-00004", "VO-BRD-00005"]
    assert here.rules(following) == {TWO: "sidecar_missing"}
    require_sound(here)


@on_sqlite
def test_a_run_of_which_an_object_was_away_for_a_while_is_taken_up_again_by_itself(
    here: TakingIn, archive: ArchiveBucket
) -> None:
    archive.put_codes(2)
    started = here.start()
    archive.delete(f"BRD/{ONE}.pdf")
    here.installation.drain()
    assert here.rules(here.report(started)) == {ONE: "object_missing"}
    archive.put_code(ONE)
    report = here.run()
    assert (report.batch_id, report.created, report.held) == (started.batch_id, 1, 1)


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
