"""Asks the catalog and the store of recordings, within a bound of time and of threads.

A store that hangs so keeps a few threads of its own waiting, and no page of anything else. They are
opened for reading alone: a page makes no catalog where a disk is not mounted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from lading.base.errors import StoreError
from lading.console.parts import Console
from lading.sources.recordings.jobs import recordings_source, recordings_sources
from lading.sources.recordings.profiles import load_profile
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.source import RecordingsSource

T = TypeVar("T")
ANSWERS_WITHIN_S: Final = 20.0
ASKED_AT_ONCE: Final = 4
OPENED_FOR_S: Final = 60.0
"""So long the same repository is asked; then the pointer may name another catalog."""

_opened: Final[WeakKeyDictionary[RecordingsSource, tuple[float, Repository]]] = WeakKeyDictionary()
_asking: Final = ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="recordings")


class RecordingsSlow(StoreError):
    """The catalog, the store or the disk of recordings did not answer in time."""

    code = "recordings_store_slow"
    http_status = 503
    next_step = "Load the page again; if it stays so, look whether bucket and disk can be reached."


def sources_of(console: Console) -> list[RecordingsSource]:
    """The configured sources of recordings, by name."""
    return recordings_sources(console.lading.ingest.parts)


def source_of(console: Console, name: str | None) -> RecordingsSource:
    """The source of this name, or the first. Raises `NotRecordings`, `UnknownSource`."""
    found = sources_of(console)
    if name is None and found:
        return found[0]
    return recordings_source(console.lading.ingest.parts, name)


def ask(
    source: RecordingsSource,
    question: Callable[[Repository], T],
    *,
    within_s: float = ANSWERS_WITHIN_S,
) -> T:
    """What `question` makes of the source's repository.

    Raises `RecordingsSlow`, and what opening the repository and the question raise.
    """
    return bounded(source, lambda: question(_repository(source)), within_s=within_s)


def bounded(
    source: RecordingsSource, question: Callable[[], T], *, within_s: float = ANSWERS_WITHIN_S
) -> T:
    """What `question` answers, which may look at the source's disk. Raises `RecordingsSlow`."""
    answer = _asking.submit(question)
    try:
        return answer.result(timeout=within_s)
    except TimeoutError as error:
        if answer.done():  # it was the question that said so
            raise
        answer.cancel()
        raise RecordingsSlow(
            f"the recordings' catalog, store or disk did not answer within {within_s:g} s",
            subject=source.name,
        ) from error


def _repository(source: RecordingsSource) -> Repository:
    at_s, held = _opened.get(source, (0.0, None))
    if held is None or time.monotonic() - at_s > OPENED_FOR_S:
        held = load_profile(source.options.profile, source.options.config_path).open()
        _opened[source] = (time.monotonic(), held)
    return held
