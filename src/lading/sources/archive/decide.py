"""Phase 2: decides about inventory codes by their listing and by what the library has (B4)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from lading.base.reasons import Reason
from lading.ingest.source import Decided, Item
from lading.ledger.states import Decision
from lading.library.known import load_assets
from lading.library.values import KnownAsset
from lading.sources.archive.rules import FileRules, judge_files
from lading.sources.archive.values import ArchiveFile, Fault, FileKind

CODE_ITEM: Final = "asset"
KEY_ITEM: Final = "object"
"""The kind of an item that is a rejected key."""
IN_PLACE: Final = "source:"


@dataclass(frozen=True, slots=True)
class CodeFiles:
    """An inventory code with its files: the payload of an item."""

    code: str
    files: tuple[ArchiveFile, ...]


@dataclass(frozen=True, slots=True)
class RejectedKey:
    """A key that phase 1 rejected: the payload of an item."""

    key: str
    stage: str
    fault: Fault


def identity_of(code: str) -> str:
    """What the library knows the master of an inventory code by, in place of a content hash.

    Lading never has a master's bytes. The sha256 of the code's name is as unique, and the same
    wherever and whenever the code is met.
    """
    return hashlib.sha256(f"inventory-code:{code}".encode()).hexdigest()


class Decider:
    """Decides for one open batch, reading only."""

    def __init__(self, source: str, rules: FileRules, reasons: Mapping[str, Reason]) -> None:
        self._store = IN_PLACE + source
        self._rules = rules
        self._reasons = reasons

    def decide(self, conn: Connection, items: Sequence[Item]) -> list[Decided]:
        """One decision for each item: new, changed, held already, or rejected."""
        faults: dict[int, Fault] = {}
        sound: dict[int, CodeFiles] = {}
        for place, item in enumerate(items):
            payload = item.payload
            if isinstance(payload, RejectedKey):
                faults[place] = payload.fault
                continue
            fault = judge_files(payload.code, payload.files, self._rules)
            if fault is None:
                sound[place] = payload
            else:
                faults[place] = fault
        known = load_assets(conn, [identity_of(payload.code) for payload in sound.values()])
        decided = []
        for place, item in enumerate(items):
            if place in sound:
                payload = sound[place]
                decided.append(self._compare(payload, known.get(identity_of(payload.code))))
            else:
                decided.append(self._rejected(item.payload, faults[place]))
        return decided

    def _compare(self, payload: CodeFiles, known: KnownAsset | None) -> Decided:
        if known is None:
            return Decided(Decision.CREATE, detail=planned(payload))
        live = {path: row.facts for path, row in known.files.items() if not row.deleted}
        others = sorted({facts.store for facts in live.values()} - {self._store})
        if others:
            fault = Fault(
                "held_by_other_source", self._store, others[0], next(iter(payload.files)).key
            )
            return self._rejected(payload, fault)
        held = {path: (facts.size_bytes, facts.etag) for path, facts in live.items()}
        listed = {file.key: (file.size_bytes, file.etag or None) for file in payload.files}
        if held == listed or known.row.deleted:
            return Decided(Decision.UNCHANGED, recorded=False)
        return Decided(Decision.UPDATE, detail=planned(payload))

    def _rejected(self, payload: CodeFiles | RejectedKey, fault: Fault) -> Decided:
        detail = fault.detail()
        if isinstance(payload, CodeFiles):
            detail = planned(payload) | detail
        else:
            detail["stage"] = payload.stage
        return Decided(Decision.REJECT, self._reasons[fault.code], detail)


def planned(payload: CodeFiles) -> dict[str, Any]:
    """The files of a code as they are recorded with its decision; `files_of` reads them."""
    return {
        "files": [
            {
                "key": file.key,
                "kind": file.kind.value,
                "bytes": file.size_bytes,
                "etag": file.etag,
            }
            for file in payload.files
        ]
    }


def files_of(detail: Mapping[str, Any]) -> tuple[ArchiveFile, ...]:
    """The files that `planned` recorded."""
    return tuple(
        ArchiveFile(file["key"], FileKind(file["kind"]), file["bytes"], file["etag"])
        for file in detail.get("files", ())
    )
