"""Recordings on a disk go through scan, preflight, queue and import as everything else does."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lading.db import Database
from lading.ingest.source import BatchRef, Discovered
from lading.ingest.verifying import VerifyLevel
from lading.ledger.items import count_outcomes
from lading.ledger.queries import list_items
from lading.ledger.states import BatchState, Outcome
from lading.sources.recordings.ingesting import ingest_recording, open_local
from lading.sources.recordings.options import BadRecordingsOptions, parse_options
from lading.sources.recordings.reasons import REASONS
from lading.sources.recordings.source import RecordingsSource, build
from lading.storage.folder import FolderStore
from lading.storage.memory import MemoryStore
from lading.storage.port import ObjectInfo
from lading.testing.installation import ACTOR, Installation
from lading.testing.servers_s3 import S3Facts
from lading.testing.snapshots import store_snapshot
from lading.testing.source_suite import SourceBench, SourceSuite, tree_snapshot
from tests.recordings.making import make_recording, manifest_of, memory_repository, own_prefix
from tests.recordings.upstream import RecordingsBench


def installed(database: Database, bench: RecordingsBench, folder: Path) -> Installation:
    store = FolderStore(folder / "library", name="library", create=True)
    return Installation(database, store, [bench.source])


def outcomes_of(installation: Installation, key: str) -> dict[Outcome, int]:
    batch = installation.batch(key)
    with installation.db.read() as conn:
        return {o: n for o, n in count_outcomes(conn, batch.id, batch.revision).items() if n}


def reasons_of(installation: Installation, key: str) -> dict[str, str]:
    """The reasons of the items of a batch that were not taken in."""
    with installation.db.read() as conn:
        items, _ = list_items(conn, installation.batch(key), limit=100)
    return {item.key: item.reason for item in items if item.reason}


class _Suite(SourceSuite):
    @pytest.fixture
    def installation(
        self, bench: RecordingsBench, database: Database, tmp_path: Path
    ) -> Installation:
        return installed(database, bench, tmp_path)

    def kept(self, bench: SourceBench, installation: Installation) -> object:
        assert isinstance(bench, RecordingsBench)
        recordings = list(bench.repository.catalog.list_recordings())
        return store_snapshot(bench.repository.raw), recordings


class TestIntoFolders(_Suite):
    """Recordings kept in folders, recorded in each kind of database."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> RecordingsBench:
        return RecordingsBench(tmp_path)


class TestIntoABucket(_Suite):
    """Recordings kept in a bucket, completed by the import itself."""

    @pytest.fixture
    def database(self, sqlite_database: Database) -> Database:
        return sqlite_database

    @pytest.fixture
    def bench(self, tmp_path: Path, s3_server_of: Callable[[str], S3Facts]) -> RecordingsBench:
        options = s3_server_of("ministack").options(prefix=own_prefix())
        return RecordingsBench(tmp_path, options)


@pytest.fixture
def bench(tmp_path: Path) -> RecordingsBench:
    return RecordingsBench(tmp_path, active_marker=".recording")


@pytest.fixture
def bucket(tmp_path: Path, s3_server_of: Callable[[str], S3Facts]) -> RecordingsBench:
    return RecordingsBench(tmp_path, s3_server_of("ministack").options(prefix=own_prefix()))


@pytest.fixture
def installation(bench: RecordingsBench, sqlite_database: Database, tmp_path: Path) -> Installation:
    return installed(sqlite_database, bench, tmp_path)


@pytest.fixture
def with_bucket(bucket: RecordingsBench, sqlite_database: Database, tmp_path: Path) -> Installation:
    return installed(sqlite_database, bucket, tmp_path)


def discovered(bench: RecordingsBench, **options: object) -> Discovered:
    (found,) = bench.opened(**options).discover({})
    return found


def reason_code(found: Discovered) -> str | None:
    return found.reason.code if found.reason else None


# Finding


def test_an_unchanged_recording_is_neither_read_nor_asked_for_at_the_store(
    bench: RecordingsBench,
) -> None:
    key = bench.publish(2)
    source = bench.opened(config_path="/nowhere/recordings.toml")
    (first,) = source.discover({})
    manifest = bench.root / key / "manifest.json"
    stamp = manifest.stat()
    with manifest.open("r+b") as file:
        file.write(b"?")
    os.utime(manifest, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))

    (again,) = source.discover({key: first.fingerprint})

    assert again == Discovered(key, first.fingerprint)
    assert [reason_code(found) for found in source.discover({})] == ["manifest_invalid"]


def test_a_participant_named_later_makes_the_recording_a_changed_one(
    bench: RecordingsBench, installation: Installation
) -> None:
    key = bench.publish(2, participant=None)
    installation.take_in()
    (bench.root / key / "participant.txt").write_text("Aria Lin\n")

    assert installation.take_in() == [installation.batch(key).id]

    (recording,) = bench.repository.catalog.list_recordings()
    assert recording.participant_ids == ("Aria Lin",)
    assert outcomes_of(installation, key) == {Outcome.UNCHANGED: 2, Outcome.UPDATED: 1}


def test_only_folders_that_are_recordings_are_found(bench: RecordingsBench) -> None:
    good = bench.publish(1)
    (bench.root / "rec_20260101_000000_aaaa").mkdir()
    (bench.root / "holiday").mkdir()
    (bench.root / ".snapshots" / "rec_20260101_000000_bbbb").mkdir(parents=True)
    (bench.root / "rec_link").symlink_to(bench.root / good)
    (bench.root / "halves" / "_node_manifests").mkdir(parents=True)
    (bench.root / "halves" / "_node_manifests" / "a.json").write_text("{}")

    found = {each.key: reason_code(each) for each in bench.source.discover({})}

    assert found == {
        good: None,
        "rec_20260101_000000_aaaa": "manifest_missing",
        "halves": "not_augmented",
    }


def test_a_recording_still_being_written_waits_until_it_has_been_left_alone(
    bench: RecordingsBench,
) -> None:
    key = bench.publish(1)
    patient = bench.opened(stable_for_s=3600)
    (young,) = patient.discover({})
    assert reason_code(young) == "still_written"
    assert list(patient.discover({key: young.fingerprint})) == [Discovered(key, young.fingerprint)]

    for path in (bench.root / key).iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))
    (old,) = patient.discover({key: young.fingerprint})

    assert old.reason is None
    assert old.fingerprint != young.fingerprint


def test_an_age_that_alone_changed_is_seen_without_a_change_of_the_files(
    bench: RecordingsBench,
) -> None:
    key = bench.publish(1)
    (young,) = bench.opened(stable_for_s=3600).discover({})
    (old,) = bench.opened(stable_for_s=0).discover({key: young.fingerprint})
    assert old.reason is None


def test_what_the_rig_wrote_last_counts_where_the_import_lists_the_files(
    bench: RecordingsBench,
) -> None:
    key = bench.publish(2, augmented=False)
    for path in (bench.root / key).rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert discovered(bench, augment=True, stable_for_s=3600).reason is None
    os.utime(bench.first_file(key))
    assert reason_code(discovered(bench, augment=True, stable_for_s=3600)) == "still_written"


# Deciding


def test_a_recording_that_was_not_augmented_is_found_and_says_what_to_do(
    bench: RecordingsBench, installation: Installation
) -> None:
    key = bench.publish(2, augmented=False)
    installation.take_in()
    batch = installation.batch(key)
    assert (batch.state, batch.reason) == (BatchState.PREFLIGHT_FAILED, "not_augmented")
    assert "augment" in REASONS["not_augmented"].next_step
    assert bench.rows() == (0, 0, 0)

    bench.augment(key)
    installation.take_in()
    assert installation.batch(key).state is BatchState.IMPORTED


def damage_missing(folder: Path, file: Path) -> None:
    file.unlink()


def damage_size(folder: Path, file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"more")


def damage_link(folder: Path, file: Path) -> None:
    file.rename(folder.parent / "elsewhere.bin")
    file.symlink_to(folder.parent / "elsewhere.bin")


def damage_kind(folder: Path, file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (damage_missing, "missing_file"),
        (damage_size, "size_mismatch"),
        (damage_link, "path_escapes_root"),
        (damage_kind, "not_a_regular_file"),
    ],
)
def test_a_bad_file_withholds_the_registration_and_stops_no_other_file(
    bench: RecordingsBench,
    installation: Installation,
    damage: Callable[[Path, Path], None],
    reason: str,
) -> None:
    key = bench.publish(3)
    bad = bench.first_file(key)
    whole = bad.read_bytes()
    damage(bench.root / key, bad)
    path = str(bad.relative_to(bench.root / key))
    (batch_id,) = installation.scan()
    installation.ingest.queue([batch_id], actor=ACTOR)
    assert reasons_of(installation, key) == {path: reason, "registration": "files_not_stored"}
    installation.drain()
    assert installation.batch(key).state is BatchState.PARTIAL
    assert outcomes_of(installation, key) == {Outcome.CREATED: 2, Outcome.REJECTED: 2}
    assert bench.rows() == (0, 0, 0)

    bad.unlink(missing_ok=True)
    bad.write_bytes(whole)
    installation.ingest.queue([batch_id], actor=ACTOR)
    installation.drain()
    assert outcomes_of(installation, key) == {Outcome.CREATED: 2, Outcome.UNCHANGED: 2}
    assert bench.rows() == (1, 2, 1)


def test_hashes_are_checked_before_anything_is_moved_when_asked(
    bench: RecordingsBench, installation: Installation
) -> None:
    key = bench.publish(2)
    (batch_id,) = installation.scan()
    bench.break_one_item(key)
    report = installation.ingest.preflight(batch_id, actor=ACTOR, check_bytes=True)
    assert report.decisions == {"create": 1, "reject": 2}
    assert "hash_mismatch" in reasons_of(installation, key).values()


def test_a_path_out_of_the_folder_refuses_the_whole_recording(
    bench: RecordingsBench, installation: Installation
) -> None:
    key = bench.publish(1)
    manifest = bench.root / key / "manifest.json"
    manifest.write_text(manifest.read_text().replace("camera_0/seg", "../../etc/seg"))
    (found,) = bench.source.discover({})
    assert reason_code(found) == "manifest_invalid"
    installation.take_in()
    assert installation.batch(key).state is BatchState.PREFLIGHT_FAILED


def test_a_manifest_that_became_a_link_is_not_followed(
    bench: RecordingsBench, installation: Installation
) -> None:
    key = bench.publish(1)
    (batch_id,) = installation.scan()
    manifest = bench.root / key / "manifest.json"
    manifest.rename(bench.root.parent / "elsewhere.json")
    manifest.symlink_to(bench.root.parent / "elsewhere.json")
    assert installation.ingest.preflight(batch_id, actor=ACTOR).reason == "path_escapes_root"
    (found,) = bench.source.discover({})
    assert reason_code(found) == "path_escapes_root"


def test_a_recording_written_to_after_its_scan_is_not_decided_about_yet(
    bench: RecordingsBench, installation: Installation
) -> None:
    bench.publish(1)
    (batch_id,) = installation.scan()
    bench.source.options = replace(bench.source.options, stable_for_s=3600)
    assert installation.ingest.preflight(batch_id, actor=ACTOR).reason == "still_written"


def test_what_lies_at_the_place_of_another_registered_recording_is_not_touched(
    bench: RecordingsBench, installation: Installation
) -> None:
    key = bench.publish(2)
    installation.take_in()
    before = store_snapshot(bench.repository.raw)
    bench.break_one_item(key)
    bench.augment(key)

    installation.take_in()

    batch = installation.batch(key)
    assert (batch.state, batch.reason) == (BatchState.PREFLIGHT_FAILED, "place_taken")
    assert store_snapshot(bench.repository.raw) == before


def test_another_content_under_the_hash_that_is_registered_is_not_taken_in(
    bench: RecordingsBench, installation: Installation
) -> None:
    key = bench.publish(2)
    stated = manifest_of(bench.root / key)["recording_hash"]
    installation.take_in()
    before = store_snapshot(bench.repository.raw)
    bench.break_one_item(key)
    bench.augment(key)
    facts = {**manifest_of(bench.root / key), "recording_hash": stated}
    (bench.root / key / "manifest.json").write_text(json.dumps(facts))

    installation.take_in()

    batch = installation.batch(key)
    assert (batch.state, batch.reason) == (BatchState.PREFLIGHT_FAILED, "manifests_disagree")
    assert store_snapshot(bench.repository.raw) == before
    assert bench.rows() == (1, 2, 1)


def test_other_facts_of_a_registered_recording_reject_the_registration_alone(
    bench: RecordingsBench, installation: Installation
) -> None:
    key = bench.publish(2)
    installation.take_in()
    manifest = bench.root / key / "manifest.json"
    facts = json.loads(manifest.read_text())
    facts["started_at"], facts["duration_s"] = "2026-05-20T10:00:00Z", 12.0
    manifest.write_text(json.dumps(facts))

    installation.take_in()

    assert reasons_of(installation, key) == {"registration": "catalog_conflict"}
    (recording,) = bench.repository.catalog.list_recordings()
    assert recording.duration_s == 61.5


def test_files_of_the_same_content_are_all_taken_in(
    bench: RecordingsBench, installation: Installation
) -> None:
    key = bench.publish(3, augmented=False)
    for file in (bench.root / key).glob("*/*.mp4"):
        file.write_bytes(b"the same")
    bench.augment(key)
    installation.take_in()
    assert outcomes_of(installation, key) == {Outcome.CREATED: 4}


class _Counting(MemoryStore):
    """A store that counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def list(self, prefix: str = "", *, after: str | None = None) -> Iterator[ObjectInfo]:
        self.asked["list"] += 1
        return super().list(prefix, after=after)

    def head(self, key: str) -> ObjectInfo | None:
        self.asked["head"] += 1
        return super().head(key)


def test_preflight_asks_the_store_once_however_many_files_there_are(
    bench: RecordingsBench, sqlite_database: Database, tmp_path: Path
) -> None:
    raw = _Counting()
    repository = memory_repository(tmp_path / "counted", raw)
    bench.source = RecordingsSource("lab", parse_options("lab", bench.options), lambda: repository)
    installation = installed(sqlite_database, bench, tmp_path)
    key = bench.publish(30)
    (batch_id,) = installation.scan()
    assert raw.asked == {}
    report = installation.ingest.preflight(batch_id, actor=ACTOR)
    assert (report.decisions, dict(raw.asked)) == ({"create": 31}, {"list": 1})
    installation.ingest.queue([batch_id], actor=ACTOR)
    installation.drain()
    assert outcomes_of(installation, key) == {Outcome.CREATED: 31}
    raw.asked.clear()
    report = installation.ingest.preflight(batch_id, actor=ACTOR)
    assert (report.decisions, dict(raw.asked)) == ({"unchanged": 31}, {"list": 1})


# Importing


def test_a_file_that_changes_between_decision_and_import_withholds_the_registration(
    with_bucket: Installation, bucket: RecordingsBench
) -> None:
    """Also where an object of the same size lies in the store: its bytes are other ones."""
    key = bucket.publish(2)
    first = bucket.first_file(key)
    other = first.read_bytes()[::-1]
    name = str(first.relative_to(bucket.root / key))
    (batch_id,) = with_bucket.scan()
    bucket.repository.write(key, name, other)
    with_bucket.ingest.queue([batch_id], actor=ACTOR)
    first.write_bytes(other)
    with_bucket.drain()

    assert outcomes_of(with_bucket, key) == {Outcome.CREATED: 1, Outcome.FAILED: 2}
    assert bucket.rows() == (0, 0, 0)
    found = reasons_of(with_bucket, key)
    assert found == {name: "hash_mismatch", "registration": "files_not_stored"}

    first.write_bytes(other[::-1])
    with_bucket.ingest.queue([batch_id], actor=ACTOR)
    with_bucket.drain()
    assert outcomes_of(with_bucket, key) == {
        Outcome.UPDATED: 1,
        Outcome.UNCHANGED: 1,
        Outcome.CREATED: 1,
    }
    assert bucket.rows() == (1, 2, 1)


def test_an_import_completes_the_manifest_in_memory_and_writes_nothing_to_the_disk(
    tmp_path: Path, s3_server_of: Callable[[str], S3Facts], sqlite_database: Database
) -> None:
    options = s3_server_of("ministack").options(prefix=own_prefix())
    bench = RecordingsBench(tmp_path, options, augment=True)
    installation = installed(sqlite_database, bench, tmp_path)
    key = bench.publish(3, augmented=False)
    before = tree_snapshot(bench.root)
    (batch_id,) = installation.take_in()

    assert outcomes_of(installation, key) == {Outcome.CREATED: 4}
    assert tree_snapshot(bench.root) == before
    stored = bench.repository.manifest(key, bench.repository.sizes(key))
    assert stored.complete
    kept = store_snapshot(bench.repository.raw)

    installation.ingest.queue([batch_id], actor=ACTOR)
    installation.drain()
    assert outcomes_of(installation, key) == {Outcome.UNCHANGED: 4}
    bench.augment(key)  # a person does it after all, and comes to the same
    assert installation.take_in() == [batch_id]
    assert outcomes_of(installation, key) == {Outcome.UNCHANGED: 4}
    assert store_snapshot(bench.repository.raw) == kept
    assert bench.rows() == (1, 2, 1)
    assert {r.recording_hash for r in bench.repository.catalog.list_recordings()} == {
        stored.recording_hash
    }


def test_an_import_that_hashes_never_replaces_a_file_of_a_registered_recording(
    tmp_path: Path, s3_server_of: Callable[[str], S3Facts], sqlite_database: Database
) -> None:
    options = s3_server_of("ministack").options(prefix=own_prefix())
    bench = RecordingsBench(tmp_path, options, augment=True)
    installation = installed(sqlite_database, bench, tmp_path)
    key = bench.publish(2, augmented=False)
    (batch_id,) = installation.take_in()
    kept = store_snapshot(bench.repository.raw)
    bench.break_one_item(key)

    installation.ingest.queue([batch_id], actor=ACTOR)
    installation.drain()

    assert store_snapshot(bench.repository.raw) == kept
    assert outcomes_of(installation, key) == {Outcome.UNCHANGED: 1, Outcome.FAILED: 2}
    assert set(reasons_of(installation, key).values()) == {"place_taken", "files_not_stored"}


def test_a_recording_taken_in_by_hand_meanwhile_is_one_recording(
    bench: RecordingsBench, installation: Installation
) -> None:
    key = bench.publish(3)
    ids = installation.scan()
    installation.ingest.queue(ids, actor=ACTOR)
    folder = bench.root / key
    ingest_recording(bench.repository, open_local(folder / "manifest.json", folder))
    kept = store_snapshot(bench.repository.raw)
    installation.drain()
    assert installation.batch(key).state is BatchState.IMPORTED
    assert outcomes_of(installation, key) == {Outcome.UNCHANGED: 4}
    assert store_snapshot(bench.repository.raw) == kept
    assert bench.rows() == (1, 2, 1)


def test_two_halves_of_a_session_become_one_recording_whichever_comes_first(
    bench: RecordingsBench, installation: Installation
) -> None:
    for number, (node, path) in enumerate(
        {"node-a": "camera_0/a.mp4", "node-b": "eeg_1/b"}.items()
    ):
        folder = make_recording(bench.root, f"rec_half_{node}", {path: 400})
        facts = manifest_of(folder)
        facts |= {"recording_id": "rec_session", "recording_hash": "5e" * 32, "hostname": node}
        (folder / "manifest.json").write_text(json.dumps(facts))
        installation.take_in()
        assert installation.batch(folder.name).state is BatchState.IMPORTED
        registered = Outcome.UPDATED if number else Outcome.CREATED
        assert outcomes_of(installation, folder.name)[registered] >= 1
    assert bench.rows() == (1, 2, 1)
    stored = bench.repository.manifest("rec_session", bench.repository.sizes("rec_session"))
    assert {file.rel_path for file in stored.files} == {"camera_0/a.mp4", "eeg_1/b"}


# Verifying


def test_verify_compares_the_files_in_the_store_and_looks_for_the_registration(
    bench: RecordingsBench, installation: Installation
) -> None:
    key, lost = bench.publish(3), bench.publish(1)
    first, second = installation.take_in()
    raw = bench.repository.raw
    assert isinstance(raw, FolderStore)
    paths = sorted(p for p in (raw.root / "recordings" / key).glob("*/*.mp4"))
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[::-1])

    by_size = installation.ingest.verify(first, actor=ACTOR)
    by_hash = installation.ingest.verify(first, actor=ACTOR, level=VerifyLevel.SHA256)

    assert (by_size.files, by_size.problems_total) == (3, 1)
    assert sorted(p.kind for p in by_hash.problems) == ["hash_mismatch", "item_refused"]
    with bench.source.open_batch(BatchRef(second, lost, 1)) as opened:
        *_, registration = opened.items()
        with installation.db.read() as conn:
            (decided,) = opened.decide(conn, [registration])
    bench.source.require_kept("registration", decided.detail)
    fresh = RecordingsBench(_made(bench.root.parent / "fresh"))
    with pytest.raises(Exception, match="no such recording"):
        fresh.source.require_kept("registration", decided.detail)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


# Settings


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"profile": "r2"}, "path"),
        ({"path": "/nas"}, "profile"),
        ({"path": "/nas", "profile": "r2", "stable_for_s": -1}, "stable_for_s"),
        ({"path": "/nas", "profile": "r2", "max_concurrent_files": 0}, "max_concurrent_files"),
        ({"path": "/nas", "profile": "r2", "augment": "yes"}, "augment"),
        ({"path": "/nas", "profile": "r2", "active_marker": "../x"}, "active_marker"),
        ({"path": "/nas", "profile": "r2", "root": "/nas"}, "root"),
    ],
)
def test_settings_that_make_no_sense_are_named(options: dict[str, object], named: str) -> None:
    with pytest.raises(BadRecordingsOptions) as refused:
        build("lab", options)
    assert refused.value.subject == f"sources.lab.{named}"
