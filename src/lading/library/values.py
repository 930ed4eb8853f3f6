"""What the library is told and what it holds, as plain values without a database.

Facts say what a thing is; a proposal is everything an import says about one asset; a row is a
fact the library holds, with when it came, changed and was put in the trash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from lading.ledger.states import Outcome

INTEGERS_BELOW: Final = 10**18
"""Exact decimals beyond this are kept as floating point numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFacts:
    """What an asset is. `content_hash` is its identity: 64 lower-case hex digits, no prefix."""

    content_hash: str
    asset_type: str
    asset_subtype: str | None = None
    title: str | None = None
    captured_at: datetime | None = None
    captured_offset_min: int | None = None
    width: int | None = None
    height: int | None = None
    duration_s: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """One file of an asset. `path` tells the files of an asset apart; `location` is in `store`.

    `sha256` is None for a file kept in place that nobody has read whole; `md5` or `etag` then
    tells its content.
    """

    role: str
    path: str
    sha256: str | None
    size_bytes: int
    store: str
    location: str
    variant: str | None = None
    media_type: str | None = None
    md5: str | None = None
    etag: str | None = None

    @property
    def content_version(self) -> str:
        """What tells this content from another under the same path: the best that is known."""
        return self.sha256 or self.md5 or self.etag or str(self.size_bytes)


@dataclass(frozen=True, slots=True)
class Document:
    """A provenance file kept verbatim: `source.json` (kind None, A11) or an AI run (A12)."""

    analysis_kind: str | None
    sha256: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetProposal:
    """All that an import says about one asset, without the bodies of its documents.

    `files` is the complete list of what the asset should have. `source_sha256`, a kind missing
    from `ai_runs` (kind to sha256) and `cover_hash` None say nothing: what is there stays.
    """

    facts: AssetFacts
    files: Sequence[FileFacts] = ()
    source_sha256: str | None = None
    ai_runs: Mapping[str, str] = field(default_factory=dict)
    cover_hash: str | None = None


@dataclass(frozen=True, slots=True)
class ContainerRef:
    """Which container: its kind (`gallery`, `collection`, `event`) and key."""

    kind: str
    key: str

    def __str__(self) -> str:
        """`gallery:spring-2026`; keys may hold colons, kinds do not."""
        return f"{self.kind}:{self.key}"

    @classmethod
    def parse(cls, text: str) -> ContainerRef:
        """The reference that `str` wrote."""
        kind, _, key = text.partition(":")
        return cls(kind, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFacts:
    """What a container is, and its members by content hash, in order; one may occur twice."""

    kind: str
    key: str
    title: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    cover_hash: str | None = None
    members: Sequence[str] = field(default=(), repr=False)

    @property
    def ref(self) -> ContainerRef:
        """Kind and key."""
        return ContainerRef(self.kind, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRow:
    """An asset as the library holds it."""

    id: int
    facts: AssetFacts
    batch_id: int | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    @property
    def deleted(self) -> bool:
        """Whether it is in the trash."""
        return self.deleted_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A file as the library holds it; a deleted one is no longer named by its upstream."""

    id: int
    asset_id: int
    facts: FileFacts
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    @property
    def deleted(self) -> bool:
        """Whether the last import no longer named it."""
        return self.deleted_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRow:
    """A container as the library holds it, without its members."""

    id: int
    ref: ContainerRef
    title: str | None
    detail: Mapping[str, Any]
    batch_id: int | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    @property
    def deleted(self) -> bool:
        """Whether it is in the trash."""
        return self.deleted_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAsset:
    """An asset with all that a proposal is compared with.

    `files` is by path and has deleted ones too. `sources` and each value of `ai_runs` are sha256
    digests from the oldest to the current one.
    """

    row: AssetRow
    files: Mapping[str, FileRow] = field(default_factory=dict)
    sources: Sequence[str] = ()
    ai_runs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cover_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownContainer:
    """A container with all that new facts about it are compared with."""

    row: ContainerRow
    members: Sequence[str] = field(default=(), repr=False)
    cover_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """The row that was saved, and whether it was created, updated or left as it was."""

    id: int
    outcome: Outcome


def detail_text(detail: Mapping[str, Any]) -> str | None:
    """`detail` as it is stored: JSON with sorted keys, None when empty. Equal details are equal.

    Raises `ValueError` or `TypeError` for what JSON cannot hold, NaN included.
    """
    if not detail:
        return None
    return json.dumps(
        detail, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain
    )


def parse_detail(text: str | None) -> dict[str, Any]:
    """The detail that `detail_text` wrote."""
    return dict(json.loads(text)) if text else {}


def _plain(value: object) -> object:
    # Streaming JSON readers give exact decimals; stored detail has JSON's numbers.
    if isinstance(value, Decimal):
        whole = value.is_finite() and abs(value) < INTEGERS_BELOW
        return int(value) if whole and value == int(value) else float(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")
