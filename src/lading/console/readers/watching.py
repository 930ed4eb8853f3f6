"""Looks at sources and disks on the side, at most every half minute, so that no page waits for one.

A mount that hangs holds up its own look alone, and is said not to answer.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final, Generic, TypeVar

from lading.base.errors import LadingError

LOOK_EVERY_S: Final = 30.0
FIRST_LOOK_S: Final = 0.5
"""The first page after a start waits for the first looks, but no longer than this."""

NO_ANSWER: Final = "It does not answer."

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Volume:
    """A disk that holds something of ours; sizes in bytes."""

    name: str
    path: str
    device: int
    total_bytes: int
    free_bytes: int

    @property
    def used_bytes(self) -> int:
        """What is taken, by us and by others."""
        return max(0, self.total_bytes - self.free_bytes)


@dataclass(frozen=True, slots=True)
class Look(Generic[T]):
    """What a look found: a value, or the error in words. `pending`: there was none yet."""

    value: T | None = None
    error: str | None = None
    pending: bool = False


class Watch(Generic[T]):
    """Looks at some things again and again, each in a thread of its own.

    May be asked from several threads. A look that takes longer than until the next one is due is
    an error; what it finds counts when it comes.
    """

    def __init__(
        self, looks: Mapping[str, Callable[[], T]], *, every_s: float = LOOK_EVERY_S
    ) -> None:
        self._looks = dict(looks)
        self._every_s = every_s
        self._lock = threading.Lock()
        self._found: dict[str, Look[T]] = {}
        self._begun_s: dict[str, float] = {}
        self._under_way: set[str] = set()
        self._first = {name: threading.Event() for name in looks}

    def read(self, *, wait_s: float = 0.0) -> dict[str, Look[T]]:
        """What was found last, and look again where that is due.

        Waits for the first look at each thing, together at most `wait_s`.
        """
        self._begin_due()
        until_s = monotonic() + wait_s
        for seen in self._first.values():
            seen.wait(max(0.0, until_s - monotonic()))
        now_s = monotonic()
        with self._lock:
            return {name: self._answer(name, now_s) for name in self._looks}

    def _answer(self, name: str, now_s: float) -> Look[T]:
        if name in self._under_way and now_s - self._begun_s[name] >= self._every_s:
            return Look(error=NO_ANSWER)
        return self._found.get(name, Look(pending=True))

    def _begin_due(self) -> None:
        now_s = monotonic()
        with self._lock:
            due = [
                name
                for name in self._looks
                if name not in self._under_way
                and now_s - self._begun_s.get(name, -self._every_s) >= self._every_s
            ]
            for name in due:
                self._under_way.add(name)
                self._begun_s[name] = now_s
        for name in due:
            threading.Thread(
                target=self._look, args=(name,), name=f"look at {name}", daemon=True
            ).start()

    def _look(self, name: str) -> None:
        try:
            found = Look(value=self._looks[name]())
        except LadingError as error:
            found = Look(error=str(error))
        except OSError as error:
            found = Look(error=error.strerror or "It cannot be read.")
        except Exception as error:  # noqa: BLE001 - a plug-in's fault is an answer, too
            found = Look(error=f"{type(error).__name__} while looking at it")
        with self._lock:
            self._found[name] = found
            self._under_way.discard(name)
        self._first[name].set()


def measure(name: str, path: str | os.PathLike[str]) -> Volume:
    """The disk that a path is on. Raises OSError."""
    found = os.statvfs(path)
    return Volume(
        name,
        os.fspath(path),
        os.stat(path).st_dev,
        found.f_blocks * found.f_frsize,
        found.f_bavail * found.f_frsize,
    )


def one_for_each_disk(volumes: Iterable[Volume]) -> list[Volume]:
    """The volumes with those on one disk as one, by all its names."""
    found: dict[int, Volume] = {}
    for volume in volumes:
        before = found.get(volume.device)
        name = volume.name if before is None else f"{before.name}, {volume.name}"
        found[volume.device] = replace(volume, name=name)
    return list(found.values())
