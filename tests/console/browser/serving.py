"""Serves the real console on a real installation, in a thread, on a free port."""

from __future__ import annotations

import fcntl
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from lading.accounts import directory, sessions
from lading.accounts.accounts import Accounts
from lading.accounts.values import NewSession, Role
from lading.base.stopping import StopReason, StopSignal
from lading.bootstrap import Lading, open_lading
from lading.console.security.entrance import Entrance
from lading.console.server import listen, serve
from lading.settings import Settings
from lading.testing.console_data import (
    BASED_ON,
    PEOPLE,
    add_data,
    heartbeat,
    make_installation,
    read_installation,
)

HOST = "127.0.0.1"
STARTS_WITHIN_S = 60.0


@dataclass
class Served:
    """A console that answers at `origin`, and the installation behind it."""

    origin: str
    lading: Lading
    folder: Path
    accounts: Accounts
    _secrets: dict[Role, str] = field(default_factory=dict, repr=False)

    def session_of(self, role: Role) -> str:
        """The secret of a session of the person of this role, opened when first asked for."""
        if role not in self._secrets:
            self._secrets[role] = self.accounts.db.run(lambda conn: self._opened(conn, role)).secret
        return self._secrets[role]

    def _opened(self, conn: Connection, role: Role) -> NewSession:
        # Passwords take long by intention, and what they open is tested elsewhere.
        owner = directory.read(conn, PEOPLE[role].name)
        limits = self.accounts.limits
        return sessions.open_session(
            conn, owner, via="password", address=HOST, user_agent="tests", limits=limits
        )

    def cookies_of(self, role: Role) -> dict[str, str]:
        """What a browser sends that is signed in as this role."""
        entrance = Entrance(self.accounts, self.lading.settings.console, render=str)
        return {entrance.session_cookie: self.session_of(role)}

    def csrf_of(self, role: Role) -> str:
        """What forms of this role's session carry."""
        caller = self.accounts.caller_of_session(self.session_of(role))
        assert caller is not None
        assert caller.csrf is not None
        return caller.csrf


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Serve the installation in `folder` as long as the block lasts."""
    settings: Settings = read_installation(folder)
    stop, ready = StopSignal(), threading.Event()
    origins: list[str] = []
    failed: list[BaseException] = []

    def on_ready(address: str) -> None:
        origins.append(address)
        ready.set()

    with listen(HOST, 0) as listener, open_lading(settings) as lading, heartbeat(lading):

        def run() -> None:
            try:
                serve(lading, listener, host=HOST, stop=stop, on_ready=on_ready)
            except BaseException as error:  # noqa: BLE001 - raised below, in the test's thread
                failed.append(error)
                ready.set()

        thread = threading.Thread(target=run, name=f"console of {folder.name}")
        thread.start()
        try:
            assert ready.wait(STARTS_WITHIN_S), "the console did not start"
            if failed:
                raise failed[0]
            yield Served(origins[0], lading, folder, Accounts(lading.db))
        finally:
            stop.request(StopReason.SHUTDOWN)
            thread.join()
        if failed:
            raise failed[0]


def template_of(base: Path, data: str) -> Path:
    """An installation with this data below `base`, made by whichever process needs it first."""
    base.mkdir(parents=True, exist_ok=True)
    made = base / data
    with (base / f"{data}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            being_made = base / f"{data}.tmp"
            shutil.rmtree(being_made, ignore_errors=True)
            if data in BASED_ON:
                copy_of(template_of(base, BASED_ON[data]), being_made)
                add_data(being_made, data)
            else:
                make_installation(being_made, data)
            being_made.rename(made)
    return made


def copy_of(template: Path, folder: Path) -> Path:
    """A copy that may be changed; returns `folder`."""
    shutil.copytree(template, folder, symlinks=True)
    return folder
