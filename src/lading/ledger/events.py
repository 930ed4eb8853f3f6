"""Every kind of event the ledger knows, each with its typed payload (A10).

Kinds are `<subject>_<what happened>`. A payload carries plain values only, and never a secret.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Final

from lading.base.tracing import request_id

REQUEST_FIELD: Final = "request_id"
"""In a payload: which request of the console it was; no event has a field of this name."""

_KINDS: dict[str, type[Event]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all payloads; `kind` is what is stored."""

    kind: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: object) -> None:
        # `slots=True` makes the class twice; the second one is the one that stays.
        if cls.kind:
            _KINDS[cls.kind] = cls

    def to_json(self) -> str:
        """The payload as stored and hashed: keys sorted, no spaces, absent values left out.

        What a request of the console caused carries the request's id beside the event's own fields.
        """
        facts = {k: v for k, v in asdict(self).items() if v is not None}
        if (request := request_id.get()) is not None:
            facts[REQUEST_FIELD] = request
        return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def event_kinds() -> dict[str, type[Event]]:
    """All kinds by name."""
    return dict(sorted(_KINDS.items()))


def parse_payload(kind: str, text: str) -> Event | dict[str, Any]:
    """The typed payload of a stored event; a plain mapping for a kind of a later version."""
    facts: dict[str, Any] = json.loads(text)
    facts.pop(REQUEST_FIELD, None)
    cls = _KINDS.get(kind)
    if cls is None or not facts.keys() <= {f.name for f in fields(cls)}:
        return facts
    return cls(**facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFinished(Event):
    """A scan walked a source and recorded what it found."""

    kind: ClassVar[str] = "scan_finished"
    root_identity: str
    found: int
    new: int
    updated: int
    unchanged: int
    unreadable: int
    superseded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRefused(Event):
    """A scan stopped at the missing-mount guard and changed nothing (G1)."""

    kind: ClassVar[str] = "scan_refused"
    reason: str
    known: int
    vanished: int
    threshold: int
    root_identity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderScanned(Event):
    """A scan of one folder of a source, with all below it, recorded what it found."""

    kind: ClassVar[str] = "folder_scanned"
    folder: str
    root_identity: str
    found: int
    new: int
    updated: int
    unchanged: int
    unreadable: int
    superseded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderScanRefused(Event):
    """A scan of one folder stopped at the missing-mount guard and changed nothing (G1)."""

    kind: ClassVar[str] = "folder_scan_refused"
    folder: str
    reason: str
    known: int
    vanished: int
    threshold: int
    root_identity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFound(Event):
    """A scan recorded a batch for the first time."""

    kind: ClassVar[str] = "batch_found"
    batch_key: str
    type: str
    action: str
    items: int
    bytes: int
    manifest_sha256: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchUpdated(Event):
    """A scan saw that the manifest of a recorded batch changed."""

    kind: ClassVar[str] = "batch_updated"
    batch_key: str
    state: str
    before_sha256: str | None = None
    after_sha256: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchMoved(Event):
    """A batch went from one state to another for a reason that has no event of its own."""

    kind: ClassVar[str] = "batch_moved"
    before: str
    after: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPreflighted(Event):
    """Preflight decided about every item of a batch."""

    kind: ClassVar[str] = "batch_preflighted"
    passed: bool
    decisions: dict[str, int]
    plan_digest: str | None = None
    manifest_sha256: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchQueued(Event):
    """A batch was given to the workers."""

    kind: ClassVar[str] = "batch_queued"
    job_id: int
    priority: int
    plan_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFinished(Event):
    """The import of a batch ended; the counts add up to the items found."""

    kind: ClassVar[str] = "batch_finished"
    state: str
    outcomes: dict[str, int]
    manifest_sha256: str
    bytes_moved: int
    bytes_skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFailed(Event):
    """One item of a batch could not be imported; the others go on (A20)."""

    kind: ClassVar[str] = "item_failed"
    item_key: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQueued(Event):
    """A job was put in line, or back in line."""

    kind: ClassVar[str] = "job_queued"
    job_kind: str
    priority: int
    wait_for: list[int] | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted(Event):
    """A worker claimed a job."""

    kind: ClassVar[str] = "job_started"
    worker: str
    lease: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress(Event):
    """How far a running job is; written seldom, so that the ledger stays short."""

    kind: ClassVar[str] = "job_progress"
    items_done: int
    items_total: int | None
    bytes_moved: int
    bytes_skipped: int
    bytes_total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDone(Event):
    """A job ended well; what it did has its own events."""

    kind: ClassVar[str] = "job_done"
    lease: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailed(Event):
    """A job ended badly, or what it waited for did."""

    kind: ClassVar[str] = "job_failed"
    error: str
    code: str
    lease: int | None = None
    failed_by: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRetrying(Event):
    """A job met a passing fault and will be tried again."""

    kind: ClassVar[str] = "job_retrying"
    error: str
    code: str
    attempt: int
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReleased(Event):
    """A worker gave a job back unfinished: asked to stop, or paused."""

    kind: ClassVar[str] = "job_released"
    why: str
    lease: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRescued(Event):
    """A job's heartbeat was too old; it was taken from its worker (A9)."""

    kind: ClassVar[str] = "job_rescued"
    worker: str
    lease: int
    silent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCancelled(Event):
    """A job was cancelled before it ran (A22)."""

    kind: ClassVar[str] = "job_cancelled"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStopRequested(Event):
    """Someone asked a running job to stop after the item in hand."""

    kind: ClassVar[str] = "job_stop_requested"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReprioritised(Event):
    """A waiting job's priority was changed."""

    kind: ClassVar[str] = "job_reprioritised"
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePaused(Event):
    """Workers were told to claim nothing more, or to go on."""

    kind: ClassVar[str] = "queue_paused"
    paused: bool
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetsDeleted(Event):
    """Assets or containers (`gallery:key`) were put in the trash, or taken out, by hand."""

    kind: ClassVar[str] = "assets_deleted"
    content_hashes: list[str]
    restored: bool
    containers: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchVerified(Event):
    """What a batch brought in was compared with the library and its store."""

    kind: ClassVar[str] = "batch_verified"
    files: int
    bytes: int
    level: str
    problems: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanged(Event):
    """An account was made, or something about it changed; passwords are never told."""

    kind: ClassVar[str] = "account_changed"
    name: str
    change: str
    before: dict[str, str] | None = None
    after: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened(Event):
    """Someone signed in, with a password or through a provider."""

    kind: ClassVar[str] = "session_opened"
    name: str
    session_id: int
    via: str
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(Event):
    """Sessions of an account were ended before their time."""

    kind: ClassVar[str] = "session_ended"
    name: str
    session_ids: list[int]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRefused(Event):
    """Sign-in was refused: told at the first refusal and when further attempts are blocked.

    A name that no account has is left out; it may be a password typed into the wrong field.
    """

    kind: ClassVar[str] = "sign_in_refused"
    attempts: int
    name: str | None = None
    address: str | None = None
    blocked_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenChanged(Event):
    """A token for scripts was made or revoked."""

    kind: ClassVar[str] = "token_changed"
    name: str
    token: str
    change: str
    permissions: str
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedViewChanged(Event):
    """A view of a list was saved or deleted; without a name it is shared by all."""

    kind: ClassVar[str] = "saved_view_changed"
    page: str
    view: str
    change: str
    query: str
    name: str | None = None
