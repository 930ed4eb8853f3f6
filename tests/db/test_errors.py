"""What goes wrong with a database is said in words for people, and never with a password."""

from __future__ import annotations

import os
import shutil
import subprocess
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, make_url, select, text

from lading.base.errors import LadingError, RequestError
from lading.db import Database, DatabaseUnavailable, DatabaseUnusable, open_database
from lading.db.bulk import bulk_insert
from lading.db.engine import ping
from lading.testing.servers_db import Server, free_port, url_of
from tests.db.scratch import sample, scratch_metadata

SECRET = "s3cr3t-of-the-house"
SERVERS = ["postgresql", "mariadb"]


def everything_said(error: BaseException) -> str:
    """All that a log, a report or a traceback could show of `error`."""
    facts = str(error.as_dict()) if isinstance(error, LadingError) else ""
    return "".join(traceback.format_exception(error)) + repr(error) + facts


def fails(address: str, kind: type[LadingError]) -> LadingError:
    with pytest.raises(kind) as caught, closing(open_database(address)) as database:
        ping(database)
    return caught.value


@pytest.mark.parametrize("backend", SERVERS)
def test_a_server_that_does_not_listen_is_unavailable(backend: str) -> None:
    port = free_port()
    error = fails(f"{backend}://user:{SECRET}@127.0.0.1:{port}/lading", DatabaseUnavailable)
    assert error.transient
    assert error.exit_status == 4
    assert f"127.0.0.1:{port}" in str(error)
    assert "server runs" in error.advice
    assert SECRET not in everything_said(error)


@pytest.mark.parametrize("backend", SERVERS)
def test_a_wrong_password_is_said_without_saying_the_password(database_url: str) -> None:
    wrong = make_url(database_url).set(password=SECRET)
    if os.environ.get("LADING_TEST_POSTGRESQL_URL") and wrong.get_backend_name() == "postgresql":
        pytest.skip("the given server may trust everyone")
    error = fails(wrong.render_as_string(hide_password=False), DatabaseUnusable)
    assert not error.transient
    assert "password" in error.advice
    assert SECRET not in everything_said(error)


@pytest.mark.parametrize("backend", SERVERS)
def test_a_database_that_is_not_there_is_named(server: Server) -> None:
    error = fails(server.url_of("lading_nowhere"), DatabaseUnusable)
    assert "lading_nowhere" in str(error)
    assert "Correct the user, password or database" in error.advice


@pytest.mark.parametrize("backend", SERVERS)
def test_a_database_dropped_underneath_is_reported_and_the_next_call_too(
    server: Server, scratch: Database
) -> None:
    ping(scratch)
    name = scratch.engine.url.database
    assert name is not None
    server.drop(name)
    for _ in range(2):
        with (
            pytest.raises((DatabaseUnavailable, DatabaseUnusable)) as caught,
            scratch.read() as conn,
        ):
            conn.execute(select(sample.c.id))
        password = make_url(url_of(scratch)).password
        assert str(password) not in everything_said(caught.value)


def test_a_missing_table_is_answered_with_the_command_that_makes_it(
    make_database: Callable[..., Database],
) -> None:
    empty = make_database(migrated=False)
    with pytest.raises(DatabaseUnusable) as caught, empty.read() as conn:
        conn.execute(select(sample.c.id))
    assert "lading db upgrade" in caught.value.advice


@pytest.mark.parametrize("count", [1, 500])
def test_values_of_a_failing_statement_are_not_in_its_error(scratch: Database, count: int) -> None:
    with scratch.write() as conn:
        conn.exec_driver_sql("CREATE UNIQUE INDEX only_once ON sample (number)")
        conn.execute(insert(sample).values(number=0))
    rows = [{"number": n, "story": SECRET, "body": SECRET.encode()} for n in range(count)]
    with pytest.raises(Exception, match=r"(?i)unique|duplicate") as caught, scratch.write() as conn:
        bulk_insert(conn, sample, rows)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://user:{SECRET}/x@host:port/db",
        f"postgresql://user:{SECRET}@host:99999999999999999999/db",
        f"oracle://user:{SECRET}@host/db",
        f"://{SECRET}",
    ],
)
def test_an_address_that_is_not_understood_is_not_repeated_with_its_password(
    address: str,
) -> None:
    error = fails(address, LadingError)
    said = everything_said(error)
    # The line of this test that holds the address is not part of the error.
    assert SECRET not in said.replace(address, "")
    assert isinstance(error, RequestError | DatabaseUnavailable)


def test_a_file_that_is_no_database_is_not_touched(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear Sir or Madam,\n" * 300)
    error = fails(f"sqlite:///{letter}", DatabaseUnusable)
    assert "not a database" in str(error)
    assert "backup" in error.advice
    assert letter.read_text() == "Dear Sir or Madam,\n" * 300
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letter.txt"]


def test_a_database_that_may_only_be_read_can_be_read_and_says_so_on_writing(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sqlite_database.engine.url.database
    monkeypatch.chdir(tmp_path)
    with closing(open_database(f"sqlite:///file:{path}?mode=ro&uri=true")) as database:
        with database.read() as conn:
            assert conn.scalar(text("SELECT seq FROM ledger_head")) == 0
        with pytest.raises(DatabaseUnusable, match="readonly") as caught, database.write() as conn:
            conn.execute(text("UPDATE ledger_head SET seq = 1"))
    assert "writable" in caught.value.advice
    assert list(tmp_path.iterdir()) == []  # no folder is made of such an address


@pytest.mark.parametrize("backend", SERVERS)
def test_a_server_that_takes_no_writes_says_so(scratch: Database) -> None:
    refuse = {
        "postgresql": "SET default_transaction_read_only = on",
        "mariadb": "SET SESSION TRANSACTION READ ONLY",
    }[scratch.dialect]
    with scratch.autocommit() as conn:
        conn.exec_driver_sql(refuse)
    with pytest.raises(DatabaseUnusable) as caught, scratch.write() as conn:
        conn.execute(insert(sample).values(number=1))
    assert "writable" in caught.value.advice


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of two megabytes; needs the right to mount."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if os.getuid() != 0 or mount is None:
        pytest.skip("only root may mount a small disk")
    mounted = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_stops_the_transaction_and_leaves_the_database_whole(small_disk: Path) -> None:
    with closing(open_database(f"sqlite:///{small_disk}/lading.sqlite")) as database:
        with database.write() as conn:
            scratch_metadata.create_all(conn)
            conn.execute(insert(sample).values(number=1))
        with pytest.raises(DatabaseUnusable, match="full") as caught, database.write() as conn:
            bulk_insert(conn, sample, ({"number": 2, "body": b"\0" * 50_000} for _ in range(100)))
        assert "space" in caught.value.advice
        with database.read() as conn:
            assert conn.scalars(select(sample.c.number)).all() == [1]
            assert conn.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_a_disk_that_becomes_read_only_is_reported(small_disk: Path) -> None:
    address = f"sqlite:///{small_disk}/lading.sqlite"
    with closing(open_database(address)) as database, database.write() as conn:
        scratch_metadata.create_all(conn)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with (
        closing(open_database(address)) as database,
        pytest.raises((DatabaseUnavailable, DatabaseUnusable)),
        database.write() as conn,
    ):
        conn.execute(insert(sample).values(number=1))
