"""What is made for an installation that has nothing yet: its folder, its tables, its store."""

from __future__ import annotations

import os

from lading.bootstrap import STORE_NAME
from lading.db import open_database
from lading.db.migrate import current_revision, upgrade
from lading.settings import Settings
from lading.storage.addresses import open_store


def set_up(settings: Settings) -> bool:
    """Make what is missing of a new installation; True when its database had no schema.

    A database that has a schema is not a new installation: then nothing is made. A store folder
    that is missing there is a mount that is missing, and making an empty one would hide that.
    """
    os.makedirs(settings.data_dir, exist_ok=True)
    db = open_database(settings.database.address, pool_size=1)
    try:
        if current_revision(db) is not None:
            return False
        if settings.store.url.startswith("file:"):
            open_store(STORE_NAME, settings.store.url, {"create": True})
        # Last, so that a set-up which was cut off is done again.
        upgrade(db)
        return True
    finally:
        db.close()
