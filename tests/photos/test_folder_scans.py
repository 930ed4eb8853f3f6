"""One folder is scanned alone: what is below it is settled, and what left it is not lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lading.db import Database
from lading.ingest.parts import UnknownSource
from lading.ingest.registry import build_source
from lading.ingest.rules import GuardLimits
from lading.ingest.scan import ScanNotBelieved, ScanReport
from lading.ingest.scan_scope import NoFolderScans, ScanFolderMissing
from lading.ingest.source import SourceMissing
from lading.ledger.events import FolderScanned, FolderScanRefused
from lading.ledger.queries import last_event
from lading.operations.scans import ScanSchedule, enqueue_scan
from lading.sources.photos.source import BadFolder
from lading.testing.installation import ACTOR, Installation
from tests.library.things import watched
from tests.photos.library import assets, files, installed
from tests.photos.tree import PhotosBench, jpeg


@pytest.fixture
def bench(tmp_path: Path) -> PhotosBench:
    return PhotosBench(tmp_path)


@pytest.fixture
def installation(bench: PhotosBench, sqlite_database: Database, tmp_path: Path) -> Installation:
    return installed(sqlite_database, bench, tmp_path)


def scan(
    installation: Installation, folder: str | None, *, accept_root: bool = False
) -> ScanReport:
    return installation.ingest.scan("home", actor=ACTOR, folder=folder, accept_root=accept_root)


def settle(installation: Installation, report: ScanReport) -> None:
    """Import what a scan found."""
    ids = [c.batch_id for c in report.changes if c.batch_id and c.what != "superseded"]
    installation.ingest.queue(ids, actor=ACTOR)
    installation.drain()


def changes(report: ScanReport) -> set[tuple[str, str]]:
    return {(change.batch_key, change.what) for change in report.changes}


def trashed(installation: Installation) -> int:
    return sum(row.deleted_at is not None for row in assets(installation).values())


def test_a_scan_of_a_folder_sees_what_is_below_it_and_nothing_else(
    bench: PhotosBench, installation: Installation
) -> None:
    for name in ("2019/Crete/1.jpg", "2019/Crete/day/1.jpg", "2019/Cretes/1.jpg", "top.jpg"):
        bench.write(name)
    over = bench.write("2019/Crete/over/1.jpg")
    installation.take_in()
    for name in ("2019/Crete/2.jpg", "2019/Crete/new/1.jpg", "2019/Cretes/2.jpg", "top2.jpg"):
        bench.write(name)
    over.write_bytes(jpeg(7))  # the folder's time stays as it was
    report = scan(installation, "/2019/Crete/")
    assert changes(report) == {
        ("2019/Crete", "updated"),
        ("2019/Crete/new", "new"),
        ("2019/Crete/over", "updated"),
    }
    assert (report.found, report.unchanged, report.folder) == (4, 1, "2019/Crete")
    settle(installation, report)
    assert len(files(installation)) == 7
    assert changes(scan(installation, "2019/Crete")) == set()
    whole = scan(installation, None)
    assert changes(whole) == {("2019/Cretes", "updated"), (".", "updated")}
    with installation.db.read() as conn:
        event = last_event(conn, source="home", kind=FolderScanned.kind)
    assert event is not None
    assert (event.payload["folder"], event.payload["found"]) == ("2019/Crete", 4)


def test_what_moves_out_of_a_scanned_folder_is_never_in_the_trash_and_found_by_a_whole_scan(
    bench: PhotosBench, installation: Installation
) -> None:
    for name in ("in/1.jpg", "in/sub/2.jpg", "out/0.jpg"):
        bench.write(name)
    installation.take_in()
    held = {row.content_hash for row in files(installation).values()}
    for moved in ("in/1.jpg", "in/sub/2.jpg"):
        (bench.root / moved).rename(bench.root / "out" / Path(moved).name)
    (bench.root / "in/sub").rmdir()
    bench.settle(bench.root / "out")
    bench.write("in/new.jpg")
    settle(installation, scan(installation, "in"))
    assert trashed(installation) == 0
    assert set(files(installation)) == {"in/1.jpg", "in/sub/2.jpg", "in/new.jpg", "out/0.jpg"}
    settle(installation, scan(installation, "in"))  # a second one settles nothing either
    assert trashed(installation) == 0
    settle(installation, scan(installation, "out"))
    assert len(files(installation)) == 6
    installation.take_in()
    assert trashed(installation) == 0
    now = files(installation)
    assert set(now) == {"in/new.jpg", "out/0.jpg", "out/1.jpg", "out/2.jpg"}
    assert held <= {row.content_hash for row in now.values()}
    assert installation.scan() == []


def test_what_is_deleted_stays_until_a_whole_scan_unless_it_lies_elsewhere(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    bench.write("in/1.jpg")
    twin = bench.write("in/twin.jpg")
    bench.write("in/stays.jpg")
    bench.write("backup/twin.jpg", twin.read_bytes())
    installation.take_in()
    bench.remove("in/1.jpg")
    bench.remove("in/twin.jpg")
    settle(installation, scan(installation, "in"))
    assert set(files(installation)) == {"in/1.jpg", "in/stays.jpg", "backup/twin.jpg"}
    assert trashed(installation) == 0
    installation.take_in()
    assert set(files(installation)) == {"in/stays.jpg", "backup/twin.jpg"}
    assert trashed(installation) == 1


def test_a_scan_of_all_that_comes_before_the_import_decides_itself(
    bench: PhotosBench, installation: Installation
) -> None:
    bench.write("in/1.jpg")
    bench.write("in/2.jpg")
    installation.take_in()
    bench.remove("in/1.jpg")
    report = scan(installation, "in")
    scan(installation, None)
    settle(installation, report)
    assert set(files(installation)) == {"in/2.jpg"}


def test_a_folder_that_moves_within_what_is_scanned_is_where_it_is_now(
    bench: PhotosBench, installation: Installation
) -> None:
    for number in range(3):
        bench.write(f"2019/Crete/{number}/1.jpg")
    bench.write("2019/stays.jpg")
    bench.write("top.jpg")
    installation.take_in()
    (bench.root / "2019/Crete").rename(bench.root / "2019/Kreta")
    bench.settle(bench.root / "2019")
    settle(installation, scan(installation, "2019"))
    assert trashed(installation) == 0
    assert set(files(installation)) == {
        "top.jpg",
        "2019/stays.jpg",
        *(f"2019/Kreta/{number}/1.jpg" for number in range(3)),
    }


def test_a_folder_that_is_gone_keeps_its_photos_until_all_was_scanned(
    bench: PhotosBench, installation: Installation
) -> None:
    bench.write("gone/1.jpg")
    bench.write("stays/1.jpg")
    installation.take_in()
    bench.remove("gone")
    settle(installation, scan(installation, "gone"))
    assert set(files(installation)) == {"gone/1.jpg", "stays/1.jpg"}
    assert changes(scan(installation, "gone")) == set()
    installation.take_in()
    assert set(files(installation)) == {"stays/1.jpg"}


def test_the_guard_of_a_folder_looks_at_the_folder_and_at_the_root(
    bench: PhotosBench, sqlite_database: Database, tmp_path: Path
) -> None:
    limits = GuardLimits(vanish_share_max=0.0, vanish_items_max=1)
    installation = installed(sqlite_database, bench, tmp_path, limits)
    for name in ("in/a/1.jpg", "in/b/1.jpg", "beside/1.jpg"):
        bench.write(name)
    installation.take_in()
    away = bench.root.with_name("away")
    (bench.root / "in").rename(away)
    with pytest.raises(ScanNotBelieved) as refused:
        scan(installation, "in")  # two folders gone, and one at most is believed
    assert refused.value.subject == "home/in"
    (bench.root / "beside").rename(bench.root.with_name("beside"))
    with pytest.raises(ScanNotBelieved, match="unmounted"):
        scan(installation, "in/a")  # one gone, and nothing known is left beside it
    away.rename(bench.root / "in")
    bench.root.with_name("beside").rename(bench.root / "beside")
    mounted = bench.root.rename(bench.root.with_name("mounted"))
    with pytest.raises(SourceMissing):
        scan(installation, "in")
    shutil.copytree(mounted, bench.root)
    shutil.rmtree(bench.root / "beside")
    with pytest.raises(ScanNotBelieved, match="not the one"):
        scan(installation, "in")  # all of the folder is there, under another root
    with installation.db.read() as conn:
        event = last_event(conn, source="home", kind=FolderScanRefused.kind)
    assert event is not None
    assert (event.payload["folder"], event.payload["reason"]) == ("in", "root_other")
    # To believe the folder is not to believe the root.
    scan(installation, "in", accept_root=True)
    with pytest.raises(ScanNotBelieved):
        scan(installation, None)
    assert len(files(installation)) == 3


def test_a_disk_that_is_mounted_in_a_folder_and_is_missing_takes_nothing_away(
    bench: PhotosBench, sqlite_database: Database, tmp_path: Path
) -> None:
    bench.source = bench.opened(vanish_files_max=2)
    installation = installed(sqlite_database, bench, tmp_path)
    for number in range(3):
        bench.write(f"disk/{number}.jpg")
    bench.write("stays/1.jpg")
    installation.take_in()
    shutil.rmtree(bench.root / "disk")
    (bench.root / "disk").mkdir()  # the bare mount point
    bench.settle(bench.root)
    for folder in ("disk", None):
        [change] = scan(installation, folder).changes
        assert change.batch_id is not None
        report = installation.ingest.preflight(change.batch_id, actor=ACTOR)
        assert report.reason == "folder_emptied"
    assert len(files(installation)) == 4
    (bench.root / "disk").rmdir()
    installation.ingest.queue([installation.batch("disk").id], actor=ACTOR)
    installation.drain()
    assert set(files(installation)) == {"stays/1.jpg"}


def test_what_is_no_folder_to_be_scanned_is_said(
    bench: PhotosBench, installation: Installation, tmp_path: Path
) -> None:
    bench.write("a/1.jpg")
    bench.write(".hidden/1.jpg")
    (bench.root / "empty").mkdir()
    (bench.root / "link").symlink_to(bench.root / "a")
    for folder in ("nowhere", "a/1.jpg", ".hidden", "link", "A"):
        if folder == "A" and (bench.root / "A").exists():
            continue
        with pytest.raises(ScanFolderMissing):
            scan(installation, folder)
    for folder in ("../photos", "a/../a", "a//b", "a\0"):
        with pytest.raises(BadFolder):
            scan(installation, folder)
    assert scan(installation, "empty").found == 0
    with pytest.raises(UnknownSource):
        enqueue_scan(installation.parts, "attic", actor=ACTOR, accept_root=False, folder="a")
    sync = tmp_path / "sync"
    sync.mkdir()
    bundles = build_source("handover", "nas", {"root": str(sync)})
    parts = Installation(installation.db, installation.store, [bundles]).parts
    with pytest.raises(NoFolderScans, match="no folders that can be scanned alone"):
        enqueue_scan(parts, "nas", actor=ACTOR, accept_root=False, folder="a")


def test_folders_with_long_and_odd_names_are_scanned_alone(
    bench: PhotosBench, installation: Installation
) -> None:
    odd = ["x" * 120 + "/" + "y" * 120, "new\nline", "back\\slash", os.fsdecode("é".encode())]
    for folder in odd:
        bench.write(f"{folder}/1.jpg")
    installation.take_in()
    for folder in odd:
        bench.write(f"{folder}/2.jpg")
    for folder in odd:
        key = bench.source.folder_meant(folder)
        report = scan(installation, key)
        assert changes(report) == {(key, "updated")}
        assert report.folder == key
        settle(installation, report)
    assert len(files(installation)) == 8


def test_a_scan_of_a_folder_is_a_job_of_its_own_and_stands_for_no_scan_of_the_source(
    bench: PhotosBench, installation: Installation
) -> None:
    bench.write("a/1.jpg")
    bench.write("b/1.jpg")

    def ask(folder: str | None) -> int:
        return installation.operations.request_scan("home", actor=ACTOR, folder=folder)

    first = ask("a")
    assert ask("a/") == first
    assert len({first, ask("b"), ask(None)}) == 3
    assert ask(".") == ask(None)
    job = installation.queue.get(first)
    assert job.params["folder"] == "a"
    installation.drain()
    assert installation.queue.get(first).progress.items_done == 1


def test_the_clock_asks_for_a_whole_scan_though_a_folder_was_scanned(
    bench: PhotosBench, installation: Installation
) -> None:
    bench.write("a/1.jpg")
    installation.operations.request_scan("home", actor=ACTOR, folder="a")
    installation.drain()
    assert len(installation.queue.list().jobs) == 1
    ScanSchedule(installation.parts, every_s=3_600)("worker:one")
    newest = max(installation.queue.list().jobs, key=lambda job: job.id)
    assert "folder" not in newest.params
    assert len(installation.queue.list().jobs) == 2


def test_a_scan_costs_as_many_statements_for_many_folders_as_for_few(
    bench: PhotosBench, installation: Installation
) -> None:
    def cost(folder: str) -> int:
        scan(installation, folder)
        with watched(installation.db) as seen:
            scan(installation, folder)
        return len(seen.sent)

    bench.write("a/0/1.jpg")
    installation.take_in()
    few = cost("a")
    for number in range(1, 25):
        bench.write(f"a/{number}/1.jpg")
    assert cost("a") == few


# Renamed


def rename_many(bench: PhotosBench, count: int) -> None:
    for number in range(count):
        bench.write(f"trip/{number:03}/1.jpg")
    bench.write("stays/1.jpg")


def test_a_folder_with_many_in_it_may_be_renamed_without_the_guard_asking(
    bench: PhotosBench, sqlite_database: Database, tmp_path: Path
) -> None:
    limits = GuardLimits(vanish_share_max=0.0, vanish_items_max=2)
    installation = installed(sqlite_database, bench, tmp_path, limits)
    rename_many(bench, 4)
    installation.take_in()
    (bench.root / "trip").rename(bench.root / "Trip to Crete")
    bench.settle(bench.root)
    installation.take_in()
    assert len(files(installation)) == 5
    assert trashed(installation) == 0
    # All of it under a new folder: nothing is where it was, and all of it is there.
    (bench.root / "all").mkdir()
    for name in ("Trip to Crete", "stays"):
        (bench.root / name).rename(bench.root / "all" / name)
    bench.settle(bench.root / "all")
    installation.take_in()
    assert {location.partition("/")[0] for location in files(installation)} == {"all"}
    assert trashed(installation) == 0


def test_only_what_is_found_again_counts_as_moved(
    bench: PhotosBench, sqlite_database: Database, tmp_path: Path
) -> None:
    limits = GuardLimits(vanish_share_max=0.0, vanish_items_max=2)
    installation = installed(sqlite_database, bench, tmp_path, limits)
    rename_many(bench, 4)
    installation.take_in()
    (bench.root / "trip").rename(bench.root / "moved")
    for number in range(3):
        bench.remove(f"moved/{number:03}")
    with pytest.raises(ScanNotBelieved, match="more batches vanished"):
        scan(installation, None)
    # What is one folder now cannot stand for two that were.
    bench.remove("moved")
    bench.remove("stays")
    bench.write("kept/1.jpg")
    with pytest.raises(ScanNotBelieved, match="unmounted"):
        scan(installation, None)
    assert len(files(installation)) == 5


def test_another_root_with_the_same_content_under_other_names_is_not_believed(
    bench: PhotosBench, sqlite_database: Database, tmp_path: Path
) -> None:
    bench.source = bench.opened(inodes=False)  # so that a copy passes for what it is of
    installation = installed(sqlite_database, bench, tmp_path)
    rename_many(bench, 3)
    installation.take_in()
    mounted = bench.root.rename(bench.root.with_name("mounted"))
    shutil.copytree(mounted / "trip", bench.root / "Trip")
    shutil.copytree(mounted / "stays", bench.root / "stays")
    with pytest.raises(ScanNotBelieved, match="not the one of the last scan"):
        scan(installation, None)
    shutil.rmtree(bench.root / "stays")
    with pytest.raises(ScanNotBelieved, match="unmounted"):
        scan(installation, None)
