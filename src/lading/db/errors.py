"""What can be wrong with the database, told apart: passing, in conflict, or not usable as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from lading.base.errors import StoreError

_DEADLOCKS_MARIADB = {1020, 1205, 1213}
_LOST_MARIADB = {1040, 1053, 1077, 1079, 1927, 2002, 2003, 2006, 2013, 2055}
_SERIALIZATION_POSTGRES = {"40001", "40P01"}
_LOST_STATES = ("08", "57P", "53")
_REFUSED_MARIADB = {1044, 1045, 1049, 1142, 1143, 1698}
_REFUSED_POSTGRES = {"28000", "28P01", "3D000", "42501"}
_REFUSED_WORDS = (
    "authentication failed",
    "invalid connection option",
    "does not exist",
    "no password supplied",
    "not permitted",
)
_UNWRITABLE_MARIADB = {1021, 1114, 1290, 1792, 1836}
_UNWRITABLE_POSTGRES = {"25006"}
_UNWRITABLE_WORDS = ("readonly database", "database or disk is full")
_NO_TABLE_MARIADB = {1046, 1146}
_NO_TABLE_POSTGRES = {"42P01"}
_NO_TABLE_WORDS = ("no such table",)
_LOST_WORDS = (
    "connection",
    "server closed",
    "failed to resolve host",
    "unable to open database",
    "disk I/O error",
    "timeout",
)
_NO_DATABASE_WORDS = ("file is not a database", "malformed")


class DatabaseUnavailable(StoreError):
    """The database cannot be reached, or went away. Passes by itself or is mended outside."""

    code = "database_unavailable"
    next_step = "Check that the database server runs and that its address is right; then run again."


class DatabaseConflict(StoreError):
    """Two transactions stood in each other's way more often than is retried."""

    code = "database_conflict"
    http_status = 409
    next_step = "Run it again; nothing of it was written."


class DatabaseUnusable(StoreError):
    """The database answers but cannot be used: too old, read-only, full, or not migrated."""

    code = "database_unusable"
    http_status = 500
    next_step = "Run `lading config check`; it says what the database lacks."
    transient = False


def is_conflict(error: exc.DBAPIError) -> bool:
    """Whether running the whole transaction again may succeed at once."""
    return _says(error, _SERIALIZATION_POSTGRES, _DEADLOCKS_MARIADB, ("database is locked",))


def _says(
    error: exc.DBAPIError,
    states: Collection[str] = (),
    numbers: Collection[int] = (),
    words: Collection[str] = (),
) -> bool:
    """Whether the driver reports one of these, in the way it reports: state, number, or words."""
    origin = error.orig
    number = origin.args[0] if origin is not None and origin.args else None
    if isinstance(number, int):
        # MariaDB; its driver has states too, but they tell far less than the numbers.
        return number in numbers
    state = getattr(origin, "sqlstate", None)
    if isinstance(state, str):
        return state in states
    # sqlite3 has words alone, and so has psycopg while a connection is not yet made.
    return isinstance(error, exc.DatabaseError) and any(word in str(origin) for word in words)


def _is_lost(error: exc.DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(state, str) and state.startswith(_LOST_STATES):
        return True
    return error.connection_invalidated or (
        isinstance(error, exc.OperationalError)
        and _says(error, numbers=_LOST_MARIADB, words=_LOST_WORDS)
    )


def _translate(error: exc.DBAPIError, url_shown: str) -> StoreError | None:
    """The same fault as an error of ours, or None for one that people cannot act on."""
    said = _sentence(error).strip()
    line = said.splitlines()[0] if said else repr(error.orig)
    kind: type[StoreError] = DatabaseUnusable
    advice = None
    if is_conflict(error):
        kind = DatabaseConflict
    elif _says(error, _REFUSED_POSTGRES, _REFUSED_MARIADB, _REFUSED_WORDS):
        advice = (
            "Correct the user, password or database in the database's address, its options, or what"
            " that user may do."
        )
    elif _says(error, _NO_TABLE_POSTGRES, _NO_TABLE_MARIADB, _NO_TABLE_WORDS):
        advice = "Run `lading db upgrade`; the database lacks tables of this version."
    elif _says(error, _UNWRITABLE_POSTGRES, _UNWRITABLE_MARIADB, _UNWRITABLE_WORDS):
        advice = "Make the database writable and give it space; nothing of this was written."
    elif _says(error, words=_NO_DATABASE_WORDS):
        advice = "Restore the database from a backup."
    elif _is_lost(error):
        kind = DatabaseUnavailable
    else:
        return None
    return kind(line, subject=url_shown, next_step=advice)


def _sentence(error: exc.DBAPIError) -> str:
    """What the driver says; that of MariaDB gives a number and a sentence."""
    match error.orig and error.orig.args:
        case (int() as number, str() as sentence):
            return f"{sentence} ({number})"
    return str(error.orig)


@contextmanager
def translated(url_shown: str) -> Iterator[None]:
    """Turn driver faults that people can act on into our errors; others pass as they are."""
    try:
        yield
    except exc.TimeoutError as error:
        raise DatabaseUnavailable(
            "no database connection became free", subject=url_shown
        ) from error
    except exc.DBAPIError as error:
        ours = _translate(error, url_shown)
        if ours is None:
            raise
        raise ours from error
