"""Sources as pages show them: whether each is there, what is known of it, its scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from lading.base.counts import Count
from lading.base.errors import LadingError, RequestError
from lading.console.parts import Console
from lading.console.readers.engine import SourceNow
from lading.console.readers.scans import Scan, SourceScan, read_scans, read_sources
from lading.ledger.batch_lists import BatchFilter, count_batches_by_state
from lading.ledger.states import BatchState
from lading.settings import masked

SCANS_SHOWN: Final = 10


class SourceUnknown(RequestError):
    """No source of this name is configured."""

    code = "source_unknown"
    http_status = 404
    next_step = "Look the name up under Sources; a new one is added to the settings file."


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """One source: how it is configured, whether it answers, and its last scan."""

    now: SourceNow
    options: Mapping[str, Any]
    scan: SourceScan
    batches: Mapping[BatchState, Count]

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self.now.name

    @property
    def url(self) -> str:
        """Its page."""
        return f"/sources/{self.now.name}"

    @property
    def known(self) -> int:
        """How many of its batches are recorded, up to the limit of counting."""
        return sum(count.value for count in self.batches.values())


@dataclass(frozen=True, slots=True)
class Trial:
    """Whether a source answered just now; `error` says why not, with what to do."""

    identity: str | None = None
    error: LadingError | None = None


def read_source_views(console: Console) -> list[SourceView]:
    """All configured sources, by name."""
    scans = {scan.name: scan for scan in read_sources(console)}
    sources = console.engine.now().sources
    with console.lading.db.read() as conn:
        return [_view(conn, console, source, scans[source.name]) for source in sources]


def read_source(console: Console, name: str) -> tuple[SourceView, Sequence[Scan]]:
    """One source and its last scans. Raises `SourceUnknown`."""
    source = next((s for s in console.engine.now().sources if s.name == name), None)
    if source is None:
        raise SourceUnknown("no such source is configured", subject=name)
    (scan,) = read_sources(console, [name])
    with console.lading.db.read() as conn:
        view = _view(conn, console, source, scan)
    return view, read_scans(console, source=name, cursor=None, limit=SCANS_SHOWN).scans


def try_source(console: Console, name: str) -> Trial:
    """Look at a source now, without waiting for the next look. Raises `SourceUnknown`."""
    source = console.lading.sources.get(name)
    if source is None:
        raise SourceUnknown("no such source is configured", subject=name)
    try:
        return Trial(identity=source.identity())
    except LadingError as error:
        return Trial(error=error)


def _view(conn: Connection, console: Console, source: SourceNow, scan: SourceScan) -> SourceView:
    return SourceView(
        now=source,
        options=_options(console, source.name),
        scan=scan,
        batches=count_batches_by_state(conn, BatchFilter(source=source.name)),
    )


def _options(console: Console, name: str) -> Mapping[str, Any]:
    chosen = console.lading.settings.sources.get(name)
    return {} if chosen is None else masked(chosen.options)
