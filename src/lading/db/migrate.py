"""Brings a database to the schema of this program.

Upgrading is explicit (`lading db upgrade`); everything else only asks (`revisions`). One upgrade
runs at a time, whichever process, host or thread started it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from lading.db.engine import Database
from lading.db.errors import DatabaseConflict
from lading.db.revisions import MIGRATIONS, head_revision, refuse_unknown, revision_of

_LOCK_WAIT_S: Final = 24 * 3600
_POSTGRESQL_LOCK: Final = 0x6C6164696E67  # "lading"

# Alembic keeps the migration being run in module globals.
_one_thread = threading.Lock()


def upgrade(db: Database) -> bool:
    """Bring `db` to the newest schema; False when it was there already.

    All or nothing on SQLite and PostgreSQL; on MariaDB, where each statement commits, an upgrade
    that was cut off goes on when it is run again. Raises `DatabaseTooNew`.
    """
    with _one_thread, db.write() as conn, _only_one(conn, db.dialect):
        revision = revision_of(conn)
        refuse_unknown(revision, db)
        if revision == head_revision():
            return False
        command.upgrade(alembic_config(conn), "head")
        return True


def alembic_config(conn: Connection | None) -> Config:
    """What Alembic is run with: our folder of migrations, and the connection they run on."""
    config = Config()
    # A `%` in a path would be read as an interpolation.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = conn
    return config


@contextmanager
def _only_one(conn: Connection, dialect: str) -> Iterator[None]:
    """Exclude other upgrades of this database; SQLite's writing transaction already does."""
    if dialect == "postgresql":
        # Held to the end of the transaction.
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRESQL_LOCK})
    if dialect != "mariadb":
        yield
        return
    # Names of locks are shared by all databases of a server.
    name = "CONCAT('lading.upgrade.', MD5(DATABASE()))"
    if conn.scalar(text(f"SELECT GET_LOCK({name}, :wait_s)"), {"wait_s": _LOCK_WAIT_S}) != 1:
        raise DatabaseConflict("another upgrade of this database has not ended")
    try:
        yield
    finally:
        conn.execute(text(f"SELECT RELEASE_LOCK({name})"))
