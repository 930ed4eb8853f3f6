"""Brings a database to the schema of this program, and says when it is behind or ahead.

Upgrading is explicit (`lading db upgrade`); everything else only asks. One upgrade runs at a time,
whichever process, host or thread started it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from lading.db.engine import Database
from lading.db.errors import DatabaseConflict, DatabaseUnusable

_FOLDER: Final = Path(__file__).parent / "migrations"
_LOCK_WAIT_S: Final = 24 * 3600
_POSTGRESQL_LOCK: Final = 0x6C6164696E67  # "lading"

# Alembic keeps the migration being run in module globals.
_one_thread = threading.Lock()


class DatabaseNotMigrated(DatabaseUnusable):
    """The database is empty or has an older schema than this program."""

    code = "database_not_migrated"
    next_step = "Run `lading db upgrade`; back the database up first when it holds data."


class DatabaseTooNew(DatabaseUnusable):
    """The database has a schema that this program does not know: a newer one, or not ours."""

    code = "database_too_new"
    next_step = "Use the version of Lading that upgraded this database, or a later one."


def upgrade(db: Database) -> bool:
    """Bring `db` to the newest schema; False when it was there already.

    All or nothing on SQLite and PostgreSQL; on MariaDB, where each statement commits, an upgrade
    that was cut off goes on when it is run again. Raises `DatabaseTooNew`.
    """
    with _one_thread, db.write() as conn, _only_one(conn, db.dialect):
        revision = _revision(conn)
        _refuse_unknown(revision, db)
        if revision == head_revision():
            return False
        command.upgrade(alembic_config(conn), "head")
        return True


def current_revision(db: Database) -> str | None:
    """The revision of the schema in `db`, or None when Lading never was there."""
    with db.read() as conn:
        return _revision(conn)


def head_revision() -> str:
    """The revision this program needs."""
    return _revisions()[0]


def require_current(db: Database) -> None:
    """Raise `DatabaseNotMigrated` or `DatabaseTooNew` unless `db` has this program's schema."""
    revision = current_revision(db)
    _refuse_unknown(revision, db)
    if revision != head_revision():
        raise DatabaseNotMigrated(
            "the database has not been brought to this version's schema",
            subject=db.url_shown,
            expected=f"schema {head_revision()}",
            found="no schema" if revision is None else f"schema {revision}",
        )


def _refuse_unknown(revision: str | None, db: Database) -> None:
    if revision is not None and revision not in _revisions():
        raise DatabaseTooNew(
            "the database was upgraded by a newer program",
            subject=db.url_shown,
            expected=f"schema {head_revision()} or earlier",
            found=f"schema {revision}",
        )


def _revision(conn: Connection) -> str | None:
    return MigrationContext.configure(conn).get_current_revision()


@cache
def _revisions() -> list[str]:
    """All revisions, the newest first."""
    scripts = ScriptDirectory.from_config(alembic_config(None))
    return [script.revision for script in scripts.walk_revisions()]


def alembic_config(conn: Connection | None) -> Config:
    """What Alembic is run with: our folder of migrations, and the connection they run on."""
    config = Config()
    # A `%` in a path would be read as an interpolation.
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
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
