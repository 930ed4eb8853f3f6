"""Opens the database and hands out its transactions; what differs at connect is all here.

Readers get a plain transaction. Writers get one that excludes what it must: `BEGIN IMMEDIATE` on
SQLite, READ COMMITTED on PostgreSQL and MariaDB (asserted there, because an open claim under
MariaDB's default blocks other workers).
"""

from __future__ import annotations

import inspect
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url, text
from sqlalchemy.engine import URL

from lading.base.errors import MissingExtra, RequestError
from lading.db.errors import DatabaseConflict, DatabaseUnusable, translated
from lading.db.natural_order import natural_key_of

SQLITE_BUSY_TIMEOUT_MS: Final = 30_000
UNANSWERED_MAX_S: Final = 60
"""PostgreSQL connections whose peer takes no bytes for so long are given up."""

SILENT_MAX_S: Final = 300
"""MariaDB connections give up a statement that is not answered for so long."""

MARIADB_VERSION_MIN: Final = (10, 6)
TRANSACTION_TRIES_MAX: Final = 8

T = TypeVar("T")

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mariadb": "mariadb+pymysql",
    "mysql": "mariadb+pymysql",
}
_EXTRAS = {"postgresql": "postgres", "mariadb": "mariadb"}


_rehearsing: ContextVar[bool] = ContextVar("lading_rehearsing", default=False)


class Database:
    """A database that answers. `dialect` is `sqlite`, `postgresql` or `mariadb`."""

    def __init__(self, engine: Engine, *, dialect: str) -> None:
        self.engine = engine
        self.dialect = dialect
        self.url_shown = _shown(engine.url)
        self._writer = engine.execution_options(lading_write=True)
        # SQLite's connections are in autocommit already; we only must not begin anything.
        self._autocommit = (
            engine.execution_options(lading_autocommit=True)
            if dialect == "sqlite"
            else engine.execution_options(isolation_level="AUTOCOMMIT")
        )

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads; its snapshot ends with the block."""
        with translated(self.url_shown), self.engine.connect() as conn, conn.begin():
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; commits at the end of the block, rolls back on an error.

        Within `rehearsal` it is rolled back in any case.
        """
        with (
            translated(self.url_shown),
            self._writer.connect() as conn,
            conn.begin() as transaction,
        ):
            yield conn
            if _rehearsing.get():
                transaction.rollback()

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """A connection on which each statement is its own transaction (single-statement paths)."""
        with translated(self.url_shown), self._autocommit.connect() as conn:
            yield conn

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a writing transaction, again from the start when it met a deadlock."""
        for attempt in range(TRANSACTION_TRIES_MAX):
            try:
                with self.write() as conn:
                    return work(conn)
            except DatabaseConflict:
                if attempt + 1 == TRANSACTION_TRIES_MAX:
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Give all connections back to the server."""
        self.engine.dispose()


@contextmanager
def rehearsal() -> Iterator[None]:
    """A dry run: within the block, what this thread writes is checked in full, then undone.

    Good for work of one transaction: a second one does not see what the first one wrote.
    """
    token = _rehearsing.set(True)
    try:
        yield
    finally:
        _rehearsing.reset(token)


class DatabaseNotMade(RequestError):
    """There is no SQLite file where the settings say, and this command does not make one."""

    code = "database_not_made"
    http_status = 404
    next_step = "Run `lading init`, or name your settings file with --config."


def open_database(url: str, *, pool_size: int = 5, create: bool = True) -> Database:
    """Open the database at `url` (`sqlite:///path`, `postgresql://…`, `mariadb://…`).

    A SQLite file and its folder are created on first use; without `create`, a missing one is
    `DatabaseNotMade`. Raises `RequestError` for an address that cannot be understood,
    `MissingExtra` without the driver, `DatabaseUnavailable` when nothing answers there, and
    `DatabaseUnusable` for a server that is too old.
    """
    parsed = _parse(url, create=create)
    dialect = parsed.get_backend_name()
    try:
        engine = _create(parsed, dialect, pool_size)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"the driver for {dialect} is not installed",
            next_step=f"Run: pip install 'lading[{_EXTRAS[dialect]}]'.",
        ) from error
    _prepare_connections(engine, dialect)
    return Database(engine, dialect=dialect)


def _parse(url: str, *, create: bool) -> URL:
    try:
        parsed = make_url(url)
        driver = _DRIVERS.get(parsed.drivername, parsed.drivername)
        parsed = parsed.set(drivername=driver)
        backend = parsed.get_backend_name()
    except (exc.ArgumentError, ValueError):
        # Without the cause: it may quote a part of the address, and with it the password.
        raise RequestError("the database address cannot be understood") from None
    if backend not in {"sqlite", "postgresql", "mariadb"}:
        raise RequestError("Lading runs on SQLite, PostgreSQL and MariaDB", found=parsed.drivername)
    # An address of SQLite's own (`file:…?mode=ro&uri=true`) names a file that is there already.
    path = parsed.database or ""
    if backend == "sqlite" and path and path != ":memory:" and not path.startswith("file:"):
        if create:
            _make_folder(os.path.dirname(os.path.abspath(path)))
        elif not os.path.exists(path):
            raise DatabaseNotMade("there is no database here yet", subject=path)
    return parsed


def database_file_exists(url: str) -> bool:
    """Whether there is a database to open: always so for a server. Raises like `open_database`."""
    try:
        _parse(url, create=False)
    except DatabaseNotMade:
        return False
    return True


def _make_folder(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise DatabaseUnusable(
            f"the folder of the database cannot be made: {error.strerror}",
            subject=folder,
            next_step="Correct the path, or let this account write there.",
        ) from error


def _shown(url: URL) -> str:
    """The address without its password; that of a file with the path as it is on disk."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{url.database or ''}"
    return url.render_as_string(hide_password=True)


def _create(url: URL, dialect: str, pool_size: int) -> Engine:
    options: dict[str, Any] = {"pool_pre_ping": dialect != "sqlite", "hide_parameters": True}
    if dialect == "sqlite":
        options["connect_args"] = {"check_same_thread": False}
    elif dialect == "postgresql":
        options["isolation_level"] = "READ COMMITTED"
        options["connect_args"] = {
            "options": "-c timezone=UTC",
            "connect_timeout": 10,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": UNANSWERED_MAX_S * 1000,
        }
    else:
        options["isolation_level"] = "READ COMMITTED"
        options["connect_args"] = {
            "charset": "utf8mb4",
            "connect_timeout": 10,
            "read_timeout": SILENT_MAX_S,
            "write_timeout": SILENT_MAX_S,
        }
    if not (dialect == "sqlite" and url.database in {None, "", ":memory:"}):
        options |= {"pool_size": pool_size, "max_overflow": 10}
    engine = create_engine(url, **options)
    if dialect == "mariadb":
        _require_known_options(engine)
    return engine


def _require_known_options(engine: Engine) -> None:
    """The driver of MariaDB meets an option it does not know with a bare TypeError."""
    taken = inspect.signature(engine.dialect.loaded_dbapi.connections.Connection).parameters
    unknown = sorted(set(engine.dialect.create_connect_args(engine.url)[1]) - set(taken))
    if unknown:
        raise RequestError(
            "the database address has an option that its driver does not know",
            subject=_shown(engine.url),
            found=", ".join(unknown),
            next_step="Correct what follows the ? in the address.",
        )


def _prepare_connections(engine: Engine, dialect: str) -> None:
    if dialect == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif dialect == "mariadb":
        # Ahead of SQLAlchemy's own first look, which has no advice for who connects to MySQL.
        event.listen(engine, "connect", _prepare_mariadb, insert=True)
        event.listen(engine, "engine_connect", _assert_mariadb_isolation)


def _prepare_sqlite(dbapi_connection: sqlite3.Connection, _record: object) -> None:
    # We say when a transaction begins; the driver's guesses upgrade readers and fail at once.
    dbapi_connection.isolation_level = None
    for pragma in (
        f"busy_timeout={SQLITE_BUSY_TIMEOUT_MS}",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        dbapi_connection.execute(f"PRAGMA {pragma}").close()
    dbapi_connection.create_function("natural_key", 1, natural_key_of, deterministic=True)
    _use_wal(dbapi_connection)


def _use_wal(dbapi_connection: sqlite3.Connection) -> None:
    # While another process makes the switch in a new file, SQLite says "locked" without waiting.
    deadline_s = time.monotonic() + SQLITE_BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            dbapi_connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(conn: Connection) -> None:
    options = conn.get_execution_options()
    if not options.get("lading_autocommit", False):
        conn.exec_driver_sql("BEGIN IMMEDIATE" if options.get("lading_write", False) else "BEGIN")


def _prepare_mariadb(dbapi_connection: Any, _record: object) -> None:
    with dbapi_connection.cursor() as cursor:
        cursor.execute(
            "SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,"
            "ERROR_FOR_DIVISION_BY_ZERO', innodb_lock_wait_timeout = 20"
        )
        cursor.execute("SELECT version()")
        version = str(cursor.fetchone()[0])
    numbers = tuple(int(part) for part in version.split("-", maxsplit=1)[0].split(".")[:2])
    if "MariaDB" not in version or numbers < MARIADB_VERSION_MIN:
        raise DatabaseUnusable(
            "this server cannot hand out jobs safely (it lacks SKIP LOCKED as MariaDB has it)",
            expected="MariaDB 10.6 or later",
            found=version,
            next_step="Use MariaDB 10.6 or later, PostgreSQL, or SQLite.",
        )


def _assert_mariadb_isolation(conn: Connection) -> None:
    if conn.info.get("lading_isolation_seen"):
        return
    dbapi = conn.connection.dbapi_connection
    if dbapi is None:
        return
    cursor = dbapi.cursor()
    # The variable has the one name up to 11.0 and the other from then on.
    cursor.execute(
        "SHOW VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')"
    )
    levels = {level for _, level in cursor.fetchall()}
    cursor.close()
    if levels != {"READ-COMMITTED"}:
        raise DatabaseUnusable(
            "the connection is not READ COMMITTED",
            expected="READ-COMMITTED",
            found=", ".join(sorted(levels)),
        )
    conn.info["lading_isolation_seen"] = True


def ping(db: Database) -> None:
    """Ask the database for one row; raises `DatabaseUnavailable` when it does not answer."""
    with db.read() as conn:
        conn.execute(text("SELECT 1"))
