"""The upstream is only read: a whole import from a mount that really is read-only (A1)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from lading.db import Database
from lading.library.tables import asset
from lading.testing.installation import Installation
from lading.testing.servers_db import url_of
from lading.testing.source_suite import tree_snapshot
from tests.ingest.upstreams import Upstream

READ_ONLY = """
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
if touch "$1/sync/probe" 2>/dev/null; then echo "not read-only" >&2; exit 1; fi
exec "$2" -m lading.testing.worker_program "$3"
"""


@pytest.fixture(scope="module")
def namespace() -> list[str]:
    """The command that runs another with mounts of its own."""
    for command in (["unshare", "-m"], ["unshare", "-rm"]):
        tried = [*command, "true"]
        if shutil.which("unshare") and subprocess.run(tried, check=False).returncode == 0:
            return command
    if os.environ.get("CI") == "true" or os.environ.get("LADING_REQUIRE_ALL") == "1":
        pytest.fail("a private mount namespace is required, and unshare does not give one")
    pytest.skip("unshare gives no private mount namespace here")


@pytest.mark.parametrize("keep", ["copy", "in_place"])
def test_a_whole_import_runs_from_a_read_only_mount(
    keep: str,
    namespace: list[str],
    sqlite_database: Database,
    upstream: Upstream,
    install: Callable[..., Installation],
    tmp_path: Path,
) -> None:
    before = tree_snapshot(upstream.root)
    install(sqlite_database, upstream.root)  # makes the store
    config = tmp_path / "worker.json"
    config.write_text(
        json.dumps(
            {
                "database_url": url_of(sqlite_database),
                "store": str(tmp_path / "store"),
                "sources": {"nas": {"root": str(upstream.root), "keep": keep}},
                "scan": True,
            }
        )
    )
    done = subprocess.run(
        [*namespace, "sh", "-c", READ_ONLY, "sh", upstream.root, sys.executable, config],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    with sqlite_database.read() as conn:
        count = conn.scalar(select(func.count()).select_from(asset))
    assert count == upstream.items - upstream.broken - 1  # the gallery is no asset
    assert tree_snapshot(upstream.root) == before
