"""Says which schema a database has, which one this program needs, and when they differ.

Every command asks that and few upgrade, so it is done without Alembic, which takes long to import;
the files of migrations are named by their revisions, and a test holds that.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, column, inspect, select, table

from lading.db.engine import Database
from lading.db.errors import DatabaseUnusable

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_VERSION: Final = table("alembic_version", column("version_num"))


class DatabaseNotMigrated(DatabaseUnusable):
    """The database is empty or has an older schema than this program."""

    code = "database_not_migrated"
    next_step = "Run `lading db upgrade`; back the database up first when it holds data."


class DatabaseTooNew(DatabaseUnusable):
    """The database has a schema that this program does not know: a newer one, or not ours."""

    code = "database_too_new"
    next_step = "Use the version of Lading that upgraded this database, or a later one."


def current_revision(db: Database) -> str | None:
    """The revision of the schema in `db`, or None when Lading never was there."""
    with db.read() as conn:
        return revision_of(conn)


def head_revision() -> str:
    """The revision this program needs."""
    return _revisions()[0]


def require_current(db: Database) -> None:
    """Raise `DatabaseNotMigrated` or `DatabaseTooNew` unless `db` has this program's schema."""
    revision = current_revision(db)
    refuse_unknown(revision, db)
    if revision != head_revision():
        raise DatabaseNotMigrated(
            "the database has not been brought to this version's schema",
            subject=db.url_shown,
            expected=f"schema {head_revision()}",
            found="no schema" if revision is None else f"schema {revision}",
        )


def refuse_unknown(revision: str | None, db: Database) -> None:
    """Raise `DatabaseTooNew` for a revision that is none of ours."""
    if revision is not None and revision not in _revisions():
        raise DatabaseTooNew(
            "the database was upgraded by a newer program",
            subject=db.url_shown,
            expected=f"schema {head_revision()} or earlier",
            found=f"schema {revision}",
        )


def revision_of(conn: Connection) -> str | None:
    """The revision of the schema that this connection sees, or None when Lading never was there."""
    if not inspect(conn).has_table(_VERSION.name):
        return None
    return conn.scalars(select(_VERSION.c.version_num)).one_or_none()


@cache
def _revisions() -> list[str]:
    """All revisions, the newest first."""
    files = (MIGRATIONS / "versions").glob("[0-9]*_*.py")
    return sorted((file.name.split("_", 1)[0] for file in files), reverse=True)
