"""The database with the scratch table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lading.db import Database
from tests.db.scratch import scratch_metadata


@pytest.fixture
def scratch(make_database: Callable[..., Database]) -> Database:
    """A database of each kind with the table `sample` alone."""
    database = make_database(migrated=False)
    with database.write() as conn:
        scratch_metadata.create_all(conn)
    return database
