"""Brings the files of a recording into the raw store, several at once, and stops when asked to.

Each file is read once: hashed while it is sent, and refused at its end when the bytes are not those
of the manifest. What is stored already is skipped; how that was recognised is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final

from lading.base.steps import RecordingStep, reach
from lading.base.stopping import StopReason, StopSignal
from lading.sources.recordings.errors import UploadInterrupted
from lading.sources.recordings.layout import object_name
from lading.sources.recordings.listening import tell
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.rules import held_by
from lading.sources.recordings.values import HeldBy, ManifestFile, UploadProgress
from lading.storage.roots import SafeRoot
from lading.storage.transfer import (
    HashMismatch,
    SizeMismatch,
    TransferMeter,
    Unmetered,
    hash_stored,
    verified_chunks,
)

CHUNK_BYTES: Final = 4 * 1024 * 1024
"""What is read between two looks at `is_active`: the most that a file still reads after it."""

_UNMETERED: Final = Unmetered()
_CHANGED: Final = "If the file is right as it is now, augment the manifest anew (force)."


IsActive = Callable[[], bool]
OnUpload = Callable[[UploadProgress], None]


class RigWatch(StopSignal):
    """Asks `is_active` before each chunk (D4); once it said yes, everything of this call stops."""

    def __init__(self, is_active: IsActive | None) -> None:
        super().__init__()
        self._is_active = is_active or _never

    def check(self) -> None:
        """Raise `UploadInterrupted` when the rig records."""
        if self.is_set() or self._is_active():
            self.request(StopReason.OPERATOR)
            raise UploadInterrupted("The rig is recording")


@dataclass
class Uploads:
    """What became of the files of one call; with `paused`, the rig began to record."""

    paused: bool = False
    files_uploaded: int = 0
    bytes_uploaded: int = 0
    skipped_by: Counter[HeldBy] = field(default_factory=Counter)

    @property
    def files_skipped(self) -> int:
        """How many files were stored already."""
        return self.skipped_by.total()


@dataclass(frozen=True, slots=True)
class _Done:
    file: ManifestFile
    held: HeldBy | None
    bytes_sent: int


class FileUploader:
    """Uploads single files of one recording; safe from several threads.

    `sizes` are what the store has of the recording, by name. With `vouched`, the catalog has the
    recording as it would be registered, so an object of the right size is not asked for its hash.
    With `overwrite` nothing is skipped (D5).
    """

    def __init__(
        self,
        repository: Repository,
        root: SafeRoot,
        recording_id: str,
        sizes: Mapping[str, int],
        *,
        vouched: bool = False,
        overwrite: bool = False,
    ) -> None:
        self._repository = repository
        self._root = root
        self._recording_id = recording_id
        self._sizes = sizes
        self._vouched = vouched
        self._overwrite = overwrite

    def upload(
        self, file: ManifestFile, *, stop: StopSignal, meter: TransferMeter
    ) -> tuple[HeldBy | None, int]:
        """How the file was recognised as stored, or None; and how many bytes were sent.

        Raises what `verified_chunks` and `Uploader.upload` raise, or what `stop.check()` does;
        nothing of the file is then visible in the store.
        """
        stop.check()
        name = object_name(file.rel_path)
        size_bytes = file.size_bytes or 0
        held = None if self._overwrite else self._held_by(name, file, stop)
        if held is not None:
            meter.skipped(size_bytes)
            return held, 0
        with self._root.open(file.rel_path) as opened:

            def chunks() -> Iterator[bytes]:
                opened.seek(0)
                return verified_chunks(
                    opened,
                    size_bytes=size_bytes,
                    sha256=file.sha256,
                    meter=meter,
                    stop=stop,
                    chunk_bytes=CHUNK_BYTES,
                )

            try:
                sent = self._repository.uploader.upload(
                    self._repository.key(self._recording_id, name),
                    chunks,
                    size_bytes=size_bytes,
                    sha256=file.sha256,
                )
            except (HashMismatch, SizeMismatch) as error:
                error.advice = _CHANGED
                raise
        reach(RecordingStep.FILE_STORED)
        return None, sent.bytes_sent

    def _held_by(self, name: str, file: ManifestFile, stop: StopSignal) -> HeldBy | None:
        size_bytes = self._sizes.get(name)
        if size_bytes is None or size_bytes != file.size_bytes:
            return None
        if self._vouched:
            return HeldBy.REGISTERED
        raw, key = self._repository.raw, self._repository.key(self._recording_id, name)
        info = raw.head(key)
        if info is None:
            return None
        held = held_by(file, info.size_bytes, info.metadata)
        if held is HeldBy.SIZE and raw.abilities.local_path:
            # Rigs write segments of one size: what an earlier file left must not pass for this one.
            sha256, _ = hash_stored(raw, key, stop=stop)
            return HeldBy.SHA256 if sha256 == file.sha256 else None
        return held


def upload_all(
    uploader: FileUploader,
    files: Sequence[ManifestFile],
    *,
    watch: RigWatch,
    progress: OnUpload | None = None,
    max_concurrent_files: int = 4,
) -> Uploads:
    """Upload what is not stored yet, `max_concurrent_files` at a time (D4, D7).

    When the rig records, what is pending is not begun, what is under way stops before its next
    chunk, and the result says `paused`. An error of a file ends the others in the same way.
    """
    with ThreadPoolExecutor(max_concurrent_files, thread_name_prefix="upload") as pool:
        return _Pool(pool, uploader, files, watch, progress).run(ahead=max_concurrent_files)


class _Pool:
    """The files of one call on their way."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        uploader: FileUploader,
        files: Sequence[ManifestFile],
        watch: RigWatch,
        progress: OnUpload | None,
    ) -> None:
        self._pool = pool
        self._uploader = uploader
        self._files = files
        self._watch = watch
        self._progress = progress
        self._bytes_total = sum(file.size_bytes or 0 for file in files)
        self._bytes_processed = 0
        self._uploads = Uploads()

    def run(self, *, ahead: int) -> Uploads:
        """Upload; at most `ahead` files more than there are threads are handed over."""
        rest = iter(self._files)
        running: set[Future[_Done]] = set()
        try:
            self._watch.check()
            reach(RecordingStep.POOL_STARTING)
            while True:
                while len(running) < 2 * ahead and (file := next(rest, None)) is not None:
                    running.add(self._pool.submit(self._one, file))
                if not running:
                    return self._uploads
                wait(running, return_when=FIRST_COMPLETED)
                for future in [each for each in running if each.done()]:
                    self._count(future.result())
                    running.remove(future)
                    self._watch.check()
        except UploadInterrupted:
            self._uploads.paused = True
            self._end(running)
            return self._uploads
        except BaseException:
            self._watch.request(StopReason.OPERATOR)
            self._end(running)
            raise

    def _one(self, file: ManifestFile) -> _Done:
        held, bytes_sent = self._uploader.upload(file, stop=self._watch, meter=_UNMETERED)
        return _Done(file, held, bytes_sent)

    def _end(self, running: set[Future[_Done]]) -> None:
        """Let what is under way come to its end, and count what got there."""
        for future in running:
            future.cancel()
        for future in running:
            if not future.cancelled() and future.exception() is None:
                self._count(future.result())

    def _count(self, done: _Done) -> None:
        uploads = self._uploads
        if done.held is None:
            uploads.files_uploaded += 1
            uploads.bytes_uploaded += done.bytes_sent
        else:
            uploads.skipped_by[done.held] += 1
        self._bytes_processed += done.file.size_bytes or 0
        said = UploadProgress(
            files_done=uploads.files_uploaded + uploads.files_skipped,
            files_total=len(self._files),
            bytes_uploaded=uploads.bytes_uploaded,
            bytes_processed=self._bytes_processed,
            bytes_total=self._bytes_total,
            current_file=done.file.rel_path,
        )
        tell(self._progress, said, file=said.current_file)


def _never() -> bool:
    return False
