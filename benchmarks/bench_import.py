"""Whether an import's cost per item and memory depend on how many items there are.

One run, one machine: bundles of 1,000 and of many items are preflighted and imported by a worker
process of their own each, on SQLite and, with `--postgresql`, on a private PostgreSQL. Prints the
cost per item, its ratio, and each worker's peak memory; then the cost of scanning many unchanged
bundles in statements and passes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lading.db import open_database
from lading.db.migrate import upgrade
from lading.ingest.registry import build_source
from lading.storage.folder import FolderStore
from lading.testing.installation import ACTOR, Installation
from lading.testing.publisher import Publisher
from lading.testing.servers_db import Backend, database_server, fresh_database, url_of
from lading.testing.source_suite import counted_statements

SMALL = 1_000


def work(url: str, root: str, store: str, keep: str) -> None:
    """In a process of its own: preflight, queue and import everything; print what it took."""
    db = open_database(url)
    folder = FolderStore(store, name="library", create=True)
    source = build_source("handover", "nas", {"root": root, "keep": keep})
    installation = Installation(db, folder, [source])
    (batch_id,) = installation.scan()
    idle_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    installation.ingest.preflight(batch_id, actor=ACTOR)
    decided = time.perf_counter()
    installation.ingest.queue([batch_id], actor=ACTOR)
    installation.drain()
    imported = time.perf_counter()
    batch = installation.batch(batch_id)
    report = {
        "state": batch.state.value,
        "items": batch.items_total,
        "preflight_s": decided - began,
        "import_s": imported - decided,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "before_mb": idle_kb / 1024,
    }
    print(json.dumps(report))
    db.close()


def measure(url: str, root: Path, store: Path, keep: str) -> dict[str, Any]:
    """One bundle through one fresh worker process."""
    command = [sys.executable, __file__, "--worker", url, str(root), str(store), keep]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if report["state"] != "imported":
        raise SystemExit(f"the bundle ended {report['state']}: {done.stderr}")
    return report


def bench_items(
    stack: ExitStack, folder: Path, many: int, backend: Backend, keep: str
) -> list[dict[str, Any]]:
    """The two sizes one after the other on one server, each on a database of its own."""
    server = stack.enter_context(database_server(backend, durable=True))
    reports: list[dict[str, Any]] = []
    for count in (SMALL, many, SMALL):
        place = folder / f"{backend}-{keep}-{count}-{len(reports)}"
        Publisher(place / "nas").publish_many(count)
        with fresh_database(server) as db:
            reports.append(measure(url_of(db), place / "nas", place / "store", keep))
    small, large, again = reports
    for what in ("preflight_s", "import_s"):
        # The small one runs before and after, so that a machine growing slower does not count.
        per_small = (small[what] + again[what]) / 2 / SMALL
        per_large = large[what] / many
        print(
            f"{backend:<11} {keep:<9} {what[:-2]:<10}"
            f" {per_small * 1e6:8.0f} us/item at {SMALL:,}"
            f" {per_large * 1e6:8.0f} us/item at {many:,}   ratio {per_large / per_small:.2f}"
        )
    print(
        f"{backend:<11} {keep:<9} memory     {small['peak_mb']:8.0f} MB peak at {SMALL:,}"
        f"    {large['peak_mb']:8.0f} MB peak at {many:,}   ratio"
        f" {large['peak_mb'] / small['peak_mb']:.2f}"
    )
    return reports


def bench_scan(folder: Path, bundles: int) -> dict[int, dict[str, float]]:
    """A scan of many unchanged bundles beside one of a hundred."""
    reports: dict[int, dict[str, float]] = {}
    for count in (100, bundles):
        root = folder / f"scan-{count}"
        publisher = Publisher(root / "nas")
        for _ in range(count):
            publisher.publish_many(1, payload=False)
        db = open_database(f"sqlite:///{root}/lading.sqlite")
        upgrade(db)
        source = build_source("handover", "nas", {"root": str(root / "nas")})
        store = FolderStore(root / "store", name="library", create=True)
        installation = Installation(db, store, [source])
        began = time.perf_counter()
        installation.scan()
        first_s = time.perf_counter() - began
        opened: list[str] = []
        passes: list[str] = []

        def note(
            event: str,
            arguments: tuple[Any, ...],
            opened: list[str] = opened,
            passes: list[str] = passes,
        ) -> None:
            if event == "open" and str(arguments[0]).endswith((".json", ".ready")):
                opened.append(str(arguments[0]))
            if event == "os.scandir":
                passes.append(str(arguments[0]))

        sys.addaudithook(note)
        began = time.perf_counter()
        with counted_statements(db.engine) as statements:
            report = installation.ingest.scan("nas", actor=ACTOR)
        again_s = time.perf_counter() - began
        assert report.unchanged == count, report
        reports[count] = {
            "first_s": first_s,
            "again_s": again_s,
            "statements": len(statements),
            "passes": len(passes),
            "manifests_opened": len(opened),
        }
        print(
            f"scan        {count:>6,} unchanged bundles: {again_s * 1e3:7.1f} ms,"
            f" {len(statements)} statements, {len(passes)} pass over the folder,"
            f" {len(opened)} manifests opened (first scan {first_s:.2f} s)"
        )
        db.close()
    return reports


def main() -> None:
    """Run from the command line."""
    if sys.argv[1:2] == ["--worker"]:
        work(*sys.argv[2:6])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--bundles", type=int, default=10_000)
    parser.add_argument("--keep", default="in_place", choices=["in_place", "copy"])
    parser.add_argument("--backend", default="sqlite", choices=["sqlite", "postgresql", "mariadb"])
    parser.add_argument("--json", action="store_true", help="print the raw figures too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lading-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        scans = bench_scan(folder, options.bundles)
        items = bench_items(stack, folder, options.items, options.backend, options.keep)
        if options.json:
            print(json.dumps({"scan": scans, "import": items}, indent=2))


if __name__ == "__main__":
    main()
