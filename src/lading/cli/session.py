"""What every command starts from: the options they share, the settings, the open database.

A command that only reads the ledger opens only the database; the sources and the store may be
away without it mattering, and it starts faster. The others use `lading.bootstrap`.
"""

from __future__ import annotations

import functools
import getpass
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from lading.cli.logs import keep_logs_out_of_output
from lading.db import Database, open_database
from lading.db.revisions import require_current
from lading.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Session:
    """One run of one command."""

    config: str | None
    debug: bool
    as_json: bool

    def load_settings(self) -> Settings:
        """The settings, read now."""
        return load_settings(self.config)

    @property
    def actor(self) -> str:
        """Who acts, as the ledger records it."""
        return actor()

    @contextmanager
    def open_database(self) -> Iterator[Database]:
        """Only the database, which must have the current schema."""
        settings = self.load_settings()
        db = open_database(
            settings.database.address, pool_size=settings.database.pool_size, create=False
        )
        try:
            require_current(db)
            yield db
        finally:
            db.close()


def actor() -> str:
    """`cli:<user>@<host>` of whoever runs this process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # An account without a name, as containers have.
        user = str(os.getuid())
    return f"cli:{user}@{socket.gethostname()}"[:190]


def with_session(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option `--json` and its `Session` as first argument."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @click.pass_context
    @functools.wraps(function)
    def wrapped(ctx: click.Context, /, *, as_json: bool, **options: Any) -> Any:
        shared = ctx.find_root().obj or {}
        keep_logs_out_of_output()
        session = Session(shared.get("config"), bool(shared.get("debug")), as_json)
        return function(session, **options)

    return wrapped
