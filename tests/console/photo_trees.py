"""Trees of photos that were copied with their installation, as files that the library knows."""

from __future__ import annotations

import os

from sqlalchemy import Connection, select, update

from lading.library.tables import asset_file, photo_file
from lading.sorting.tree import stamp_from
from lading.testing.console_photos import tree_of
from tests.console.browser.serving import Served


def know_anew(served: Served) -> None:
    """Note the inodes of a copied tree, as a scan of it would: else nothing of it is sorted."""
    root = tree_of(served.lading)
    query = select(photo_file.c.file_id, asset_file.c.location).join(
        asset_file, asset_file.c.id == photo_file.c.file_id
    )
    with served.lading.db.read() as conn:
        found = conn.execute(query).all()
    stamps = {
        file_id: stamp_from(os.stat(root / location))
        for file_id, location in found
        if (root / location).is_file()
    }

    def note(conn: Connection) -> None:
        for file_id, stamp in stamps.items():
            values = {"mtime_ns": stamp.mtime_ns, "inode": stamp.inode}
            conn.execute(update(photo_file).where(photo_file.c.file_id == file_id).values(values))

    served.lading.db.run(note)
