"""A newcomer points Lading at a messy disk: all is accounted for, sorted and put back unchanged."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from lading.console.readers.alike_watch import AlikeWatch
from lading.console.readers.photos import read_photos
from lading.db import Database, open_database
from lading.library.browsing import browse_assets
from lading.library.filters import AssetFilter
from lading.library.tables import asset, asset_file, photo, photo_file
from tests.cli.program import Program
from tests.media.test_faces import PORTRAITS, portrait
from tests.media.written import encoded
from tests.photos.messy_disk import Fate, MessyDisk, messy_disk, walk_files
from tests.photos.tree import jpeg

Manifest = dict[str, tuple[str, int, int]]


class Newcomer:
    """Somebody with a disk, who runs one command after the other."""

    def __init__(self, root: Path, more: str = "") -> None:
        self.root = root
        here = root.with_name("here")
        here.mkdir()
        self.program = Program(here)
        self.program.run("init", "--photos", f"home={root}")
        with open(here / "lading.toml", "a") as settings:
            settings.write(f"stable_for_s = 0\n{more}")

    def take_in(self, *scan_options: str, queued: int = 0, drained: int = 0) -> dict[str, Any]:
        """Scan, queue all that is ready, work; returns what the scan said."""
        scan: dict[str, Any] = self.program.json("scan", "home", *scan_options)["scans"][0]
        self.program.run("queue", "--all-ready", "--source", "home", status=queued)
        self.program.run("worker", "--drain", status=drained)
        return scan

    def batches(self) -> dict[str, dict[str, Any]]:
        """Every folder by its key, as `lading batch` tells it."""
        listed = self.program.json("batches", "--limit", "1000")["batches"]
        shown = (self.program.json("batch", str(one["id"])) for one in listed)
        return {one["batch_key"]: one for one in shown}

    @contextmanager
    def library(self) -> Iterator[Database]:
        """Its database, to be read."""
        found = open_database(f"sqlite:///{self.program.folder}/lading-data/lading.sqlite")
        yield found
        found.engine.dispose()

    def files(self) -> dict[str, Any]:
        """What the library says lies on the disk, by path, with asset and photo."""
        query = (
            select(asset_file, asset, photo, asset_file.c.id.label("file_id"))
            .join_from(asset_file, asset, asset.c.id == asset_file.c.asset_id)
            .join(photo_file, photo_file.c.file_id == asset_file.c.id)
            .join(photo, photo.c.asset_id == asset.c.id)
            .where(asset_file.c.deleted_at.is_(None))
        )
        with self.library() as db, db.read() as conn:
            return {row.location: row for row in conn.execute(query)}


def manifest(root: Path) -> Manifest:
    """Of every file: sha256, time and mode."""
    found = {}
    for path in walk_files(root):
        status = os.stat(root / path)
        with open(root / path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found[path] = (digest, status.st_mtime_ns, status.st_mode)
    return found


def contents(found: Manifest) -> Counter[tuple[str, int, int]]:
    return Counter(found.values())


def test_a_messy_disk_becomes_a_library_and_is_sorted_and_put_back_unchanged(
    tmp_path: Path,
) -> None:
    _try_all_of(messy_disk(tmp_path / "disk"))


@pytest.mark.slow
def test_the_whole_matrix_of_a_messy_disk_is_taken_in_sorted_and_put_back(tmp_path: Path) -> None:
    _try_all_of(messy_disk(tmp_path / "disk", whole=True))


def test_a_file_that_is_still_being_copied_is_taken_in_when_it_is_whole(tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path / "disk")
    newcomer.root.mkdir()
    data = jpeg(1, side=400)
    with open(newcomer.root / "a.jpg", "wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        newcomer.take_in(drained=1)
        assert newcomer.files() == {}
        assert newcomer.program.run("batch", ".").stdout.count("Item a.jpg: failed") == 1
        assert "inode" not in newcomer.program.run("batch", ".").stdout
        file.write(data[len(data) // 2 :])
    newcomer.take_in()
    assert {row.sha256 for row in newcomer.files().values()} == {hashlib.sha256(data).hexdigest()}


def test_what_was_refused_is_an_error_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path / "disk")
    newcomer.root.mkdir()
    spoiled, other = newcomer.root / "spoiled.jpg", newcomer.root / "other.jpg"
    spoiled.write_bytes(b"no picture")
    other.write_bytes(b"no picture either")
    newcomer.take_in(drained=1)

    # The folder changes, and what is left in it does not.
    other.unlink()
    newcomer.program.run("scan", "home")
    told = newcomer.program.run("queue", "--all-ready").stdout
    assert "refused: all_rejected: All that is left of it was refused before" in told
    assert newcomer.program.run("queue", ".", status=1).stdout.count("all_rejected") == 1

    spoiled.write_bytes(b"still none")
    newcomer.take_in(drained=1)
    (newcomer.root / "a.jpg").write_bytes(jpeg(1))
    newcomer.take_in()
    outcomes = newcomer.batches()["."]["account"]["outcomes"]
    assert (outcomes["created"], outcomes["rejected"] + outcomes["failed"]) == (1, 1)


def test_people_are_named_on_a_new_disk_and_stay_so_when_it_is_sorted(tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path / "disk", "\n[faces]\nenabled = true\nprocesses = 1\n")
    program = newcomer.program
    for folder in ("album", "backup/later"):
        (newcomer.root / folder).mkdir(parents=True)
    for name in ("astronaut", "admiral"):
        shutil.copy(PORTRAITS / f"{name}.jpg", newcomer.root / "album")
    again = portrait("astronaut").rotate(-4)
    (newcomer.root / "backup/later/again.jpg").write_bytes(encoded(again))
    before = manifest(newcomer.root)
    newcomer.take_in()
    program.run("people", "add", "Anna")
    hashes = {os.path.basename(p): row.content_hash for p, row in newcomer.files().items()}
    listed = program.json("people", "unidentified")["faces"]
    faces = {one["content_hash"]: str(one["face"]) for one in listed}
    assert set(faces) == set(hashes.values())
    assert {one["file"] for one in listed} == set(before)
    assert "backup/later/again.jpg" in program.run("people", "unidentified").stdout
    program.run("people", "reference", "Anna", "--face", faces[hashes["astronaut.jpg"]])
    program.run("people", "match")
    program.run("worker", "--drain")

    shown = program.run("people", "show", "Anna").stdout
    assert "There is 1 reference image; " in shown
    assert "backup/later/again.jpg" in shown

    def told(state: str) -> set[str]:
        return {one["content_hash"] for one in program.json("people", "show", "Anna")[state]}

    assert told("suggested") == {hashes["again.jpg"]}
    program.run("people", "confirm", "Anna", faces[hashes["again.jpg"]])
    assert manifest(newcomer.root) == before
    program.run("photos", "sort", "home", "--pattern", "{name}{ext}")
    program.run("worker", "--drain")
    newcomer.take_in("--accept-root")
    program.run("people", "rescan")
    program.run("worker", "--drain")
    assert told("confirmed") == {hashes["astronaut.jpg"], hashes["again.jpg"]}
    assert contents(manifest(newcomer.root)) == contents(before)


def _try_all_of(disk: MessyDisk) -> None:
    newcomer = Newcomer(disk.root)
    before = manifest(disk.root)
    assert set(before) == set(disk.fates)

    newcomer.take_in(drained=1)
    _require_accounts(newcomer, disk)
    _require_counts(newcomer, before)
    _require_facts(newcomer)
    _require_said_beside(newcomer, disk)
    _require_found(newcomer)
    assert manifest(disk.root) == before

    held, assets = set(newcomer.files()), _assets(newcomer)
    batches = len(newcomer.batches())
    again = newcomer.take_in()
    assert (again["found"], again["unchanged"]) == (batches, batches)
    assert (set(newcomer.files()), _assets(newcomer)) == (held, assets)

    run = _sort(newcomer, before)
    sorted_tree = manifest(disk.root)
    # Where nothing but spoiled files is left, there is nothing to queue. That is no news.
    newcomer.take_in("--accept-root")
    assert (manifest(disk.root), _assets(newcomer)) == (sorted_tree, assets)
    assert set(newcomer.files()) == {
        path for path in sorted_tree if sorted_tree[path][0] in {one[0] for one in assets}
    } | {path for path in newcomer.files() if path.endswith((".xmp", ".AAE", ".json"))}

    newcomer.program.run("photos", "sort", "--undo", run)
    newcomer.program.run("worker", "--drain")
    assert manifest(disk.root) == before
    newcomer.take_in("--accept-root")
    assert (set(newcomer.files()), _assets(newcomer)) == (held, assets)
    _require_said_beside(newcomer, disk)
    report = newcomer.program.json("verify", "--level", "sha256")["reports"][0]
    assert report["problems"] == []


def _assets(newcomer: Newcomer) -> set[tuple[str, bool]]:
    """Every asset by its content, and whether it is in the trash."""
    with newcomer.library() as db, db.read() as conn:
        query = select(asset.c.content_hash, asset.c.deleted_at)
        return {(row.content_hash, row.deleted_at is not None) for row in conn.execute(query)}


def _require_accounts(newcomer: Newcomer, disk: MessyDisk) -> None:
    """Every file is in the library, or an item with a reason, or counted with its folder."""
    batches = newcomer.batches()
    for key, batch in batches.items():
        account = batch["account"]
        assert account["adds_up"], key
        assert sum(account["outcomes"].values()) == account["found"], key
        assert account["outcomes"]["pending"] == 0, key
    assert set(newcomer.files()) == disk.of(Fate.HELD)
    spoiled = [
        (batch["detail"]["folder"], item)
        for batch in batches.values()
        for item in batch["items"]
        if item["outcome"] in ("rejected", "failed")
    ]
    found = Counter((folder, item["reason"]) for folder, item in spoiled)
    assert found == Counter(
        (os.path.dirname(path), disk.reasons[path]) for path in disk.of(Fate.SPOILED)
    )
    for _, item in spoiled:
        assert item["why"]["next_step"]
    passed_over = Counter(os.path.dirname(path) for path in disk.of(Fate.NO_PICTURE))
    details = [batch["detail"] for batch in batches.values() if "folder" in batch["detail"]]
    counted = {detail["folder"]: detail.get("ignored", 0) for detail in details}
    for folder, number in passed_over.items():
        assert counted[folder] >= number, folder


def _require_counts(newcomer: Newcomer, before: Manifest) -> None:
    """The library has each content once, and every place where it lies."""
    rows = {path: row for path, row in newcomer.files().items() if row.role == "original"}
    assert {path: row.sha256 for path, row in rows.items()} == {p: before[p][0] for p in rows}
    by_content = {before[path][0] for path in rows}
    assert {one for one, _ in _assets(newcomer)} == by_content
    assert len({row.asset_id for row in rows.values()}) == len(by_content)


def _require_facts(newcomer: Newcomer) -> None:
    """What is kept of each file is what exiftool reads in it."""
    told = _exiftool(newcomer.root)
    files = {p: row for p, row in newcomer.files().items() if row.role == "original"}
    files = {path: row for path, row in files.items() if "\n" not in path}
    assert set(files) <= set(told)
    dated = located = 0
    for path, row in files.items():
        said = told[path]
        if row.captured_from in ("exif_original", "quicktime_creation"):
            stated = said.get("DateTimeOriginal") or said["CreationDate"]
            local = row.captured_at + timedelta(minutes=row.captured_offset_min or 0)
            # A leap second is kept as the last moment of its minute.
            assert f"{local:%Y:%m:%d %H:%M:%S}" == stated[:19].replace(":60", ":59"), path
            if row.capture_doubt is None and (row.detail or {}).get("offset_from") == "stated":
                zone = said.get("OffsetTimeOriginal") or stated[19:]
                sign = "-" if row.captured_offset_min < 0 else "+"
                hours, minutes = divmod(abs(row.captured_offset_min), 60)
                assert f"{sign}{hours:02}:{minutes:02}" == zone, path
            dated += 1
        elif row.captured_from == "container_creation":
            stated = said.get("CreateDate") or said["DateTimeOriginal"]
            assert f"{row.captured_at:%Y:%m:%d %H:%M:%S}" == stated[:19], path
            dated += 1
        if row.latitude is not None and row.place_from is None:
            assert row.latitude == pytest.approx(said["GPSLatitude"], abs=1e-4), path
            assert row.longitude == pytest.approx(said["GPSLongitude"], abs=1e-4), path
            located += 1
        if row.camera_model or said.get("Model"):
            assert row.camera_model == said["Model"], path
        if "ImageWidth" in said and row.asset_subtype != "raw":
            size = [said["ImageWidth"], said["ImageHeight"]]
            lies = said.get("Orientation", 1) >= 5 or said.get("Rotation", 0) in (90, 270)
            # exiftool gives HEIC as it is stored as well, and these two alike.
            assert [row.width, row.height] == (size[::-1] if lies else size), path
        if row.duration_s is not None and "Duration" in said:
            assert row.duration_s == pytest.approx(_seconds(said["Duration"]), abs=0.1), path
        assert (row.detail or {}).get("damaged_metadata") is None, path
    assert (dated > 50, located > 4) == (True, True)


def _require_said_beside(newcomer: Newcomer, disk: MessyDisk) -> None:
    """What does not say when it was taken is dated by its sidecar, and nothing else is."""
    by_sidecar = {
        path: row.captured_at
        for path, row in newcomer.files().items()
        if row.captured_from == "sidecar" and row.role == "original"
    }
    assert by_sidecar == disk.said_beside
    assert len(by_sidecar) > 10


def _seconds(said: float | str) -> float:
    """A duration; Matroska's is told by the clock."""
    hours, minutes, seconds = ("0:0:" + str(said)).split(":")[-3:]
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _exiftool(root: Path) -> dict[str, dict[str, Any]]:
    """What exiftool says of every file below, by path; each tag by its first group."""
    if shutil.which("exiftool") is None:
        pytest.fail("exiftool is required")
    listed = "".join(f"{path}\n" for path in walk_files(root) if "\n" not in path)
    done = subprocess.run(
        ["exiftool", "-json", "-n", "-api", "LargeFileSupport=1", "-@", "-"],
        input=os.fsencode(listed),
        cwd=root,
        capture_output=True,
        check=False,
    )
    return {one["SourceFile"]: one for one in json.loads(done.stdout.decode("utf-8", "replace"))}


def _require_found(newcomer: Newcomer) -> None:
    """By name, day and likeness, what is looked for is found."""

    def found(q: str) -> set[str | None]:
        with newcomer.library() as db, db.read() as conn:
            shown = browse_assets(conn, AssetFilter(q=q), limit=100).assets
            return {one.facts.title for one in shown}

    assert found("caf\u00e9.jpg") >= {"caf\u00e9.jpg"}
    assert found("orientation 3") == {"PXL_orientation_3.jpg"}
    assert found("DJI_0001.mkv") == {"DJI_0001.mkv"}
    assert found("no such picture") == set()
    with newcomer.library() as db:
        names = {card.asset.facts.title for card in read_photos(db, "2024-07-01", limit=200).cards}
        assert {f"PXL_orientation_{number}.jpg" for number in range(1, 9)} <= names
        assert "PXL_time_new_year_hawaii.jpg" not in names
        names = {card.asset.facts.title for card in read_photos(db, "2024-01-01", limit=200).cards}
        assert names == {"PXL_time_new_year_kiritimati.jpg"}
        with db.read() as conn:
            groups = AlikeWatch().undecided(conn)
            titles = dict(conn.execute(select(asset.c.id, asset.c.title)).all())
    grouped = {frozenset(titles[one.asset_id] for one in group.members) for group in groups}
    burst = frozenset(f"PXL_BURST{number}.jpg" for number in range(4))
    assert burst in grouped
    alike = {"PXL_orientation_1.jpg", "IMG-20240701-WA0001.jpg", "small.jpg", "converted.png"}
    assert any(alike <= group for group in grouped), grouped


def _sort(newcomer: Newcomer, before: Manifest) -> str:
    """Preview and accept; every content is still there as often as before, and nothing else is."""
    root = newcomer.root
    shown = newcomer.program.json("photos", "sort", "home", "--dry-run")
    assert manifest(root) == before
    run: str = newcomer.program.json("photos", "sort", "home", "--accept", shown["accept"])["run"]
    newcomer.program.run("worker", "--drain")
    after = manifest(root)
    assert contents(after) == contents(before)
    moves = {one["source_path"]: one["target_path"] for one in shown["files"] if one["target_path"]}
    assert len(moves) == shown["verdicts"]["move"] > 50
    assert after == {moves.get(path, path): facts for path, facts in before.items()}
    dated = {p for p, row in newcomer.files().items() if row.captured_at is not None}
    assert all(not to.startswith("undated/") for to in moves.values() if to in dated)
    return run
