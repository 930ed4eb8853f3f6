"""Watches one tree in a thread of its own: notes when something in it changed, as the system tells.

Nothing is read here. Where watching cannot be had, that is said once in the log and tried again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Generator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import psutil
import structlog

from lading.base.errors import MissingExtra, printable
from lading.ingest.source import WatchedSource
from lading.operations.watching.rules import SLACK_S, Changes, ask_in_s, is_limit, is_remote

_TICK_S: Final = 1.0
_STEPS_PER_TICK: Final = 5
_GROUP_MS: Final = 1_600
_END_S: Final = 5.0
_AGAIN_S: Final = 5.0
_AGAIN_MAX_S: Final = 600.0

_GONE: Final = "the root is gone; it is watched again when it is back"
_REPLACED: Final = "the root was replaced by another; that is watched from now on"
_REMOTE: Final = "changes that others make on a network mount are not told; scans find them"
_LIMIT: Final = "the system's limit of watched folders is reached; scans find what changes"
_RAISE_LIMIT: Final = "Raise fs.inotify.max_user_watches and fs.inotify.max_user_instances."
_FORBIDDEN: Final = "a folder must not be read; the others are watched"
_BROKE_OFF: Final = "watching broke off and is tried again"

log = structlog.get_logger("lading.watch")


class TreeWatch:
    """One watched tree: when something in it changed that has not been looked at.

    A change is given `slack_s` more than the source's own time. Every `tick_s` it is looked whether
    the root still is there. `again_s` is how long is waited before watching is tried again; twice
    as long each time it fails, ten minutes at most.
    """

    def __init__(
        self,
        name: str,
        source: WatchedSource,
        root: Path,
        *,
        slack_s: float = SLACK_S,
        tick_s: float = _TICK_S,
        again_s: float = _AGAIN_S,
    ) -> None:
        self.stable_for_s = source.stable_for_s
        self.noted = threading.Event()  # set whenever something was noted
        self.watching = threading.Event()  # set while the system tells of changes
        self.lost = threading.Event()  # set while it does not
        self._name = name
        self._root = Path(os.path.abspath(root))  # as the system names what is in it
        self._concerns = source.concerns
        self._slack_s = slack_s
        self._tick_s = tick_s
        self._again_s = again_s
        self._lock = threading.Lock()
        self._changes: Changes | None = None
        self._tolerant = False  # whether folders that must not be read are left out
        self._said: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{name}", daemon=True)

    def start(self) -> None:
        """Begin to watch, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end."""
        self._stop.set()

    def join(self) -> None:
        """Wait until the thread has ended, but not for one that a mount holds that hangs."""
        self._thread.join(_END_S)

    def changes(self) -> Changes | None:
        """What changed and has not been looked at."""
        with self._lock:
            return self._changes

    def is_due(self, changes: Changes) -> bool:
        """Whether it is time to ask for a scan."""
        return ask_in_s(changes, time.monotonic(), self.stable_for_s, self._slack_s) <= 0

    def asked(self) -> None:
        """A scan was asked for; more changes are given their time again."""
        with self._lock:
            if self._changes is not None:
                self._changes = self._changes.asked(time.monotonic())

    def looked_at(self, changes: Changes) -> None:
        """A scan sees all of `changes`; what came since stays."""
        with self._lock:
            if self._changes is not None and self._changes.last_s == changes.last_s:
                self._changes = None

    def _note(self) -> None:
        with self._lock:
            self._changes = Changes.noted(time.monotonic(), self._changes)
        self.noted.set()

    def _run(self) -> None:
        wait_s = self._again_s
        while not self._stop.is_set():
            try:
                self._watch()
            except (OSError, RuntimeError, MissingExtra) as error:
                # A RuntimeError is how the watcher's own faults come, such as a name it cannot
                # put in words. Whatever it was about may have been a change.
                self._note_fault(error)
            if self.watching.is_set():
                wait_s = self._again_s
            self.watching.clear()
            self.lost.set()
            self._stop.wait(wait_s)
            wait_s = min(wait_s * 2, _AGAIN_MAX_S)

    def _watch(self) -> None:
        """Watch until the root is another, or a stop is asked for. Raises as `_changed_paths`."""
        identity = _identity(self._root)
        beginning = f"{self._root}{os.sep}"
        with closing(self._changed_paths()) as changed:
            for paths in changed:
                if not self.watching.is_set():
                    # What changed before the system was asked to tell of it has to be looked for.
                    self._begin()
                if any(self._concerns(path.removeprefix(beginning)) for path in paths):
                    self._note()
                if _identity(self._root) != identity:
                    self._say(_REPLACED)
                    return

    def _changed_paths(self) -> Generator[list[str], None, None]:
        """Paths that changed, some at a time, and none at each tick without any.

        Raises `OSError` and `RuntimeError`, and `MissingExtra` without the extra `watch`.
        """
        tick_ms = round(self._tick_s * 1_000)
        for changes in _watchfiles().watch(
            self._root,
            watch_filter=None,
            debounce=_GROUP_MS,
            step=tick_ms // _STEPS_PER_TICK,
            rust_timeout=tick_ms,
            yield_on_timeout=True,
            stop_event=self._stop,
            raise_interrupt=False,
            force_polling=False,
            # It would hide as well that a limit is reached.
            ignore_permission_denied=self._tolerant,
        ):
            yield [path for _, path in changes]

    def _begin(self) -> None:
        self._said -= {_GONE, _REPLACED}
        log.info("watching for changes", source=self._name, root=str(self._root))
        if is_remote(_file_system(self._root)):
            self._say(_REMOTE)
        self._note()
        self.lost.clear()
        self.watching.set()

    def _note_fault(self, error: Exception) -> None:
        if self.watching.is_set():
            self._note()
        if is_limit(str(error)):
            self._say(_LIMIT, next_step=_RAISE_LIMIT, error=str(error))
        elif isinstance(error, FileNotFoundError):
            self._say(_GONE)
        elif isinstance(error, PermissionError):
            self._tolerant = True
            self._say(_FORBIDDEN, error=printable(str(error)))
        elif isinstance(error, MissingExtra):
            self._say(error.message, next_step=error.advice)
        else:
            self._say(_BROKE_OFF, error=printable(str(error)))

    def _say(self, what: str, **facts: object) -> None:
        """Log it once."""
        if what not in self._said:
            self._said.add(what)
            log.warning(what, source=self._name, root=str(self._root), **facts)


def _watchfiles() -> Any:
    # It would log each time how many changes there were.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    try:
        return import_module("watchfiles")
    except ImportError as error:
        raise MissingExtra(
            "Watching for changes needs the package watchfiles",
            next_step="Install it with `pip install 'lading[watch]'`, then start the worker again.",
        ) from error


def _identity(root: Path) -> tuple[int, int]:
    """What tells the folder from another at its place. Raises `OSError`."""
    status = root.stat()
    return status.st_dev, status.st_ino


def _file_system(root: Path) -> str:
    """What kind of file system the folder is on; empty when the system does not tell."""
    real = os.path.realpath(root)
    holding = [
        mount
        for mount in psutil.disk_partitions(all=True)
        if os.path.commonpath([real, mount.mountpoint]) == mount.mountpoint
    ]
    nearest = max(holding, key=lambda mount: len(mount.mountpoint), default=None)
    return "" if nearest is None else nearest.fstype
