"""Runs after the first: what is new, changed, gone or waiting, and a bucket that moves on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import update

from lading.db import Database
from lading.db.clock import now
from lading.ledger.states import BatchState
from lading.ledger.tables import ingest_batch, ingest_batch_item
from lading.library.tables import asset
from lading.sources.archive.runs import RunOutcome
from lading.testing.archive_bucket import ArchiveBucket, master_metadata
from lading.testing.installation import ACTOR
from lading.testing.snapshots import library_snapshot
from tests.archive.taking_in import (
    ONE,
    THREE,
    TWO,
    TakingIn,
    count_of,
    on_sqlite,
    require_sound,
)

MakeTakingIn = Callable[..., TakingIn]


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
