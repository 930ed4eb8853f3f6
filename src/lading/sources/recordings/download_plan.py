"""Works out where each file of a download goes, and how much there is, before one is moved."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lading.base.errors import LadingError, SourceError
from lading.base.stopping import StopSignal
from lading.sources.recordings.errors import PlaceRefused, RecordingIdRefused
from lading.sources.recordings.expecting import ExpectedFile, expected_files
from lading.sources.recordings.layout import check_id, path_of
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.values import QueryResult
from lading.storage.roots import PathEscapesRoot, split_relative


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file, and where it goes below the destination."""

    file: ExpectedFile
    relative: str


@dataclass(frozen=True, slots=True)
class PlannedModality:
    """The files of one modality that can be brought."""

    recording_hash: str
    modality: str
    files: tuple[PlannedFile, ...]


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """All of a download. The totals count the files that are refused as well.

    `folders` are the recordings' folders below the destination; `refused` says why files are not
    among those of their modality.
    """

    modalities: tuple[PlannedModality, ...]
    folders: tuple[str, ...]
    files_total: int
    bytes_total: int
    refused: tuple[LadingError, ...]


def plan_download(
    repository: Repository,
    results: Sequence[QueryResult],
    *,
    stop: StopSignal,
    tells_case_apart: Callable[[], bool],
    max_concurrent_files: int,
) -> DownloadPlan:
    """Read each recording's listing and manifests, several at a time, and name every file's place.

    `tells_case_apart` is asked of the destination when names differ in case alone. A recording or
    a file that cannot be brought is refused and leaves the others as they are.
    """
    planning = _Planning(folder_names(results), tells_case_apart)

    def expected(result: QueryResult) -> dict[str, tuple[ExpectedFile, ...]] | LadingError:
        stop.check()
        try:
            return expected_files(repository, result)
        except LadingError as error:
            return error

    with ThreadPoolExecutor(max_concurrent_files, thread_name_prefix="plan") as pool:
        for result, found in zip(results, pool.map(expected, results), strict=True):
            planning.add(result, found)
    return planning.plan()


def folder_names(results: Sequence[QueryResult]) -> dict[str, str]:
    """The folder of each recording, by its hash.

    It is the identifier that its manifest gave it, else the hash. Where recordings share an
    identifier, some of their hash is added, so that their files do not mix.
    """
    ids = {result.recording_hash: _recording_id(result) for result in results}
    sharing: dict[str, set[str]] = defaultdict(set)
    for recording_hash, recording_id in ids.items():
        sharing[recording_id.casefold()].add(recording_hash)
    return {
        recording_hash: recording_id
        if len(sharing[recording_id.casefold()]) == 1
        else f"{recording_id}-{recording_hash[:12]}"
        for recording_hash, recording_id in ids.items()
    }


def _recording_id(result: QueryResult) -> str:
    stated = result.recording.metadata.get("manifest_recording_id")
    try:
        return check_id(stated) if isinstance(stated, str) else result.recording_hash
    except RecordingIdRefused:
        return result.recording_hash


class _Planning:
    """Gathers the plan, recording by recording."""

    def __init__(self, folders: dict[str, str], tells_case_apart: Callable[[], bool]) -> None:
        self._folders = folders
        self._tells_case_apart = tells_case_apart
        self._case_apart: bool | None = None
        self._modalities: list[PlannedModality] = []
        self._keys: dict[str, str] = {}  # the object of each path that is taken
        self._folded: dict[str, str] = {}  # the path that has a name but for its case
        self._refused: list[LadingError] = []
        self._files_total = 0
        self._bytes_total = 0

    def add(
        self, result: QueryResult, found: dict[str, tuple[ExpectedFile, ...]] | LadingError
    ) -> None:
        """Plan one recording, whose files are these, or refused for this reason."""
        if isinstance(found, LadingError):
            self._refused.append(found)
        for key, row in result.modalities.items():
            if isinstance(found, LadingError):
                self._files_total += len(row.keys)
                self._bytes_total += row.size_bytes
                files: list[PlannedFile] = []
            else:
                folder = self._folders[result.recording_hash]
                files = [
                    planned
                    for file in found[key]
                    if (planned := self._planned(folder, file)) is not None
                ]
            self._modalities.append(PlannedModality(result.recording_hash, key, tuple(files)))

    def plan(self) -> DownloadPlan:
        """What was gathered."""
        return DownloadPlan(
            tuple(self._modalities),
            tuple(self._folders.values()),
            self._files_total,
            self._bytes_total,
            tuple(self._refused),
        )

    def _planned(self, folder: str, file: ExpectedFile) -> PlannedFile | None:
        """The file with its place; None for one that is refused, or asked for twice."""
        relative = ""
        refused: LadingError | None = None
        try:
            relative = f"{folder}/{_local_path(file)}"
            if self._keys.get(relative) == file.key:
                return None
            self._take(relative, file)
        except (SourceError, PlaceRefused) as error:
            refused = error
        self._files_total += 1
        self._bytes_total += file.known_bytes
        if refused is not None:
            self._refused.append(refused)
            return None
        return PlannedFile(file, relative)

    def _take(self, relative: str, file: ExpectedFile) -> None:
        taken = relative if relative in self._keys else self._alike(relative)
        if taken is not None:
            raise PlaceRefused(
                "Two files would have the same name here",
                subject=file.key,
                found=f"the name of {self._keys[taken]}",
                next_step="Download the two to separate folders, or where names keep their case.",
            )
        self._keys[relative] = file.key

    def _alike(self, relative: str) -> str | None:
        """A path that is taken and is the same to the file system, if there is one."""
        folded = unicodedata.normalize("NFC", relative).casefold()
        other = self._folded.setdefault(folded, relative)
        if other == relative:
            return None
        if self._case_apart is None:
            self._case_apart = self._tells_case_apart()
        return None if self._case_apart else other


def _local_path(file: ExpectedFile) -> str:
    """The file's path below its recording. Raises `PathEscapesRoot`."""
    try:
        path = path_of(file.name)
    except UnicodeDecodeError as error:
        raise PathEscapesRoot("The object's name is no text", subject=file.key) from error
    split_relative(path)
    return path
