"""Takes one item of a recording in: a file into the raw store, or the recording into the catalog.

The registration is refused unless every file is stored with the bytes that the manifest promises,
whoever brought them there and in which attempt.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from lading.base.errors import LadingError, SourceError
from lading.base.stopping import StopSignal
from lading.ingest.source import FetchContext, ItemRefused
from lading.ledger.states import Outcome
from lading.sources.recordings.activity import Rig, RigStop
from lading.sources.recordings.errors import (
    PlaceTaken,
    StoredFilesMissing,
    UploadInterrupted,
)
from lading.sources.recordings.folder import Looked, RecordedFile, RecordingFolder
from lading.sources.recordings.ingesting import LocalRecording, store_what_is_said
from lading.sources.recordings.layout import location_of, object_name
from lading.sources.recordings.reasons import REASONS, reason_of
from lading.sources.recordings.registering import propose, register, require_stored
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.rules import held_by
from lading.sources.recordings.standing import Standing
from lading.sources.recordings.uploading import FileUploader
from lading.sources.recordings.values import ManifestFile
from lading.storage.port import ObjectMissing
from lading.storage.roots import RootMissing, SafeRoot
from lading.storage.transfer import TransferMeter, hash_file, hash_stored

_NAMED_MAX: Final = 5


class _Beating:
    """Keeps the job's heart beating while bytes are read that are not counted as moved."""

    def __init__(self, meter: TransferMeter) -> None:
        self._meter = meter

    def moved(self, count: int) -> None:  # noqa: ARG002 - they are counted when they are sent
        self._meter.moved(0)

    def skipped(self, count: int) -> None:  # noqa: ARG002
        self._meter.moved(0)


class Importer:
    """Takes the items of one open recording in; the same one serves several threads.

    `root` is the recording's folder; `require_root` raises `SourceMissing` when that of the source
    is gone or another.
    """

    def __init__(
        self,
        repository: Repository,
        folder: RecordingFolder,
        looked: Sequence[Looked],
        standing: Standing,
        *,
        root: SafeRoot,
        rig: Rig,
        require_root: Callable[[], None],
    ) -> None:
        self._repository = repository
        self._folder = folder
        self._looked = looked
        self._standing = standing
        self._root = root
        self._rig = rig
        self._require_root = require_root
        self._uploader = FileUploader(
            repository, root, folder.recording_id, standing.sizes, vouched=standing.vouched
        )
        self._noting = threading.Lock()
        self._sure: set[str] = set()
        self._hashed: dict[str, ManifestFile] = {}

    def vouch(self, path: str) -> None:
        """Take note that a file was found stored."""
        with self._noting:
            self._sure.add(path)

    def store(self, looked: Looked, context: FetchContext) -> Outcome:
        """Bring a file into the store, unless it is there (D5).

        Raises `ItemRefused`, `SourceBusy` when the rig records, `StoreError`, `Interrupted`.
        """
        path = looked.file.rel_path
        stop = RigStop(context.stop, self._rig)
        with self._faults(path):
            stop.check()
            if looked.fault is not None:
                raise looked.fault
            file = self._with_hash(looked.file, context.meter, stop)
            self._require_not_of_another(file)
            held, _ = self._uploader.upload(file, stop=stop, meter=context.meter)
        self.vouch(path)
        if held is not None:
            return Outcome.UNCHANGED
        replaced = object_name(path) in self._standing.sizes
        return Outcome.UPDATED if replaced else Outcome.CREATED

    def register(self, context: FetchContext) -> Outcome:
        """Store what is said of the recording and write its rows, once all files are stored (D2).

        Raises as `store` does.
        """
        recording_id = self._folder.recording_id
        stop = RigStop(context.stop, self._rig)
        with self._faults(recording_id):
            stop.check()
            sizes = self._repository.sizes(recording_id)
            files = self._stored_files(sizes, context.meter, stop)
            folder = self._folder
            local = folder.local if folder.complete else folder.augmented(files)
            recording = LocalRecording(folder.path, recording_id, local, files, folder.participant)
            proposal = propose(
                self._repository,
                recording.manifest,
                files,
                recording_id,
                participant=folder.participant,
            )
            store_what_is_said(self._repository, recording)
            register(self._repository, proposal)
        if proposal.held is None:
            return Outcome.CREATED
        return Outcome.UNCHANGED if proposal.settled else Outcome.UPDATED

    def hashed(self, file: RecordedFile, meter: TransferMeter, stop: StopSignal) -> ManifestFile:
        """The file with the hash of its bytes as they are now. Raises what `hash_file` raises."""
        found = hash_file(self._root, file.rel_path, meter=_Beating(meter), stop=stop)
        return ManifestFile(file.rel_path, found.sha256, found.size_bytes)

    def _with_hash(
        self, file: RecordedFile, meter: TransferMeter, stop: StopSignal
    ) -> ManifestFile:
        """The file as the manifest lists it or, where it does not, as it lies there."""
        if file.sha256 is not None:
            return ManifestFile(file.rel_path, file.sha256, file.size_bytes)
        known = self._hashed.get(file.rel_path)
        if known is None:
            known = self.hashed(file, meter, stop)
            with self._noting:
                self._hashed[file.rel_path] = known
        return known

    def _stored_files(
        self, sizes: Mapping[str, int], meter: TransferMeter, stop: StopSignal
    ) -> list[ManifestFile]:
        """All files, once each of them is stored. Raises `StoredFilesMissing`."""
        bad = [each.file.rel_path for each in self._looked if each.fault is not None]
        if bad:
            raise self._missing(bad)
        files = [self._with_hash(each.file, meter, stop) for each in self._looked]
        files = require_stored(self._repository, self._folder.recording_id, files, sizes)
        self._require_content(files, meter, stop)
        return files

    def _require_not_of_another(self, file: ManifestFile) -> None:
        """A file hashed only now must not replace one of a recording that is registered."""
        if not self._standing.taken:
            return
        name = object_name(file.rel_path)
        key = self._repository.key(self._folder.recording_id, name)
        info = self._repository.raw.head(key)
        if info is not None and held_by(file, info.size_bytes, info.metadata) is None:
            raise PlaceTaken(
                "A registered recording has another file here",
                subject=key,
                expected=info.metadata.get("sha256", f"{info.size_bytes} bytes"),
                found=file.sha256,
            )

    def _require_content(
        self, files: Sequence[ManifestFile], meter: TransferMeter, stop: StopSignal
    ) -> None:
        """Look at those files that this attempt did not bring or find; an earlier one did."""
        unsure = {object_name(f.rel_path): f for f in files if f.rel_path not in self._sure}
        wrong = []
        for name, metadata in self._repository.metadata(self._folder.recording_id, unsure):
            file = unsure[name]
            sha256 = metadata.get("sha256")
            if sha256 is None:  # a store that keeps no hashes: the bytes themselves are asked
                key = self._repository.key(self._folder.recording_id, name)
                with suppress(ObjectMissing):
                    sha256, _ = hash_stored(
                        self._repository.raw, key, meter=_Beating(meter), stop=stop
                    )
            if sha256 is None or sha256.lower() != file.sha256:
                wrong.append(file.rel_path)
        if wrong:
            raise self._missing(wrong)

    def _missing(self, paths: Sequence[str]) -> StoredFilesMissing:
        return StoredFilesMissing(
            "The store has not every file of the recording, so it is not registered",
            subject=location_of(self._folder.recording_id, self._repository.prefix),
            expected=f"{len(self._looked)} files",
            found=f"{len(paths)} missing or other than they shall be: "
            + ", ".join(paths[:_NAMED_MAX])
            + (", …" if len(paths) > _NAMED_MAX else ""),
        )

    @contextmanager
    def _faults(self, subject: str) -> Iterator[None]:
        """Tell what is wrong with the item, with the source, and with neither of them, apart."""
        try:
            yield
        except UploadInterrupted as error:
            raise self._rig.busy() from error
        except LadingError as error:
            if isinstance(error, SourceError):
                self._require_root()
            reason = reason_of(error)
            if isinstance(error, RootMissing):  # of the recording's folder: the source's is there
                reason = REASONS["folder_gone"]
            if reason is None:
                raise
            raise ItemRefused(
                reason,
                subject=error.subject or subject,
                expected=error.expected,
                found=error.message if error.found is None else error.found,
            ) from error


def not_stored(location: str) -> ItemRefused:
    """The refusal of a file that the store does not have."""
    return ItemRefused(REASONS["not_stored"], subject=location)
