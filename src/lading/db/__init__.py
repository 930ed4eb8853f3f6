"""The relational database behind Lading: SQLite, PostgreSQL or MariaDB through one door."""

from lading.db.engine import Database, open_database, rehearsal
from lading.db.errors import DatabaseConflict, DatabaseUnavailable, DatabaseUnusable

__all__ = [
    "Database",
    "DatabaseConflict",
    "DatabaseUnavailable",
    "DatabaseUnusable",
    "open_database",
    "rehearsal",
]
