"""What a rescan of photos that did not change costs, beside `find` over the same tree.

    python benchmarks/bench_photos.py [--files 300000] [--per-folder 300] [--rounds 5]
        [--folder-files 100000] [--json]

One run, one machine, a warm cache: `find` that lists, `find` that asks for size, time and inode of
each file, the usual look at folders, and the look at all files; by turns. Prints the medians and
their ratios, in time of the clock and of the processors; 3 times `find` is the most that is wanted.
Then: the memory of a scan of a tenth of the files and of all, each in a process of its own; the
statements of scan and preflight; and one folder of `--folder-files` small pictures, and of a tenth
of them, found, taken in and looked at again, with time and memory for each.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, insert, select

from lading.db import Database
from lading.ingest.source import BatchRef
from lading.library.photo_values import FilePlace
from lading.library.tables import asset, asset_file, photo_file
from lading.sources.photos.source import build
from lading.storage.folder import FolderStore
from lading.testing.installation import ACTOR, Installation
from lading.testing.servers_db import database_server, fresh_database
from lading.testing.source_suite import counted_statements

TARGET: Final = 3.0
_NOW: Final = datetime.now(UTC)
LONG_AGO_S: Final = 1_600_000_000


def make_tree(root: Path, files: int, per_folder: int) -> None:
    """Years, months and albums of empty files; their content is not looked at by a scan."""
    folders = -(-files // per_folder)
    for number in range(folders):
        folder = root / f"{number % 20:04}" / f"{number // 20 % 12:02}" / f"album {number:06}"
        folder.mkdir(parents=True)
        for file in range(min(per_folder, files - number * per_folder)):
            os.close(os.open(folder / f"IMG_{file:05}.jpg", os.O_CREAT | os.O_WRONLY))
        os.utime(folder, (LONG_AGO_S + number, LONG_AGO_S + number))


def source_of(root: Path, **options: Any) -> Any:
    return build("home", {"path": str(root), "stable_for_s": 0, **options})


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cpu_s() -> float:
    """Seconds of the processors that this process and those it waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def find(root: Path, *what: str) -> Callable[[], object]:
    return lambda: subprocess.run(["find", str(root), *what], stdout=subprocess.DEVNULL, check=True)


def measure_rescan(root: Path, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """The medians of each way, of the clock and of the processors."""
    known = {batch.key: batch.fingerprint for batch in source_of(root).discover({})}
    usual, all_files = source_of(root), source_of(root, full_every_h=0)

    def look(source: Any) -> Callable[[], object]:
        return lambda: sum(1 for _ in source.discover(known))

    ways = {
        "find": find(root),
        "find with stat": find(root, "-printf", "%s %T@ %i\n"),
        "folders": look(usual),
        "all files": look(all_files),
    }
    wall: dict[str, list[float]] = {name: [] for name in ways}
    used: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            before = cpu_s()
            wall[name].append(timed(work))
            used[name].append(cpu_s() - before)
    first, second = (
        {name: statistics.median(values) for name, values in each.items()} for each in (wall, used)
    )
    return first, second


def measure_memory(root: Path) -> float:
    """The most memory, in MiB, of a process that looks at all files of the tree."""
    command = [sys.executable, __file__, "--child", str(root)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(told.stdout) / 1024


def child(root: Path) -> None:
    for _ in source_of(root).discover({}):
        pass
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def measure_folder(where: Path, files: int) -> dict[str, float]:
    """One folder of so many small pictures, in a process of its own."""
    where.mkdir()
    command = [sys.executable, __file__, "--folder-child", str(where), "--files", str(files)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(told.stdout)
    return measured


def folder_child(where: Path, files: int) -> None:
    """Fill a folder, take it in, and look at it again; tells seconds, and the most memory held."""
    from PIL import Image

    written = io.BytesIO()
    Image.effect_noise((64, 48), 60).convert("RGB").save(written, "JPEG")
    folder = where / "photos" / "one folder"
    folder.mkdir(parents=True)
    for number in range(files):
        # What follows the end of a picture makes it another file, and no other picture.
        (folder / f"{number:06}.jpg").write_bytes(written.getvalue() + b"%d" % number)
    source = source_of(where / "photos", full_every_h=0, threads=2)
    with database_server("sqlite") as server, fresh_database(server) as db:
        store = FolderStore(where / "store", name="library", create=True)
        installation = Installation(db, store, [source])
        took = {"take_in_s": timed(installation.take_in)}
        taken_in_kib = held_kib()
        took["again_s"] = timed(installation.take_in)
        with db.read() as conn:
            count = conn.execute(select(func.count()).select_from(photo_file)).scalar_one()
    assert count == files
    took |= {"files": files, "taken_in_mib": taken_in_kib / 1024, "memory_mib": held_kib() / 1024}
    print(json.dumps(took))


def held_kib() -> float:
    """The most memory that this process ever held; `ru_maxrss` begins with that of its parent."""
    status = Path("/proc/self/status").read_text()
    return float(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def measure_scan(db: Database, root: Path, store: Path) -> dict[str, float]:
    """An unchanged scan through the engine: its time and its statements."""
    source = source_of(root)
    installation = Installation(db, FolderStore(store, name="library", create=True), [source])
    first = timed(lambda: installation.ingest.scan("home", actor=ACTOR))
    with counted_statements(db.engine) as statements:
        again = timed(lambda: installation.ingest.scan("home", actor=ACTOR))
    return {"first_s": first, "again_s": again, "statements": len(statements)}


def measure_preflight(db: Database, root: Path, files: int) -> dict[str, float]:
    """One folder of `files` recorded, unchanged files: the statements for each hundred of them."""
    folder = root / "one folder"
    folder.mkdir()
    for number in range(files):
        os.close(os.open(folder / f"{number:06}.jpg", os.O_CREAT | os.O_WRONLY))
    source = source_of(root)
    with source.open_batch(BatchRef(1, "one folder", 1)) as opened:
        items = list(opened.items())
        with db.write() as conn:
            _record(conn, [item.payload for item in items])
        with db.read() as conn, counted_statements(db.engine) as statements:
            began = time.perf_counter()
            held = 0
            for start in range(0, len(items), 500):
                decided = opened.decide(conn, items[start : start + 500])
                held += sum(not one.recorded for one in decided)
            seconds = time.perf_counter() - began
    assert held == files
    return {"files": files, "seconds": seconds, "statements_per_500": len(statements) * 500 / files}


def _record(conn: Any, files: list[Any]) -> None:
    at = {"created_at": _NOW, "updated_at": _NOW}
    digest = "0" * 64
    row = {"content_hash": digest, "asset_type": "photo", **at}
    asset_id = conn.execute(insert(asset).values(**row)).inserted_primary_key[0]
    places = [FilePlace("home", "one folder", file.name) for file in files]
    conn.execute(
        insert(asset_file),
        [
            {
                "id": number,
                "asset_id": asset_id,
                "role": "original",
                "path": place.path,
                "path_sha256": place.path_sha256,
                "sha256": digest,
                "size_bytes": file.stamp.size_bytes,
                "store": "source:home",
                "location": place.location,
                **at,
            }
            for number, (place, file) in enumerate(zip(places, files, strict=True), 1)
        ],
    )
    conn.execute(
        insert(photo_file),
        [
            {
                "file_id": number,
                "source": "home",
                "folder_sha256": place.folder_sha256,
                "path_sha256": place.path_sha256,
                "mtime_ns": file.stamp.mtime_ns,
                "inode": file.stamp.inode,
            }
            for number, (place, file) in enumerate(zip(places, files, strict=True), 1)
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=300_000)
    parser.add_argument("--per-folder", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder-files", type=int, default=0)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder-child", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.folder_child:
        folder_child(chosen.folder_child, chosen.files)
        return
    if chosen.child:
        child(chosen.child)
        return
    with tempfile.TemporaryDirectory(prefix="lading-photos-") as name:
        where = Path(name)
        large, small, single = where / "large", where / "small", where / "single"
        make_tree(large, chosen.files, chosen.per_folder)
        make_tree(small, chosen.files // 10, chosen.per_folder)
        single.mkdir()
        found: dict[str, Any] = {"files": chosen.files}
        found["seconds"], found["cpu_seconds"] = measure_rescan(large, chosen.rounds)
        found["memory_mib"] = {"a tenth": measure_memory(small), "all": measure_memory(large)}
        with database_server("sqlite") as server:
            with fresh_database(server) as db:
                found["scan"] = measure_scan(db, large, where / "store")
            with fresh_database(server) as db:
                found["preflight"] = measure_preflight(db, single, min(100_000, chosen.files))
        if chosen.folder_files:
            found["folders"] = [
                measure_folder(where / f"folder {files}", files)
                for files in (chosen.folder_files // 10, chosen.folder_files)
            ]
    if chosen.json:
        print(json.dumps(found, indent=2))
        return
    report(found)


def report(found: dict[str, Any]) -> None:
    seconds = found["seconds"]
    used = found["cpu_seconds"]
    print(f"{found['files']:,} files that did not change, seconds, and of the processors:")
    for name, value in seconds.items():
        print(f"  {name:16} {value:8.3f} {used[name]:8.3f}")
    for name, other in (("folders", "find"), ("all files", "find with stat")):
        ratio, of_cpu = seconds[name] / seconds[other], used[name] / used[other]
        print(
            f"  {name} is {ratio:.2f} times `{other}`, {of_cpu:.2f} times by the processors"
            f" (at most {TARGET:g} is wanted)"
        )
    memory = found["memory_mib"]
    print(f"memory: {memory['a tenth']:.0f} MiB for a tenth, {memory['all']:.0f} MiB for all")
    scan = found["scan"]
    print(
        f"scan: {scan['first_s']:.2f} s the first time, {scan['again_s']:.2f} s and"
        f" {scan['statements']} statements again"
    )
    preflight = found["preflight"]
    print(
        f"preflight of one folder of {preflight['files']:,} recorded files:"
        f" {preflight['seconds']:.2f} s, {preflight['statements_per_500']:.2f} statements for 500"
    )
    for folder in found.get("folders", []):
        print(
            f"one folder of {folder['files']:,} pictures: taken in within {folder['take_in_s']:.0f}"
            f" s, {folder['taken_in_mib']:.0f} MiB; all looked at again in"
            f" {folder['again_s']:.2f} s, {folder['memory_mib']:.0f} MiB"
        )


if __name__ == "__main__":
    main()
