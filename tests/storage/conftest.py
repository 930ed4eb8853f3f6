"""The stores under test, each empty and of the test's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from lading.storage.folder import FolderStore
from lading.storage.roots import SafeRoot
from lading.storage.s3 import S3Store
from lading.testing.processes import ServerUnavailable
from lading.testing.servers_s3 import S3Facts, ministack_server, radosgw_server
from tests.storage.transfers import DATA

_SERVERS: dict[str, Callable[[], AbstractContextManager[S3Facts]]] = {
    "ministack": ministack_server,
    "radosgw": radosgw_server,
}
_ALL_REQUIRED = os.environ.get("CI") == "true" or os.environ.get("LADING_REQUIRE_ALL") == "1"


@pytest.fixture(scope="session")
def s3_server_of() -> Iterator[Callable[[str], S3Facts]]:
    """Gives the S3 server of that name, started when it is first asked for."""
    started: dict[str, S3Facts | str] = {}
    with ExitStack() as stack:

        def get(name: str) -> S3Facts:
            if name not in started:
                try:
                    started[name] = stack.enter_context(_SERVERS[name]())
                except ServerUnavailable as error:
                    started[name] = str(error)
            facts = started[name]
            if isinstance(facts, S3Facts):
                return facts
            if _ALL_REQUIRED:
                pytest.fail(f"{name} is required: {facts}", pytrace=False)
            pytest.skip(facts)

        yield get


@pytest.fixture(params=sorted(_SERVERS))
def s3_facts(request: pytest.FixtureRequest, s3_server_of: Callable[[str], S3Facts]) -> S3Facts:
    """A bucket on each of the S3 servers in turn."""
    return s3_server_of(request.param)


@pytest.fixture
def s3_store(s3_facts: S3Facts) -> S3Store:
    """An empty store below a prefix of its own, on each of the S3 servers in turn."""
    return S3Store(s3_facts.options(prefix=f"t/{uuid4().hex}", part_bytes=5 * 1024 * 1024))


@pytest.fixture
def root(tmp_path: Path) -> Iterator[SafeRoot]:
    """A source with one large, one small and one empty file in `in`."""
    (tmp_path / "root/in").mkdir(parents=True)
    (tmp_path / "root/in/large").write_bytes(DATA)
    (tmp_path / "root/in/small").write_bytes(b"small")
    (tmp_path / "root/in/empty").write_bytes(b"")
    with SafeRoot(tmp_path / "root") as safe:
        yield safe


@pytest.fixture
def folder(tmp_path: Path) -> FolderStore:
    """An empty folder store."""
    return FolderStore(tmp_path / "store", create=True)
