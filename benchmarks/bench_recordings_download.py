"""How fast recordings come down: ours against the bare client and boto3, from private servers.

Ours verifies every byte by sha256. `bare` is obstore with the same number of threads, each
streaming whole objects into files; `bare_hashing` hashes as well; `boto3` is its transfer manager.
They run in turns in the same run, and medians are compared: 1.0 is as fast as the other, 2.0 twice
as fast. The server runs on the same machine, so that what hashing takes is taken from it too.

    python benchmarks/bench_recordings_download.py --server ministack --rounds 5
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import boto3
import obstore
from boto3.s3.transfer import TransferConfig

from lading.catalog.catalog import Catalog
from lading.sources.recordings.downloading import download
from lading.sources.recordings.ingesting import ingest_recording, open_local
from lading.sources.recordings.local import augment_manifest
from lading.sources.recordings.querying import query
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.values import QueryResult
from lading.storage.s3 import S3Options, S3Store, connect
from lading.testing.servers_s3 import S3Facts, ministack_server, radosgw_server

MIB: Final = 1024 * 1024
SERVERS: Final = {"ministack": ministack_server, "radosgw": radosgw_server}
SHAPES: Final = {
    "2000 x 64 KiB": (2000, 64 * 1024),
    "64 x 8 MiB": (64, 8 * MIB),
    "1 x 512 MiB": (1, 512 * MIB),
}


@dataclass(frozen=True)
class Held:
    """A recording that is stored and registered, with all that the contenders need."""

    repository: Repository
    results: tuple[QueryResult, ...]
    options: S3Options
    location: str
    names: tuple[str, ...]


def take_in(folder: Path, facts: S3Facts, count: int, size_bytes: int) -> Held:
    """A recording of `count` files of random bytes, taken in below a prefix of its own."""
    source = folder / "rec_20260520_195628_b1dd"
    worker = source / "camera_0"
    worker.mkdir(parents=True)
    for number in range(count):
        with open(worker / f"segment_{number:05}.bin", "wb") as file:
            starts = range(0, size_bytes, 4 * MIB)
            file.writelines(os.urandom(min(4 * MIB, size_bytes - start)) for start in starts)
    augment_manifest(source / "manifest.json")
    options = facts.options(prefix=f"bench/{uuid4().hex}")
    catalog = Catalog.create(options, prefix="catalog")
    repository = Repository.of(S3Store(options), catalog)
    ingest_recording(repository, open_local(source / "manifest.json", source))
    shutil.rmtree(source)
    results = tuple(query(catalog))
    row = results[0].modalities["camera"]
    return Held(repository, results, options, row.location, row.keys)


def with_lading(held: Held, target: Path, threads: int) -> None:
    """Our download: listing, manifest, bytes, hashes, names."""
    download(held.repository, held.results, target, max_concurrent_files=threads)


def with_obstore(held: Held, target: Path, threads: int) -> None:
    """The bare client: a thread streams an object into a file."""
    client = connect(held.options)

    def bring(name: str) -> None:
        with open(target / Path(name).name, "wb", buffering=0) as file:
            file.writelines(obstore.get(client, f"{held.location}/{name}").stream(4 * MIB))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(bring, held.names))


def with_obstore_and_hashes(held: Held, target: Path, threads: int) -> None:
    """The bare client again, with each chunk hashed: the least that verifying takes."""
    client = connect(held.options)

    def bring(name: str) -> None:
        digest = hashlib.sha256()
        with open(target / Path(name).name, "wb", buffering=0) as file:
            for chunk in obstore.get(client, f"{held.location}/{name}").stream(4 * MIB):
                digest.update(chunk)
                file.write(chunk)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(bring, held.names))


def with_boto3(held: Held, target: Path, threads: int) -> None:
    """The transfer manager of boto3 as it comes, on as many files at a time."""
    options = held.options
    client = boto3.client(
        "s3",
        endpoint_url=options.endpoint,
        region_name=options.region,
        aws_access_key_id=options.access_key,
        aws_secret_access_key=options.secret_key,
    )

    def bring(name: str) -> None:
        key = f"{options.prefix}/{held.location}/{name}"
        path = str(target / Path(name).name)
        client.download_file(options.bucket, key, path, Config=TransferConfig())

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(bring, held.names))


CONTENDERS: Final[Mapping[str, Callable[[Held, Path, int], None]]] = {
    "lading": with_lading,
    "bare": with_obstore,
    "bare_hashing": with_obstore_and_hashes,
    "boto3": with_boto3,
}


def measure(held: Held, folder: Path, rounds: int, threads: int) -> dict[str, Any]:
    """Seconds of each contender, one after the other, `rounds` times."""
    seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    order = list(CONTENDERS)
    for number in range(rounds):
        # Each round begins with another one, so that none always follows the same neighbour.
        for name in order[number % len(order) :] + order[: number % len(order)]:
            target = folder / f"target-{name}"
            target.mkdir()
            os.sync()
            started = time.perf_counter()
            CONTENDERS[name](held, target, threads)
            seconds[name].append(time.perf_counter() - started)
            shutil.rmtree(target)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "seconds": {name: round(value, 3) for name, value in medians.items()},
        **{
            f"speed_by_{name}": round(medians[name] / medians["lading"], 2)
            for name in CONTENDERS
            if name != "lading"
        },
    }


def main() -> None:
    """Measure on one server, and print a line of JSON for each shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=sorted(SERVERS), default="ministack")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--shape", choices=sorted(SHAPES), action="append")
    given = parser.parse_args()
    with SERVERS[given.server]() as facts:
        for shape in given.shape or SHAPES:
            with tempfile.TemporaryDirectory() as folder:
                held = take_in(Path(folder), facts, *SHAPES[shape])
                found = measure(held, Path(folder), given.rounds, given.threads)
            print(json.dumps({"server": given.server, "shape": shape, **found}), flush=True)


if __name__ == "__main__":
    main()
