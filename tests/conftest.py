"""Fixtures every test may use: real databases and S3 services on private servers of our own."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import cycle
from typing import Any

import pytest

from lading.db import Database
from lading.testing.processes import ServerUnavailable
from lading.testing.servers_db import (
    BACKENDS,
    Backend,
    Server,
    database_server,
    fresh_database,
    url_of,
)
from lading.testing.servers_s3 import S3Facts, ministack_server, radosgw_server

S3_SERVERS: dict[str, Callable[[], AbstractContextManager[S3Facts]]] = {
    "ministack": ministack_server,
    "radosgw": radosgw_server,
}
# Thousands of tests stay in memory to the end, and nobody needs to look through all of them for
# garbage as often as is usual.
gc.set_threshold(20_000, 20, 10)

ALL_REQUIRED = os.environ.get("CI") == "true" or os.environ.get("LADING_REQUIRE_ALL") == "1"


def taking_turns(*cases: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Each case on SQLite and on one of the servers in turn, as values of `backend` and the rest.

    For cases of which all are tried on all three elsewhere: below this shelf, or in the slow run.
    """
    servers = cycle(("postgresql", "mariadb"))
    return [(backend, *case) for case in cases for backend in ("sqlite", next(servers))]


@pytest.fixture(scope="session")
def server_of() -> Iterator[Callable[[Backend], Server]]:
    """Gives the server for a backend, started when it is first asked for.

    A server that cannot be started skips the test, unless everything is required.
    """
    started: dict[Backend, Server | str] = {}
    with ExitStack() as stack:

        def get(backend: Backend) -> Server:
            if backend not in started:
                try:
                    started[backend] = stack.enter_context(database_server(backend))
                except ServerUnavailable as error:
                    started[backend] = str(error)
            server = started[backend]
            if isinstance(server, Server):
                return server
            if ALL_REQUIRED:
                pytest.fail(f"{backend} is required: {server}", pytrace=False)
            pytest.skip(server)

        yield get


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """One of the three kinds of database; a test that uses it runs on each."""
    chosen: Backend = request.param
    return chosen


@pytest.fixture
def server(backend: Backend, server_of: Callable[[Backend], Server]) -> Server:
    """The server for `backend`."""
    return server_of(backend)


@pytest.fixture
def make_database(server: Server) -> Iterator[Callable[..., Database]]:
    """Makes further fresh databases on the same server: `make_database(migrated=True)`."""
    with ExitStack() as stack:

        def make(*, migrated: bool = True, pool_size: int = 5) -> Database:
            fresh = fresh_database(server, migrated=migrated, pool_size=pool_size)
            return stack.enter_context(fresh)

        yield make


@pytest.fixture
def database(make_database: Callable[..., Database]) -> Database:
    """An empty, migrated database of this test's own, on each of the three kinds."""
    return make_database()


@pytest.fixture
def database_url(database: Database) -> str:
    """The address of `database`, with its password, for another process."""
    return url_of(database)


@pytest.fixture
def sqlite_database(server_of: Callable[[Backend], Server]) -> Iterator[Database]:
    """An empty, migrated SQLite database of this test's own, and nothing else."""
    with fresh_database(server_of("sqlite")) as database:
        yield database


@pytest.fixture(scope="session")
def s3_server_of() -> Iterator[Callable[[str], S3Facts]]:
    """Gives the S3 server of that name, started when it is first asked for."""
    started: dict[str, S3Facts | str] = {}
    with ExitStack() as stack:

        def get(name: str) -> S3Facts:
            if name not in started:
                try:
                    started[name] = stack.enter_context(S3_SERVERS[name]())
                except ServerUnavailable as error:
                    started[name] = str(error)
            facts = started[name]
            if isinstance(facts, S3Facts):
                return facts
            if ALL_REQUIRED:
                pytest.fail(f"{name} is required: {facts}", pytrace=False)
            pytest.skip(facts)

        yield get


@pytest.fixture(params=sorted(S3_SERVERS))
def s3_facts(request: pytest.FixtureRequest, s3_server_of: Callable[[str], S3Facts]) -> S3Facts:
    """A bucket on each of the S3 servers in turn."""
    return s3_server_of(request.param)
