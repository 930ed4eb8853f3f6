"""An open recording: its manifest was read once, so it cannot change under us.

Its items are its files, in the manifest's order, and then its registration.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from lading.base.errors import InternalError, LadingError
from lading.base.stopping import StopSignal
from lading.ingest.source import Decided, FetchContext, Item
from lading.ledger.states import Decision, Outcome
from lading.sources.recordings.activity import Rig, RigStop
from lading.sources.recordings.discover import ACTION, TYPE, describe
from lading.sources.recordings.errors import UploadInterrupted
from lading.sources.recordings.folder import Looked, RecordedFile, RecordingFolder
from lading.sources.recordings.importer import Importer
from lading.sources.recordings.layout import location_of, object_name
from lading.sources.recordings.reasons import REASONS, facts_of, reason_of
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.standing import Standing
from lading.storage.transfer import HashMismatch, Unmetered

FILE: Final = "file"
REGISTRATION: Final = "registration"
REGISTRATION_KEY: Final = "registration"
_KEY_LENGTH_MAX: Final = 190


class RecordingBatch:
    """The `OpenBatch` of a recording; good until its context ends."""

    type = TYPE
    action = ACTION

    def __init__(
        self,
        repository: Repository,
        folder: RecordingFolder,
        looked: Sequence[Looked],
        standing: Standing,
        importer: Importer,
        *,
        rig: Rig,
        fetches_max: int,
    ) -> None:
        self.manifest_sha256 = folder.digest
        self.fetches_max = fetches_max
        self.detail: Mapping[str, Any] = describe(folder)
        self._repository = repository
        self._folder = folder
        self._looked = looked
        self._standing = standing
        self._importer = importer
        self._rig = rig
        self._rejected = [each.file.rel_path for each in looked if each.fault is not None]

    def items(self) -> Iterator[Item]:
        """The files in the manifest's order, then the registration."""
        for each in self._looked:
            path = each.file.rel_path
            # Content may occur twice in a recording, so it is no `content_hash`.
            yield Item(item_key(path), FILE, each, title=path, bytes=each.file.size_bytes or 0)
        yield Item(
            REGISTRATION_KEY,
            REGISTRATION,
            None,
            title=f"registration of {self._folder.recording_id}",
            after_all=True,
        )

    def decide(
        self,
        conn: Connection,  # noqa: ARG002 - nothing of a recording is in the library
        items: Sequence[Item],
        *,
        check_bytes: bool = False,
    ) -> Sequence[Decided]:
        """One decision for each item: upload, replace, stored already, or why not (A5)."""
        if items and items[0].kind == REGISTRATION:
            return [self._registration() for _ in items]
        files = [self._hashed(item.payload) if check_bytes else item.payload for item in items]
        metadata = self._metadata([each.file for each in files if each.fault is None])
        return [self._decided(each, metadata) for each in files]

    def fetch(
        self,
        item: Item,
        decided: Decision,  # noqa: ARG002 - what is stored by now counts
        context: FetchContext,
    ) -> Outcome:
        """Store the file, or register the recording; from several threads."""
        if item.kind == REGISTRATION:
            return self._importer.register(context)
        return self._importer.store(item.payload, context)

    def write(
        self,
        conn: Connection,  # noqa: ARG002 - nothing of a recording is in the library
        item: Item,
        fetched: object,
    ) -> Outcome:
        """What `fetch` did is all; the outcome it came to."""
        if not isinstance(fetched, Outcome):
            raise InternalError("the item was fetched by another source", subject=item.key)
        return fetched

    def _decided(self, looked: Looked, metadata: Mapping[str, Mapping[str, str]]) -> Decided:
        file = looked.file
        if looked.fault is not None:
            self._rejected.append(file.rel_path)
            return _rejected(looked.fault)
        name = object_name(file.rel_path)
        detail: dict[str, Any] = {
            "path": file.rel_path,
            "location": self._repository.key(self._folder.recording_id, name),
            "size_bytes": file.size_bytes,
        }
        if file.sha256 is not None:
            detail["sha256"] = file.sha256
        held = self._standing.held_by(file, name, metadata)
        if held is not None:
            self._importer.vouch(file.rel_path)
            return Decided(Decision.UNCHANGED, detail={**detail, "held_by": held.value})
        there = name in self._standing.sizes
        return Decided(Decision.UPDATE if there else Decision.CREATE, detail=detail)

    def _registration(self) -> Decided:
        """Decided after the files: what speaks against one of them speaks against it."""
        if self._rejected:
            found = ", ".join(dict.fromkeys(self._rejected[:5]))
            return Decided(Decision.REJECT, REASONS["files_not_stored"], {"found": found})
        standing = self._standing
        if standing.conflict is not None:
            return _rejected(standing.conflict)
        detail: dict[str, Any] = {
            "place": location_of(self._folder.recording_id, self._repository.prefix)
        }
        if self._folder.complete:
            detail["recording_hash"] = self._folder.local.manifest.recording_hash
        if standing.proposal is None or standing.proposal.held is None:
            return Decided(Decision.CREATE, detail=detail)
        stored = all(
            standing.sizes.get(object_name(each.file.rel_path)) == each.file.size_bytes
            for each in self._looked
        )
        settled = standing.vouched and stored
        return Decided(Decision.UNCHANGED if settled else Decision.UPDATE, detail=detail)

    def _metadata(self, files: Sequence[RecordedFile]) -> Mapping[str, Mapping[str, str]]:
        """The user metadata of objects that may be these files, by name; none when not needed."""
        if self._standing.vouched:
            return {}
        names = {object_name(f.rel_path): f for f in files if f.sha256 is not None}
        sizes = self._standing.sizes
        alike = [name for name, file in names.items() if sizes.get(name) == file.size_bytes]
        if not alike:
            return {}
        return dict(self._repository.metadata(self._folder.recording_id, alike))

    def _hashed(self, looked: Looked) -> Looked:
        """The file with its bytes read: with their hash, or with what is wrong with them."""
        if looked.fault is not None:
            return looked
        file = looked.file
        try:
            found = self._importer.hashed(file, Unmetered(), RigStop(StopSignal(), self._rig))
        except UploadInterrupted as error:
            raise self._rig.busy() from error
        except LadingError as error:
            return Looked(file, error)
        if file.sha256 not in {None, found.sha256}:
            fault = HashMismatch(
                "The file's bytes are not those its manifest promises",
                subject=file.rel_path,
                expected=f"sha256 {file.sha256}",
                found=f"sha256 {found.sha256}",
            )
            return Looked(file, fault)
        return Looked(RecordedFile(file.rel_path, found.sha256, found.size_bytes))


def item_key(rel_path: str) -> str:
    """What the ledger calls a file: its path or, where that is too long, its end and a digest."""
    if len(rel_path) <= _KEY_LENGTH_MAX and rel_path != REGISTRATION_KEY:
        return rel_path
    digest = hashlib.sha256(rel_path.encode()).hexdigest()[:16]
    return f"{digest}…{rel_path[-(_KEY_LENGTH_MAX - 17) :]}"


def _rejected(error: LadingError) -> Decided:
    reason = reason_of(error)
    if reason is None:
        raise error
    return Decided(Decision.REJECT, reason, facts_of(error))
