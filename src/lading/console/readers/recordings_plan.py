"""Which way a recording can be taken in, and what speaks against it; everything is only read.

The way is picked by what is there: files that are stored are not uploaded again, and a manifest
that is stored is not reconstructed.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from lading.base.errors import LadingError
from lading.base.units import format_count
from lading.catalog.errors import CatalogConflict
from lading.catalog.rules import differences
from lading.catalog.values import ModalityRow, Policy
from lading.console.parts import Console
from lading.console.readers.import_queue import batch_url
from lading.console.readers.recordings_held import ask, source_of
from lading.console.readers.recordings_lines import find_batch_of
from lading.console.recordings_words import RowConflict, conflict_between
from lading.ledger.states import ACTIVE_BATCH_STATES, BatchState
from lading.sources.recordings.folder import read_folder
from lading.sources.recordings.ingesting import open_local, propose_stored
from lading.sources.recordings.jobs import STORED, UPLOAD
from lading.sources.recordings.layout import MANIFEST, check_id, is_data, object_name
from lading.sources.recordings.registering import Proposal, propose, require_stored
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.source import RecordingsSource
from lading.storage.roots import SafeRoot

T = TypeVar("T")
RECONSTRUCT: Final = "reconstruct"
NOTHING: Final = "nothing"
_NOT_QUEUED: Final = (BatchState.IMPORTED, BatchState.SUPERSEDED)
PATHS: Final = (UPLOAD, STORED, RECONSTRUCT)
PATH_WORDS: Final = {
    UPLOAD: "Upload its files from the rig, then register it",
    STORED: "Register it: its files are stored already",
    RECONSTRUCT: "Reconstruct its manifest from the stored files, then register it",
    NOTHING: "There is nothing to do",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition:
    """Something that has to be so. `found` says how it is, `next_step` what to do if it is not."""

    name: str
    met: bool
    found: str
    next_step: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestPlan:
    """How one recording can be taken in: `path` is upload, register, reconstruct or nothing.

    `conflict` is what the catalog holds otherwise; a policy has to settle it. `settled`: it is
    registered exactly so. A batch that was imported, or withdrawn, is not queued again.
    """

    source: str
    recording_id: str
    path: str
    preconditions: Sequence[Precondition]
    conflict: RowConflict | None = None
    recording_hash: str | None = None
    settled: bool = False
    files: int | None = None
    size_bytes: int | None = None
    batch_id: int | None = None
    batch_url: str | None = None
    batch_queueable: bool = False

    @property
    def sentence(self) -> str:
        """The path in words."""
        return PATH_WORDS[self.path]

    @property
    def ready(self) -> bool:
        """Whether nothing but a conflict, which a policy settles, speaks against it."""
        return self.path != NOTHING and all(each.met for each in self.preconditions)


def read_plan(
    console: Console, source_name: str | None, recording_id: str, *, path: str | None = None
) -> IngestPlan:
    """How a recording of a source can be taken in, by the `path` asked for or by what is there.

    Raises `RecordingIdRefused`, `NotRecordings`, and what asking the store raises.
    """
    source = source_of(console, source_name)
    check_id(recording_id)
    plan = ask(source, lambda held: _Looking(source, held, recording_id).plan(path))
    batch = find_batch_of(console, source.name, recording_id)
    if batch is None:
        return plan
    said = list(plan.preconditions)
    if plan.path == UPLOAD:
        idle = batch.state not in ACTIVE_BATCH_STATES
        found = "its batch is idle" if idle else "it is queued, or being imported"
        step = None if idle else "Watch its batch; there is nothing else to do."
        said.append(
            Precondition(name="No import has it in hand", met=idle, found=found, next_step=step)
        )
    return replace(
        plan,
        preconditions=tuple(said),
        batch_id=batch.id,
        batch_url=batch_url(batch),
        batch_queueable=batch.state not in _NOT_QUEUED,
    )


class _Looking:
    """One look at a recording: on the rig, in the store, in the catalog."""

    def __init__(self, source: RecordingsSource, held: Repository, recording_id: str) -> None:
        self._source = source
        self._held = held
        self._id = recording_id
        self._folder = source.options.path / recording_id
        self._said: list[Precondition] = []
        self._sizes = held.sizes(recording_id)

    def plan(self, path: str | None) -> IngestPlan:
        """The plan."""
        chosen = path or self._pick()
        if chosen == UPLOAD:
            return self._upload()
        if chosen == STORED:
            return self._register()
        if chosen == RECONSTRUCT:
            return self._reconstruct()
        return self._nothing()

    def _pick(self) -> str:
        if self._is_local() and not self._is_stored_as_local():
            return UPLOAD
        if not self._data():
            return UPLOAD if self._is_local() else NOTHING
        try:
            complete = self._held.manifest(self._id, self._sizes).complete
        except LadingError:
            complete = False
        if complete:
            return STORED
        # The rig's own manifest says more than one that is made of the files.
        return UPLOAD if self._is_local() else RECONSTRUCT

    def _upload(self) -> IngestPlan:
        source = self._source
        self._check("The source's folder is there", source.identity, "it answers")
        self._check("The rig is not recording", source.rig.require_idle, "it is idle")
        folder = self._check(
            "Its manifest can be understood",
            lambda: read_folder(self._folder, augment=source.options.augment),
            lambda found: (
                "it lists its files"
                if found.complete
                else "the import adds the hashes of its files"
            ),
        )
        if folder is None or not folder.complete:
            size_bytes = folder.size_bytes if folder else None
            return self._planned(UPLOAD, files=folder and len(folder.files), size_bytes=size_bytes)
        local = self._check(
            "Its files are on the rig",
            lambda: open_local(self._folder / MANIFEST, self._folder),
            lambda found: f"{format_count(len(found.files), 'file')} of the sizes it states",
        )
        if local is None:
            return self._planned(UPLOAD)

        def propose_so(policy: Policy) -> Proposal:
            return propose(
                self._held,
                local.manifest,
                local.files,
                self._id,
                participant=local.participant,
                on_conflict=policy,
            )

        return self._proposed(
            UPLOAD,
            propose_so,
            local.manifest.recording_hash,
            len(local.files),
            sum(file.size_bytes or 0 for file in local.files),
        )

    def _register(self) -> IngestPlan:
        names = self._data()
        self._say("Something of it is stored", bool(names), format_count(len(names), "file"))
        manifest = self._check(
            "Its manifest is stored and complete",
            lambda: self._held.manifest(self._id, self._sizes),
            lambda found: f"it lists {format_count(len(found.files), 'file')}",
        )
        if manifest is None:
            return self._planned(STORED, files=len(names))
        stored = self._check(
            "Every file that it lists is stored",
            lambda: require_stored(self._held, self._id, manifest.files, self._sizes),
            lambda found: f"{format_count(len(found), 'file')}, by their sizes",
        )
        if stored is None:
            return self._planned(STORED, files=len(manifest.files))

        def propose_so(policy: Policy) -> Proposal:
            return propose_stored(self._held, self._id, on_conflict=policy)

        return self._proposed(
            STORED,
            propose_so,
            manifest.recording_hash,
            len(manifest.files),
            sum(file.size_bytes or 0 for file in manifest.files),
        )

    def _reconstruct(self) -> IngestPlan:
        names = self._data()
        size_bytes = sum(self._sizes[name] for name in names)
        self._say(
            "Its files are stored",
            bool(names),
            f"{format_count(len(names), 'file')}; each is read once",
            "Upload the recording from where its files are.",
        )
        return self._planned(RECONSTRUCT, files=len(names), size_bytes=size_bytes)

    def _nothing(self) -> IngestPlan:
        self._say(
            "It is on the rig, or stored",
            met=False,
            found="neither",
            next_step="Check the identifier; scan the source if the recording is new.",
        )
        return self._planned(NOTHING)

    def _proposed(
        self,
        path: str,
        propose_so: Callable[[Policy], Proposal],
        recording_hash: str | None,
        files: int,
        size_bytes: int,
    ) -> IngestPlan:
        conflict, settled = None, False
        try:
            proposal = propose_so(Policy.ERROR)
            settled = proposal.settled
            said = "it holds exactly this" if settled else "it holds nothing that contradicts"
            self._say("The catalog can take it", met=True, found=said)
        except CatalogConflict:
            conflict = self._conflict(propose_so(Policy.OVERWRITE))
        except LadingError as error:
            self._refused("The catalog can take it", error)
        done = settled and path == STORED
        return self._planned(
            NOTHING if done else path,
            conflict=conflict,
            recording_hash=recording_hash,
            settled=settled,
            files=files,
            size_bytes=size_bytes,
        )

    def _conflict(self, proposal: Proposal) -> RowConflict | None:
        assert proposal.held is not None  # noqa: S101 - what conflicts is held
        catalog = self._held.catalog
        recording_hash = proposal.recording.recording_hash
        held = {
            _worker(row): row for row in catalog.modalities_of([recording_hash])[recording_hash]
        }
        differ = [
            "_".join(part for part in _worker(row)[:2] if part)
            for row in proposal.modalities
            if _worker(row) in held and differences(held[_worker(row)], row)
        ]
        return conflict_between(proposal.held, proposal.recording, differ)

    def _is_local(self) -> bool:
        try:
            return stat.S_ISDIR(self._folder.lstat().st_mode)
        except OSError:
            return False

    def _is_stored_as_local(self) -> bool:
        """Whether each file that the rig's manifest lists is stored, by its size."""
        try:
            folder = read_folder(self._folder, augment=True)
            with SafeRoot(self._folder) as root:
                sizes = {
                    object_name(each.rel_path): root.stat(each.rel_path).size_bytes
                    for each in folder.files
                }
        except LadingError:
            return False
        return all(self._sizes.get(name) == size for name, size in sizes.items())

    def _data(self) -> list[str]:
        return [name for name in self._sizes if is_data(name)]

    def _planned(self, path: str, **facts: object) -> IngestPlan:
        return IngestPlan(
            source=self._source.name,
            recording_id=self._id,
            path=path,
            preconditions=tuple(self._said),
            **facts,  # type: ignore[arg-type]
        )

    def _check(
        self, name: str, question: Callable[[], T], found: str | Callable[[T], str]
    ) -> T | None:
        try:
            answer = question()
        except LadingError as error:
            self._refused(name, error)
            return None
        self._say(name, met=True, found=found if isinstance(found, str) else found(answer))
        return answer

    def _refused(self, name: str, error: LadingError) -> None:
        self._said.append(
            Precondition(
                name=name, met=False, found=str(error), next_step=error.advice, code=error.code
            )
        )

    def _say(self, name: str, met: bool, found: str, next_step: str | None = None) -> None:
        step = None if met else next_step
        self._said.append(Precondition(name=name, met=met, found=found, next_step=step))


def _worker(row: ModalityRow) -> tuple[str, str, str]:
    return row.modality, row.worker_id, row.status
