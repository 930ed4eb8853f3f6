"""What the tests of uploads share: files' bytes, cut-off readings, and the work of a process."""

from __future__ import annotations

import hashlib
import os
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from lading.storage.s3 import S3Options, S3Store
from lading.storage.uploading import Uploaded, Uploader, uploader_for
from lading.testing.servers_s3 import S3Facts
from lading.testing.store_suite import chunks_of, read_all

PART = 5 * 1024 * 1024
CHUNK = 1_000_003  # so that parts do not end where chunks do


def bytes_of(size_bytes: int, seed: int = 7) -> bytes:
    """The same bytes for the same seed."""
    return random.Random(seed).randbytes(size_bytes)


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def send(uploader: Uploader, key: str, data: bytes, **others: Any) -> Uploaded:
    return uploader.upload(
        key,
        others.pop("chunks", lambda: chunks_of(data, CHUNK)),
        size_bytes=len(data),
        sha256=sha256_of(data),
        **others,
    )


def breaking(
    data: bytes, at_bytes: int, then: Callable[[], object]
) -> Callable[[], Iterator[bytes]]:
    """The bytes as chunks; before the one that holds byte `at_bytes`, `then` is called once."""
    calls = [then]

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(data), CHUNK):
            if calls and start + CHUNK > at_bytes:
                calls.pop()()
            yield data[start : start + CHUNK]

    return chunks


def raising(error: BaseException) -> Callable[[], object]:
    def throw() -> object:
        raise error

    return throw


def pending(facts: S3Facts, store: S3Store, key: str) -> list[Any]:
    """The unfinished uploads of a key, as the service lists them."""
    found = facts.admin().list_multipart_uploads(
        Bucket=facts.bucket, Prefix=f"{store.options.prefix}/{key}"
    )
    return list(found.get("Uploads", []))


def parts_held(facts: S3Facts, upload: Any) -> list[int]:
    """The numbers of the parts that the service holds of an unfinished upload."""
    found = facts.admin().list_parts(
        Bucket=facts.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
    )
    return [part["PartNumber"] for part in found.get("Parts", [])]


def assert_stored(store: S3Store, key: str, data: bytes) -> None:
    """The object is there whole, with its hash."""
    info = store.head(key)
    assert info is not None
    assert info.metadata["sha256"] == sha256_of(data)
    assert sha256_of(read_all(store, key)) == sha256_of(data)


def upload_in_process(options: S3Options, size_bytes: int, dies_at: int | None) -> dict[str, int]:
    """Upload the file of that size under `shared`; with `dies_at`, be killed at that byte."""
    data = bytes_of(size_bytes)
    chunks = breaking(
        data,
        size_bytes if dies_at is None else dies_at,
        (lambda: None) if dies_at is None else lambda: os.kill(os.getpid(), signal.SIGKILL),
    )
    uploader = uploader_for(S3Store(options))
    return asdict(send(uploader, "shared", data, chunks=chunks))
