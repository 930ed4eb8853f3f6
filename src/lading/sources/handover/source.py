"""The hand-over source: bundles in a read-only tree, found by their sentinels (A1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from lading.base.errors import InternalError, RequestError, SourceError
from lading.base.units import format_bytes
from lading.ingest.source import BatchRef, Discovered, ItemRefused, OpenBatch, SourceFindings
from lading.sources.handover.bundle import manifest_path, read_bundle, sentinel_path
from lading.sources.handover.discover import discover
from lading.sources.handover.explain import explain
from lading.sources.handover.manifest import open_spool
from lading.sources.handover.open_batch import HandoverBatch
from lading.sources.handover.proposals import IN_PLACE_PREFIX
from lading.sources.handover.upstream import (
    OpenBundle,
    Upstream,
    fault_of,
    refused_batch,
    refused_item,
)
from lading.storage.roots import SafeRoot, source_fault

KIND: Final = "handover"
KEEP: Final = ("copy", "in_place")
MANIFEST_BYTES_MAX: Final = 160 * 1024 * 1024
"""Room for a hundred thousand items with five files each."""
READ_BYTES: Final = 1024 * 1024


class BadSourceOptions(RequestError):
    """The settings of a hand-over source make no sense."""

    code = "bad_source_options"
    next_step = "Correct the source's table in the settings."


class HandoverSource:
    """One configured hand-over tree. Everything it does to the tree is reading."""

    kind: str = KIND

    def __init__(
        self,
        name: str,
        root: str,
        *,
        keep: str = "copy",
        manifest_bytes_max: int = MANIFEST_BYTES_MAX,
    ) -> None:
        self.name = name
        self.keep = keep
        self.manifest_bytes_max = manifest_bytes_max
        self._root = SafeRoot(root)
        self._upstream = Upstream(self._root)

    def identity(self) -> str:
        """What tells this tree from another mounted in its place. Raises `SourceMissing`."""
        return self._upstream.identity()

    def discover(self, known: Mapping[str, str]) -> Iterator[Discovered]:
        """Every bundle there is; an unchanged one is not opened. Raises `SourceMissing`."""
        return discover(self._root, known, manifest_bytes_max=self.manifest_bytes_max)

    @contextmanager
    def open_batch(self, batch: BatchRef) -> Iterator[OpenBatch]:
        """Read the bundle's manifest as it is now, and keep that reading while it is open.

        Raises `BatchRefused`, `SourceMissing`, and `StoreError` when there is no room for it.
        """
        identity = self._upstream.identity()
        with open_spool() as spool:
            reading = read_bundle(
                self._root, batch.key, manifest_bytes_max=self.manifest_bytes_max, spool=spool
            )
            if reading.fault is not None:
                raise refused_batch(reading.fault, manifest_path(batch.key))
            manifest = reading.manifest
            if manifest is None or manifest.header is None or manifest.sha256 is None:
                raise InternalError("a bundle without a fault has no header", subject=batch.key)
            bundle = OpenBundle(
                batch,
                action=manifest.header.action,
                upstream=self._upstream,
                identity=identity,
                in_place_store=IN_PLACE_PREFIX + self.name if self.keep == "in_place" else None,
            )
            yield HandoverBatch(
                bundle,
                manifest_sha256=manifest.sha256,
                type_=manifest.header.type,
                spool=spool,
            )

    def explain(self, ref: str) -> SourceFindings:
        """Why a bundle is not taken in, as far as the tree can tell."""
        return explain(self._root, ref, manifest_bytes_max=self.manifest_bytes_max)

    def read_location(self, location: str, *, offset: int = 0) -> Iterator[bytes]:
        """The bytes of a file kept in place. Raises `ItemRefused` and `SourceMissing`."""
        try:
            with self._root.open(location) as file:
                file.seek(offset)
                while chunk := self._read(file, location):
                    yield chunk
        except ItemRefused:
            raise
        except SourceError as error:
            raise refused_item(fault_of(error), location) from error

    def manifest_location(self, key: str) -> str:
        """Where the manifest of the bundle is, below the root."""
        return manifest_path(key)

    def sentinel_location(self, key: str) -> str:
        """Where the sentinel of the bundle is, below the root."""
        return sentinel_path(key)

    def stat_location(self, location: str) -> int:
        """The size in bytes of a file kept in place. Raises `ItemRefused`, `SourceMissing`."""
        try:
            return self._root.stat(location).size_bytes
        except SourceError as error:
            raise refused_item(fault_of(error), location) from error

    @staticmethod
    def _read(file: Any, location: str) -> bytes:
        try:
            return bytes(file.read(READ_BYTES) or b"")
        except OSError as error:
            raise source_fault(error, location) from error


def build(name: str, options: Mapping[str, Any]) -> HandoverSource:
    """A source from its settings: `root`, `keep`, `manifest_bytes_max`.

    Raises `BadSourceOptions`. The root need not be there yet: a scan says so when it is missing.
    """
    unknown = sorted(set(options) - {"root", "keep", "manifest_bytes_max"})
    if unknown:
        raise BadSourceOptions(
            "a hand-over source has no such option",
            subject=f"sources.{name}.{unknown[0]}",
            expected="root, keep, manifest_bytes_max",
            found=unknown[0],
        )
    root = options.get("root")
    if root is None or not str(root):
        raise BadSourceOptions("a hand-over source needs its root", subject=f"sources.{name}.root")
    keep = options.get("keep", "copy")
    if keep not in KEEP:
        raise BadSourceOptions(
            "files are either copied or kept in place",
            subject=f"sources.{name}.keep",
            expected=" or ".join(KEEP),
            found=keep,
        )
    bytes_max = options.get("manifest_bytes_max", MANIFEST_BYTES_MAX)
    if type(bytes_max) is not int or bytes_max < 1:
        raise BadSourceOptions(
            "the largest manifest is a number of bytes",
            subject=f"sources.{name}.manifest_bytes_max",
            expected=f"a whole number, such as {MANIFEST_BYTES_MAX}"
            f" ({format_bytes(MANIFEST_BYTES_MAX)})",
            found=bytes_max,
        )
    return HandoverSource(name, str(root), keep=keep, manifest_bytes_max=bytes_max)
