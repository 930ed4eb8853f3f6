"""What a rescan of photos that did not change costs, beside `find` over the same tree.

    python benchmarks/bench_photos.py [--files 300000] [--per-folder 300] [--rounds 5] [--json]

One run, one machine, a warm cache: `find` that lists, `find` that asks for size, time and inode of
each file, the usual look at folders, and the look at all files; by turns. Prints the medians and
their ratios; 3 times `find` is the most that is wanted. Then: the memory of a scan of a tenth of
the files and of all, each in a process of its own; and the statements of scan and preflight.
"""

from __future__ import annotations

import argparse
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

from sqlalchemy import insert

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


def find(root: Path, *what: str) -> Callable[[], object]:
    return lambda: subprocess.run(["find", str(root), *what], stdout=subprocess.DEVNULL, check=True)


def measure_rescan(root: Path, rounds: int) -> dict[str, float]:
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
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            seconds[name].append(timed(work))
    return {name: statistics.median(values) for name, values in seconds.items()}


def measure_memory(root: Path) -> float:
    """The most memory, in MiB, of a process that looks at all files of the tree."""
    command = [sys.executable, __file__, "--child", str(root)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(told.stdout) / 1024


def child(root: Path) -> None:
    for _ in source_of(root).discover({}):
        pass
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


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
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
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
        found["seconds"] = measure_rescan(large, chosen.rounds)
        found["memory_mib"] = {"a tenth": measure_memory(small), "all": measure_memory(large)}
        with database_server("sqlite") as server:
            with fresh_database(server) as db:
                found["scan"] = measure_scan(db, large, where / "store")
            with fresh_database(server) as db:
                found["preflight"] = measure_preflight(db, single, min(100_000, chosen.files))
    if chosen.json:
        print(json.dumps(found, indent=2))
        return
    report(found)


def report(found: dict[str, Any]) -> None:
    seconds = found["seconds"]
    print(f"{found['files']:,} files that did not change, seconds:")
    for name, value in seconds.items():
        print(f"  {name:16} {value:8.3f}")
    for name, other in (("folders", "find"), ("all files", "find with stat")):
        ratio = seconds[name] / seconds[other]
        print(f"  {name} is {ratio:.2f} times `{other}` (at most {TARGET:g} is wanted)")
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


if __name__ == "__main__":
    main()
