"""Verifies what the store holds of recordings, without downloading: by size, or every byte."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from lading.base.stopping import StopReason, StopSignal
from lading.sources.recordings.ending import Ending
from lading.sources.recordings.errors import Sha256Unknown
from lading.sources.recordings.expecting import ExpectedFile, expected_files, require_sha256
from lading.sources.recordings.listening import tell
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.values import CheckedBy, FileCheck, QueryResult
from lading.storage.port import ObjectMissing
from lading.storage.transfer import hash_stored

AHEAD: Final = 2
"""How many files for each thread are handed over before the first is asked for."""


OnVerified = Callable[["VerifyProgress"], None]


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """How far a verification is, after a file. There are no totals: results come one by one."""

    files_done: int
    files_failed: int
    bytes_read: int
    current_file: str


def verify(
    repository: Repository,
    results: Iterable[QueryResult],
    *,
    full: bool,
    progress: OnVerified | None = None,
    stop: StopSignal | None = None,
    max_concurrent_files: int = 8,
) -> Iterator[FileCheck]:
    """Each file of the recordings and whether it is what it shall be, in the order of the results.

    Without `full`, one listing per recording is compared with the sizes that its manifests state;
    where none states one, being there is all that is asked. With `full`, every byte is read and
    hashed, `max_concurrent_files` at a time; a file of which nothing states the sha256 is not ok.
    Memory is bounded by the largest recording. Raises `Interrupted`, `StoreError`,
    `ManifestInvalid`, `ManifestsDisagree`.
    """
    checks = _hashed if full else _sized
    files = _files(repository, results)
    files_failed = bytes_read = 0
    checked = checks(repository, files, Ending(stop), max_concurrent_files)
    for files_done, (check, read) in enumerate(checked, start=1):
        files_failed += not check.ok
        bytes_read += read
        said = VerifyProgress(files_done, files_failed, bytes_read, check.name)
        tell(progress, said, file=check.name)
        yield check


@dataclass(frozen=True, slots=True)
class _Named:
    """A file with what it is of."""

    recording_hash: str
    modality: str
    file: ExpectedFile

    def check(
        self, checked: CheckedBy, expected: int | str | None, found: int | str | None, *, ok: bool
    ) -> FileCheck:
        return FileCheck(
            self.recording_hash, self.modality, self.file.name, ok, checked, expected, found
        )


_Checked = tuple[FileCheck, int]
"""A check, with the number of bytes that were read for it."""


def _files(repository: Repository, results: Iterable[QueryResult]) -> Iterator[_Named]:
    for result in results:
        for modality, files in expected_files(repository, result).items():
            for file in files:
                yield _Named(result.recording_hash, modality, file)


def _sized(
    _repository: Repository, files: Iterator[_Named], stop: StopSignal, _threads: int
) -> Iterator[_Checked]:
    for named in files:
        stop.check()
        expected, found = named.file.size_bytes, named.file.stored_bytes
        ok = found is not None and expected in (None, found)
        yield named.check(CheckedBy.SIZE, expected, found, ok=ok), 0


def _hashed(
    repository: Repository, files: Iterator[_Named], stop: StopSignal, threads: int
) -> Iterator[_Checked]:
    with ThreadPoolExecutor(threads, thread_name_prefix="verify") as pool:
        window: deque[Future[_Checked]] = deque()
        try:
            for named in files:
                window.append(pool.submit(_hash, repository, named, stop))
                if len(window) == AHEAD * threads:
                    yield window.popleft().result()
            while window:
                yield window.popleft().result()
        finally:  # also when nobody asks for the rest
            stop.request(StopReason.OPERATOR)
            pool.shutdown(cancel_futures=True)


def _hash(repository: Repository, named: _Named, stop: StopSignal) -> _Checked:
    file = named.file
    stop.check()
    expected = found = None
    size_bytes = 0
    with suppress(Sha256Unknown, ObjectMissing):
        expected = require_sha256(repository, file)
    with suppress(ObjectMissing):
        found, size_bytes = hash_stored(repository.raw, file.key, stop=stop)
    ok = found is not None and found == expected
    return named.check(CheckedBy.SHA256, expected, found, ok=ok), size_bytes
