"""People in photos, of one installation: what is asked for, and the jobs that do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from lading.db import Database
from lading.jobs.queue import Queue
from lading.ledger.batches import Batch
from lading.ledger.chain import Entry, append_all
from lading.ledger.people_events import FacesReset
from lading.library.faces import ask_for_scans, reset_faces
from lading.library.people_queries import folders_to_match, folders_to_scan, given_to_scan
from lading.library.people_values import FolderOfFaces, Person
from lading.library.photo_values import FilePlace
from lading.library.statements import chunked
from lading.media.faces.scanning import detection_of
from lading.people.adopted import settings_held
from lading.people.errors import NotPhotos
from lading.people.jobs import Lined, line_up, line_up_references
from lading.people.processes import FaceProcesses
from lading.sources.photos.folders import ROOT_KEY
from lading.sources.photos.rules import digest_in, is_shortened
from lading.storage.port import ObjectStore

_FOLDERS_AT_ONCE: Final = 50


class People:
    """Faces and persons of one installation; `roots` are its trees of photos, by source.

    Safe to share between threads. `close` ends the processes that look for faces.
    """

    def __init__(
        self,
        db: Database,
        queue: Queue,
        store: ObjectStore,
        roots: Mapping[str, Path],
        processes: FaceProcesses | None = None,
    ) -> None:
        self.db = db
        self.queue = queue
        self.store = store
        self.roots = dict(roots)
        self.processes = processes or FaceProcesses()

    def close(self) -> None:
        """End the processes that look for faces; they are started again when they are needed."""
        self.processes.close()

    def follow_import(
        self, conn: Connection, batch: Batch, job_id: int, *, actor: str, priority: int
    ) -> list[Entry]:
        """Look for faces in a folder, and match them, after its import job (C4).

        Writes in the caller's transaction and returns what is to be appended to the ledger.
        """
        if batch.source not in self.roots:
            return []
        entries: list[Entry] = []
        folder = folder_of_batch(batch)
        line_up(
            conn,
            self.queue,
            [folder],
            actor=actor,
            scan=True,
            after=job_id,
            priority=priority,
            entries=entries,
        )
        return entries

    def scan(
        self,
        source: str | None = None,
        *,
        actor: str,
        folder: str | None = None,
        everything: bool = False,
        match_again: bool = False,
    ) -> Lined:
        """Put in line that faces are found where they were not, and matched.

        Where the engine or its settings changed they count as not found. With `everything`, faces
        are looked for anew in all files; what people decided stays. With `match_again`, what
        `match` would put in line is so in all other folders too. Raises `NotPhotos`.
        """
        self._check(source)

        def folders(conn: Connection) -> list[FolderOfFaces]:
            if everything:
                digest = None if folder is None else _digest(folder)
                count = ask_for_scans(conn, source, digest)
                event = FacesReset(what="scans", count=count, source=source, folder=folder)
                append_all(conn, [Entry(event, actor)])
            key = detection_of(settings_held(conn).settings.detection).key
            return _within(folders_to_scan(conn, key, source), folder)

        found = self.db.run(folders)
        first = self._references_first(actor)
        lined = self._line_up(found, actor=actor, scan=True, after=first)
        if match_again:
            scanned = {(each.source, each.digest) for each in found}
            others = self._to_match(source, folder, again=True)
            rest = [each for each in others if (each.source, each.digest) not in scanned]
            lined += self._line_up(rest, actor=actor, scan=False, after=first)
        return lined

    def match(
        self,
        source: str | None = None,
        *,
        actor: str,
        folder: str | None = None,
        persons: Sequence[Person] | None = None,
        again: bool = True,
    ) -> Lined:
        """Put in line that unidentified faces are matched, and with `again` those identified by
        other settings. Raises `NotPhotos`.
        """
        self._check(source)
        folders = self._to_match(source, folder, again=again)
        return self._line_up(folders, actor=actor, scan=False, persons=persons, again=again)

    def reset(self, source: str | None = None, *, actor: str, folder: str | None = None) -> int:
        """Forget what the engine said; how many faces are unidentified again.

        Raises `NotPhotos`.
        """
        self._check(source)
        digest = None if folder is None else _digest(folder)

        def forget(conn: Connection) -> int:
            count = reset_faces(conn, source, digest)
            event = FacesReset(what="suggestions", count=count, source=source, folder=folder)
            append_all(conn, [Entry(event, actor)])
            return count

        return self.db.run(forget)

    def root(self, source: str) -> Path:
        """The root of a source. Raises `NotPhotos`."""
        self._check(source)
        return self.roots[source]

    def _to_match(
        self, source: str | None, folder: str | None, *, again: bool
    ) -> list[FolderOfFaces]:
        with self.db.read() as conn:
            digest = settings_held(conn).settings.matching.digest
            found = folders_to_match(conn, digest, again=again, source=source)
        return _within(found, folder)

    def _references_first(self, actor: str) -> int | None:
        """The job that has to be done before anything is matched, if one has."""

        def put(conn: Connection) -> int | None:
            key = detection_of(settings_held(conn).settings.detection).key
            if not given_to_scan(conn, key):
                return None
            return line_up_references(conn, self.queue, actor=actor)

        return self.db.run(put)

    def _line_up(
        self,
        folders: Sequence[FolderOfFaces],
        *,
        actor: str,
        scan: bool,
        persons: Sequence[Person] | None = None,
        again: bool = True,
        after: int | None = None,
    ) -> Lined:
        lined = Lined()
        for chunk in chunked(folders, _FOLDERS_AT_ONCE):

            def put(conn: Connection, some: list[FolderOfFaces] = chunk) -> Lined:
                return line_up(
                    conn,
                    self.queue,
                    some,
                    actor=actor,
                    scan=scan,
                    persons=persons,
                    again=again,
                    after=after,
                )

            lined += self.db.run(put)
        return lined

    def _check(self, source: str | None) -> None:
        if source is not None and source not in self.roots:
            raise NotPhotos(
                "there is no such source of photos",
                subject=source,
                found=", ".join(sorted(self.roots)) or "none",
            )


def folder_of_batch(batch: Batch) -> FolderOfFaces:
    """The folder that a batch of photos is."""
    key = batch.batch_key
    if is_shortened(key):
        return FolderOfFaces(batch.source, digest_in(key), key)
    folder = "" if key == ROOT_KEY else key
    return FolderOfFaces(batch.source, _digest(folder), folder)


def _digest(folder: str) -> str:
    return FilePlace("", folder, "").folder_sha256


def _within(folders: Sequence[FolderOfFaces], folder: str | None) -> list[FolderOfFaces]:
    digest = None if folder is None else _digest(folder)
    return [each for each in folders if digest in (None, each.digest)]
