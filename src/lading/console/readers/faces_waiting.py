"""What waits: folders to be scanned or matched, faces without a name; and whether faces are found.

To count folders is to look at all photos, so that it is done now and then, for all pages.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from sqlalchemy import Connection

from lading.base.errors import LadingError
from lading.bootstrap import Lading
from lading.db.counting import Count
from lading.library.face_lists import FaceFilter, count_suggested, count_unassigned
from lading.library.people_queries import folders_to_match, folders_to_scan
from lading.media.faces.scanning import detection_of
from lading.people.adopted import settings_held

KEPT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How much waits. `to_scan` is None where the engine cannot be asked; `problem` says why."""

    enabled: bool
    problem: str | None = None
    next_step: str | None = None
    to_scan: int | None = None
    to_match: int = 0
    suggested: Count = field(default_factory=lambda: Count(0))
    unassigned: Count = field(default_factory=lambda: Count(0))
    passed_over: Count = field(default_factory=lambda: Count(0))


@dataclass(frozen=True, slots=True)
class _Folders:
    to_scan: int | None
    to_match: int
    problem: str | None = None
    next_step: str | None = None


class FacesWaiting:
    """Counts what waits; one for a process, safe between threads."""

    def __init__(self, lading: Lading, *, kept_s: float = KEPT_S) -> None:
        self._lading = lading
        self._kept_s = kept_s
        self._lock = threading.Lock()
        self._counted: _Folders | None = None
        self._counted_s = float("-inf")

    def read(self) -> Waiting:
        """All of it; folders may be as they were some seconds ago."""
        with self._lading.db.read() as conn:
            folders = self._folders(conn)
            return Waiting(
                enabled=self._lading.settings.faces.enabled,
                problem=folders.problem,
                next_step=folders.next_step,
                to_scan=folders.to_scan,
                to_match=folders.to_match,
                suggested=count_suggested(conn),
                unassigned=count_unassigned(conn, FaceFilter()),
                passed_over=count_unassigned(conn, FaceFilter(passed_over=True)),
            )

    def forget(self) -> None:
        """Count anew next time: somebody changed what waits."""
        with self._lock:
            self._counted = None

    def _folders(self, conn: Connection) -> _Folders:
        with self._lock:
            if self._counted is None or monotonic() - self._counted_s >= self._kept_s:
                self._counted = _count_folders(conn)
                self._counted_s = monotonic()
            return self._counted


def _count_folders(conn: Connection) -> _Folders:
    held = settings_held(conn).settings
    to_match = len(folders_to_match(conn, held.matching.digest))
    try:
        key = detection_of(held.detection).key
    except LadingError as error:
        return _Folders(None, to_match, str(error), error.advice)
    return _Folders(len(folders_to_scan(conn, key)), to_match)
