"""Accounts on each of the three kinds of database, or on SQLite alone."""

from __future__ import annotations

import pytest

from lading.accounts.accounts import Accounts
from lading.db import Database
from tests.accounts.people import CHEAP


@pytest.fixture
def accounts(database: Database) -> Accounts:
    """No accounts yet, on each of the three kinds of database."""
    return Accounts(database, limits=CHEAP)


@pytest.fixture
def few(sqlite_database: Database) -> Accounts:
    """No accounts yet, on SQLite alone."""
    return Accounts(sqlite_database, limits=CHEAP)
