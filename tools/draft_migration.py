"""Drafts a migration by comparing the models with the newest schema.

`.venv/bin/python tools/draft_migration.py "what it does"`. The draft is made on SQLite and speaks
for no other database: read every line, and add what only PostgreSQL or MariaDB have.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import tempfile

from alembic import command

import lading
from lading.db import open_database
from lading.db.migrate import alembic_config, upgrade
from lading.db.revisions import head_revision
from lading.db.schema import metadata


def main(message: str) -> None:
    """Write the next file of `migrations/versions`."""
    for module in pkgutil.walk_packages(lading.__path__, "lading."):
        if module.name.endswith(".tables"):
            importlib.import_module(module.name)
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/draft.sqlite")
        upgrade(database)
        with database.write() as conn:
            config = alembic_config(conn)
            config.attributes["metadata"] = metadata
            number = f"{int(head_revision()) + 1:04d}"
            command.revision(config, message=message, autogenerate=True, rev_id=number)
        database.close()


if __name__ == "__main__":
    main(sys.argv[1])
