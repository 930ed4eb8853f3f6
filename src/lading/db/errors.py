"""What can be wrong with the database, told apart: passing, in conflict, or not usable as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from lading.base.errors import StoreError

_DEADLOCKS_MARIADB = {1020, 1205, 1213}
_LOST_MARIADB = {1040, 1053, 1077, 1079, 1927, 2002, 2003, 2006, 2013, 2055}
_SERIALIZATION_POSTGRES = {"40001", "40P01"}
_LOST_POSTGRES = ("08", "57P", "53")


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
    origin = error.orig
    if getattr(origin, "sqlstate", None) in _SERIALIZATION_POSTGRES:
        return True
    number = origin.args[0] if origin is not None and origin.args else None
    if number in _DEADLOCKS_MARIADB:
        return True
    return isinstance(number, str) and "database is locked" in number


def _is_lost(error: exc.DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    origin = error.orig
    state = getattr(origin, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(_LOST_POSTGRES)
    number = origin.args[0] if origin is not None and origin.args else None
    if isinstance(number, int):
        return number in _LOST_MARIADB
    # psycopg's connection failures carry no state; sqlite3 says these in words.
    text = str(origin)
    return isinstance(error, exc.OperationalError) and (
        state is None
        and any(
            words in text
            for words in (
                "connection",
                "server closed",
                "unable to open database",
                "disk I/O error",
                "timeout",
            )
        )
    )


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
        first_line = str(error.orig).splitlines()[0] if str(error.orig) else repr(error.orig)
        if is_conflict(error):
            raise DatabaseConflict(first_line, subject=url_shown) from error
        if _is_lost(error):
            raise DatabaseUnavailable(first_line, subject=url_shown) from error
        if "readonly" in first_line or "database or disk is full" in first_line:
            raise DatabaseUnusable(first_line, subject=url_shown) from error
        if "file is not a database" in first_line or "malformed" in first_line:
            raise DatabaseUnusable(
                first_line, subject=url_shown, next_step="Restore the database from a backup."
            ) from error
        raise
