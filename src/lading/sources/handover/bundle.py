"""The two files that make a bundle: how they are named, and one reading of both together.

Scan and import read a bundle through the same function, so that they cannot differ in what they
take for consumable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Final

from lading.base.errors import SourceError
from lading.sources.handover.manifest import Reading, read_manifest
from lading.sources.handover.rules import Fault, judge_header, judge_name
from lading.sources.handover.upstream import SYNC_FOLDER, fault_of
from lading.storage.roots import FileMissing, SafeFile, SafeRoot, source_fault

MANIFEST_SUFFIX: Final = ".json"
SENTINEL_SUFFIX: Final = ".ready"
SENTINEL_BYTES_MAX: Final = 1024
"""A digest fits; of anything longer the beginning tells enough."""


@dataclass(frozen=True, slots=True)
class BundleReading:
    """What reading a bundle's two files found; `fault` says why it cannot be consumed."""

    manifest: Reading | None
    fault: Fault | None


class _Reader:
    """Reads a file below the root; what the system says comes out as a `SourceError`."""

    def __init__(self, file: SafeFile) -> None:
        self._file = file

    def read(self, size: int, /) -> bytes:
        try:
            return self._file.read(size) or b""
        except OSError as error:
            raise source_fault(error, self._file.relative) from error


def manifest_path(key: str) -> str:
    """Where the manifest of the bundle `key` is, below the root."""
    return f"{SYNC_FOLDER}/{key}{MANIFEST_SUFFIX}"


def sentinel_path(key: str) -> str:
    """Where the sentinel of the bundle `key` is, below the root."""
    return f"{SYNC_FOLDER}/{key}{SENTINEL_SUFFIX}"


def read_bundle(
    root: SafeRoot, key: str, *, manifest_bytes_max: int, spool: BinaryIO | None = None
) -> BundleReading:
    """Read the manifest of `key` once and its sentinel, and judge them as one (A3).

    A manifest without a sentinel is still being published: that comes before whatever else is
    wrong with it. Raises `SourceMissing` when the root is gone and `StoreError` when the
    manifest's copy cannot be kept.
    """
    if fault := judge_name(key):
        return BundleReading(None, fault)
    sentinel = _read_sentinel(root, key)
    waiting = sentinel if isinstance(sentinel, Fault) else None
    manifest = _read_manifest(root, key, manifest_bytes_max, spool)
    if isinstance(manifest, Fault):
        first = manifest if manifest.code == "manifest_missing" else waiting or manifest
        return BundleReading(None, first)
    verdict = waiting or manifest.fault
    if verdict is None and manifest.header and manifest.sha256 and isinstance(sentinel, bytes):
        verdict = judge_header(key, manifest.header, manifest.sha256, sentinel)
    return BundleReading(manifest, verdict)


def _read_manifest(
    root: SafeRoot, key: str, bytes_max: int, spool: BinaryIO | None
) -> Reading | Fault:
    path = manifest_path(key)
    try:
        with root.open(path) as file:
            return read_manifest(
                _Reader(file), size_bytes=file.size_bytes, bytes_max=bytes_max, spool=spool
            )
    except FileMissing:
        return Fault("manifest_missing", subject=path)
    except SourceError as error:
        return fault_of(error)


def _read_sentinel(root: SafeRoot, key: str) -> bytes | Fault:
    path = sentinel_path(key)
    try:
        with root.open(path) as file:
            return _Reader(file).read(SENTINEL_BYTES_MAX)
    except FileMissing:
        return Fault("sentinel_missing", subject=path)
    except SourceError as error:
        return fault_of(error)
