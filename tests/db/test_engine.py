"""Opening databases, and what their transactions exclude."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, insert, select, text, update

from lading.base.errors import RequestError
from lading.db import Database, DatabaseConflict, DatabaseUnusable, open_database, rehearsal
from lading.db.bulk import CHUNK_ROWS, bulk_insert
from lading.db.engine import TRANSACTION_TRIES_MAX, _prepare_connections, ping
from lading.testing.servers_db import Backend, Server, private_mariadb, url_of
from tests.db.scratch import sample


def raw_sqlite(database: Database) -> sqlite3.Connection:
    """A connection that gives up at once instead of waiting."""
    path = database.engine.url.database
    assert path is not None
    return sqlite3.connect(path, timeout=0, isolation_level=None)


def numbers(database: Database) -> list[int]:
    with database.read() as conn:
        return list(conn.scalars(select(sample.c.number).order_by(sample.c.id)))


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_writing_transaction_excludes_other_writers_from_its_start(scratch: Database) -> None:
    other = raw_sqlite(scratch)
    with scratch.write():
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.execute("SELECT * FROM sample")  # readers go on
    other.execute("BEGIN IMMEDIATE")
    other.close()


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_reading_transaction_excludes_no_writer_and_keeps_its_snapshot(
    scratch: Database,
) -> None:
    with scratch.read() as conn:
        assert conn.scalar(text("SELECT count(*) FROM sample")) == 0
        with scratch.write() as writer:
            writer.execute(insert(sample).values(number=1))
        assert conn.scalar(text("SELECT count(*) FROM sample")) == 0
    assert numbers(scratch) == [1]


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_reader_that_turns_writer_after_another_wrote_is_a_conflict(scratch: Database) -> None:
    def read_then_write() -> None:
        with scratch.read() as conn:
            conn.scalar(text("SELECT count(*) FROM sample"))
            with scratch.write() as writer:
                writer.execute(insert(sample).values(number=1))
            conn.execute(insert(sample).values(number=2))

    with pytest.raises(DatabaseConflict):
        read_then_write()
    assert numbers(scratch) == [1]


@pytest.mark.parametrize("backend", ["sqlite"])
def test_sqlite_survives_a_power_cut_and_keeps_its_foreign_keys(scratch: Database) -> None:
    with scratch.read() as conn:
        settings = {
            name: conn.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }


@pytest.mark.parametrize("backend", ["postgresql", "mariadb"])
def test_a_transaction_sees_what_others_committed_since_it_began(scratch: Database) -> None:
    with scratch.write() as conn:
        assert conn.scalar(text("SELECT count(*) FROM sample")) == 0
        with scratch.write() as other:
            other.execute(insert(sample).values(number=1))
        assert conn.scalar(text("SELECT count(*) FROM sample")) == 1


@pytest.mark.parametrize("backend", ["mariadb"])
def test_a_connection_that_is_not_read_committed_is_refused(scratch: Database) -> None:
    engine = create_engine(url_of(scratch), isolation_level="REPEATABLE READ")
    _prepare_connections(engine, "mariadb")
    strict = Database(engine, dialect="mariadb")
    with pytest.raises(DatabaseUnusable, match="found REPEATABLE-READ"):
        ping(strict)
    strict.close()


@pytest.mark.parametrize("version", ["10.5.29-MariaDB", "8.0.44"])
def test_a_server_that_is_too_old_or_not_mariadb_is_refused(
    server_of: Callable[[Backend], Server], version: str
) -> None:
    server_of("mariadb")  # skips where MariaDB is not installed
    # A real server that calls itself so; its first answer ends the start.
    with (
        pytest.raises(DatabaseUnusable, match=r"MariaDB 10\.6 or later") as caught,
        private_mariadb(options=[f"--version={version}"]),
    ):
        pass
    assert str(caught.value.found).startswith(version)


def insert_and_fail(transaction: AbstractContextManager[Connection], number: int) -> None:
    with transaction as conn:
        conn.execute(insert(sample).values(number=number))
        raise ZeroDivisionError


def test_an_error_inside_a_writing_transaction_leaves_nothing(scratch: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        insert_and_fail(scratch.write(), 1)
    assert numbers(scratch) == []


def test_what_is_rehearsed_is_checked_and_undone_and_nothing_else_is(scratch: Database) -> None:
    with rehearsal():
        with scratch.write() as conn:
            conn.execute(insert(sample).values(number=1))
            assert conn.scalars(select(sample.c.number)).all() == [1]
        with pytest.raises(ZeroDivisionError):
            insert_and_fail(scratch.write(), 2)
    assert numbers(scratch) == []
    with scratch.write() as conn:
        conn.execute(insert(sample).values(number=3))
    assert numbers(scratch) == [3]


def test_with_autocommit_each_statement_stands_alone(scratch: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        insert_and_fail(scratch.autocommit(), 1)
    assert numbers(scratch) == [1]
    with pytest.raises(ZeroDivisionError):  # the pool got the connection back as it was
        insert_and_fail(scratch.write(), 2)
    assert numbers(scratch) == [1]


def run_both(*works: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize("backend", ["postgresql", "mariadb"])
def test_of_two_transactions_in_a_deadlock_one_is_run_again(scratch: Database) -> None:
    with scratch.write() as conn:
        conn.execute(insert(sample), [{"number": 1, "size": 0}, {"number": 2, "size": 0}])
    both_hold_one = threading.Barrier(2)
    attempts: list[int] = []

    def raise_size(conn: Connection, number: int) -> None:
        row = sample.c.number == number
        conn.execute(update(sample).where(row).values(size=sample.c.size + 1))

    def transact(mine: int, wanted: int) -> None:
        def work(conn: Connection) -> None:
            attempts.append(mine)
            raise_size(conn, mine)
            if attempts.count(mine) == 1:
                both_hold_one.wait(30)
            raise_size(conn, wanted)

        scratch.run(work)

    run_both(lambda: transact(1, 2), lambda: transact(2, 1))
    # The one that is run again can be first at its row once more, and meet the other again.
    assert len(attempts) >= 3
    with scratch.read() as conn:
        sizes = conn.scalars(select(sample.c.size).order_by(sample.c.number))
        assert list(sizes) == [2, 2]


@pytest.mark.parametrize("backend", ["postgresql"])
def test_a_deadlock_in_the_middle_of_a_copy_is_run_again_too(scratch: Database) -> None:
    with scratch.write() as conn:
        conn.exec_driver_sql("CREATE UNIQUE INDEX only_once ON sample (name)")
    both_hold_one = threading.Barrier(2)
    attempts: list[str] = []

    def transact(mine: str, wanted: str) -> None:
        def work(conn: Connection) -> None:
            attempts.append(mine)
            if attempts.count(mine) == 2:
                return  # the one that was rolled back gives way
            conn.execute(insert(sample).values(number=0, name=mine))
            both_hold_one.wait(30)
            others = ({"number": n, "name": None} for n in range(CHUNK_ROWS - 1))
            bulk_insert(conn, sample, [{"number": 0, "name": wanted}, *others])

        scratch.run(work)

    run_both(lambda: transact("a", "b"), lambda: transact("b", "a"))
    assert sorted(attempts) in (["a", "a", "b"], ["a", "b", "b"])
    with scratch.read() as conn:
        named = select(sample.c.name).where(sample.c.name.is_not(None))
        assert sorted(conn.scalars(named)) == ["a", "b"]


def test_a_conflict_that_never_ends_is_reported_after_a_fixed_number_of_tries(
    scratch: Database,
) -> None:
    tries: list[int] = []

    def always_conflicts(conn: Connection) -> None:
        tries.append(1)
        raise DatabaseConflict("again")

    with pytest.raises(DatabaseConflict):
        scratch.run(always_conflicts)
    assert len(tries) == TRANSACTION_TRIES_MAX


def test_processes_that_open_a_new_sqlite_file_together_all_get_in(tmp_path: Path) -> None:
    program = (
        "import sys; from lading.db import open_database; from lading.db.engine import ping\n"
        "print('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    db = open_database(line.strip()); ping(db); db.close(); print('in', flush=True)\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    # Each new file is another chance to meet in the switch to write-ahead logging.
    for number in range(30):
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(f"sqlite:///{tmp_path}/{number}.sqlite\n")
            process.stdin.flush()
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "in\n"
    for process in processes:
        process.communicate(timeout=30)


def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/a/b/lading.sqlite")
    ping(database)
    database.close()
    assert (tmp_path / "a/b/lading.sqlite").exists()


@pytest.mark.parametrize(
    "address", ["", "nonsense", "oracle://host/db", "mysql+mysqldb://host/db", "http://host"]
)
def test_an_address_of_no_database_we_know_is_a_wrong_request(address: str) -> None:
    with pytest.raises(RequestError):
        open_database(address)
