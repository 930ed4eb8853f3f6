"""Installations with known data in them, for tests of the console and for pictures of it.

Each is a folder that stands by itself: settings, upstream, database, store. It may be copied, so
that what takes long is made once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import update

from lading.accounts.accounts import Accounts
from lading.accounts.values import Role
from lading.bootstrap import Lading, open_lading
from lading.cli.setting_up import set_up
from lading.db.clock import now
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.tables import worker as worker_table
from lading.settings import Settings, load_settings
from lading.testing.console_archive import BUCKET_TOML, make_archive
from lading.testing.console_busy import (
    LIVING,
    SILENT,
    SILENT_FOR_S,
    make_busy,
    make_paused,
)
from lading.testing.console_failing import AWAY, make_failing
from lading.testing.console_imported import UPSTREAM, make_imported
from lading.testing.console_large import make_large
from lading.testing.console_people import PEOPLE_TOML, make_people
from lading.testing.console_photos import PHOTOS_TOML, make_photos
from lading.testing.console_recordings import RECORDINGS_TOML, make_recordings
from lading.testing.seed_57 import SOURCE, insert_seed_57

PULSE_S: Final = 5.0
_YEARS_S: Final = 10 * 365 * 86_400.0
_SETTINGS: Final = """\
data_dir = "lading-data"

[worker]
nice = 0
ionice = "none"

[console]
port = 0
"""
_SOURCE: Final = """
[sources.{name}]
kind = "handover"
root = "{root}"
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who may sign in."""

    name: str
    role: Role
    password: str


PEOPLE: Final[Mapping[Role, Person]] = {
    Role.VIEWER: Person("vera", Role.VIEWER, "vera looks at everything twice"),
    Role.OPERATOR: Person("otto", Role.OPERATOR, "otto queues what is ready"),
    Role.ADMIN: Person("ada", Role.ADMIN, "ada keeps the keys of the house"),
}


def _nothing(_lading: Lading) -> None:
    """Leave it empty."""


def _seed_57(lading: Lading) -> None:
    with lading.db.write() as conn:
        insert_seed_57(conn, source=SOURCE)


DATA: Final[Mapping[str, Callable[[Lading], None]]] = {
    "empty": _nothing,
    "seed_57": _seed_57,
    "imported": lambda lading: make_imported(lading, SOURCE),
    "busy": lambda lading: make_busy(lading, SOURCE),
    "paused": make_paused,
    "failing": lambda lading: make_failing(lading, SOURCE),
    "large": lambda lading: make_large(lading, SOURCE),
    "archive": make_archive,
    "recordings": make_recordings,
    "photos": make_photos,
    "people": make_people,
}
"""What an installation can hold, by name."""

_MORE_SOURCES: Final[Mapping[str, str]] = {
    "archive": BUCKET_TOML,
    "recordings": RECORDINGS_TOML,
    "photos": PHOTOS_TOML,
    "people": PEOPLE_TOML,
}

BASED_ON: Final[Mapping[str, str]] = {"busy": "imported", "paused": "busy"}
"""What another holds is there, too, in these."""


def make_installation(folder: Path, data: str = "empty") -> None:
    """Set up an installation in `folder`, which is made, let `PEOPLE` in, and fill it."""
    if data in BASED_ON:
        make_installation(folder, BASED_ON[data])
    else:
        away = {AWAY: "not-mounted"} if data == "failing" else {}
        more = _MORE_SOURCES.get(data, "")
        _set_up(folder, {SOURCE: UPSTREAM} | away, more)
    add_data(folder, data)


def add_data(folder: Path, data: str) -> None:
    """Fill an installation that holds what this data is based on."""
    with open_lading(read_installation(folder)) as lading:
        DATA[data](lading)


def _set_up(folder: Path, sources: Mapping[str, str], more: str = "") -> None:
    (folder / UPSTREAM / "sync").mkdir(parents=True)
    text = _SETTINGS + "".join(
        _SOURCE.format(name=name, root=root) for name, root in sources.items()
    )
    text += more
    (folder / "lading.toml").write_text(text)
    settings = read_installation(folder)
    set_up(settings)
    with open_lading(settings) as lading:
        _let_in(Accounts(lading.db))


def _let_in(accounts: Accounts) -> None:
    for person in PEOPLE.values():
        shown = person.name.title()
        made = accounts.create(person.name, role=person.role, display_name=shown, actor="system")
        accounts.change_password(
            made.account.id, made.password, person.password, actor=f"user:{person.name}"
        )


def read_installation(folder: Path) -> Settings:
    """The settings of an installation that was made, or copied, to `folder`."""
    return load_settings(os.fspath(folder / "lading.toml"), environ={})


@contextmanager
def heartbeat(lading: Lading, *, every_s: float = PULSE_S) -> Iterator[None]:
    """Let the workers that are meant to be alive give signs of life, as long as the block lasts."""
    stop = threading.Event()

    def beat() -> None:
        with lading.db.write() as conn:
            conn.execute(
                update(worker_table).where(worker_table.c.id.in_(LIVING)).values(seen_at=now())
            )
            conn.execute(
                update(import_job)
                .where(
                    import_job.c.status == JobState.RUNNING.value, import_job.c.worker.in_(LIVING)
                )
                # A byte more each time: what is at work shall not seem to have stalled.
                .values(heartbeat_at=now(), bytes_moved=import_job.c.bytes_moved + 1)
            )

    def stay_silent(*, heard_within_s: float) -> None:
        """Keep the silence as long as it was when the data were made, however long ago that is.

        Only where something was heard in that time: a test may let it be silent for longer.
        """
        since, silence = now(-heard_within_s), now(-SILENT_FOR_S)
        job_is_silent = (
            import_job.c.status == JobState.RUNNING.value,
            import_job.c.worker == SILENT,
            import_job.c.heartbeat_at.between(since, silence),
        )
        with lading.db.write() as conn:
            conn.execute(
                update(worker_table)
                .where(worker_table.c.id == SILENT, worker_table.c.seen_at.between(since, silence))
                .values(seen_at=silence)
            )
            conn.execute(update(import_job).where(*job_is_silent).values(heartbeat_at=silence))

    def go_on() -> None:
        while not stop.wait(every_s):
            beat()
            stay_silent(heard_within_s=lading.settings.worker.stale_after_s)

    stay_silent(heard_within_s=_YEARS_S)
    beat()
    thread = threading.Thread(target=go_on, name="heartbeat")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
