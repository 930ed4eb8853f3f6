"""Puts photos and faces into a library without reading any file, for tests of what is decided."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from lading.db import Database
from lading.ingest import Ingest
from lading.jobs.context import Handler
from lading.jobs.tables import import_job
from lading.library.people import all_persons
from lading.library.people_queries import asset_faces, decisions
from lading.library.people_values import FaceBox, FaceFacts, ScanFacts, StoredFace
from lading.library.photo_values import FilePlace, FileStamp, Photo, PhotoFacts
from lading.library.photos import save_photo
from lading.library.tables import asset, asset_file
from lading.library.values import AssetFacts
from lading.people.detecting import save_found
from lading.people.handlers import handlers
from lading.people.people import People
from lading.storage.folder import FolderStore
from lading.testing.installation import Installation
from tests.photos.tree import PhotosBench

SOURCE = "home"
KIND = "toy"


def digest_of(folder: str) -> str:
    return FilePlace(SOURCE, folder, "").folder_sha256


def add_photo(conn: Connection, folder: str, name: str, content: str | None = None) -> int:
    """A photo that lies there; its asset."""
    content_hash = hashlib.sha256((content or f"{folder}/{name}").encode()).hexdigest()
    found = Photo(
        asset=AssetFacts(content_hash=content_hash, asset_type="image"),
        size_bytes=10,
        media_type="image/jpeg",
        facts=PhotoFacts(),
    )
    save_photo(conn, FilePlace(SOURCE, folder, name), FileStamp(10, 20, 30), found)
    query = select(asset.c.id).where(asset.c.content_hash == content_hash)
    return int(conn.execute(query).scalar_one())


def a_face(slot: float, *numbers: float, score: float = 1.0, kind: str = KIND) -> FaceFacts:
    """A face in the `slot`-th of ten columns of the picture, with an embedding of these numbers."""
    return FaceFacts(
        box=FaceBox(slot / 10, 0.2, 0.08, 0.2),
        score=score,
        side_px=100,
        sharpness=0.5,
        roll_degrees=0.0,
        turn=0.0,
        embedding_kind=kind,
        embedding=array("f", numbers or (slot,)).tobytes(),
    )


def a_scan(*faces: FaceFacts, key: str = "k1", error: str | None = None) -> ScanFacts:
    return ScanFacts(
        key=key,
        engine="toy",
        engine_version="1",
        settings_digest="d",
        settings="{}",
        width=100,
        height=100,
        faces=faces,
        error=error,
    )


def add_faces(conn: Connection, asset_id: int, faces: Sequence[FaceFacts]) -> list[int]:
    """The first scan of an asset; its faces."""
    return save_found(asset_id, a_scan(*faces), conn)


class PeopleInstallation(Installation):
    """An installation that looks for faces in what it takes in."""

    def __init__(self, db: Database, bench: PhotosBench, folder: Path) -> None:
        store = FolderStore(folder / "store", name="library", create=True)
        super().__init__(db, store, [bench.source])
        self.people = People(db, self.queue, store, {bench.source.name: bench.root})
        self.parts = replace(self.parts, on_import_queued=self.people.follow_import)
        self.ingest = Ingest(self.parts)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {**super().handlers, **handlers(self.people)}

    def jobs(self, kind: str) -> list[Any]:
        """The jobs of a kind, by number."""
        query = select(import_job).where(import_job.c.kind == kind).order_by(import_job.c.id)
        with self.db.read() as conn:
            return list(conn.execute(query))

    def faces(self, name: str) -> list[StoredFace]:
        """The faces of the photo of this name."""
        query = (
            select(asset_file.c.asset_id)
            .where(asset_file.c.location.like(f"%{name}"), asset_file.c.deleted_at.is_(None))
            .limit(1)
        )
        with self.db.read() as conn:
            return asset_faces(conn, conn.execute(query).scalar_one())

    def said(self, face_id: int) -> dict[str, str]:
        """What is said of a face: states by the name of the person."""
        with self.db.read() as conn:
            persons = all_persons(conn)
            return {
                persons[one.person_id].name: one.state.value
                for one in decisions(conn, [face_id]).get(face_id, [])
            }
