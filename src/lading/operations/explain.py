"""Answers "why isn't my bundle here?": a checklist from the source to the library, and a verdict.

A source that can look for itself is asked; of any other the ledger is asked alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lading.base.errors import LadingError
from lading.ingest.parts import IngestParts
from lading.ingest.source import ExplainingSource, Source, SourceCheck, SourceFindings
from lading.ingest.source_faults import source_faults
from lading.ledger.batches import Batch, BatchMissing
from lading.ledger.queries import DigitsAre, find_batch
from lading.ledger.states import ACTIVE_BATCH_STATES, BatchState
from lading.operations.wording import Wording

REF_LENGTH_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Check:
    """One step from the source to the library. `ok` is None when nobody can tell.

    `code` is that of the reason, when it is not so.
    """

    name: str
    ok: bool | None
    found: str | None = None
    what_to_do: str | None = None
    code: str | None = None
    sentence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a bundle is or is not in the library. `code` names the first thing that is wrong."""

    ref: str
    source: str | None
    batch_key: str | None
    batch_id: int | None
    state: BatchState | None
    checks: Sequence[Check]
    code: str
    verdict: str
    what_to_do: str
    candidates: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Verdict:
    code: str
    sentence: str
    what_to_do: str


_AMBIGUOUS: Final = _Verdict(
    "ambiguous", "More than one bundle begins like this.", "Give more of its name."
)
_NOT_FOUND: Final = _Verdict(
    "not_there",
    "No source has it, and it was never recorded.",
    "Compare the name with what the upstream says, and ask where it was published.",
)
_NOT_SCANNED: Final = _Verdict(
    "not_scanned", "It is there and in order, but no scan has seen it yet.", "Scan its source."
)
_CHANGED: Final = _Verdict(
    "changed_since",
    "Its manifest is another one than what was recorded.",
    "Scan its source; then look at the decisions and queue it.",
)
_GONE: Final = _Verdict(
    "gone",
    "It was recorded, but its source does not have it any more.",
    "Scan its source, so that this is recorded; ask the upstream to publish it again if needed.",
)
_TAKEN_AWAY: Final = _Verdict(
    "superseded",
    "Its upstream took it away before it was imported.",
    "Nothing, if that was meant; otherwise ask the upstream to publish it again.",
)
_STATES: Final = {
    BatchState.PENDING: _Verdict(
        "not_queued", "It was found, and nobody has queued it yet.", "Queue it."
    ),
    BatchState.PREFLIGHTING: _Verdict(
        "preflighting", "Its items are being decided about.", "Wait a moment."
    ),
    BatchState.PREFLIGHT_PASSED: _Verdict(
        "not_queued", "It is ready, and nobody has queued it yet.", "Queue it."
    ),
    BatchState.QUEUED: _Verdict(
        "queued", "It is in line to be imported.", "Wait, or give its job a smaller priority."
    ),
    BatchState.IMPORTING: _Verdict("importing", "It is being imported.", "Wait until it is done."),
    BatchState.IMPORTED: _Verdict(
        "already_imported", "It is imported; the library has it.", "Look for it in the library."
    ),
    BatchState.CANCELLED: _Verdict(
        "cancelled", "Its import was called off by someone.", "Queue it again."
    ),
    BatchState.SUPERSEDED: _TAKEN_AWAY,
}
_WORDS: Final = {
    BatchState.PREFLIGHT_FAILED: "Preflight refused it",
    BatchState.PREFLIGHT_STALE: "Its manifest changed after it was decided about",
    BatchState.PARTIAL: "Some of its items were not imported",
    BatchState.FAILED: "Its import failed",
}


def explain_batch(parts: IngestParts, ref: str, *, source: str | None = None) -> Explanation:
    """Look for `ref`, a batch key, a beginning of one, or a path, in all sources or in one.

    Raises `UnknownSource`; nothing else that is wrong is an error here.
    """
    ref = ref.strip()[:REF_LENGTH_MAX]
    names = [parts.source(source).name] if source is not None else sorted(parts.sources)
    looks = [(name, _ask(parts.sources[name], ref)) for name in names]
    found = [(name, findings) for name, findings in looks if findings.key or findings.candidates]
    batch = _recorded(parts, ref, [findings.key for _, findings in found if findings.key])
    name, findings = _best(looks, found, batch)
    wording = Wording({name: chosen.kind for name, chosen in parts.sources.items()})
    return _explain(ref, name, findings, batch, wording)


def _ask(source: Source, ref: str) -> SourceFindings:
    try:
        with source_faults(source.name):
            if isinstance(source, ExplainingSource):
                return source.explain(ref)
            return SourceFindings(None, [SourceCheck("source_reachable", True, source.identity())])
    except LadingError as error:
        return SourceFindings(None, [SourceCheck("source_reachable", False, str(error))])


def _recorded(parts: IngestParts, ref: str, keys: Sequence[str]) -> Batch | None:
    """The batch that is meant, by what a source found or by what was typed."""
    last = ref.rstrip("/").rpartition("/")[2]
    for name in (*keys, ref, last, last.partition(".")[0]):
        try:
            with parts.db.read() as conn:
                return find_batch(conn, name, digits=DigitsAre.KEY)
        except BatchMissing:
            continue
    return None


def _best(
    looks: Sequence[tuple[str, SourceFindings]],
    found: Sequence[tuple[str, SourceFindings]],
    batch: Batch | None,
) -> tuple[str | None, SourceFindings]:
    """The source that has it, else the one that had it, else one that could not be asked."""
    if found:
        exact = [look for look in found if look[1].key]
        return (exact or found)[0]
    away = [look for look in looks if any(check.ok is False for check in look[1].checks)]
    had = [look for look in looks if batch is not None and look[0] == batch.source]
    if had:
        return had[0]
    unfinished = [look for look in away if look[1].checks[1:2] and len(look[1].checks) > 2]
    unreachable = [look for look in away if not look[1].checks[0].ok]
    if unfinished or unreachable:
        return (unfinished or unreachable)[0]
    return looks[0] if looks else (None, SourceFindings(None, []))


def _explain(
    ref: str,
    source: str | None,
    findings: SourceFindings,
    batch: Batch | None,
    wording: Wording,
) -> Explanation:
    checks = [_check(check) for check in findings.checks]
    if findings.key is not None or batch is not None:
        checks += _ledger_checks(findings, batch)
    verdict = _judge(checks, findings, batch, wording)
    return Explanation(
        ref=ref,
        source=batch.source if batch and findings.key is None else source,
        batch_key=findings.key or (batch.batch_key if batch else None),
        batch_id=batch.id if batch else None,
        state=batch.state if batch else None,
        checks=checks,
        code=verdict.code,
        verdict=verdict.sentence,
        what_to_do=verdict.what_to_do,
        candidates=findings.candidates,
    )


def _check(check: SourceCheck) -> Check:
    reason = check.reason
    if reason is None:
        return Check(check.name, check.ok, check.found)
    return Check(check.name, check.ok, check.found, reason.next_step, reason.code, reason.sentence)


def _ledger_checks(findings: SourceFindings, batch: Batch | None) -> list[Check]:
    if batch is None:
        return [Check("recorded", False, None, _NOT_SCANNED.what_to_do, _NOT_SCANNED.code)]
    checks = [Check("recorded", True, f"batch {batch.id}, {batch.state.value}")]
    same = _same_manifest(findings, batch)
    if same is False:
        found = f"{findings.manifest_sha256}, recorded {batch.manifest_sha256}"
        checks.append(Check("manifest_hash", False, found, _CHANGED.what_to_do, _CHANGED.code))
    else:
        checks.append(Check("manifest_hash", same, findings.manifest_sha256))
    superseded = batch.state is BatchState.SUPERSEDED
    checks.append(
        Check("not_superseded", False, None, _TAKEN_AWAY.what_to_do, _TAKEN_AWAY.code)
        if superseded
        else Check("not_superseded", True)
    )
    at = batch.finished_at or batch.updated_at
    imported = f"imported {at.isoformat(timespec='seconds')}"
    known = batch.state is BatchState.IMPORTED
    checks.append(Check("imported", known, imported if known else batch.state.value))
    return checks


def _same_manifest(findings: SourceFindings, batch: Batch) -> bool | None:
    if findings.manifest_sha256 is None or batch.manifest_sha256 is None:
        return None
    return findings.manifest_sha256 == batch.manifest_sha256


def _judge(
    checks: Sequence[Check], findings: SourceFindings, batch: Batch | None, wording: Wording
) -> _Verdict:
    """The first thing that is wrong, on the way from the source to the library."""
    if findings.candidates and batch is None:
        return _AMBIGUOUS
    settled = ACTIVE_BATCH_STATES | {BatchState.IMPORTED}
    if batch is not None and batch.state in settled and _is_unchanged(findings, batch):
        return _STATES[batch.state]
    of_source = _judge_source(checks, findings, batch)
    if of_source is not None:
        return of_source
    if batch is None:
        return _NOT_SCANNED if findings.key is not None else _NOT_FOUND
    return _judge_batch(findings, batch, wording)


def _judge_source(
    checks: Sequence[Check], findings: SourceFindings, batch: Batch | None
) -> _Verdict | None:
    """What is wrong where it should arrive; None when nothing is."""
    for check in checks:
        if check.ok is not False:
            continue
        if check.name == "source_reachable":
            return _said(check)
        if findings.key is None and batch is not None:
            return _TAKEN_AWAY if batch.state is BatchState.SUPERSEDED else _GONE
        if check.sentence is not None:
            return _NOT_FOUND if check.code == _NOT_FOUND.code else _said(check)
    return None


def _judge_batch(findings: SourceFindings, batch: Batch, wording: Wording) -> _Verdict:
    """What is to be said of a batch that its source has in order."""
    withdrawn = findings.key is not None and batch.state is BatchState.SUPERSEDED
    if withdrawn or not _is_unchanged(findings, batch):
        return _CHANGED
    if batch.state in _STATES:
        return _STATES[batch.state]
    reason = wording.find(batch.source, batch.reason)
    why = f": {reason.sentence.rstrip('.')}" if reason else ""
    step = reason.next_step if reason else "See which of its items, and why, on its page."
    return _Verdict(batch.reason or batch.state.value, f"{_WORDS[batch.state]}{why}.", step)


def _is_unchanged(findings: SourceFindings, batch: Batch) -> bool:
    return _same_manifest(findings, batch) is not False


def _said(check: Check) -> _Verdict:
    sentence = check.sentence or check.found or check.name
    return _Verdict(
        check.code or "source_missing",
        f"{sentence[:1].upper()}{sentence[1:].rstrip('.')}.",
        check.what_to_do or "",
    )
