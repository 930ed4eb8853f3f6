"""Finds bundles in one pass over the `sync` folder, and reads only those that changed (A2, A3)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lading.base.errors import SourceError
from lading.ingest.source import Discovered, SourceMissing
from lading.sources.handover.bundle import (
    MANIFEST_SUFFIX,
    SENTINEL_SUFFIX,
    manifest_path,
    read_bundle,
    sentinel_path,
)
from lading.sources.handover.manifest import Reading, header_facts
from lading.sources.handover.reasons import REASONS
from lading.sources.handover.rules import BYTES_MAX, Fault, looks_like_bundle
from lading.sources.handover.upstream import SYNC_FOLDER, fault_of
from lading.storage.roots import SafeRoot

ALWAYS_READ_AGAIN: Final = frozenset({"unreadable", "manifest_too_large"})
"""Reasons that pass without either file changing: by a permission, a mount, or a setting."""


@dataclass(slots=True)
class _Pair:
    """What the folder says of a bundle's two files: their stamps, and a fault of either."""

    manifest: str = "-"
    sentinel: str = "-"
    fault: Fault | None = None

    @property
    def fingerprint(self) -> str:
        return f"{self.manifest};{self.sentinel}"


def discover(
    root: SafeRoot, known: Mapping[str, str], *, manifest_bytes_max: int
) -> Iterator[Discovered]:
    """Every bundle there is; the files of one whose fingerprint is in `known` are not opened.

    Raises `SourceMissing` when the root or its `sync` folder cannot be listed.
    """
    try:
        pairs = _pairs(root.names(SYNC_FOLDER))
    except SourceError as error:
        raise SourceMissing(
            f"the source's `{SYNC_FOLDER}` folder cannot be listed: {error}",
            subject=str(root.path),
        ) from error
    for key in sorted(pairs):
        pair = pairs[key]
        if known.get(key) == pair.fingerprint:
            yield Discovered(key, pair.fingerprint)
        else:
            yield _read(root, key, pair, manifest_bytes_max)


def _pairs(entries: Iterable[os.DirEntry[str]]) -> dict[str, _Pair]:
    pairs: dict[str, _Pair] = {}
    for entry in entries:
        stem, dot, suffix = entry.name.rpartition(".")
        if dot + suffix not in {MANIFEST_SUFFIX, SENTINEL_SUFFIX} or not looks_like_bundle(stem):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # withdrawn between the listing and the look
        except OSError as error:
            stamp, path = "unreadable", _path(entry.name)
            fault: Fault | None = Fault("unreadable", found=error.strerror, subject=path)
        else:
            stamp = f"{status.st_size}.{status.st_mtime_ns}.{status.st_ino}"
            fault = _kind_fault(status.st_mode, _path(entry.name))
        pair = pairs.setdefault(stem, _Pair())
        if dot + suffix == MANIFEST_SUFFIX:
            pair.manifest = stamp
        else:
            pair.sentinel = stamp
        pair.fault = pair.fault or fault
    return pairs


def _path(name: str) -> str:
    return f"{SYNC_FOLDER}/{name}"


def _kind_fault(mode: int, path: str) -> Fault | None:
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISLNK(mode):
        return Fault("path_escapes_root", "a regular file", "a symbolic link", path)
    return Fault("not_a_regular_file", "a regular file", _kind(mode), path)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _read(root: SafeRoot, key: str, pair: _Pair, manifest_bytes_max: int) -> Discovered:
    if pair.sentinel != "-" and pair.manifest == "-":
        fault = Fault("manifest_missing", subject=manifest_path(key))
        return _discovered(key, pair, None, fault)
    if pair.fault is not None:
        fault = pair.fault
        if pair.sentinel == "-":
            fault = Fault("sentinel_missing", subject=sentinel_path(key))
        return _discovered(key, pair, None, fault)
    try:
        reading = read_bundle(root, key, manifest_bytes_max=manifest_bytes_max)
    except SourceMissing:
        raise
    except SourceError as error:
        return _discovered(key, pair, None, fault_of(error))
    return _discovered(key, pair, reading.manifest, reading.fault)


def _discovered(key: str, pair: _Pair, manifest: Reading | None, fault: Fault | None) -> Discovered:
    header = manifest.header if manifest else None
    detail: dict[str, object] = dict(header_facts(header)) if header else {}
    if fault is not None:
        detail |= fault.detail()
    fingerprint = pair.fingerprint
    if fault is not None and fault.code in ALWAYS_READ_AGAIN:
        fingerprint += ";again"
    return Discovered(
        key=key,
        fingerprint=fingerprint,
        manifest_sha256=manifest.sha256 if manifest else None,
        type=header.type if header else "",
        action=header.action if header else "",
        items=(header.items or 0) if header else 0,
        bytes=min(header.bytes, BYTES_MAX) if header else 0,
        reason=REASONS[fault.code] if fault else None,
        detail=detail,
    )
