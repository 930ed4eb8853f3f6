"""`DataInterface`: recordings uploaded, registered, found and fetched, from Python (D, E).

It needs the credentials of the buckets and nothing else: no server, no database, and no
environment variables. It can only read until `enable_writes` is called.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from lading.base.errors import RequestError
from lading.catalog.filters import Where
from lading.catalog.rules import Policies, Row
from lading.catalog.values import RAW, ModalityRow, ParticipantRow, Policy, RecordingRow
from lading.data_interface.upkeep import Upkeep
from lading.sources.recordings.downloading import download
from lading.sources.recordings.ingesting import (
    augment_stored,
    ingest_recording,
    open_local,
    register_stored,
)
from lading.sources.recordings.profiles import ASSETS_RW, RAW_RW
from lading.sources.recordings.querying import query
from lading.sources.recordings.values import (
    DownloadProgress,
    DownloadResult,
    IngestResult,
    QueryResult,
    UploadProgress,
)


class DataInterface(Upkeep):
    """Recordings of one profile. Safe to share between threads; start processes with `spawn`.

        from lading import DataInterface

        data = DataInterface(profile="r2")
        for result in data.query(modalities=["eeg"]):
            print(result.recording_hash, list(result.modalities))

    `profile` is looked for in `~/.config/lading/recordings.toml` (or `.yaml`), or in the file at
    `config_path`; `local` keeps recordings in a folder of this user and needs no file. Nothing is
    opened before it is used. Raises `ProfileMissing` and `ProfileInvalid`.
    """

    def ingest(
        self,
        manifest_path: Path | str,
        *,
        source_dir: Path | str,
        participant: str | None = None,
        is_active: Callable[[], bool] | None = None,
        progress: Callable[[UploadProgress], None] | None = None,
        overwrite: bool = False,
        collapse_modalities: bool = True,
        max_concurrent_files: int = 4,
        on_conflict: Policies = Policy.ERROR,
    ) -> IngestResult:
        """Upload a recording's files and register it, or go on where that was cut off (D1 to D9).

        The catalog's rows are written after every byte is stored. Each file is hashed while it is
        sent and refused when it is not what the manifest says. What is stored already is skipped;
        `skipped_by` of the result says how it was recognised.

        `manifest_path` is the augmented `manifest.json`; when it is not there, the manifests below
        `source_dir/_node_manifests` are merged in memory. `participant` is a name or identifier;
        without one, `source_dir/participant.txt` is read, and else it is `__unknown__`.

        `is_active` is asked before anything is sent, before each chunk is read, and after each
        file, from several threads; once it returns True the result has `paused=True`. `progress`
        is called after each file, from the calling thread. `overwrite` sends everything again and
        replaces rows that differ. The second half of a session is merged into the first.

        Raises `WritesNotEnabled`, `ManifestIncomplete`, `CatalogConflict`, and what reading files
        and writing to stores raises; running it again goes on.
        """
        self._require(ASSETS_RW, RAW_RW)
        recording = open_local(Path(manifest_path), Path(source_dir), participant=participant)
        return ingest_recording(
            self.repository,
            recording,
            is_active=is_active,
            progress=progress,
            overwrite=overwrite,
            collapse_modalities=collapse_modalities,
            max_concurrent_files=max_concurrent_files,
            on_conflict=on_conflict,
        )

    def ingest_from_r2(
        self,
        rec_id: str,
        *,
        participant: str | None = None,
        collapse_modalities: bool = True,
        on_conflict: Policies = Policy.ERROR,
    ) -> IngestResult:
        """Register a recording whose files are stored already (D10, E3); no bytes are moved.

        Its `manifest.json` is read, or the manifests of its nodes merged, and every file listed
        has to be there. With the role `raw_rw`, a `participant` is stored beside the files where
        no name was, so that a catalog that is rebuilt knows it too. Raises `LocalProfile` (a
        ValueError), `WritesNotEnabled`, `ManifestMissing`, `ManifestIncomplete`,
        `StoredFilesMissing`, `CatalogConflict`.
        """
        self._require_bucket()
        self._require(ASSETS_RW)
        return register_stored(
            self.repository,
            rec_id,
            participant=participant,
            collapse_modalities=collapse_modalities,
            on_conflict=on_conflict,
            keep_participant=RAW_RW in self._roles,
        )

    def ingest_unaugmented_from_r2(
        self, rec_id: str, *, participant: str | None = None
    ) -> IngestResult:
        """Register a stored recording whose manifest has no hashes, by those of its objects (D10).

        Each object's sha256 is taken from its metadata; the manifest is completed in the store.
        Raises `Sha256Unknown` where an object carries none, and what `ingest_from_r2` raises.
        """
        self._require_bucket()
        self._require(ASSETS_RW, RAW_RW)
        augment_stored(self.repository, rec_id)
        return register_stored(
            self.repository, rec_id, participant=participant, keep_participant=True
        )

    def query(
        self,
        *,
        recording_hash: str | Sequence[str] | None = None,
        modalities: Collection[str] | None = None,
        status: str | None = RAW,
        participant: str | None = None,
        where: Where | None = None,
        limit: int | None = None,
    ) -> list[QueryResult]:
        """Recordings with their modalities, for `download` (E7).

        `modalities` are families (`eeg`: of all workers) or keys (`eeg_a`); a recording that has
        none of them is left out. `where` filters the columns of recordings. Whatever is returned
        can be fetched.
        """
        return list(
            query(
                self.repository.catalog,
                recording_hash=recording_hash,
                modalities=modalities,
                status=status,
                participant=participant,
                where=where,
                limit=limit,
            )
        )

    def download(
        self,
        results: Iterable[QueryResult],
        *,
        dest: Path | str,
        progress: Callable[[DownloadProgress], None] | None = None,
        overwrite: bool = False,
        max_concurrent_files: int = 8,
    ) -> DownloadResult:
        """Fetch the files of recordings into `dest/<recording id>/…`, each byte verified (E7, E8).

        A file appears under its name when its sha256 is right; what is there already is kept, and
        what was cut off goes on. `progress` is called at six boundaries, from the calling thread.
        Raises `DownloadIncomplete`, which names the files that failed.
        """
        return download(
            self.repository,
            results,
            Path(dest),
            progress=progress,
            overwrite=overwrite,
            max_concurrent_files=max_concurrent_files,
        )

    def get_recording(self, recording_hash: str) -> RecordingRow:
        """One recording (E7). Raises `RecordingMissing`."""
        return self.catalog.get_recording(recording_hash)

    def list_recordings(
        self, where: Where | None = None, *, limit: int | None = None
    ) -> list[RecordingRow]:
        """Recordings that a filter finds, in the order of their hashes (E7)."""
        return list(self.catalog.list_recordings(where, limit=limit))

    def list_modalities(
        self, where: Where | None = None, *, limit: int | None = None
    ) -> list[ModalityRow]:
        """Modalities of registered recordings, such as `where={"recording_hash": …}` (E7)."""
        return list(self.catalog.list_modalities(where, limit=limit))

    def list_participants(
        self, where: Where | None = None, *, limit: int | None = None
    ) -> list[ParticipantRow]:
        """Participants whom a registered recording names."""
        return list(self.catalog.list_participants(where, limit=limit))

    def register_recording(
        self,
        row: RecordingRow | None = None,
        *,
        on_conflict: Policies = Policy.ERROR,
        **columns: Any,
    ) -> RecordingRow:
        """Register a recording's row alone, given as a row or by its columns (E6).

        `on_conflict` is `error`, `extend`, `merge_participants` or `overwrite`. Its modalities are
        not touched. Raises `CatalogConflict`, `CatalogRowRefused`, `WritesNotEnabled`.
        """
        self._require(ASSETS_RW)
        given = _row(RecordingRow, row, columns)
        return self.catalog.register_recording(given, on_conflict=on_conflict)

    def register_modality(
        self,
        row: ModalityRow | None = None,
        *,
        on_conflict: Policies = Policy.ERROR,
        **columns: Any,
    ) -> ModalityRow:
        """Register one modality, given as a row or by its columns, with `error` or `overwrite`."""
        self._require(ASSETS_RW)
        given = _row(ModalityRow, row, columns)
        return self.catalog.register_modality(given, on_conflict=on_conflict)

    def register_participant(
        self,
        row: ParticipantRow | None = None,
        *,
        on_conflict: Policies = Policy.ERROR,
        **columns: Any,
    ) -> ParticipantRow:
        """Register one participant, given as a row or by its columns."""
        self._require(ASSETS_RW)
        given = _row(ParticipantRow, row, columns)
        return self.catalog.register_participant(given, on_conflict=on_conflict)


def _row(kind: type[Row], row: Row | None, columns: dict[str, Any]) -> Row:
    if row is None:
        try:
            return kind(**columns)
        except TypeError as error:
            raise RequestError(f"These are no columns of a row: {error}") from error
    if columns:
        raise RequestError("Give a row or its columns, not both", found=", ".join(sorted(columns)))
    return row
