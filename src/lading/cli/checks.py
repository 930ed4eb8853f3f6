"""Tries everything the settings point to, and tells refusals from warnings.

A refusal is what would keep a command from working; a warning is what will hurt later. Nothing
is changed: the one thing written is a probe in the store, which is removed again.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import false, select, update

from lading.base.errors import LadingError, StoreError
from lading.base.units import format_bytes, format_duration
from lading.bootstrap import STORE_NAME
from lading.db import Database, open_database
from lading.db.clock import now
from lading.db.revisions import head_revision, require_current
from lading.ingest.registry import build_source
from lading.ingest.source_faults import source_faults
from lading.ledger.tables import ledger_head
from lading.settings import Settings, SourceSettings, masked_url
from lading.storage.addresses import open_store
from lading.storage.folder import FolderStore
from lading.storage.port import ObjectStore

CLOCK_SKEW_MAX_S: Final = 5.0
FREE_BYTES_MIN: Final = 5_000_000_000
FREE_SHARE_MIN: Final = 0.05
_PROBE: Final = b"Written by `lading config check`; it may be deleted.\n"


class Level(StrEnum):
    """How much a finding matters."""

    FINE = "fine"
    WARNING = "warning"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part of the installation."""

    part: str
    level: Level
    sentence: str
    next_step: str | None = None
    code: str | None = None
    exit_status: int = 0


class ProbeMismatch(StoreError):
    """The store gave back other bytes than it was given."""

    code = "probe_mismatch"
    transient = False
    next_step = "Do not import into this store before it is mended."


def check_installation(settings: Settings) -> list[Finding]:
    """Everything that was found, part by part; a part that fails does not end the others."""
    findings = [*_data_dir(settings), *_database(settings), *_store(settings)]
    if not settings.sources:
        findings.append(
            _warning("sources", "none is configured", "Add one under [sources] in the settings.")
        )
    for name, source in sorted(settings.sources.items()):
        findings.extend(_source(name, source))
    return findings


def _data_dir(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    if not os.path.isdir(folder):
        yield _warning("data folder", f"{folder} does not exist yet", "Run `lading init`.")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(
            "data folder",
            Level.REFUSAL,
            f"{folder} cannot be written",
            "Give the account that runs Lading write access to it.",
            "data_dir_read_only",
            StoreError.exit_status,
        )
    else:
        yield _fine("data folder", folder)
        yield from _free_space("data folder", folder)


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        db = open_database(settings.database.address, pool_size=1)
    except LadingError as error:
        yield _refusal("database", error)
        return
    try:
        skew_s = _clock_skew_s(db)
        require_current(db)
        _try_write(db)
    except LadingError as error:
        yield _refusal("database", error)
        return
    finally:
        db.close()
    yield _fine(
        "database",
        f"{masked_url(db.url_shown)} answers and can be written, schema {head_revision()}",
    )
    if abs(skew_s) > CLOCK_SKEW_MAX_S:
        ahead = "ahead of" if skew_s > 0 else "behind"
        yield _warning(
            "clock",
            f"the database is {format_duration(abs(skew_s))} {ahead} this machine",
            "Set both clocks by NTP; Lading itself goes by the database's.",
        )
    else:
        yield _fine("clock", f"within {CLOCK_SKEW_MAX_S:g} s of the database's")


def _try_write(db: Database) -> None:
    """Touch no row; a database that only reads refuses even that."""
    with db.write() as conn:
        conn.execute(update(ledger_head).where(false()).values(seq=ledger_head.c.seq))


def _clock_skew_s(db: Database) -> float:
    """By how many seconds the database's clock is ahead of ours; half the round trip is ours."""
    with db.read() as conn:
        conn.execute(select(1))
        before_s = time.time()
        at = conn.scalars(select(now())).one()
        after_s = time.time()
    return float(at.timestamp() - (before_s + after_s) / 2)


def _store(settings: Settings) -> Iterator[Finding]:
    shown = masked_url(settings.store.url)
    try:
        store = open_store(STORE_NAME, settings.store.url, settings.store.options)
        _try_store(store)
    except LadingError as error:
        yield _refusal("store", error)
        return
    yield _fine("store", f"{shown} takes, gives back and deletes a probe")
    if isinstance(store, FolderStore):
        yield from _free_space("store", str(store.root))


def _try_store(store: ObjectStore) -> None:
    key = f"probe/{uuid.uuid4().hex}"
    try:
        store.put(key, iter([_PROBE]), owner="config-check")
        if b"".join(store.get(key)) != _PROBE:
            raise ProbeMismatch("the probe came back changed", subject=key)
    finally:
        with suppress(LadingError):
            store.delete(key)
    if store.head(key) is not None:
        raise ProbeMismatch("the probe is still there after it was deleted", subject=key)


def _source(name: str, settings: SourceSettings) -> Iterator[Finding]:
    part = f"source {name}"
    try:
        source = build_source(settings.kind, name, settings.options)
        with source_faults(name):
            identity = source.identity()
            found = next(iter(source.discover({})), None)
    except LadingError as error:
        yield _refusal(part, error)
        return
    holds = "holds batches" if found is not None else "holds no batch yet"
    yield _fine(part, f"{settings.kind}, readable, {holds} (identity {identity})")
    root = settings.options.get("root", settings.options.get("path"))
    if isinstance(root, str) and os.path.isdir(root):
        yield _writable_source(part, root)


def _writable_source(part: str, root: str) -> Finding:
    """Lading never writes to a source; that it could not would be proof of it (A1)."""
    read_only_mount = bool(os.statvfs(root).f_flag & os.ST_RDONLY)
    if read_only_mount:
        return _fine(part, "mounted read-only")
    if not os.access(root, os.W_OK):
        return _fine(part, "this account could not write to it")
    return _warning(
        part,
        "this account could write to it; Lading never does, but a mistake elsewhere might",
        "Mount it read-only (`mount -o ro`), or run Lading as an account without write access.",
    )


def _free_space(part: str, folder: str) -> Iterator[Finding]:
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        yield _warning(part, f"free space is unknown: {error.strerror}", "Look at the disk.")
        return
    free = f"{format_bytes(usage.free)} free of {format_bytes(usage.total)}"
    if usage.free < FREE_BYTES_MIN or usage.free < usage.total * FREE_SHARE_MIN:
        yield _warning(part, free, "Make room before importing much.")
    else:
        yield _fine(part, free)


def _fine(part: str, sentence: str) -> Finding:
    return Finding(part, Level.FINE, sentence)


def _warning(part: str, sentence: str, next_step: str) -> Finding:
    return Finding(part, Level.WARNING, sentence, next_step)


def _refusal(part: str, error: LadingError) -> Finding:
    return Finding(
        part, Level.REFUSAL, masked_url(str(error)), error.advice, error.code, error.exit_status
    )
