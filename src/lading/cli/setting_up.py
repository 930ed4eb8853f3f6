"""What is made for an installation that has nothing yet: its folder, its tables, its store."""

from __future__ import annotations

import os

from sqlalchemy import select

from lading.base.errors import StoreError
from lading.bootstrap import STORE_NAME
from lading.db import Database, open_database
from lading.db.engine import database_file_exists
from lading.db.revisions import current_revision, head_revision
from lading.library.tables import asset_file
from lading.settings import Settings
from lading.storage.addresses import open_store


class DataFolderNotMade(StoreError):
    """The folder for what Lading itself keeps is not there and cannot be made."""

    code = "data_folder_not_made"
    http_status = 500
    transient = False
    next_step = "Correct data_dir, or let this account write there."


def set_up(settings: Settings) -> bool:
    """Make what is missing of a new installation; True when its database had no schema.

    An older schema is left to `lading db upgrade`. A store is only made while the library has
    nothing in it: later, a missing folder is a missing mount, and an empty one would hide that.
    """
    try:
        os.makedirs(settings.data_dir, exist_ok=True)
    except OSError as error:
        raise DataFolderNotMade(
            f"the data folder cannot be made: {error.strerror}", subject=settings.data_dir
        ) from error
    db = open_database(settings.database.address, pool_size=1)
    try:
        revision = current_revision(db)
        if revision is None or (revision == head_revision() and _holds_nothing(db)):
            _make_store(settings)
        # Last, so that a set-up which was cut off is done again.
        return revision is None and _upgrade(db)
    finally:
        db.close()


def set_up_on_first_use(settings: Settings) -> None:
    """Make a new installation on the embedded database, for a command that begins to use one.

    Does nothing where there is a file already, for a database server, and without a source: then
    this is more likely the wrong folder.
    """
    if settings.sources and not database_file_exists(settings.database.address):
        set_up(settings)


def _upgrade(db: Database) -> bool:
    from lading.db.migrate import upgrade  # noqa: PLC0415 - Alembic; most commands find the schema

    return upgrade(db)


def _holds_nothing(db: Database) -> bool:
    with db.read() as conn:
        return conn.scalar(select(asset_file.c.id).limit(1)) is None


def _make_store(settings: Settings) -> None:
    if settings.store.url.startswith("file:"):
        open_store(STORE_NAME, settings.store.url, {"create": True})
