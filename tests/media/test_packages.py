"""Decoders are set up once for the process, however many threads need them first at one moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

import pytest

from lading.media import packages


class Told:
    """A lock that tells whenever somebody wants it."""

    def __init__(self) -> None:
        self.wanted = threading.Semaphore(0)
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.wanted.release()
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()


class SlowToSetUp:
    """Stands for pyvips: to set it up lasts until it is let go on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.loaders_blocked = 0

    def operation_block_set(self, name: str, blocked: bool) -> None:
        if name == "VipsForeignLoad":
            self.loaders_blocked += blocked
            self.go_on.wait()

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@pytest.fixture
def anew() -> Iterator[None]:
    """Forget what is set up, before and afterwards."""
    packages._vips_set_up.cache_clear()
    yield
    packages._vips_set_up.cache_clear()


@pytest.mark.usefixtures("anew")
def test_loaders_are_not_blocked_again_while_another_thread_decodes_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock, slow = Told(), SlowToSetUp()
    monkeypatch.setattr(packages, "_setting_up", lock)
    monkeypatch.setattr(packages, "_package", lambda *_: slow)
    with ThreadPoolExecutor(2) as threads:
        found = [threads.submit(packages.vips) for _ in range(2)]
        for _ in found:
            lock.wanted.acquire()
        slow.go_on.set()
        assert [one.result() for one in found] == [slow, slow]
    assert slow.loaders_blocked == 1
