"""A messy tree of photos becomes library rows; what moves, changes and vanishes is followed."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import select

from lading.db import Database
from lading.ingest.rules import GuardLimits
from lading.ingest.scan import ScanNotBelieved
from lading.ingest.source import BatchRef, SourceMissing
from lading.ingest.verifying import VerifyLevel, verify_library
from lading.ledger.states import BatchState
from lading.ledger.tables import ingest_batch
from lading.library.assets import find_files, save_asset
from lading.library.tables import asset_file, derivation, photo_file
from lading.library.trash import delete_assets
from lading.library.values import AssetFacts, FileFacts
from lading.testing.installation import ACTOR, Installation
from lading.testing.source_suite import tree_snapshot
from tests.media.written import encoded, full_exif, write_video
from tests.photos.library import assets, files, installed, outcomes, reasons
from tests.photos.tree import PhotosBench, jpeg, picture

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
CUT_OFF = jpeg(1, side=400)[:3000]
ODD_NAMES = (
    "new\nline.jpg",
    "\u202eright to left.jpg",
    "caf\u00e9.jpg",
    "cafe\u0301.jpg",
    "TWIN.jpg",
    "twin.jpg",
    "back\\slash.jpg",
    "two..dots.jpg",
    "x" * 251 + ".jpg",
    " spaces .jpg ",
)

IMPORTED = """
import sys
from lading.sources.photos.source import definition
print(definition.kind, *{"av", "pyvips", "PIL", "pillow_heif", "rawpy"} & set(sys.modules))
"""


@pytest.fixture
def bench(tmp_path: Path) -> PhotosBench:
    return PhotosBench(tmp_path, full_every_h=1)


@pytest.fixture
def installation(bench: PhotosBench, sqlite_database: Database, tmp_path: Path) -> Installation:
    return installed(sqlite_database, bench, tmp_path)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# What is there


def test_a_messy_folder_is_taken_in_with_facts_and_thumbnails_and_no_original_changes(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    bench.write("trip/a.jpg", jpeg(1, side=900))
    bench.write("trip/b.png", encoded(picture(2), "PNG"))
    bench.write("trip/c.heic", encoded(picture(3), "HEIF", exif=full_exif(6)))
    bench.write("trip/mislabelled.jpg", encoded(picture(4), "PNG"))
    bench.write("trip/a.jpg.xmp", XMP)
    write_video(bench.root / "trip/d.mp4")
    for name, data in {"cut.jpg": CUT_OFF, "empty.jpg": b"", "page.png": b"<html>"}.items():
        bench.write(f"trip/{name}", data)
    for name in (".hidden.jpg", "Thumbs.db", "note.txt", "@eaDir/x.jpg", "alone.xmp"):
        bench.write(f"trip/{name}")
    (bench.root / "trip/link.jpg").symlink_to("a.jpg")
    os.mkfifo(bench.root / "trip/pipe.jpg")
    before = tree_snapshot(bench.root)

    (batch_id,) = installation.take_in()

    assert tree_snapshot(bench.root) == before
    assert outcomes(installation, "trip") == {"created": 6, "failed": 3}
    assert reasons(installation, "trip") == dict.fromkeys(
        ("cut.jpg", "empty.jpg", "page.png"), "unreadable"
    )
    held = files(installation)
    assert set(held) == {
        f"trip/{n}" for n in ("a.jpg", "b.png", "c.heic", "d.mp4", "mislabelled.jpg", "a.jpg.xmp")
    }
    assert held["trip/a.jpg.xmp"].asset_id == held["trip/a.jpg"].asset_id
    assert held["trip/mislabelled.jpg"].media_type == "image/png"
    rows = assets(installation)
    first = rows[sha256(bench.root / "trip/a.jpg")]
    zone = timezone(timedelta(hours=2))
    assert first.captured_at == datetime(2024, 7, 1, 12, 34, 56, 123_000, zone).astimezone(UTC)
    assert (first.captured_offset_min, first.captured_from) == (120, "exif_original")
    assert (first.width, first.height, first.asset_type) == (900, 900, "photo")
    assert (first.camera_make, first.camera_model, first.capture_doubt) == (
        "Maker",
        "Model 1",
        None,
    )
    assert first.latitude == pytest.approx(-48.8584, abs=1e-4)
    assert len(first.perceptual_hash) == 16
    undated = rows[sha256(bench.root / "trip/b.png")]
    assert (undated.captured_at, undated.capture_doubt) == (None, "undated")
    film = rows[sha256(bench.root / "trip/d.mp4")]
    assert (film.asset_type, film.duration_s) == ("video", pytest.approx(2.0, abs=0.1))
    with database.read() as conn:
        made = conn.execute(
            select(derivation, asset_file.c.location)
            .join(asset_file, asset_file.c.id == derivation.c.file_id)
            .where(derivation.c.asset_id == first.asset_id)
        ).one()
    assert (made.name, made.variant, made.error) == ("thumbnail", "512", None)
    shown = Image.open(io.BytesIO(b"".join(installation.store.get(made.location))))
    assert shown.size == (made.width, made.height) == (512, 512)
    report = installation.ingest.verify(batch_id, actor=ACTOR, level=VerifyLevel.SHA256)
    assert (report.problems, report.files) == ([], 11)
    assert verify_library(installation.parts, orphan_age_min_s=0).orphans_total == 0


def test_names_of_every_kind_are_kept_and_one_that_is_no_text_is_a_reason(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    for number, name in enumerate(ODD_NAMES):
        bench.write(f"odd/{name}", jpeg(number))
    raw = os.fsencode(bench.root) + b"/odd/\xff\xfe.jpg"
    Path(os.fsdecode(raw)).write_bytes(jpeg(99))
    nameless = Path(os.fsdecode(os.fsencode(bench.root) + b"/\xff\xfe"))
    nameless.mkdir()
    (nameless / "a.jpg").write_bytes(jpeg(98))
    deep = "/".join(["deep" * 20] * 4)
    bench.write(f"{deep}/new\nfolder/a.jpg")
    kept = [name for name in ODD_NAMES if name.endswith(".jpg")]

    installation.take_in()

    assert {Path(location).name for location in files(installation)} == {*kept, "a.jpg"}
    assert outcomes(installation, "odd") == {"created": len(kept), "rejected": 1}
    assert list(reasons(installation, "odd").values()) == ["name_refused"]
    assert installation.scan() == []
    with installation.db.read() as conn:
        query = select(ingest_batch.c.reason).where(ingest_batch.c.reason.is_not(None))
        assert list(conn.scalars(query)) == ["name_refused"]
    bench.remove(deep)
    (gone,) = installation.take_in()
    assert outcomes(installation, str(gone)) == {"removed": 1}


def test_a_folder_that_is_being_written_to_is_left_for_later(
    bench: PhotosBench, sqlite_database: Database, tmp_path: Path
) -> None:
    bench.write("now/a.jpg")
    patient = installed(sqlite_database, bench, tmp_path)
    patient.parts.sources["home"] = bench.opened(stable_for_s=3600)  # type: ignore[index]
    report = patient.ingest.scan("home", actor=ACTOR)
    assert [change.reason for change in report.changes] == ["still_written"]
    patient.parts.sources["home"] = bench.source  # type: ignore[index]
    patient.take_in()
    assert set(files(patient)) == {"now/a.jpg"}


# What changes


def test_content_at_two_places_is_one_asset_that_stays_while_one_is_left(
    bench: PhotosBench, installation: Installation
) -> None:
    for name in ("one/a.jpg", "second/copy.jpg"):
        bench.write(name, jpeg(1))
    bench.write("one/other.jpg")
    bench.write("second/other.jpg")
    installation.take_in()
    first, second = (files(installation)[name] for name in ("one/a.jpg", "second/copy.jpg"))
    assert first.asset_id == second.asset_id
    bench.remove("one/a.jpg")
    installation.take_in()
    assert files(installation)["second/copy.jpg"].trashed_at is None
    bench.remove("second/copy.jpg")
    installation.take_in()
    assert outcomes(installation, "second") == {"removed": 1}
    assert assets(installation)[first.content_hash].deleted_at is not None
    bench.write("second/back.jpg", jpeg(1))
    installation.take_in()
    back = files(installation)["second/back.jpg"]
    assert (back.asset_id, back.trashed_at) == (first.asset_id, None)


@pytest.mark.parametrize("to", ["new/b.jpg", "old/b.jpg"], ids=["another folder", "the same"])
def test_a_file_that_moves_keeps_its_asset_and_all_that_is_known_of_it(
    bench: PhotosBench, installation: Installation, to: str
) -> None:
    path = bench.write("old/a.jpg")
    bench.write("old/stays.jpg")
    installation.take_in()
    before = files(installation)["old/a.jpg"]
    (bench.root / to).parent.mkdir(exist_ok=True)
    path.rename(bench.root / to)
    bench.settle(bench.root / "old")
    bench.settle((bench.root / to).parent)
    installation.take_in()
    after = files(installation)
    assert set(after) == {"old/stays.jpg", to}
    assert (after[to].asset_id, after[to].trashed_at) == (before.asset_id, None)
    assert len(assets(installation)) == 2


def test_a_file_that_is_edited_where_it_lies_is_another_asset_and_says_which_it_replaced(
    bench: PhotosBench, installation: Installation
) -> None:
    path = bench.write("album/a.jpg")
    bench.write("album/a.xmp", XMP)
    installation.take_in()
    before = files(installation)["album/a.jpg"]
    path.write_bytes(jpeg(77))  # the folder's time stays
    assert installation.scan() == []
    installation.sources["home"].options = bench.opened(full_every_h=0).options  # type: ignore[attr-defined]
    installation.take_in()
    after = files(installation)["album/a.jpg"]
    assert after.asset_id != before.asset_id
    assert files(installation)["album/a.xmp"].asset_id == after.asset_id
    rows = assets(installation)
    assert rows[before.content_hash].deleted_at is not None
    with installation.db.read() as conn:
        query = select(photo_file.c.replaced_by).where(photo_file.c.file_id == before.id)
        assert conn.scalar(query) == after.id
    assert installation.scan() == []


def test_a_file_that_was_touched_is_what_it_was(
    bench: PhotosBench, installation: Installation
) -> None:
    path = bench.write("album/a.jpg")
    installation.take_in()
    with_trash = files(installation)["album/a.jpg"]
    with installation.db.write() as conn:
        delete_assets(conn, [with_trash.content_hash], actor=ACTOR)
    os.utime(path)
    bench.settle(path.parent)
    installation.take_in()
    assert outcomes(installation, "album") == {"unchanged": 1}
    # What a person put in the trash does not come back for that.
    assert assets(installation)[with_trash.content_hash].deleted_at is not None
    batch_id = installation.batch("album").id
    assert installation.ingest.preflight(batch_id, actor=ACTOR).decisions == {"unchanged": 1}


def test_a_file_that_changes_after_it_was_decided_about_is_taken_in_later(
    bench: PhotosBench, installation: Installation
) -> None:
    path = bench.write("album/a.jpg")
    (batch_id,) = installation.scan()
    installation.ingest.queue([batch_id], actor=ACTOR)
    path.write_bytes(jpeg(5))
    installation.drain()
    assert installation.batch("album").state is BatchState.PREFLIGHT_STALE
    installation.ingest.queue([batch_id], actor=ACTOR)
    installation.drain()
    assert files(installation)["album/a.jpg"].content_hash == sha256(path)


def test_a_new_file_beside_many_costs_one_item_and_does_not_spoil_what_is_queued(
    bench: PhotosBench, installation: Installation
) -> None:
    for number in range(6):
        bench.write(f"album/{number}.jpg")
    installation.take_in()
    bench.write("album/new.jpg")
    ids = installation.scan()
    installation.ingest.queue(ids, actor=ACTOR)
    bench.write("album/newer.jpg")
    installation.drain()
    assert outcomes(installation, "album") == {"created": 1}
    assert installation.batch("album").detail["held"] == 6
    installation.take_in()
    assert len(files(installation)) == 8


def test_what_would_be_derived_otherwise_now_is_made_anew_when_the_folder_is_queued_again(
    bench: PhotosBench, installation: Installation
) -> None:
    bench.write("album/a.jpg", jpeg(1, side=900))
    bench.write("album/a.xmp", XMP)
    (batch_id,) = installation.take_in()
    installation.sources["home"].options = bench.opened(thumbnail_side=64).options  # type: ignore[attr-defined]
    installation.ingest.queue([batch_id], actor=ACTOR)
    installation.drain()
    assert outcomes(installation, "album") == {"updated": 1}
    with installation.db.read() as conn:
        (live,) = find_files(conn, [files(installation)["album/a.jpg"].asset_id]).values()
        made = conn.execute(select(derivation.c.variant, derivation.c.width)).all()
    assert [f.facts.variant for f in live if f.facts.role == "derivative"] == ["thumbnail-64"]
    assert {tuple(row) for row in made if row.variant} == {("64", 64)}
    assert installation.ingest.preflight(batch_id, actor=ACTOR).decisions == {"unchanged": 2}


def test_inodes_that_change_by_themselves_need_not_be_compared(
    bench: PhotosBench, sqlite_database: Database, tmp_path: Path
) -> None:
    bench.source = bench.opened(inodes=False)
    installation = installed(sqlite_database, bench, tmp_path)
    path = bench.write("album/a.jpg")
    status = path.stat()
    installation.take_in()
    beside = path.with_name(".beside")
    shutil.copy2(path, beside)
    beside.rename(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    bench.settle(path.parent)
    assert installation.scan() == []
    assert installation.ingest.preflight(
        installation.batch("album").id, actor=ACTOR, check_bytes=True
    ).decisions == {"unchanged": 1}


def test_workers_that_meet_the_same_content_at_once_make_one_asset_of_it(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    for folder in ("left", "right"):
        for number in range(6):
            bench.write(f"{folder}/{number}.jpg", jpeg(number))
    ids = installation.scan()
    installation.ingest.queue(ids, actor=ACTOR)
    with ThreadPoolExecutor(2) as executor:
        list(executor.map(lambda _: installation.drain(), range(2)))
    assert [installation.batch(key).state for key in ("left", "right")] == [
        BatchState.IMPORTED,
        BatchState.IMPORTED,
    ]
    assert (len(assets(installation)), len(files(installation))) == (6, 12)


# What is gone


def test_a_folder_that_vanished_retires_what_it_had_once_and_comes_back_whole(
    bench: PhotosBench, installation: Installation
) -> None:
    gone, stays = bench.publish(3), bench.publish(1)
    installation.take_in()
    bench.withdraw(gone)
    (batch_id,) = installation.scan()
    assert installation.batch(gone).state is BatchState.PENDING
    installation.ingest.queue([batch_id], actor=ACTOR)
    installation.drain()
    assert outcomes(installation, gone) == {"removed": 3}
    assert {location.rpartition("/")[0] for location in files(installation)} == {stays}
    assert sum(row.deleted_at is not None for row in assets(installation).values()) == 3
    assert installation.scan() == []
    bench.change(gone)
    installation.take_in()
    assert len(files(installation)) == 4
    assert sum(row.deleted_at is not None for row in assets(installation).values()) == 1


def test_an_unmounted_disk_retires_nothing(bench: PhotosBench, installation: Installation) -> None:
    keys = [bench.publish(1) for _ in range(3)]
    installation.take_in()
    mounted = bench.root.rename(bench.root.with_name("mounted"))
    with pytest.raises(SourceMissing):
        installation.scan()
    bench.root.mkdir()  # the bare mount point
    with pytest.raises(ScanNotBelieved):
        installation.scan()
    with pytest.raises(SourceMissing):
        installation.ingest.preflight(installation.batch(keys[0]).id, actor=ACTOR)
    bench.root.rmdir()
    mounted.rename(bench.root)
    assert len(files(installation)) == 3
    assert all(row.deleted_at is None for row in assets(installation).values())


def test_more_vanished_folders_than_are_plausible_have_to_be_accepted(
    bench: PhotosBench, sqlite_database: Database, tmp_path: Path
) -> None:
    limits = GuardLimits(vanish_share_max=0.0, vanish_items_max=1)
    installation = installed(sqlite_database, bench, tmp_path, limits)
    keys = [bench.publish(1) for _ in range(3)]
    installation.take_in()
    for key in keys[:2]:
        bench.withdraw(key)
    with pytest.raises(ScanNotBelieved):
        installation.scan()
    assert len(files(installation)) == 3
    report = installation.ingest.scan("home", actor=ACTOR, accept_root=True)
    installation.ingest.queue([c.batch_id for c in report.changes if c.batch_id], actor=ACTOR)
    installation.drain()
    assert len(files(installation)) == 1
    # Folders that are known to be gone count no more.
    bench.publish(1)
    assert len(installation.scan()) == 1


def test_a_folder_that_lost_all_of_many_files_is_not_believed(
    bench: PhotosBench, sqlite_database: Database, tmp_path: Path
) -> None:
    source = bench.opened(vanish_files_max=2)
    bench.source = source
    installation = installed(sqlite_database, bench, tmp_path)
    key = bench.publish(3)
    installation.take_in()
    for path in (bench.root / key).glob("*.jpg"):
        path.unlink()
    bench.write(f"{key}/stray.jpg")
    (batch_id,) = installation.scan()
    report = installation.ingest.preflight(batch_id, actor=ACTOR)
    assert report.reason == "folder_emptied"
    assert len(files(installation)) == 3


def test_a_source_opens_a_folder_that_is_not_there_only_when_that_was_believed(
    bench: PhotosBench,
) -> None:
    bench.publish(1)
    with bench.source.open_batch(BatchRef(1, "elsewhere", 1, gone=True)) as opened:
        assert list(opened.items()) == []
    with pytest.raises(Exception, match="gone"), bench.source.open_batch(BatchRef(1, "no", 1)):
        pass


def test_the_kind_of_source_is_known_without_what_looks_into_files() -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            IMPORTED,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["photos"]


def test_what_was_copied_over_the_tree_again_changes_nothing(
    bench: PhotosBench, installation: Installation, tmp_path: Path
) -> None:
    key = bench.publish(2)
    installation.take_in()
    held = {row.content_hash for row in files(installation).values()}
    copied = shutil.copytree(bench.root / key, tmp_path / "copy")
    shutil.rmtree(bench.root / key)
    copied.rename(bench.root / key)  # other inodes, the same times and bytes
    bench.settle(bench.root / key)
    installation.take_in()
    assert outcomes(installation, key) == {"unchanged": 2}
    assert {row.content_hash for row in files(installation).values()} == held


def test_what_another_source_says_of_the_same_content_takes_no_place_away(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    path = bench.write("album/a.jpg")
    installation.take_in()
    digest, size = sha256(path), path.stat().st_size
    copy = FileFacts(
        role="original",
        path="original/a.jpg",
        sha256=digest,
        size_bytes=size,
        store="library",
        location=f"files/{digest}",
    )
    facts = AssetFacts(content_hash=digest, asset_type="photo", title="Harbour")
    with database.write() as conn:
        save_asset(conn, facts, [copy])
    with database.read() as conn:
        (row,) = conn.execute(select(asset_file.c.asset_id).where(asset_file.c.path == copy.path))
        live = find_files(conn, [row.asset_id])[row.asset_id]
    assert [file.facts.path for file in live] == [
        "derived/thumbnail-512.jpeg",
        "home/album/a.jpg",
        "original/a.jpg",
    ]
    os.utime(path)
    bench.write("album/b.jpg")
    installation.take_in()
    assert assets(installation)[digest].captured_at is None  # as the other source has it
    bench.remove("album/a.jpg")
    installation.take_in()
    kept = assets(installation)[digest]
    assert (kept.title, kept.deleted_at) == ("Harbour", None)
