"""Photos that arrive while a page is open: they wait behind a bar, and nothing shifts (G7)."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from lading.db.counting import count_capped
from lading.ledger.batches import Batch
from lading.library.live_photos import live_photos, photo_places
from lading.library.photo_queries import in_folder
from lading.library.tables import asset, asset_file, photo_file
from lading.people.people import folder_of_batch


def newest_photo(conn: Connection) -> int:
    """The number that photos to come are above."""
    return conn.scalar(select(func.max(asset.c.id))) or 0


def newest_file(conn: Connection) -> int:
    """The number that files to come are above."""
    return conn.scalar(select(func.max(asset_file.c.id))) or 0


def new_photos(conn: Connection, above: int) -> int:
    """How many photos came after the one of this number; as many as are ever counted."""
    return count_capped(conn, live_photos(asset.c.id).where(asset.c.id > above)).value


def new_in_folder(conn: Connection, batch: Batch, above: int) -> int:
    """How many photos came to lie right in a folder after the file of this number."""
    places = photo_places(asset_file.c.id).where(
        photo_file.c.source == batch.source,
        in_folder(folder_of_batch(batch).digest),
        asset_file.c.id > above,
    )
    return count_capped(conn, places).value
