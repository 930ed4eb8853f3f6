"""An archive from bucket to rows, compared with the obvious script, on one server in one run.

    python benchmarks/bench_archive.py [--codes 25000] [--script-codes 1000] [--rounds 3] [--json]

A private radosgw holds `codes` inventory codes of four objects each; a private PostgreSQL with
durable commits takes the rows. Lading lists, compares, reads three sidecars a code and writes; a
second run finds nothing new.
The script does the same with boto3 and psycopg as one would write it in an afternoon: list, read
each sidecar in turn, compare the checksum with the ETag, insert a row for each file, commit each
code. Both are measured on the same `script-codes` codes, in turn, into tables of their own: on the
loopback, where the server shares the machine's processors with whoever asks, and through a proxy
that holds each answer back for `latency-ms`, as a network does. Lading then takes all `codes` in.
Requests are counted by the server, statements by the driver.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import structlog
from sqlalchemy import make_url

from lading.db import Database
from lading.ingest.registry import build_source
from lading.storage.folder import FolderStore
from lading.testing.archive_bucket import ArchiveBucket
from lading.testing.installation import ACTOR, Installation
from lading.testing.servers_db import Server, database_server, fresh_database, url_of
from lading.testing.servers_s3 import S3Facts, radosgw_server
from lading.testing.source_suite import counted_statements

TYPES = ("BRD", "DVD", "UMA", "VHS")
FILL_THREADS = 12

SCRIPT_TABLES = """
CREATE TABLE master (code text PRIMARY KEY, mime text NOT NULL, metadata jsonb NOT NULL);
CREATE TABLE file (key text PRIMARY KEY, code text NOT NULL REFERENCES master (code),
                   size_bytes bigint NOT NULL, etag text NOT NULL)"""


async def _forward(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float
) -> None:
    loop = asyncio.get_running_loop()
    while data := await reader.read(65_536):
        if delay_s:
            loop.call_later(delay_s, writer.write, data)
        else:
            writer.write(data)
    writer.close()


async def _serve(target: tuple[str, int], delay_s: float, port: Any) -> None:
    async def connected(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        server, forth = await asyncio.open_connection(*target)
        await asyncio.gather(_forward(client, forth, 0), _forward(server, back, delay_s))

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    port.send(listening.sockets[0].getsockname()[1])
    await listening.serve_forever()


def _proxy(target: tuple[str, int], delay_s: float, port: Any) -> None:
    asyncio.run(_serve(target, delay_s, port))


@contextmanager
def far_away(facts: S3Facts, latency_ms: float) -> Iterator[S3Facts]:
    """The same bucket, each of whose answers comes `latency_ms` later."""
    address = urlsplit(facts.endpoint)
    target = (str(address.hostname), int(address.port or 80))
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_proxy, args=(target, latency_ms / 1_000, there), daemon=True)
    process.start()
    try:
        yield replace(facts, endpoint=f"http://127.0.0.1:{here.recv()}")
    finally:
        process.terminate()
        process.join()


def fill(bucket: ArchiveBucket, codes: int) -> None:
    """Put `codes` flawless codes into four folders; the first ones are in `BRD/`."""
    names = [f"VO-{TYPES[number * 4 // codes]}-{number:05d}" for number in range(codes)]
    with ThreadPoolExecutor(FILL_THREADS) as pool:
        list(pool.map(bucket.put_code, names))


def run_script(facts: S3Facts, url: str) -> float:
    """The obvious script over the whole bucket; its seconds."""
    libpq = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    client = facts.admin()
    with psycopg.connect(libpq) as connection:
        connection.execute(SCRIPT_TABLES)
        connection.commit()
        began = time.perf_counter()
        by_code: dict[str, dict[str, Any]] = defaultdict(dict)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=facts.bucket)
        for page in pages:
            for found in page["Contents"]:
                name = found["Key"].rpartition("/")[2]
                by_code[name[:12]][name.rpartition(".")[2]] = found
        for code, files in by_code.items():
            bodies = {
                kind: client.get_object(Bucket=facts.bucket, Key=files[kind]["Key"])["Body"].read()
                for kind in ("json", "md5", "pdf")
            }
            metadata = json.loads(bodies["json"])
            if bodies["md5"].split()[0].decode() != files["mp4"]["ETag"].strip('"'):
                raise SystemExit(f"the checksum of {code} is wrong")
            if not bodies["pdf"].startswith(b"%PDF-"):
                raise SystemExit(f"the report of {code} is no PDF")
            mime = "video/quicktime" if "mov" in metadata["format"]["format_name"] else "?"
            connection.execute(
                "INSERT INTO master VALUES (%s, %s, %s)", (code, mime, json.dumps(metadata))
            )
            for found in files.values():
                connection.execute(
                    "INSERT INTO file VALUES (%s, %s, %s, %s)",
                    (found["Key"], code, found["Size"], found["ETag"]),
                )
            connection.commit()
        seconds = time.perf_counter() - began
        connection.execute("DROP TABLE file; DROP TABLE master")
        connection.commit()
    return seconds


def run_lading(facts: S3Facts, db: Database) -> dict[str, Any]:
    """A whole run into an empty database, then a second one; seconds and counts of both."""
    options = {
        "bucket": facts.bucket,
        "endpoint": facts.endpoint,
        "region": facts.region,
        "access_key": facts.access_key,
        "secret_key": facts.secret_key,
        "allow_http": True,
    }
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(str(Path(folder) / "store"), name="library", create=True)
        source = build_source("archive", "archive", options)
        installation = Installation(db, store, [source])
        requests = facts.requests or (lambda: {"req": 0, "get": 0})
        before = requests()
        with counted_statements(db.engine) as statements:
            began = time.perf_counter()
            (batch_id,) = installation.scan()
            listed = time.perf_counter()
            installation.ingest.queue([batch_id], actor=ACTOR)
            decided = time.perf_counter()
            installation.drain()
            imported = time.perf_counter()
        after = requests()
        batch = installation.batch(batch_id)
        with counted_statements(db.engine) as again_statements:
            again_began = time.perf_counter()
            installation.scan()
            again = time.perf_counter() - again_began
        last = requests()
    return {
        "codes": batch.items_total,
        "state": batch.state.value,
        "list_s": listed - began,
        "decide_s": decided - listed,
        "import_s": imported - decided,
        "all_s": imported - began,
        "requests": after["req"] - before["req"],
        "gets": after["get"] - before["get"],
        "statements": len(statements),
        "again_s": again,
        "again_requests": last["req"] - after["req"],
        "again_gets": last["get"] - after["get"],
        "again_writes": sum(s.lstrip()[:6].upper() in WRITES for s in again_statements),
    }


def compare(facts: S3Facts, databases: Server, wanted: argparse.Namespace) -> dict[str, float]:
    """The script and Lading in turn; the medians for one code, and of the ratio."""
    script, ours = [], []
    for _ in range(wanted.rounds):
        with fresh_database(databases) as db:
            script.append(run_script(facts, url_of(db)))
        with fresh_database(databases) as db:
            ours.append(run_lading(facts, db)["all_s"])
    return {
        "script_ms_per_code": 1_000 * statistics.median(script) / wanted.script_codes,
        "lading_ms_per_code": 1_000 * statistics.median(ours) / wanted.script_codes,
        "times_as_fast": statistics.median(t / m for t, m in zip(script, ours, strict=True)),
    }


WRITES = frozenset({"INSERT", "UPDATE", "DELETE"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--codes", type=int, default=25_000)
    parser.add_argument("--script-codes", type=int, default=1_000)
    parser.add_argument("--latency-ms", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    report: dict[str, Any] = {}
    with (
        radosgw_server() as server,
        database_server("postgresql", durable=True) as databases,
    ):
        small = ArchiveBucket(server, name="archive-small")
        fill(small, wanted.script_codes)
        report["near"] = compare(small.facts, databases, wanted)
        with far_away(small.facts, wanted.latency_ms) as far:
            report["far"] = compare(far, databases, wanted)
        large = ArchiveBucket(server, name="archive-large")
        fill(large, wanted.codes)
        with fresh_database(databases) as db:
            report["large"] = run_lading(large.facts, db)
    if wanted.json:
        json.dump(report, sys.stdout, indent=2)
        print()
        return
    large_run = report["large"]
    for where, said in (
        ("near", "on the loopback"),
        ("far", f"with {wanted.latency_ms:g} ms of latency"),
    ):
        found = report[where]
        print(
            f"{said}: a code takes the script {found['script_ms_per_code']:.2f} ms,"
            f" Lading {found['lading_ms_per_code']:.2f} ms;"
            f" {found['times_as_fast']:.1f} times as fast"
        )
    print(
        f"{large_run['codes']:,} codes: {large_run['state']} in {large_run['all_s']:.1f} s"
        f" (list {large_run['list_s']:.1f}, compare {large_run['decide_s']:.1f},"
        f" parse and write {large_run['import_s']:.1f}),"
        f" {1_000 * large_run['all_s'] / large_run['codes']:.2f} ms a code"
    )
    print(
        f"  requests {large_run['requests']:,} of which sidecars read {large_run['gets']:,};"
        f" statements {large_run['statements']:,},"
        f" {large_run['statements'] / large_run['codes']:.2f} a code"
    )
    print(
        f"  again: {large_run['again_s']:.1f} s, {large_run['again_requests']:,} requests,"
        f" {large_run['again_gets']:,} objects read, {large_run['again_writes']} writes"
    )


if __name__ == "__main__":
    main()
