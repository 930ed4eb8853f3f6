"""A published upstream with everything in it, and installations to take it in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lading.db import Database
from lading.ingest.registry import build_source
from lading.storage.folder import FolderStore
from lading.testing.installation import Installation
from tests.ingest.upstreams import Upstream, publish_everything

TOY_PACKAGE = Path(__file__).parent.parent / "toy_package"


@pytest.fixture
def toy_package(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A third-party package with a source of its own, as if it were installed."""
    monkeypatch.syspath_prepend(str(TOY_PACKAGE))
    yield
    sys.modules.pop("lading_toy", None)


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Upstream:
    """One published tree for all tests that only read it; it is read-only to everybody."""
    return publish_everything(tmp_path_factory.mktemp("upstream"))


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., Installation]:
    """Wires an installation: `install(database, root, keep="copy", store=…)`."""

    def make(
        db: Database, root: Path, *, keep: str = "copy", store: str = "store", threads: int = 2
    ) -> Installation:
        source = build_source("handover", "nas", {"root": str(root), "keep": keep})
        folder = FolderStore(tmp_path / store, name="library", create=True)
        return Installation(db, folder, [source], fetch_threads=threads)

    return make
