"""The duty of a worker to ask for scans of watched sources; the net of scans by the clock stays."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from sqlalchemy import select

from lading.db.clock import now
from lading.ingest.parts import IngestParts
from lading.ingest.source import WatchedSource
from lading.jobs.tables import import_job
from lading.operations.scans import SCAN_JOB_KIND, enqueue_scan, scan_key
from lading.operations.watching.rules import scan_sees
from lading.operations.watching.tree import TreeWatch

LOOK_S: Final = 1.0
"""How often it is looked whether something changed; that alone asks nothing of the database."""


class WatchedScans:
    """Asks for scans of the watched sources after changes; a duty of every worker.

    However many workers watch, a scan that one asked for is enough for all.
    """

    def __init__(self, parts: IngestParts, trees: Mapping[str, TreeWatch] | None = None) -> None:
        self._parts = parts
        self._trees = watched_trees(parts) if trees is None else trees

    def __enter__(self) -> Self:
        for tree in self._trees.values():
            tree.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for tree in self._trees.values():
            tree.stop()
        for tree in self._trees.values():
            tree.join()

    def __call__(self, actor: str) -> float:
        """Ask for what is due; returns the seconds until it wants to be called again."""
        for name, tree in self._trees.items():
            self._attend(name, tree, actor)
        return LOOK_S

    def _attend(self, name: str, tree: TreeWatch, actor: str) -> None:
        changes = tree.changes()
        if changes is None or not tree.is_due(changes):
            return
        began_ago_s = self._began_ago_s(name)
        if began_ago_s is not None and scan_sees(
            changes, time.monotonic(), tree.stable_for_s, began_ago_s
        ):
            tree.looked_at(changes)
            return
        # While one is under way that began too early, this gives that one, and the changes stay.
        enqueue_scan(self._parts, name, actor=actor, accept_root=False)
        tree.asked()

    def _began_ago_s(self, source: str) -> float | None:
        """How many seconds ago the last scan of a source began; 0 for one that is to begin."""
        keys = [scan_key(source, accept_root=accept) for accept in (False, True)]
        query = (
            select(now(), import_job.c.started_at)
            .where(import_job.c.kind == SCAN_JOB_KIND, import_job.c.own_key.in_(keys))
            .order_by(import_job.c.id.desc())
            .limit(1)
        )
        with self._parts.db.read() as conn:
            row = conn.execute(query).one_or_none()
        if row is None:
            return None
        at, started_at = row
        return 0.0 if started_at is None else float((at - started_at).total_seconds())


def watched_trees(parts: IngestParts) -> dict[str, TreeWatch]:
    """What is to be watched: the trees of sources that want it."""
    return {
        name: TreeWatch(name, source, source.watched_root)
        for name, source in parts.sources.items()
        if isinstance(source, WatchedSource) and source.watched_root is not None
    }
