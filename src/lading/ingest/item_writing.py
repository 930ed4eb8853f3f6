"""Writes fetched items: one transaction each, some in one, or all of a batch in one.

Some in one is for items that are small: an error there undoes them all, and they are written one
by one to find whose it was (A20). All in one is the safe run: everything or nothing (B7).
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol

from sqlalchemy import Connection

from lading.base.errors import LadingError, RequestError, SourceError, StoreError
from lading.base.steps import Step, reach
from lading.base.stopping import Interrupted
from lading.ingest.import_meter import ItemMeter
from lading.ingest.rules import INTERNAL_FAULT
from lading.ingest.source import (
    Item,
    ManySmallItems,
    NamesContent,
    OpenBatch,
    SourceBusy,
    SourceMissing,
)
from lading.jobs.errors import LeaseLost
from lading.ledger.items import RecordedItem
from lading.ledger.states import Decision, Outcome

SPOOL_BYTES: Final = 8 * 1024 * 1024
"""Fetched items of a safe run are kept in memory up to this many bytes, then in a file."""

ENDS_THE_ATTEMPT: Final = (Interrupted, LeaseLost, StoreError, SourceBusy, SourceMissing)
"""What is no fault of an item: the attempt ends, and the next one goes on with it."""

PLANNED_OUTCOMES: Final = {Decision.CREATE: Outcome.CREATED, Decision.UPDATE: Outcome.UPDATED}

FutureFetch = Future[tuple[object, ItemMeter]]


class ImportAborted(SourceError):
    """A safe run met something that is not as it shall be; nothing of it was written (B7)."""

    code = "import_aborted"
    http_status = 409
    next_step = "Mend what is named, then run it again; or run it without the safe run."


class NotRehearsable(RequestError):
    """This kind of source brings bytes in item by item, so it has no dry run and no safe run."""

    code = "not_rehearsable"
    next_step = "Queue its batches as usual; `lading plan` says what would be done."


class Run(Protocol):
    """What the writers need of the import they belong to."""

    opened: OpenBatch

    def commit(self, work: Callable[[Connection], None]) -> None:
        """Run `work` in a guarded transaction, again from its start when it met a deadlock."""
        ...

    def mark(
        self,
        conn: Connection,
        outcomes: dict[int, Outcome],
        contents: dict[int, str] | None = None,
    ) -> None:
        """Write what became of items, and what content they are, by the row id of their records."""
        ...

    def fail(self, item: Item, record: RecordedItem, error: Exception) -> None:
        """Record the failure of one item; the others go on."""
        ...


@dataclass(frozen=True, slots=True)
class _Fetched:
    item: Item
    record: RecordedItem
    value: object
    meter: ItemMeter


class ItemWriter:
    """Writes items as they come, as many in a transaction as the batch wants."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._many = run.opened if isinstance(run.opened, ManySmallItems) else None
        self._held: list[_Fetched] = []

    def take(self, item: Item, record: RecordedItem, future: FutureFetch) -> None:
        """Write a fetched item, or keep it until enough are there; record one that failed."""
        try:
            value, meter = future.result()
        except ENDS_THE_ATTEMPT:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the other items go on
            self._run.fail(item, record, error)
            return
        reach(Step.ITEM_FETCHED)
        self._held.append(_Fetched(item, record, value, meter))
        if self._many is None or len(self._held) >= self._many.writes_max:
            self.finish()

    def finish(self) -> None:
        """Write what is still kept."""
        held, self._held = self._held, []
        if self._many is None or len(held) < 2 or not self._written_together(self._many, held):
            for one in held:
                self._write_alone(one)

    def _written_together(self, many: ManySmallItems, held: Sequence[_Fetched]) -> bool:
        def write(conn: Connection) -> None:
            reach(Step.ITEM_GUARDED)
            outcomes = many.write_many(conn, [(one.item, one.value) for one in held])
            ids = (one.record.id for one in held)
            contents = _contents(self._run.opened, ((one.record, one.value) for one in held))
            self._run.mark(conn, dict(zip(ids, outcomes, strict=True)), contents)
            reach(Step.ITEM_WRITTEN)

        try:
            self._run.commit(write)
        except ENDS_THE_ATTEMPT:
            raise
        except Exception:  # noqa: BLE001 - whose it was is found one by one
            return False
        reach(Step.ITEM_COMMITTED)
        for one in held:
            one.meter.finish()
        return True

    def _write_alone(self, one: _Fetched) -> None:
        def write(conn: Connection) -> None:
            reach(Step.ITEM_GUARDED)
            outcome = self._run.opened.write(conn, one.item, one.value)
            self._run.mark(
                conn,
                {one.record.id: outcome},
                _contents(self._run.opened, [(one.record, one.value)]),
            )
            reach(Step.ITEM_WRITTEN)

        try:
            self._run.commit(write)
        except ENDS_THE_ATTEMPT:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the other items go on
            self._run.fail(one.item, one.record, error)
            return
        reach(Step.ITEM_COMMITTED)
        one.meter.finish()


class TogetherWriter:
    """Keeps all fetched items in a spool and writes them in one transaction at the end (B7)."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._many = require_many_small(run.opened)
        self._spool: Any = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - closed by `close`
        self._meters: list[ItemMeter] = []

    def take(self, item: Item, record: RecordedItem, future: FutureFetch) -> None:
        """Keep a fetched item. Raises `ImportAborted` for one that was refused."""
        try:
            value, meter = future.result()
        except ENDS_THE_ATTEMPT:
            raise
        except Exception as error:
            self._run.fail(item, record, error)
            known = error if isinstance(error, LadingError) else None
            raise ImportAborted(
                "the safe run stopped at the first item that is not as it shall be:"
                f" {known.message if known else INTERNAL_FAULT.sentence}",
                subject=item.key,
                expected=known and known.expected,
                found=known and known.found,
            ) from error
        reach(Step.ITEM_FETCHED)
        pickle.dump((item, record, value), self._spool)
        self._meters.append(meter)

    def finish(self) -> None:
        """Write everything, or nothing. Raises `ImportAborted` when the database refuses a row."""

        def write(conn: Connection) -> None:
            reach(Step.ITEM_GUARDED)
            kept = self._kept()
            while some := list(islice(kept, self._many.writes_max)):
                outcomes = self._many.write_many(conn, [(item, value) for item, _, value in some])
                for (item, record, _), outcome in zip(some, outcomes, strict=True):
                    _require_planned(item, record, outcome)
                ids = (record.id for _, record, _ in some)
                contents = _contents(self._run.opened, ((record, v) for _, record, v in some))
                self._run.mark(conn, dict(zip(ids, outcomes, strict=True)), contents)
                reach(Step.ITEM_WRITTEN)

        try:
            self._run.commit(write)
        except (*ENDS_THE_ATTEMPT, ImportAborted):
            raise
        except Exception as error:
            raise ImportAborted(
                f"the safe run could not be written: {INTERNAL_FAULT.sentence}",
                found=f"{type(error).__name__}: {error}",
            ) from error
        reach(Step.ITEM_COMMITTED)
        for meter in self._meters:
            meter.finish()

    def close(self) -> None:
        """Forget what was kept."""
        self._spool.close()

    def _kept(self) -> Iterator[tuple[Item, RecordedItem, object]]:
        self._spool.seek(0)
        for _ in self._meters:
            # Our own bytes, written by this process a moment ago.
            yield pickle.load(self._spool)  # noqa: S301


def require_many_small(opened: OpenBatch) -> ManySmallItems:
    """The batch as one whose items can be fetched without consequences. Raises `NotRehearsable`."""
    if not isinstance(opened, ManySmallItems):
        raise NotRehearsable("this kind of source has no dry run and no safe run of an import")
    return opened


def _contents(opened: OpenBatch, fetched: Iterable[tuple[RecordedItem, object]]) -> dict[int, str]:
    """The content hashes, by row id, of those items of which they are known only now."""
    if not isinstance(opened, NamesContent):
        return {}
    named = ((record.id, opened.content_hash_of(value)) for record, value in fetched)
    return {row: digest for row, digest in named if digest is not None}


def _require_planned(item: Item, record: RecordedItem, outcome: Outcome) -> None:
    planned = PLANNED_OUTCOMES.get(record.decision)
    if planned is not None and outcome is not planned:
        raise ImportAborted(
            "the library has changed since the run was planned",
            subject=item.key,
            expected=planned.value,
            found=outcome.value,
        )
