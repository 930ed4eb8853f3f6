"""Trees of files that the library holds, and the sorting of them, without looking into pictures."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from lading.base.stopping import StopSignal
from lading.db import Database
from lading.jobs.queue import Queue
from lading.jobs.settings import WorkerSettings
from lading.jobs.worker import Worker
from lading.library.photo_values import FilePlace, FileStamp, Photo, PhotoFacts
from lading.library.photos import save_photo, save_sidecar
from lading.library.tables import asset, asset_file, photo_file
from lading.library.values import AssetFacts
from lading.sorting.planning import PlaceNames
from lading.sorting.rules import NamedPlace
from lading.sorting.sorting import Sorting
from lading.sorting.tree import stamp_from
from lading.sorting.values import PlannedFile, SortRun, Wanted

NOON = datetime(2024, 5, 1, 12)  # noqa: DTZ001 - by the clock of the place
HOME = NamedPlace("Home", 52.5, 13.4, 2.0)
PARIS = NamedPlace("Paris", 48.85, 2.35, 20.0)
SETTINGS = WorkerSettings(
    nice=0,
    ionice="none",
    retry_base_s=0.02,
    retry_max_s=0.05,
    schedule_every_s=0.05,
    poll_min_s=0.02,
    poll_max_s=0.05,
)


class SortScene:
    """Two trees of photos, `home` and `away`, and what sorts them."""

    def __init__(self, db: Database, home: Path, away: Path, *, name: str = "home") -> None:
        self.db = db
        self.roots = {name: home, "away": away}
        for root in self.roots.values():
            root.mkdir(exist_ok=True)
        self.queue = Queue(db)
        self.sorting = Sorting(db, self.queue, self.roots, PlaceNames([HOME, PARIS]))

    def write(self, relative: str, data: bytes, *, source: str = "home") -> Path:
        path = self.roots[source] / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def add(
        self,
        relative: str,
        data: bytes | None = None,
        *,
        taken: datetime | None = NOON,
        at: tuple[float, float] | None = None,
        camera: str | None = "Model 1",
        source: str = "home",
    ) -> Path:
        """A file of a tree that the library holds, with what it says of itself."""
        content = relative.encode() if data is None else data
        path = self.write(relative, content, source=source)
        latitude, longitude = at or (None, None)
        # The clock was two hours ahead, so that a moment is not taken for a time of day.
        moment = None if taken is None else taken.replace(tzinfo=UTC) - timedelta(hours=2)
        found = Photo(
            asset=AssetFacts(
                content_hash=hashlib.sha256(content).hexdigest(),
                asset_type="photo",
                title=path.name,
                captured_at=moment,
                captured_offset_min=None if taken is None else 120,
            ),
            size_bytes=len(content),
            media_type="image/jpeg",
            facts=PhotoFacts(latitude=latitude, longitude=longitude, camera_model=camera),
        )
        place = FilePlace.at(source, relative)
        self.db.run(lambda conn: save_photo(conn, place, stamp_of(path), found))
        return path

    def add_sidecar(self, relative: str, of: str) -> Path:
        path = self.write(relative, relative.encode())
        digest = hashlib.sha256(relative.encode()).hexdigest()
        place = FilePlace.at("home", relative)
        self.db.run(
            lambda conn: save_sidecar(
                conn, place, stamp_of(path), of=of, sha256=digest, media_type="application/xml"
            )
        )
        return path

    def wanted(self, pattern: str = "{year}/{name}{ext}", **others: str | bool) -> Wanted:
        return Wanted(**{"source": "home", "target": "home", "pattern": pattern, **others})  # type: ignore[arg-type]

    def plan(self, wanted: Wanted) -> dict[str, PlannedFile]:
        """The plan by source path; the library and the trees are as they were."""
        return {one.source_path: one for one in self.sorting.preview(wanted)}

    def sort(self, wanted: Wanted) -> SortRun:
        run = self.sorting.start(wanted, actor="test")
        self.drain()
        return self.sorting.run(run.key)

    def undo(self, run: SortRun) -> SortRun:
        self.sorting.undo(run.key, actor="test")
        self.drain()
        return self.sorting.run(run.key)

    def drain(self) -> None:
        Worker(self.db, self.queue, self.sorting.handlers(), SETTINGS, stop=StopSignal()).run(
            drain=True
        )

    def files(self, source: str = "home") -> dict[str, bytes]:
        """What lies in a tree, by path."""
        root = self.roots[source]
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    def rows(self, source: str = "home") -> dict[str, str]:
        """What the library says lies there: location and content of every file that is not gone."""
        query = (
            select(asset_file.c.location, asset_file.c.sha256)
            .join_from(asset_file, photo_file, photo_file.c.file_id == asset_file.c.id)
            .join(asset, asset.c.id == asset_file.c.asset_id)
            .where(asset_file.c.deleted_at.is_(None), photo_file.c.source == source)
        )
        with self.db.read() as conn:
            return {row.location: row.sha256 for row in conn.execute(query)}

    def require_whole(self, source: str = "home") -> None:
        """Every row points to a file of its content, with the stamp that the next scan sees."""
        files = self.files(source)
        rows = self.rows(source)
        assert rows == {p: hashlib.sha256(files[p]).hexdigest() for p in rows}
        query = select(asset_file.c.location, photo_file).join_from(
            asset_file, photo_file, photo_file.c.file_id == asset_file.c.id
        )
        with self.db.read() as conn:
            for row in conn.execute(
                query.where(asset_file.c.deleted_at.is_(None), photo_file.c.source == source)
            ):
                place, stamp = FilePlace.at(source, row.location), self.stamp(row.location, source)
                assert (row.mtime_ns, row.inode) == (stamp.mtime_ns, stamp.inode)
                assert row.path_sha256 == place.path_sha256
                assert row.folder_sha256 == place.folder_sha256

    def stamp(self, relative: str, source: str = "home") -> FileStamp:
        return stamp_of(self.roots[source] / relative)


def stamp_of(path: Path) -> FileStamp:
    return stamp_from(os.stat(path, follow_symlinks=False))
