"""Rehearse: everything that importing a batch takes but the writes (B6).

Only for sources whose items can be fetched without consequences. Nothing is recorded, so it also
works with a database that may only be read.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from lading.base.errors import LadingError
from lading.base.progress import Progress
from lading.base.stopping import StopSignal
from lading.ingest.item_writing import ENDS_THE_ATTEMPT, require_many_small
from lading.ingest.lookahead import fetch_ahead
from lading.ingest.parts import IngestParts
from lading.ingest.preflight import CHUNK_ITEMS
from lading.ingest.rules import INTERNAL_FAULT
from lading.ingest.source import (
    BatchRef,
    Decided,
    DescribedBatch,
    FetchContext,
    Item,
    ItemRefused,
    ManySmallItems,
    OpenBatch,
    Source,
)
from lading.ingest.source_faults import source_faults
from lading.ledger.states import Decision

OWNER: Final = "rehearsal"


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """One item that would not be taken in, and why; `phase` is `decide` or `fetch`."""

    key: str
    kind: str
    phase: str
    reason: str
    sentence: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Rehearsal:
    """What an import would have done: how many items would be created, updated, left, refused."""

    batch_key: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    create: int = 0
    update: int = 0
    unchanged: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    refused_by_phase: Counter[str] = field(default_factory=Counter)
    bytes: int = 0

    @property
    def refused_total(self) -> int:
        """How many items would be refused, for whatever reason."""
        return sum(self.refused.values())


def rehearse(
    parts: IngestParts,
    source: Source,
    *,
    strict: bool = False,
    stop: StopSignal | None = None,
    on_refused: Callable[[RefusedItem], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Rehearsal:
    """Rehearse what is at `source` now, with all of it that is held already left out.

    `strict` refuses what a safe run would. Raises `SourceMissing`, `NotRehearsable` and
    `StoreUnavailable`, and `Interrupted` after a stop request.
    """
    found = Rehearsal()
    run = _Rehearsing(parts, found, strict, stop or StopSignal(), on_refused, on_progress)
    with source_faults(source.name):
        keys = [batch.key for batch in source.discover({}) if batch.reason is None]
        for key in keys:
            with source.open_batch(BatchRef(0, key, 0)) as opened:
                found.batch_key = key
                run.rehearse(opened, require_many_small(opened))
                if isinstance(opened, DescribedBatch):
                    found.detail = opened.detail
    return found


@dataclass(slots=True)
class _Rehearsing:
    parts: IngestParts
    found: Rehearsal
    strict: bool
    stop: StopSignal
    on_refused: Callable[[RefusedItem], None] | None
    on_progress: Callable[[Progress], None] | None

    def rehearse(self, opened: OpenBatch, many: ManySmallItems) -> None:
        with ThreadPoolExecutor(many.fetches_max, thread_name_prefix=OWNER) as executor:
            for chunk, decided in self._decided(opened):
                wanted = []
                for item, one in zip(chunk, decided, strict=True):
                    if one.decision in {Decision.CREATE, Decision.UPDATE}:
                        wanted.append((item, one))
                    elif one.reason is not None:
                        self._refuse(
                            item, "decide", one.reason.code, one.reason.sentence, one.detail
                        )
                    else:
                        self.found.unchanged += 1
                self._fetch(executor, opened, many, wanted)

    def _decided(self, opened: OpenBatch) -> Iterator[tuple[Sequence[Item], Sequence[Decided]]]:
        for _kind, items in itertools.groupby(opened.items(), key=lambda item: item.kind):
            while chunk := list(itertools.islice(items, CHUNK_ITEMS)):
                self.stop.check()
                with self.parts.db.read() as conn:
                    decided = opened.decide(conn, chunk)
                yield chunk, decided

    def _fetch(
        self,
        executor: ThreadPoolExecutor,
        opened: OpenBatch,
        many: ManySmallItems,
        wanted: Sequence[tuple[Item, Decided]],
    ) -> None:
        context = FetchContext(self.parts.store, OWNER, _Bytes(self.found), self.stop, self.strict)

        def fetch(pair: tuple[Item, Decided]) -> object:
            return opened.fetch(pair[0], pair[1].decision, context)

        ahead = fetch_ahead(executor, wanted, fetch, ahead=many.fetches_max + 1)
        with closing(ahead):  # type: ignore[type-var] # a generator, which can be closed
            for (item, decided), future in ahead:
                try:
                    future.result()
                except ENDS_THE_ATTEMPT:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever it is, the other items go on
                    self._refuse(item, "fetch", *_why(error))
                else:
                    self.found.create += decided.decision is Decision.CREATE
                    self.found.update += decided.decision is Decision.UPDATE
                if self.on_progress is not None:
                    done = self.found.create + self.found.update
                    refused = self.found.refused_total
                    self.on_progress(
                        Progress(items_done=done, items_failed=refused, current=item.key)
                    )

    def _refuse(
        self, item: Item, phase: str, code: str, sentence: str, detail: Mapping[str, Any]
    ) -> None:
        self.found.refused[code] += 1
        self.found.refused_by_phase[phase] += 1
        if self.on_refused is not None:
            self.on_refused(RefusedItem(item.key, item.kind, phase, code, sentence, detail))


class _Bytes:
    """The meter of a rehearsal: bytes that were read."""

    def __init__(self, found: Rehearsal) -> None:
        self._found = found

    def moved(self, count: int) -> None:
        """`count` bytes were read."""
        self._found.bytes += count

    def skipped(self, count: int) -> None:
        """Take no note."""


def _why(error: Exception) -> tuple[str, str, Mapping[str, Any]]:
    if isinstance(error, ItemRefused):
        return error.reason.code, error.reason.sentence, error.as_dict()
    if isinstance(error, LadingError):
        return error.code, str(error), error.as_dict()
    return INTERNAL_FAULT.code, f"{INTERNAL_FAULT.sentence} ({type(error).__name__})", {}
