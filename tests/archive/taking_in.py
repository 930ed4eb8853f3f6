"""An installation with one archive, and the short sentences in which its tests are written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from lading.db import Database
from lading.db.schema import metadata
from lading.ingest.registry import build_source
from lading.ledger.batches import Batch
from lading.ledger.verify import verify_chain
from lading.library.tables import asset, asset_file
from lading.sources.archive.reports import Rejection, RunReport, rejections_of_run, report_of_run
from lading.sources.archive.runs import StartedRun, start_run
from lading.sources.archive.source import ArchiveSource
from lading.storage.folder import FolderStore
from lading.testing.archive_bucket import ArchiveBucket
from lading.testing.installation import ACTOR, Installation

ONE, TWO, THREE = "VO-BRD-00001", "VO-BRD-00002", "VO-BRD-00003"
"""The first codes that are put."""

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"])
"""For what is decided before any database sees it, or written as other stories write it."""

# Waits for a retry are of the client; these keep them short.
FAST: Mapping[str, Any] = {"retries_max": 1, "retry_timeout_s": 5.0, "fetch_threads": 4}


def options_of(archive: ArchiveBucket, **options: Any) -> dict[str, Any]:
    """The settings of a source that reads the bucket."""
    facts = archive.facts
    return {
        "bucket": facts.bucket,
        "endpoint": facts.endpoint,
        "region": facts.region,
        "access_key": facts.access_key,
        "secret_key": facts.secret_key,
        "allow_http": True,
        **FAST,
        **options,
    }


class TakingIn:
    """Takes one archive in, in this process."""

    def __init__(
        self, db: Database, archive: ArchiveBucket, store: Path, *, name: str = "archive", **of: Any
    ) -> None:
        self.db = db
        self.archive = archive
        self.options = options_of(archive, **of)
        source = build_source("archive", name, self.options)
        assert isinstance(source, ArchiveSource)
        self.source = source
        self.installation = Installation(
            db, FolderStore(store, name="library", create=True), [source]
        )

    def start(self, *, safe_run: bool = False, within: str = "", again: bool = False) -> StartedRun:
        """List and plan; a worker has not looked at it yet."""
        return start_run(
            self.installation.ingest,
            self.source,
            actor=ACTOR,
            safe_run=safe_run,
            within=within,
            again=again,
        )

    def run(self, **how: Any) -> RunReport:
        """List, plan, import; what came of it."""
        started = self.start(**how)
        self.installation.drain()
        return self.report(started)

    def report(self, started: StartedRun) -> RunReport:
        """What came of a run."""
        return report_of_run(self.db, started.batch_id)

    def rejections(self, report: RunReport) -> list[Rejection]:
        """What was rejected by it, in order."""
        assert report.batch_id is not None
        return list(rejections_of_run(self.db, report.batch_id))

    def rules(self, report: RunReport) -> dict[str, str]:
        """The rule by which each item was rejected."""
        return {one.item: one.rule for one in self.rejections(report)}

    def batch(self, report: RunReport) -> Batch:
        """The batch of a run."""
        assert report.batch_id is not None
        return self.installation.batch(report.batch_id)

    def assets(self) -> dict[str, int]:
        """The id of each asset by its inventory code."""
        with self.db.read() as conn:
            return {row.title: row.id for row in conn.execute(select(asset.c.title, asset.c.id))}

    def files(self, code: str) -> dict[str, Any]:
        """The rows of a code's live files by path."""
        with self.db.read() as conn:
            rows = conn.execute(
                select(asset_file)
                .join(asset, asset.c.id == asset_file.c.asset_id)
                .where(asset.c.title == code, asset_file.c.deleted_at.is_(None))
            )
            return {row.path: row for row in rows}


def picture(db: Database, *, without: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Every row of every table as it is, times and numbers included."""
    with db.read() as conn:
        return {
            table.name: sorted(map(repr, conn.execute(select(table)).all()))
            for table in metadata.sorted_tables
            if table.name not in without
        }


def count_of(db: Database, table: Any) -> int:
    """How many rows a table has."""
    with db.read() as conn:
        return conn.scalar(select(func.count()).select_from(table)) or 0


def require_sound(here: TakingIn) -> None:
    """The ledger is whole, and the library has what its files say."""
    with here.db.read() as conn:
        assert verify_chain(conn).whole
    assert here.installation.ingest.verify(None, actor=ACTOR).problems == []
