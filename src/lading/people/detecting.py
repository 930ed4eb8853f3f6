"""Finds the faces in a folder of photos: the job, and what becomes of what was found.

Files that were scanned by the same engine and settings are not looked at again. One over which the
engine fails is recorded with its error; one that is not there, or not as it was taken in, is left
for the time after its next import.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from lading.base.errors import SourceError
from lading.base.progress import Progress
from lading.base.steps import FaceStep, reach
from lading.db import Database
from lading.jobs.context import JobContext, JobResult
from lading.library.faces import known_faces, save_scan
from lading.library.people_queries import files_to_scan
from lading.library.people_values import FaceBox, FaceFacts, FileToScan, ScanFacts
from lading.media.derive import Derivation, FileAt
from lading.media.errors import MediaUnreadable
from lading.media.faces.engine import Box, Detected
from lading.media.faces.scanning import Scanned, detection_of
from lading.media.faces.settings import DetectionSettings
from lading.people.adopted import settings_held
from lading.people.processes import FaceProcesses
from lading.people.rules import same_faces
from lading.storage.roots import SafeRoot

# Inodes may have one bit more than databases keep.
_INODE_BITS: Final = 2**63 - 1


def find_faces(
    db: Database, root: Path, processes: FaceProcesses, context: JobContext
) -> JobResult:
    """Scan the files of the folder that the job names, which lies below `root`.

    Raises `RootMissing`, `BrokenFaceEngine`, `UnknownFaceEngine`, `MissingExtra`, `LeaseLost`, and
    `Interrupted` within a second or two; what was found until then is kept.
    """
    params = context.claim.params
    with db.read() as conn:
        settings = settings_held(conn).settings.detection
        how = detection_of(settings)
        files = list(files_to_scan(conn, str(params["source"]), str(params["digest"]), how.key))
    if not files:
        return JobResult()
    with SafeRoot(root) as safe:
        safe.identity()
        _Folder(safe, files, settings, how, context).scan(processes)
    return JobResult()


class _Folder:
    """The files of one folder, of which some may be gone or others by now."""

    def __init__(
        self,
        root: SafeRoot,
        files: list[FileToScan],
        settings: DetectionSettings,
        how: Derivation,
        context: JobContext,
    ) -> None:
        self._root = root
        self._files = {file.location: file for file in files}
        self._settings = settings
        self._how = how
        self._context = context
        self._done = self._skipped = self._failed = 0

    def scan(self, processes: FaceProcesses) -> None:
        with processes.scanner(self._settings, self._beat) as scanner:
            for where, outcome in scanner.scan(self._as_recorded()):
                self._take(self._files[where.relative], outcome)

    def _as_recorded(self) -> Iterator[FileAt]:
        for file in self._files.values():
            self._context.stop.check()
            if is_as_recorded(self._root, file):
                yield FileAt(str(self._root.path), file.location)
            else:
                self._skipped += 1
                self._context.report(self._progress(file))

    def _take(self, file: FileToScan, outcome: Scanned | SourceError) -> None:
        unreadable = isinstance(outcome, SourceError) and not isinstance(outcome, MediaUnreadable)
        # What was written meanwhile is other content, and not this asset's.
        if unreadable or not is_as_recorded(self._root, file):
            self._skipped += 1
            self._context.report(self._progress(file))
            return
        if isinstance(outcome, SourceError):
            self._failed += 1
        else:
            self._done += 1
        facts = scan_facts(outcome, self._settings, self._how)
        reach(FaceStep.FACES_FOUND)
        self._context.run(partial(_save, file.asset_id, facts), self._progress(file))
        reach(FaceStep.FACES_COMMITTED)

    def _beat(self) -> None:
        """A file may take long, and a stop is not to wait for it."""
        self._context.stop.check()
        self._context.report(self._context.progress or self._progress())

    def _progress(self, file: FileToScan | None = None) -> Progress:
        return Progress(
            items_done=self._done,
            items_skipped=self._skipped,
            items_failed=self._failed,
            items_total=len(self._files),
            current="" if file is None else file.location,
        )


def is_as_recorded(root: SafeRoot, file: FileToScan) -> bool:
    """Whether a file is there, with the stamp it had when it was taken in."""
    try:
        found = root.stat(file.location)
    except SourceError:
        return False
    seen = (found.size_bytes, found.mtime_ns, found.inode & _INODE_BITS)
    return seen == (file.size_bytes, file.mtime_ns, file.inode)


def _save(asset_id: int, facts: ScanFacts, conn: Connection) -> None:
    save_found(asset_id, facts, conn)
    reach(FaceStep.FACES_WRITTEN)


def save_found(asset_id: int, found: ScanFacts, conn: Connection) -> list[int]:
    """Write a scan of an asset; faces that were known are known again. The ids of its faces."""
    known = [(one.face_id, Box(*one.box)) for one in known_faces(conn, asset_id)]
    same = same_faces([Box(*face.box) for face in found.faces], known)
    return save_scan(conn, asset_id, found, same)


def scan_facts(
    outcome: Scanned | SourceError, settings: DetectionSettings, how: Derivation
) -> ScanFacts:
    """What a scan found, or why it failed, for the library."""
    facts = ScanFacts(
        key=how.key,
        engine=how.tool,
        engine_version=how.version,
        settings_digest=settings.digest,
        settings=how.settings,
    )
    if isinstance(outcome, SourceError):
        return replace(facts, error=outcome.code, error_text=str(outcome))
    return replace(
        facts,
        width=outcome.width,
        height=outcome.height,
        left_out=outcome.left_out,
        faces=tuple(map(face_facts, outcome.faces)),
    )


def face_facts(found: Detected) -> FaceFacts:
    """A detected face, for the library."""
    return FaceFacts(
        box=FaceBox(*found.box),
        score=found.score,
        side_px=found.side_px,
        sharpness=found.sharpness,
        roll_degrees=found.roll_degrees,
        turn=found.turn,
        embedding_kind=found.embedding.kind,
        embedding=found.embedding.vector,
    )
