"""Sources that fail in ways their protocol does not know, and preflights that are cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from lading.base.errors import LadingError
from lading.db import Database
from lading.db.clock import now
from lading.ingest.queueing import QueueOutcome
from lading.ingest.ready import PREFLIGHT_SILENT_S, ready
from lading.ingest.registry import BrokenSourceKind, build_source
from lading.ingest.source import BatchRef, OpenBatch, SourceDefinition
from lading.ingest.source_faults import SourceFault
from lading.ledger.states import BatchState
from lading.ledger.tables import ingest_batch
from lading.storage.folder import FolderStore
from lading.testing.bundles import BundlePublisher
from lading.testing.installation import ACTOR, Installation


class Failing:
    """Passes everything on to a source or an open batch, but raises `error` in one call."""

    def __init__(self, inner: Any, call: str, error: BaseException) -> None:
        self._inner, self._call, self._error = inner, call, error

    def __getattr__(self, name: str) -> Any:
        if name == self._call:
            raise self._error
        return getattr(self._inner, name)

    @contextmanager
    def open_batch(self, batch: BatchRef) -> Iterator[OpenBatch]:
        """The batch, failing as its source does."""
        if self._call == "open_batch":
            raise self._error
        with self._inner.open_batch(batch) as opened:
            failing: Any = Failing(opened, self._call, self._error)
            yield failing


@pytest.fixture
def make(database: Database, tmp_path: Path) -> Callable[..., Installation]:
    """An installation of a source `good` and a source `odd` that raises an error in one call."""

    def build(call: str = "nothing", error: BaseException | None = None) -> Installation:
        sources: list[Any] = []
        for name in ("good", "odd"):
            root = tmp_path / name
            if not root.exists():
                bundle = BundlePublisher(root, seed=len(sources)).bundle()
                bundle.photo("one")
                bundle.publish()
            sources.append(build_source("handover", name, {"root": str(root)}))
        sources[1] = Failing(sources[1], call, error or RuntimeError("oh"))
        store = FolderStore(tmp_path / "store", name="library", create=True)
        return Installation(database, store, sources)

    return build


@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize("call", ["identity", "discover"])
def test_a_scan_that_its_source_breaks_off_names_the_source(
    make: Callable[..., Installation], call: str
) -> None:
    installation = make(call)
    with pytest.raises(SourceFault, match=r"RuntimeError: oh.*\[odd\]"):
        installation.scan("odd")
    assert installation.scan("good")


@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize("call", ["open_batch", "items", "decide"])
def test_a_source_that_breaks_off_a_preflight_keeps_no_other_batch_from_the_queue(
    make: Callable[..., Installation], call: str
) -> None:
    (odd,), (good,) = make().scan("odd"), make().scan("good")
    installation = make(call)
    refused, queued = installation.ingest.queue([odd, good], actor=ACTOR)
    assert (refused.outcome, refused.reason) == (QueueOutcome.REFUSED, "source_fault")
    assert refused.batch_key == installation.batch(odd).batch_key
    assert queued.outcome is QueueOutcome.QUEUED
    assert installation.batch(odd).state is BatchState.PENDING


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_preflight_that_is_interrupted_leaves_its_batch_as_pending(
    make: Callable[..., Installation],
) -> None:
    (odd,) = make().scan("odd")
    with pytest.raises(KeyboardInterrupt):
        make("decide", KeyboardInterrupt()).ingest.preflight(odd, actor=ACTOR)
    assert make().batch(odd).state is BatchState.PENDING


def test_a_batch_whose_preflight_was_killed_is_ready_again_after_a_while(
    make: Callable[..., Installation], database: Database
) -> None:
    (odd,) = make().scan("odd")

    def killed(silent_s: float) -> None:
        values = {"state": BatchState.PREFLIGHTING.value, "updated_at": now(-silent_s)}
        with database.write() as conn:
            conn.execute(update(ingest_batch).where(ingest_batch.c.id == odd).values(**values))

    killed(PREFLIGHT_SILENT_S / 2)
    assert ready(database) == []
    killed(PREFLIGHT_SILENT_S * 2)
    assert [batch.id for batch in ready(database)] == [odd]


def test_a_kind_of_source_that_cannot_be_built_is_named(
    toy_package: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lading_toy  # noqa: PLC0415 - installed by the fixture

    def build(name: str, options: object) -> Any:
        raise ZeroDivisionError(name)

    broken = SourceDefinition(kind="toy", build=build, reasons={}, summary="")
    monkeypatch.setattr(lading_toy, "definition", broken)
    with pytest.raises(BrokenSourceKind, match="ZeroDivisionError") as caught:
        build_source("toy", "notes", {})
    assert isinstance(caught.value, LadingError)
