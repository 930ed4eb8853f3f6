"""The part of `DataInterface` that looks after what is there: many recordings, and the catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from lading.base.stopping import StopSignal
from lading.catalog.catalog import Catalog
from lading.catalog.rules import Policies
from lading.catalog.values import ParticipantRow, Policy
from lading.data_interface.access import Access
from lading.sources.recordings.backlog import BacklogEntry, ingest_backlog
from lading.sources.recordings.failures import Failure
from lading.sources.recordings.flipping import Comparison, Flipped, compare, flip, flip_back
from lading.sources.recordings.participants import (
    Backfilled,
    ParticipantCount,
    backfill_participants,
    participants_counted,
    rename_participant,
)
from lading.sources.recordings.profiles import ASSETS_RW, RAW_RW
from lading.sources.recordings.rebuilding import OnRebuilt, Rebuilt, rebuild
from lading.sources.recordings.reconstructing import (
    OnRead,
    Reconstructed,
    reconstruct,
    reconstruct_all,
)
from lading.sources.recordings.values import UploadProgress


class Upkeep(Access):
    """What is done to many recordings at once, or to the catalog as a whole (E4, E5, E10).

    Methods that return an iterator do their work as it is asked for the next result; those of one
    recording that failed are among the results, as `Failure`, and end nothing.
    """

    def ingest_backlog(
        self,
        folders: Path | str | Iterable[Path | str],
        *,
        is_active: Callable[[], bool] | None = None,
        progress: Callable[[UploadProgress], None] | None = None,
        augment: bool = False,
        participants: Mapping[str, str] | None = None,
        dry_run: bool = False,
        max_concurrent_files: int = 4,
        overwrite: bool = False,
        collapse_modalities: bool = True,
        on_conflict: Policies = Policy.ERROR,
    ) -> Iterator[BacklogEntry]:
        """Take in all recordings at or below some folders, each as `ingest` would (E5).

        What is registered already costs no request to the store. `participants` are by folder name;
        with `augment`, manifests without hashes are completed in their folders; `overwrite` sends
        everything again and replaces rows that differ. Nothing follows an entry that says `paused`.
        `BacklogSummary.of(entries)` counts them.
        """
        if not dry_run:
            self._require(ASSETS_RW, RAW_RW)
        roots = [folders] if isinstance(folders, Path | str) else folders
        return ingest_backlog(
            self.repository,
            map(Path, roots),
            is_active=is_active,
            progress=progress,
            augment=augment,
            participants=participants,
            dry_run=dry_run,
            max_concurrent_files=max_concurrent_files,
            overwrite=overwrite,
            collapse_modalities=collapse_modalities,
            on_conflict=on_conflict,
        )

    def reconstruct(
        self,
        rec_id: str,
        *,
        force: bool = False,
        dry_run: bool = False,
        progress: OnRead | None = None,
        stop: StopSignal | None = None,
        max_concurrent_files: int = 4,
    ) -> Reconstructed:
        """Write the manifest of a stored recording that has none, by reading its files (E4).

        One that is valid is left as it is. Then register it by `ingest_from_r2`. With `force`, the
        manifest is made anew also where it lists files that are lost.
        """
        if not dry_run:
            self._require(RAW_RW)
        return reconstruct(
            self.repository,
            rec_id,
            force=force,
            dry_run=dry_run,
            progress=progress,
            stop=stop,
            max_concurrent_files=max_concurrent_files,
        )

    def reconstruct_all(
        self,
        *,
        dry_run: bool = False,
        progress: OnRead | None = None,
        stop: StopSignal | None = None,
        max_concurrent_files: int = 4,
    ) -> Iterator[Reconstructed | Failure]:
        """Reconstruct every stored recording that needs it, one after the other (E4)."""
        if not dry_run:
            self._require(RAW_RW)
        return reconstruct_all(
            self.repository,
            dry_run=dry_run,
            progress=progress,
            stop=stop,
            max_concurrent_files=max_concurrent_files,
        )

    def backfill_participants(
        self,
        names: Mapping[str, str] | None = None,
        *,
        also_known: bool = False,
        overwrite: bool = False,
        dry_run: bool = False,
        stop: StopSignal | None = None,
    ) -> Iterator[Backfilled | Failure]:
        """Name who was recorded where the catalog does not know (E10).

        `names` are by identifier or hash of the recording; otherwise the stored `participant.txt`
        says who it is. With `overwrite`, another name replaces who was named.
        """
        if not dry_run:
            self._require(ASSETS_RW, RAW_RW)
        return backfill_participants(
            self.repository,
            names=names,
            also_known=also_known,
            overwrite=overwrite,
            dry_run=dry_run,
            stop=stop,
        )

    def count_participants(self) -> list[ParticipantCount]:
        """The participants, each with the number of recordings that name them."""
        return list(participants_counted(self.catalog))

    def rename_participant(self, participant_id: str, display_name: str) -> ParticipantRow:
        """Give a participant another display name. Raises `ParticipantMissing`."""
        self._require(ASSETS_RW)
        return rename_participant(self.catalog, participant_id, display_name)

    def rebuild_catalog(
        self,
        prefix: str,
        *,
        collapse_modalities: bool = True,
        progress: OnRebuilt | None = None,
        stop: StopSignal | None = None,
    ) -> Rebuilt:
        """Build a catalog from what is stored, under a prefix of its own; the live one stays (E10).

        Run again, it goes on. Raises `PrefixInUse`.
        """
        self._require(ASSETS_RW)
        return rebuild(
            self.repository,
            prefix=prefix,
            pointer=self.profile.pointer,
            collapse_modalities=collapse_modalities,
            progress=progress,
            stop=stop,
        )

    def compare_catalog(self, prefix: str) -> Comparison:
        """What differs between the live catalog and the one under a prefix (G12)."""
        return compare(self.catalog, Catalog(self.catalog.location, prefix))

    def flip_catalog(self, comparison: Comparison, *, accept: str | None = None) -> Flipped:
        """Make the catalog live that was compared, by replacing the pointer (E1, E10).

        Where the two differ, `accept` has to be the comparison's `accept_word`. Raises
        `ComparisonNotAccepted`, and `CatalogMoved` when either was written to since.
        """
        self._require(ASSETS_RW)
        flipped = flip(
            self.catalog.location, comparison, accept=accept, pointer=self.profile.pointer
        )
        self._reopen()
        return flipped

    def flip_catalog_back(self) -> Flipped:
        """Make the catalog live again that was so before. Raises `NothingToFlipBack`."""
        self._require(ASSETS_RW)
        flipped = flip_back(self.catalog.location, pointer=self.profile.pointer)
        self._reopen()
        return flipped
