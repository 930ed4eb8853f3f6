"""Says why a bundle that somebody looks for is not taken in, as far as the tree can tell.

Everything is read below the root, without following links, and no more than a page can wait for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from lading.base.errors import LadingError, SourceError
from lading.base.reasons import Reason
from lading.ingest.source import SourceCheck, SourceFindings, SourceMissing
from lading.sources.handover.bundle import (
    MANIFEST_SUFFIX,
    SENTINEL_SUFFIX,
    BundleReading,
    manifest_path,
    read_bundle,
    sentinel_path,
)
from lading.sources.handover.fields import shown
from lading.sources.handover.reasons import REASONS
from lading.sources.handover.rules import looks_like_bundle
from lading.sources.handover.upstream import SYNC_FOLDER
from lading.storage.roots import FileMissing, SafeRoot

READ_BYTES_MAX: Final = 32 * 1024 * 1024
NAMES_MAX: Final = 200_000
CANDIDATES_MAX: Final = 5
PREFIX_LENGTH_MIN: Final = 4

UPLOAD_UNFINISHED: Final = Reason(
    "upload_unfinished",
    "only an unfinished upload of it is there",
    "Wait until the upstream has finished writing; if it does not, ask them to publish it again.",
)
NOT_THERE: Final = Reason(
    "not_there",
    "the source has nothing of this name",
    "Compare the name with what the upstream says, and ask whether it was published here.",
)
SOURCE_AWAY: Final = Reason(
    "source_missing", "the source cannot be reached", SourceMissing.next_step
)

# What each check of the header stands for; any other fault speaks against reading it.
_CHECK_OF: Final = {
    "not_completed": "status_completed",
    "verification_failed": "verification_passed",
    "totals_mismatch": "verification_passed",
    "sentinel_hash_mismatch": "sentinel_matches",
    "sentinel_missing": "sentinel_present",
    "manifest_missing": "manifest_present",
}
_CODE_OF: Final = {
    "status_completed": "not_completed",
    "verification_passed": "verification_failed",
}
"""The reason of a check that fails beside the one that the reading stopped at."""


@dataclass(slots=True)
class _Names:
    """What the folder holds of what is looked for: keys, and names of unfinished files."""

    keys: set[str] = field(default_factory=set)
    unfinished: list[str] = field(default_factory=list)


def explain(root: SafeRoot, ref: str, *, manifest_bytes_max: int) -> SourceFindings:
    """What there is of `ref`: a sync id, a beginning of one, or a path. Raises nothing."""
    wanted = _stem(ref)
    try:
        names = _look(root, wanted)
    except LadingError as error:
        reason = Reason(SOURCE_AWAY.code, SOURCE_AWAY.sentence, error.advice)
        return SourceFindings(None, [SourceCheck("source_reachable", False, str(error), reason)])
    reachable = SourceCheck("source_reachable", True, str(root.path))
    if len(names.keys) > 1:
        return SourceFindings(None, [reachable], sorted(names.keys)[:CANDIDATES_MAX])
    if not names.keys:
        return SourceFindings(None, [reachable, *_absent(names)])
    (key,) = names.keys
    try:
        return _explain_bundle(root, key, reachable, min(manifest_bytes_max, READ_BYTES_MAX))
    except LadingError as error:
        reason = Reason(error.code, error.message, error.advice)
        return SourceFindings(key, [reachable, SourceCheck("readable", None, str(error), reason)])


def _stem(ref: str) -> str:
    """The name that is meant: the last part of a path, without the endings of a bundle's files."""
    name = ref.strip().replace("\\", "/").rstrip("/").rpartition("/")[2]
    for suffix in (MANIFEST_SUFFIX, SENTINEL_SUFFIX):
        head, found, _ = name.partition(suffix)
        if found:
            return head.lstrip(".")
    return name


def _look(root: SafeRoot, wanted: str) -> _Names:
    """One pass over the folder. Raises what listing it raises."""
    names = _Names()
    # A path that somebody pasted is never opened: its name is compared with what is there.
    for name in islice(_names(root), NAMES_MAX):
        if len(wanted) < PREFIX_LENGTH_MIN or wanted.lower() not in name.lower():
            continue
        stem, dot, suffix = name.rpartition(".")
        whole = dot + suffix in {MANIFEST_SUFFIX, SENTINEL_SUFFIX} and looks_like_bundle(stem)
        if whole and stem.lower().startswith(wanted.lower()):
            names.keys.add(stem)
        elif not whole:
            names.unfinished.append(name)
    exact = {key for key in names.keys if key == wanted}
    names.keys = exact or names.keys
    return names


def _names(root: SafeRoot) -> Iterator[str]:
    for entry in root.names(SYNC_FOLDER):
        yield entry.name


def _absent(names: _Names) -> list[SourceCheck]:
    checks = [SourceCheck("manifest_present", False, None, NOT_THERE)]
    if names.unfinished:
        found = f"{SYNC_FOLDER}/{min(names.unfinished)}"
        checks.insert(0, SourceCheck("upload_finished", False, found, UPLOAD_UNFINISHED))
    return checks


def _explain_bundle(
    root: SafeRoot, key: str, reachable: SourceCheck, bytes_max: int
) -> SourceFindings:
    checks = [
        reachable,
        _present(root, "manifest_present", manifest_path(key), "manifest_missing"),
        _present(root, "sentinel_present", sentinel_path(key), "sentinel_missing"),
    ]
    if not checks[1].ok:
        return SourceFindings(key, checks)
    reading = read_bundle(root, key, manifest_bytes_max=bytes_max)
    checks += _judge(reading, bytes_max)
    digest = reading.manifest.sha256 if reading.manifest else None
    return SourceFindings(key, checks, manifest_sha256=digest)


def _present(root: SafeRoot, name: str, path: str, code: str) -> SourceCheck:
    try:
        root.stat(path)
    except FileMissing:
        return SourceCheck(name, False, path, REASONS[code])
    except SourceError as error:
        # Something is there; what is wrong with it is said where it is read.
        return SourceCheck(name, True, str(error))
    return SourceCheck(name, True, path)


def _judge(reading: BundleReading, bytes_max: int) -> list[SourceCheck]:
    """The checks on the text, in the order in which an operator would make them."""
    manifest, fault = reading.manifest, reading.fault
    header = manifest.header if manifest else None
    if manifest is not None and manifest.fault is not None:
        fault = manifest.fault
    if fault is not None and fault.code == "manifest_too_large" and bytes_max == READ_BYTES_MAX:
        return [SourceCheck("readable", None, "too large to be read while somebody waits")]
    failed = None if fault is None else _CHECK_OF.get(fault.code, "readable")
    fields: dict[str, Any] = dict(header.fields) if header else {}
    status, verification = fields.get("status"), fields.get("verification")
    passed = isinstance(verification, dict) and verification.get("passed") is True
    checks = []
    for name, ok, found in (
        ("readable", True, None),
        ("status_completed", status == "completed", status),
        ("verification_passed", passed, verification),
        ("sentinel_matches", True if failed != "sentinel_present" else None, None),
    ):
        if fault is not None and failed == name:
            said = ", ".join(f"{what} {value}" for what, value in fault.detail().items())
            checks.append(SourceCheck(name, False, said, REASONS[fault.code]))
        elif header is None:
            checks.append(SourceCheck(name, None))
        elif ok is False:
            checks.append(SourceCheck(name, False, shown(found), REASONS[_CODE_OF[name]]))
        else:
            checks.append(SourceCheck(name, ok, None if found is None else shown(found)))
    return checks
