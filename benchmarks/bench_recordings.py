"""How fast recordings move between files and a bucket, compared with bare clients on one server.

    python benchmarks/bench_recordings.py [--rounds 3] [--scale 1.0] [--server radosgw] [--json]

Upload: Lading reads and hashes every file while it is sent, records the hash, and could go on where
it was cut off; obstore and boto3's transfer manager only send. All send the same files to the same
private server, the same number of files at once, in turn, each round beginning with another one;
medians are compared. The programs s5cmd, rclone and aws take part where they are installed, their
start included. Servers share the machine's processors with whoever sends, as nowhere else.
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
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import obstore
from boto3.s3.transfer import TransferConfig, create_transfer_manager

from lading.base.stopping import StopSignal
from lading.storage.roots import SafeRoot
from lading.storage.s3 import S3Store, connect
from lading.storage.transfer import verified_chunks
from lading.storage.uploading import uploader_for
from lading.testing.servers_s3 import S3Facts, ministack_server, radosgw_server

MIB = 1 << 20
FILES_AT_ONCE = 4
CASES = {
    "1 x 512 MiB": (1, 512 * MIB),
    "64 x 8 MiB": (64, 8 * MIB),
    "2,000 x 64 KiB": (2_000, 64 * 1024),
}
SERVERS: dict[str, Callable[[], AbstractContextManager[S3Facts]]] = {
    "ministack": ministack_server,
    "radosgw": radosgw_server,
}
AIMS = {"obstore": 0.9, "boto3": 1.0}


@dataclass(frozen=True)
class Sample:
    """One file, with its promise."""

    name: str
    size_bytes: int
    sha256: str


Contender = Callable[[Path, Sequence[Sample], str], None]
"""Moves the samples in a folder to, or from, keys below a prefix."""


@dataclass(frozen=True)
class Result:
    """Seconds of each contender, round by round."""

    size_bytes: int
    seconds: Mapping[str, Sequence[float]]

    def median_s(self, name: str) -> float:
        """The median of a contender's rounds."""
        return statistics.median(self.seconds[name])

    def ratio_to(self, name: str) -> float:
        """How many times as fast as that contender Lading is."""
        return self.median_s(name) / self.median_s("lading")

    def as_dict(self) -> dict[str, Any]:
        """Plain figures."""
        return {
            "size_bytes": self.size_bytes,
            "seconds": {name: [round(s, 4) for s in each] for name, each in self.seconds.items()},
            "mib_per_s": {
                name: round(self.size_bytes / MIB / self.median_s(name), 1) for name in self.seconds
            },
            "ratio": {
                name: round(self.ratio_to(name), 3) for name in self.seconds if name != "lading"
            },
        }


class NoMeter:
    """Takes note of nothing."""

    def moved(self, count: int) -> None:
        """Bytes were read."""

    def skipped(self, count: int) -> None:
        """Bytes needed no transfer."""


def make_samples(folder: Path, count: int, size_bytes: int) -> list[Sample]:
    """Files of random bytes."""
    samples = []
    for number in range(count):
        data = os.urandom(size_bytes)
        (folder / f"file-{number}").write_bytes(data)
        samples.append(Sample(f"file-{number}", size_bytes, hashlib.sha256(data).hexdigest()))
    os.sync()
    return samples


def uploaders(facts: S3Facts) -> dict[str, Contender]:
    """What uploads, by name, each with a client that is kept from round to round."""
    contenders: dict[str, Contender] = {
        "lading": _upload_with_lading(facts),
        "obstore": _upload_with_obstore(facts),
        "boto3": _upload_with_boto3(facts),
    }
    for program, command in _programs(facts).items():
        if shutil.which(program) and _runs(program):
            contenders[program] = partial(_upload_with_program, facts, command)
    return contenders


def _upload_with_lading(facts: S3Facts) -> Contender:
    uploader = uploader_for(S3Store(facts.options()))

    def upload(folder: Path, samples: Sequence[Sample], prefix: str) -> None:
        with SafeRoot(folder) as root, ThreadPoolExecutor(FILES_AT_ONCE) as pool:

            def bring(sample: Sample) -> None:
                with root.open(sample.name) as file:
                    uploader.upload(
                        f"{prefix}/{sample.name}",
                        lambda: verified_chunks(
                            file,
                            size_bytes=sample.size_bytes,
                            sha256=sample.sha256,
                            meter=NoMeter(),
                            stop=StopSignal(),
                        ),
                        size_bytes=sample.size_bytes,
                        sha256=sample.sha256,
                    )

            list(pool.map(bring, samples))

    return upload


def _upload_with_obstore(facts: S3Facts) -> Contender:
    client = connect(facts.options())

    def upload(folder: Path, samples: Sequence[Sample], prefix: str) -> None:
        def bring(sample: Sample) -> None:
            obstore.put(client, f"{prefix}/{sample.name}", folder / sample.name)

        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            list(pool.map(bring, samples))

    return upload


def _upload_with_boto3(facts: S3Facts) -> Contender:
    client = facts.admin()

    def upload(folder: Path, samples: Sequence[Sample], prefix: str) -> None:
        # One manager for all files, its ten threads as it comes: boto3's own advice for many files.
        with create_transfer_manager(client, TransferConfig()) as manager:
            sent = [
                manager.upload(str(folder / each.name), facts.bucket, f"{prefix}/{each.name}")
                for each in samples
            ]
            for future in sent:
                future.result()

    return upload


def _runs(program: str) -> bool:
    """Whether the program is there, and not only a stand-in that says where it might be."""
    asked = subprocess.run([program, "--help"], capture_output=True, check=False)
    return asked.returncode == 0


def _programs(facts: S3Facts) -> dict[str, list[str]]:
    rclone = f":s3,provider=Other,env_auth=true,force_path_style=true,endpoint='{facts.endpoint}':"
    return {
        "s5cmd": ["s5cmd", "--endpoint-url", facts.endpoint, "cp", "{folder}/", "s3://{target}/"],
        "rclone": ["rclone", "copy", "--transfers", "4", "{folder}", rclone + "{target}"],
        "aws": [
            "aws", "--endpoint-url", facts.endpoint, "s3", "cp", "--recursive",
            "--only-show-errors", "{folder}", "s3://{target}",
        ],
    }  # fmt: skip


def _upload_with_program(
    facts: S3Facts, command: Sequence[str], folder: Path, samples: Sequence[Sample], prefix: str
) -> None:
    assert len(list(folder.iterdir())) == len(samples)  # programs take folders, not lists
    filled = [
        part.replace("{folder}", str(folder)).replace("{target}", f"{facts.bucket}/{prefix}")
        for part in command
    ]
    keys = {
        "AWS_ACCESS_KEY_ID": facts.access_key,
        "AWS_SECRET_ACCESS_KEY": facts.secret_key,
        "AWS_REGION": facts.region,
    }
    subprocess.run(filled, env=os.environ | keys, check=True, stdout=subprocess.DEVNULL)


def measure(
    contenders: Mapping[str, Contender],
    folder: Path,
    samples: Sequence[Sample],
    rounds: int,
    settle: Callable[[str], None],
) -> Result:
    """Seconds of each contender, one after the other; `settle` is told the prefix after each."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    for number in range(rounds + 1):
        # Each round begins with another one, so that none always follows the same neighbour.
        turn = number % len(order)
        for name in order[turn:] + order[:turn]:
            prefix = f"{name}-{uuid4().hex}"
            started = time.perf_counter()
            contenders[name](folder, samples, prefix)
            if number:  # the first round opens connections
                seconds[name].append(time.perf_counter() - started)
            settle(prefix)
    return Result(sum(sample.size_bytes for sample in samples), seconds)


def remove(facts: S3Facts, samples: Sequence[Sample], prefix: str) -> None:
    """Check that everything arrived whole, and remove it: the servers keep it in memory."""
    client = connect(facts.options())
    found = {each["path"]: each["size"] for page in obstore.list(client, prefix) for each in page}
    assert found == {f"{prefix}/{each.name}": each.size_bytes for each in samples}
    obstore.delete(client, list(found))


def report(server: str, case: str, result: Result) -> None:
    """One case as lines for people."""
    print(f"upload to {server}, {case}, {FILES_AT_ONCE} at once")
    for name in result.seconds:
        speed = result.size_bytes / MIB / result.median_s(name)
        line = f"  {name:8} {result.median_s(name):7.3f} s {speed:7.1f} MiB/s"
        if name != "lading":
            line += f"   lading is {result.ratio_to(name):.2f} times as fast"
        if name in AIMS:
            reached = "reached" if result.ratio_to(name) >= AIMS[name] else "MISSED"
            line += f" (aim {AIMS[name]}: {reached})"
        print(line)


def main() -> None:
    """Run all cases on all servers and say what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="beside the first, which warms up")
    parser.add_argument("--scale", type=float, default=1.0, help="times as many files, or as large")
    parser.add_argument("--case", choices=CASES, action="append", help="default: all")
    parser.add_argument("--server", choices=SERVERS, action="append", help="default: both")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-recordings-") as name:
        files: dict[str, tuple[Path, list[Sample]]] = {}
        for case in arguments.case or CASES:
            count, size_bytes = CASES[case]
            if count == 1:
                size_bytes = int(size_bytes * arguments.scale)
            folder = Path(name) / uuid4().hex
            folder.mkdir()
            count = max(1, int(count * arguments.scale))
            files[case] = (folder, make_samples(folder, count, size_bytes))
        for server in arguments.server or SERVERS:
            with SERVERS[server]() as facts:
                contenders = uploaders(facts)
                for case, (folder, samples) in files.items():
                    settle = partial(remove, facts, samples)
                    result = measure(contenders, folder, samples, arguments.rounds, settle)
                    results.setdefault(server, {})[case] = result.as_dict()
                    if not arguments.json:
                        report(server, case, result)
    if arguments.json:
        print(json.dumps({"upload": results}, indent=2))


if __name__ == "__main__":
    main()
