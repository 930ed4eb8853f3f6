"""The protocol of a source: what is there, what is to be done, and how one item is taken in.

The engine owns the ceremony: claims, leases, transactions, isolation of failures, progress,
pausing, events, accounting. A source owns the meaning, and only these calls. Sources are found
through the entry-point group `lading.sources`, each naming a `SourceDefinition`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from sqlalchemy import Connection

from lading.base.errors import SourceError
from lading.base.reasons import Reason
from lading.base.stopping import StopSignal
from lading.ledger.items import PlannedItem
from lading.ledger.states import Decision, Outcome
from lading.storage.port import ObjectStore
from lading.storage.transfer import TransferMeter


class Refused(SourceError):
    """Something that arrived is refused; `reason` says why and what to do next."""

    code = "refused"

    def __init__(
        self, reason: Reason, *, subject: str, expected: object = None, found: object = None
    ) -> None:
        super().__init__(
            reason.sentence,
            subject=subject,
            expected=expected,
            found=found,
            next_step=reason.next_step,
        )
        self.reason = reason


class BatchRefused(Refused):
    """A whole batch cannot be consumed. Raised by `Source.open_batch`."""

    code = "batch_refused"


class ItemRefused(Refused):
    """One item cannot be imported. Raised by `OpenBatch.fetch` and `write`."""

    code = "item_refused"


class SourceMissing(SourceError):
    """The source itself is gone: not mounted, renamed, or not readable (G1)."""

    code = "source_missing"
    http_status = 503
    transient = True
    next_step = "Mount it or correct its address; nothing was changed."


class SourceBusy(SourceError):
    """The source is there, and whoever fills it needs it for themselves now. It will pass.

    Raised by `OpenBatch.decide` and `fetch`. The job waits and goes on later, however often.
    """

    code = "source_busy"
    http_status = 503
    transient = True
    counted = False
    next_step = "Nothing: the work goes on by itself as soon as the source is free."


@dataclass(frozen=True, slots=True)
class Discovered:
    """One batch as a scan sees it.

    `fingerprint` is compared with the recorded one to tell changed from unchanged, at most 190
    characters. `manifest_sha256` is None when there is nothing to read. `reason` says why the
    batch cannot be consumed yet. `detail` is plain JSON values.
    """

    key: str
    fingerprint: str
    manifest_sha256: str | None = None
    type: str = ""
    action: str = ""
    items: int = 0
    bytes: int = 0
    reason: Reason | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an open batch. `payload` is the source's own value; the engine passes it back.

    `content_hash` is given where the same content twice in a batch is a mistake. With `after_all`,
    the item is fetched once everything before it was taken in or has failed.
    """

    key: str
    kind: str
    payload: Any
    title: str | None = None
    content_hash: str | None = None
    bytes: int = 0
    after_all: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """What preflight decided about an item, with the reason of a rejection and its facts.

    `recorded` may be False for an unchanged item: it is counted and not written down, so that a
    run over much that is held already costs what is new in it.
    """

    decision: Decision
    reason: Reason | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    recorded: bool = True


@dataclass(frozen=True, slots=True)
class FetchContext:
    """What `fetch` gets beside the item: where to put bytes, and whom to tell.

    With `strict`, what would only be noted about an item SHALL be refused (B7).
    """

    store: ObjectStore
    owner: str  # unique to this job and lease; goes into temporary names
    meter: TransferMeter
    stop: StopSignal
    strict: bool = False


@dataclass(frozen=True, slots=True)
class BatchRef:
    """The recorded batch a source is asked to open.

    `gone`: a scan did not find it and was believed; only for a source that `RetiresVanished`.
    `part`: a scan of one folder recorded it; what is missing of it may lie elsewhere.
    """

    id: int
    key: str
    revision: int
    gone: bool = False
    part: bool = False


class OpenBatch(Protocol):
    """A batch whose manifest was read once, whole, and can no longer change under us."""

    manifest_sha256: str
    type: str
    action: str

    def items(self) -> Iterator[Item]:
        """All items, in the order of import (assets before what contains them), in constant memory.

        May be called several times and SHALL give the same items in the same order each time.
        """
        ...

    def decide(
        self, conn: Connection, items: Sequence[Item], *, check_bytes: bool = False
    ) -> Sequence[Decided]:
        """Decide about each of `items` (A5), reading only, with a constant number of statements.

        All of `items` are of one kind, and every item before them is already in the ledger; the
        engine itself rejects an item whose key or content occurs twice. With `check_bytes`,
        files are hashed too. Raises nothing for what is wrong with an item: that is a rejection.
        """
        ...

    def fetch(self, item: Item, decided: Decision, context: FetchContext) -> object:
        """Verify the item's bytes and bring them in, outside of any transaction.

        The result is handed to `write` as it is. Called from several threads for several items.
        Raises `ItemRefused` for what is wrong with the item, `StoreError` for the store.
        """
        ...

    def write(self, conn: Connection, item: Item, fetched: object) -> Outcome:
        """Write the item's rows in the transaction given; no file work. Idempotent by content."""
        ...


@runtime_checkable
class FetchesSideBySide(Protocol):
    """What an open batch may have besides: its own say in how many items are fetched at a time."""

    fetches_max: int
    """How many items are fetched side by side."""


@runtime_checkable
class ManySmallItems(FetchesSideBySide, Protocol):
    """What an open batch may have besides, when its items are small and waiting is what takes time.

    `fetch` SHALL then bring no bytes into the store: it reads and verifies, so that it may be
    rehearsed (B6) and its results kept until all are known to be good (B7).
    """

    writes_max: int
    """How many items one transaction writes."""

    def write_many(
        self, conn: Connection, pairs: Sequence[tuple[Item, object]]
    ) -> Sequence[Outcome]:
        """`write` for several items at once, in few statements, whatever their number.

        An error undoes all of them; the engine then writes them one by one, to find whose it is.
        """
        ...


@runtime_checkable
class DescribedBatch(Protocol):
    """An open batch that has something to record about itself when it passes preflight."""

    detail: Mapping[str, Any]
    """Plain JSON values."""


@runtime_checkable
class NoticesVanished(Protocol):
    """What an open batch may have besides, when what it once brought can be taken away again."""

    def vanished(self, conn: Connection) -> Iterator[Item]:
        """Items for what the library has of this batch and the upstream has no more.

        Asked for by a preflight, after `items`. Raises `BatchRefused` when it is not plausible.
        """
        ...


@runtime_checkable
class NamesContent(Protocol):
    """What an open batch may have besides, when content is known only once it was read."""

    def content_hash_of(self, fetched: object) -> str | None:
        """The content hash of the asset that an item turned out to be; None for no asset."""
        ...


@runtime_checkable
class RelatesItems(Protocol):
    """What an open batch may have besides, when its items say something of one another."""

    def relate(self, conn: Connection) -> None:
        """Write what follows from all items together, in the transaction that ends the import.

        The batch is closed by then. Called whatever became of the items, and again when the
        batch is imported again; statements SHALL not grow with the items but for their number
        of values.
        """
        ...


class Source(Protocol):
    """One configured source. Everything it does to its upstream is reading."""

    name: str
    kind: str

    def identity(self) -> str:
        """What tells this root from another one mounted in its place. Raises `SourceMissing`."""
        ...

    def discover(self, known: Mapping[str, str]) -> Iterator[Discovered]:
        """Every batch there is, in one pass, in no promised order.

        `known` maps recorded batch keys to their fingerprints; for an unchanged one only its key
        and fingerprint need to be filled in, and its manifest SHALL not be read.
        """
        ...

    def open_batch(self, batch: BatchRef) -> AbstractContextManager[OpenBatch]:
        """Read the batch's manifest as it is now. Raises `BatchRefused` or `SourceMissing`."""
        ...

    def stat_location(self, location: str) -> int:
        """The size in bytes of a file kept in place. Raises `ItemRefused`."""
        ...

    def read_location(self, location: str, *, offset: int = 0) -> Iterator[bytes]:
        """The bytes of a file kept in place, from `offset` on, in chunks. Raises `ItemRefused`."""
        ...


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """A batch as preflight recorded it; `items()` reads them anew, in order, in constant memory."""

    ref: BatchRef
    type: str
    action: str
    manifest_sha256: str
    items: Callable[[], Iterator[PlannedItem]]


@runtime_checkable
class ReopensPlanned(Protocol):
    """A source whose upstream goes on changing: an import acts on what was recorded of it.

    Everything that importing an item takes SHALL then be in its `Decided.detail`.
    """

    def reopen(self, planned: PlannedBatch) -> AbstractContextManager[OpenBatch]:
        """The batch as it was decided about, without looking at the upstream."""
        ...


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that an item brought in; `location` is what `stat_location` takes."""

    path: str
    location: str
    size_bytes: int
    sha256: str | None = None


@runtime_checkable
class RetiresVanished(Protocol):
    """A source of whose imported batches nothing is to stay when they vanish.

    Behind the missing-mount guard, such a batch is decided about again, with `BatchRef.gone`.
    """

    retires_vanished: bool


@runtime_checkable
class ScansFolders(Protocol):
    """A source of which one folder can be scanned, with all below it and nothing else.

    Folders are named as batches are keyed.
    """

    def folder_meant(self, folder: str) -> str:
        """The folder as keys name it; empty for the root. Raises `RequestError` for what is none.

        Looks at no file.
        """
        ...

    def discover_below(self, folder: str, known: Mapping[str, str]) -> Iterator[Discovered]:
        """`discover` of this folder and all below; nothing where there is none."""
        ...

    def lies_below(self, key: str, folder: str) -> bool:
        """Whether a batch is this folder or surely below it."""
        ...

    def is_there(self, key: str) -> bool:
        """Whether there is such a folder now. Raises `SourceMissing`."""
        ...


@runtime_checkable
class KeepsElsewhere(Protocol):
    """A source whose items go to a place of its own and not into the library.

    Its locations are of that place. `detail` is what `Decided` had of the item.
    """

    def kept_file(self, kind: str, detail: Mapping[str, Any]) -> KeptFile | None:
        """The file that the item brought in; None for an item that is none."""
        ...

    def require_kept(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Raise `ItemRefused` when what an item brought in that is no file is not there."""
        ...


@runtime_checkable
class ShowsManifest(Protocol):
    """What a source may have besides: where the files are that announce a batch, for people to see.

    They are read by `stat_location` and `read_location`.
    """

    def manifest_location(self, key: str) -> str:
        """Where the file that describes the batch is."""
        ...

    def sentinel_location(self, key: str) -> str:
        """Where the file that says the batch is complete is."""
        ...


@runtime_checkable
class WatchedSource(Protocol):
    """A source that may want a scan soon after something changed below a folder."""

    @property
    def watched_root(self) -> Path | None:
        """The folder; None when it is not to be watched."""
        ...

    @property
    def stable_for_s(self) -> float:
        """A scan leaves out what was written to within so many seconds."""
        ...

    def concerns(self, relative: str) -> bool:
        """Whether a scan could have something to say of a change of this path below the folder."""
        ...


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """One thing a source looked at for somebody: whether it is so; None when it cannot tell.

    `reason` says what is wrong and what to do, when it is not so.
    """

    name: str
    ok: bool | None
    found: str | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class SourceFindings:
    """What a source has to say of what somebody looks for.

    `key` is the batch key that was meant, None when nothing of the kind is there; `candidates`
    are keys when several may have been meant. `manifest_sha256` is of the manifest as it is now.
    """

    key: str | None
    checks: Sequence[SourceCheck]
    candidates: Sequence[str] = ()
    manifest_sha256: str | None = None


@runtime_checkable
class ExplainingSource(Protocol):
    """A source that can say why something is not there, beside what every source can."""

    def explain(self, ref: str) -> SourceFindings:
        """Look, reading only and boundedly, for what somebody calls `ref`. Raises nothing."""
        ...


@dataclass(frozen=True, slots=True)
class SourceDefinition:
    """What the entry point of a source names: how to build one from its settings.

    `build(name, options)` raises `RequestError` for options that make no sense. `reasons` lists
    every reason code the source can give; the documentation and the console show them.
    """

    kind: str
    build: Callable[[str, Mapping[str, Any]], Source]
    reasons: Mapping[str, Reason]
    summary: str
