"""Downloads recordings into a folder: verified, several files at once, and gone on with when cut.

The threads bring files; the calling thread counts, and tells how far the download is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from lading.base.errors import LadingError
from lading.base.stopping import StopReason, StopSignal
from lading.sources.recordings.download_plan import (
    DownloadPlan,
    PlannedFile,
    PlannedModality,
    plan_download,
)
from lading.sources.recordings.ending import Ending
from lading.sources.recordings.errors import DestinationUnusable, DownloadIncomplete
from lading.sources.recordings.fetching import Fetched, Fetcher
from lading.sources.recordings.listening import tell
from lading.sources.recordings.placing import Destination
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.values import DownloadProgress, DownloadResult, Phase, QueryResult
from lading.storage.port import StoreDenied, StoreUnavailable

FAULTS_IN_A_ROW_MAX: Final = 32
"""After so many files, one after the other, for which the store did not answer, none is tried."""


OnDownload = Callable[[DownloadProgress], None]


def download(
    repository: Repository,
    results: Iterable[QueryResult],
    dest: Path,
    *,
    progress: OnDownload | None = None,
    stop: StopSignal | None = None,
    max_concurrent_files: int = 8,
    overwrite: bool = False,
) -> DownloadResult:
    """Bring recordings to `dest/<recording id>/<path>`, each byte verified by sha256 (E7).

    A file has its name only when it is whole and verified; until then it grows beside its place,
    and a later call goes on with it. What is in place with the right content is kept. A file of
    other content is left alone, unless `overwrite`. Files are not synced to the disk: a download
    can be made again.

    `progress` is called from this thread at six boundaries (E8); what it raises is logged.
    Modalities are told of one after the other; a modality is done when none of its files is left,
    also where some failed. Raises, when all else is in place, `DownloadIncomplete`; at once
    `DestinationUnusable`, and `Interrupted` when `stop` asks for it.
    """
    ending = Ending(stop)
    wanted = list(results)
    with (
        Destination(dest) as destination,
        Fetcher(repository, destination, ending, overwrite=overwrite) as fetcher,
    ):
        told = _Told(progress)
        told.say(Phase.START)
        plan = plan_download(
            repository,
            wanted,
            stop=ending,
            tells_case_apart=destination.tells_case_apart,
            max_concurrent_files=max_concurrent_files,
        )
        told.plan(plan)
        told.say(Phase.PLAN_DONE)
        _Download(plan, fetcher, told, ending, max_concurrent_files).run()
    folders = tuple(dest / folder for folder in plan.folders)
    return DownloadResult(
        files_downloaded=told.files_done - told.files_kept,
        files_kept=told.files_kept,
        bytes_transferred=told.bytes_transferred,
        bytes_processed=told.bytes_processed,
        folders=folders,
    )


class _Told:
    """The figures of a download, and whoever hears them."""

    def __init__(self, progress: OnDownload | None) -> None:
        self._progress = progress
        self._files_total = 0
        self._bytes_total = 0
        self.files_done = 0
        self.files_kept = 0
        self.bytes_processed = 0
        self.bytes_transferred = 0

    def plan(self, plan: DownloadPlan) -> None:
        """From now on the totals are known."""
        self._files_total = plan.files_total
        self._bytes_total = plan.bytes_total

    def count(self, fetched: Fetched) -> None:
        """A file is in place."""
        self.files_done += 1
        self.files_kept += fetched.kept
        self.bytes_processed += fetched.size_bytes
        self.bytes_transferred += fetched.bytes_transferred

    def say(
        self, phase: Phase, modality: PlannedModality | None = None, file: str | None = None
    ) -> None:
        """Tell where the download stands."""
        if self._progress is None:
            return
        said = DownloadProgress(
            phase=phase,
            files_done=self.files_done,
            files_total=self._files_total,
            bytes_processed=self.bytes_processed,
            bytes_transferred=self.bytes_transferred,
            bytes_total=self._bytes_total,
            recording_hash=modality.recording_hash if modality else None,
            modality=modality.modality if modality else None,
            current_file=file,
        )
        tell(self._progress, said, phase=phase.value, file=file)


@dataclass(frozen=True, slots=True)
class _Ended:
    """A file that a thread is done with: in place, or not."""

    modality: int
    planned: PlannedFile
    future: Future[Fetched]

    def outcome(self) -> Fetched | LadingError:
        """What became of the file. Raises what is not about this file alone."""
        try:
            return self.future.result()
        except DestinationUnusable:
            raise
        except LadingError as error:
            return error


class _Download:
    """The files of one call on their way.

    Threads go on with the next modality while the last files of one come in; what they bring is
    told of when its modality's turn has come.
    """

    def __init__(
        self, plan: DownloadPlan, fetcher: Fetcher, told: _Told, ending: StopSignal, threads: int
    ) -> None:
        self._plan = plan
        self._fetcher = fetcher
        self._told = told
        self._ending = ending
        self._threads = threads
        self._ended: SimpleQueue[_Ended] = SimpleQueue()
        self._early: defaultdict[int, list[_Ended]] = defaultdict(list)  # by modality
        self._running = 0
        self._failures: list[LadingError] = list(plan.refused)
        self._faults_in_a_row = 0

    def run(self) -> None:
        """Bring everything. Raises `DownloadIncomplete`, `DestinationUnusable`, `Interrupted`."""
        files = self._files()
        with ThreadPoolExecutor(self._threads, thread_name_prefix="download") as pool:
            try:
                for index, modality in enumerate(self._plan.modalities):
                    self._told.say(Phase.MODALITY_START, modality)
                    left = len(modality.files)
                    while left:
                        self._begin(pool, files)
                        left -= self._tell(index, modality)
                    self._told.say(Phase.MODALITY_DONE, modality)
            except BaseException:
                self._ending.request(StopReason.OPERATOR)
                pool.shutdown(cancel_futures=True)
                raise
        self._told.say(Phase.FINISH)
        if self._failures:
            raise DownloadIncomplete(self._failures)

    def _files(self) -> Iterator[tuple[int, PlannedFile]]:
        for index, modality in enumerate(self._plan.modalities):
            for planned in modality.files:
                yield index, planned

    def _begin(self, pool: ThreadPoolExecutor, files: Iterator[tuple[int, PlannedFile]]) -> None:
        """Hand over as many files as keep all threads busy."""
        while self._running < 2 * self._threads and (found := next(files, None)) is not None:
            index, planned = found
            self._running += 1
            future = pool.submit(self._fetcher.fetch, planned.file, planned.relative)
            future.add_done_callback(partial(self._end, index, planned))

    def _end(self, index: int, planned: PlannedFile, future: Future[Fetched]) -> None:
        self._ended.put(_Ended(index, planned, future))

    def _tell(self, index: int, modality: PlannedModality) -> int:
        """Count what of a modality has ended, waiting for a file; how many files that were."""
        if index in self._early:
            ended = self._early.pop(index)
        else:
            one = self._ended.get()
            self._running -= 1
            one.outcome()  # what ends everything does so now
            if one.modality != index:
                self._early[one.modality].append(one)
                return 0
            ended = [one]
        for each in ended:
            self._settle(each, modality)
        return len(ended)

    def _settle(self, ended: _Ended, modality: PlannedModality) -> None:
        outcome = ended.outcome()
        if isinstance(outcome, Fetched):
            self._faults_in_a_row = 0
            self._told.count(outcome)
            self._told.say(Phase.FILE_DONE, modality, ended.planned.relative.partition("/")[2])
            return
        self._failures.append(outcome)
        away = isinstance(outcome, StoreUnavailable | StoreDenied)
        self._faults_in_a_row = self._faults_in_a_row + 1 if away else 0
        if self._faults_in_a_row >= FAULTS_IN_A_ROW_MAX:
            tried = self._told.files_done + len(self._failures)
            not_tried = max(0, self._plan.files_total - tried)
            raise DownloadIncomplete(self._failures, files_not_begun=not_tried)
