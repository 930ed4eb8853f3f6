"""How fast bytes come in: our verified copy against `sha256sum` and `cp` on the same files.

Our copy hashes, writes, syncs and renames; `cp` does not sync and `sha256sum` does not write. They
run in turns, in the same run, several rounds; medians are compared. A ratio of 1.0 means: as fast
as the slower of the two. The bytes that this process read are counted by the system.

    python benchmarks/bench_copy.py --size-mb 1024 --rounds 5 --folder /where/the/disk/is
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lading.base.stopping import StopSignal
from lading.storage.folder import FolderStore
from lading.storage.roots import SafeRoot
from lading.storage.transfer import copy_in

TARGET_RATIO = 0.8
MB = 1_000_000


@dataclass(frozen=True)
class Sample:
    """One file to copy, with its promise."""

    name: str
    size_bytes: int
    sha256: str


class NoMeter:
    """Takes note of nothing."""

    def moved(self, count: int) -> None:
        """Bytes were read."""

    def skipped(self, count: int) -> None:
        """Bytes needed no transfer."""


def make_samples(folder: Path, prefix: str, count: int, size_bytes: int) -> list[Sample]:
    """Files of random bytes, synced, so that no write-back of theirs disturbs what follows."""
    samples = []
    for number in range(count):
        digest = hashlib.sha256()
        name = f"{prefix}-{number}"
        with open(folder / name, "wb") as file:
            for start in range(0, size_bytes, 4 << 20):
                chunk = os.urandom(min(4 << 20, size_bytes - start))
                digest.update(chunk)
                file.write(chunk)
            os.fsync(file.fileno())
        samples.append(Sample(name, size_bytes, digest.hexdigest()))
    return samples


def copy_with_lading(source: Path, target: Path, samples: Sequence[Sample], threads: int) -> None:
    """Bring the samples into a fresh folder store."""
    store = FolderStore(target, create=True)
    with SafeRoot(source) as root, ThreadPoolExecutor(threads) as pool:

        def bring(sample: Sample) -> None:
            copy_in(
                root,
                sample.name,
                store,
                size_bytes=sample.size_bytes,
                sha256=sample.sha256,
                owner="bench",
                meter=NoMeter(),
                stop=StopSignal(),
            )

        list(pool.map(bring, samples))


def hash_with_sha256sum(source: Path, samples: Sequence[Sample]) -> None:
    """One `sha256sum` over all samples."""
    names = [str(source / sample.name) for sample in samples]
    subprocess.run(["sha256sum", *names], check=True, stdout=subprocess.DEVNULL)


def copy_with_cp(source: Path, target: Path, samples: Sequence[Sample]) -> None:
    """One `cp` of all samples; copy-on-write is off, for that copies nothing."""
    target.mkdir()
    names = [str(source / sample.name) for sample in samples]
    subprocess.run(["cp", "--reflink=never", *names, str(target)], check=True)


def hash_with_python(source: Path, samples: Sequence[Sample]) -> None:
    """`hashlib` alone: the floor for anything that verifies in this process."""
    for sample in samples:
        with open(source / sample.name, "rb", buffering=0) as file:
            hashlib.file_digest(file, "sha256")


def bytes_read() -> int:
    """Bytes this process has asked the system to read so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["rchar"])


def measure(
    folder: Path, source: Path, samples: Sequence[Sample], rounds: int, threads: int
) -> dict[str, Any]:
    """Seconds of each contender, one after the other, `rounds` times."""
    contenders: dict[str, Callable[[Path], None]] = {
        "lading": lambda target: copy_with_lading(source, target, samples, threads),
        "sha256sum": lambda _: hash_with_sha256sum(source, samples),
        "cp": lambda target: copy_with_cp(source, target, samples),
        "hashlib": lambda _: hash_with_python(source, samples),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    total = sum(sample.size_bytes for sample in samples)
    read_times = 0.0
    order = list(contenders)
    for number in range(rounds):
        # Each round begins with another one, so that none always follows the same neighbour.
        for name in order[number % len(order) :] + order[: number % len(order)]:
            target = folder / f"target-{name}"
            os.sync()
            before = bytes_read()
            started = time.perf_counter()
            contenders[name](target)
            seconds[name].append(time.perf_counter() - started)
            if name == "lading":
                read_times = max(read_times, (bytes_read() - before) / total)
            shutil.rmtree(target, ignore_errors=True)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    slower = max(medians["sha256sum"], medians["cp"])
    return {
        "files": len(samples),
        "size_mb": total / MB,
        "threads": threads,
        "rounds": rounds,
        "seconds": {name: [round(v, 4) for v in values] for name, values in seconds.items()},
        "mb_per_s": {name: round(total / MB / median, 1) for name, median in medians.items()},
        "ratio_to_sha256sum": round(medians["sha256sum"] / medians["lading"], 3),
        "ratio_to_cp": round(medians["cp"] / medians["lading"], 3),
        "ratio_to_hashlib": round(medians["hashlib"] / medians["lading"], 3),
        "ratio": round(slower / medians["lading"], 3),
        "each_byte_read_times": round(read_times, 4),
    }


def report(name: str, result: dict[str, Any]) -> None:
    """One case as lines for people."""
    print(f"{name}: {result['files']} file(s), {result['size_mb']:.0f} MB, "
          f"{result['threads']} thread(s), median of {result['rounds']}")  # fmt: skip
    for contender, speed in result["mb_per_s"].items():
        print(f"  {contender:10} {speed:8.1f} MB/s")
    verdict = "reached" if result["ratio"] >= TARGET_RATIO else "MISSED"
    print(f"  ratio to the slower of sha256sum and cp: {result['ratio']:.2f} "
          f"(target {TARGET_RATIO}: {verdict})")  # fmt: skip
    print(f"  each byte read {result['each_byte_read_times']:.3f} times")


def main() -> None:
    """Run both cases and say what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size-mb", type=int, default=1024, help="size of each case in MB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="for the case of many files")
    parser.add_argument("--folder", type=Path, help="where to work; its disk is what is measured")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-copy-", dir=arguments.folder) as name:
        folder = Path(name)
        source = folder / "source"
        source.mkdir()
        size_bytes = arguments.size_mb * MB
        one = make_samples(source, "large", 1, size_bytes)
        many = make_samples(source, "photo", max(1, arguments.size_mb // 5), 5 * MB)
        results = {
            "one large file": measure(folder, source, one, arguments.rounds, 1),
            "many files of 5 MB": measure(
                folder, source, many, arguments.rounds, arguments.threads
            ),
        }
    if arguments.json:
        print(json.dumps(results, indent=2))
    else:
        for title, result in results.items():
            report(title, result)


if __name__ == "__main__":
    main()
