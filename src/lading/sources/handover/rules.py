"""Decides about bundles and their items from plain values alone: headers, files, library states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lading.base.identifiers import is_sync_id, parse_content_hash
from lading.ledger.states import Decision
from lading.library.rules import is_withheld
from lading.sources.handover.fields import shown
from lading.sources.handover.items import AssetItem, ContainerItem, FileEntry

SCHEMA_VERSION: Final = 1
TYPES: Final = frozenset({"asset", "gallery", "collection", "event"})
ACTIONS: Final = frozenset({"import", "update", "remove"})
ASSET_TYPES: Final = frozenset({"photo", "video"})
VIDEO_SIMPLE: Final = "video_simple"
DOCUMENT_ROLES: Final = frozenset({"source", "source_data"})
DOCUMENT_BYTES_MAX: Final = 8 * 1024 * 1024
ANALYSIS_KINDS: Final = {
    "photo.manifest.json": "photo_manifest",
    "photo.analysis.json": "photo_analysis",
    "photo.meaning.json": "photo_meaning",
    "photo.family.json": "photo_family",
}
ANALYSIS_KIND_CHARS_MAX: Final = 190
BYTES_MAX: Final = 2**63 - 1
"""What the ledger's columns hold."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, by reason code, with what was expected and found, and where."""

    code: str
    expected: str | None = None
    found: str | None = None
    subject: str | None = None

    def detail(self) -> dict[str, str]:
        """The facts that go into the ledger beside the code."""
        facts = {"subject": self.subject, "expected": self.expected, "found": self.found}
        return {name: value for name, value in facts.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Header:
    """A manifest without its items: its fields, and what its items add up to.

    `items` is None when there is no list of them; `items_found` then says what there was.
    """

    fields: Mapping[str, Any]
    items: int | None
    bytes: int
    items_found: object = None

    @property
    def type(self) -> str:
        """The bundle's type, empty when it is none that we know (A4)."""
        value = self.fields.get("type")
        return value if isinstance(value, str) and value in TYPES else ""

    @property
    def action(self) -> str:
        """The bundle's action, empty when it is none that we know (A4)."""
        value = self.fields.get("action")
        return value if isinstance(value, str) and value in ACTIONS else ""


@dataclass(frozen=True, slots=True)
class LibraryState:
    """What the library has of an item: nothing, the same, something else, or that but deleted."""

    known: bool = False
    same: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision, and for a rejection its fault."""

    decision: Decision
    fault: Fault | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


def judge_name(key: str) -> Fault | None:
    """Whether a bundle's file name is a sync_id as it should be (A1)."""
    if is_sync_id(key):
        return None
    return Fault("name_not_canonical", "a UUID in lower-case letters", shown(key))


def looks_like_bundle(stem: str) -> bool:
    """Whether a file name's stem is meant as a sync_id, although not written as one."""
    return is_sync_id(stem.lower())


def judge_header(key: str, header: Header, sha256: str, sentinel: bytes) -> Fault | None:
    """Whether the bundle named `key` may be consumed, the first thing wrong with it if not (A3)."""
    return judge_sentinel(sentinel, sha256) or _judge_words(key, header) or _judge_promises(header)


def _judge_words(key: str, header: Header) -> Fault | None:
    """Whether the header speaks of this bundle, in words that we know."""
    fields = header.fields
    version = fields.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        return Fault("unsupported_schema", str(SCHEMA_VERSION), shown(version))
    if fields.get("sync_id") != key:
        return Fault("sync_id_mismatch", key, shown(fields.get("sync_id")))
    if not header.type:
        return Fault("unsupported_type", ", ".join(sorted(TYPES)), shown(fields.get("type")))
    if not header.action:
        return Fault("unsupported_action", ", ".join(sorted(ACTIONS)), shown(fields.get("action")))
    return None


def judge_sentinel(sentinel: bytes, sha256: str) -> Fault | None:
    """An empty sentinel says nothing; any other must hold the manifest's sha256."""
    text = sentinel.decode("ascii", "replace").strip()
    if not text:
        return None
    digest = parse_content_hash(text)
    if digest == sha256:
        return None
    found = digest or f"no sha256: {shown(text)}"
    return Fault("sentinel_hash_mismatch", sha256, found)


def _judge_promises(header: Header) -> Fault | None:
    """What the upstream says of its own work: that it is complete, verified, and how much it is."""
    status = header.fields.get("status")
    if status != "completed":
        return Fault("not_completed", "completed", shown(status))
    verification = header.fields.get("verification")
    if not isinstance(verification, dict) or verification.get("passed") is not True:
        found = verification.get("passed") if isinstance(verification, dict) else verification
        return Fault("verification_failed", "verification.passed = true", shown(found))
    if header.bytes > BYTES_MAX:
        return Fault("totals_mismatch", f"at most {BYTES_MAX} bytes", shown(header.bytes))
    for name, counted in (("items", header.items), ("bytes", header.bytes)):
        claimed = verification.get(name)
        if claimed is not None and (type(claimed) is not int or claimed != counted):
            return Fault("totals_mismatch", f"{shown(claimed)} {name}", f"{counted} {name}")
    return None


def is_kept(file: FileEntry) -> bool:
    """Whether a file is taken in at all: some derivatives never are (A16)."""
    return not is_withheld(file.role, file.variant, file.name)


def is_document(file: FileEntry) -> bool:
    """Whether a file becomes a row of its own, verbatim, instead of a stored file (A11, A12)."""
    return file.role in DOCUMENT_ROLES


def analysis_kind(file: FileEntry) -> str:
    """Which kind of analysis a `source_data` file is, by its name below `source/data` (A12)."""
    name = file.name.removeprefix("source/data/")
    return ANALYSIS_KINDS.get(name) or f"source_data:{name}"


def judge_asset(action: str, item: AssetItem) -> Fault | None:
    """What is wrong with an asset that is to be imported or updated, by what the manifest says."""
    may_be_left_out = action == "update" and "asset_type" not in item.given
    if item.asset_type not in ASSET_TYPES and not may_be_left_out:
        expected = ", ".join(sorted(ASSET_TYPES))
        return Fault("unsupported_type", expected, shown(item.asset_type), "asset_type")
    if item.asset_subtype == VIDEO_SIMPLE and item.asset_type not in {"video", None}:
        return Fault("unsupported_type", "video", item.asset_type, "asset_type")
    return _judge_documents(item) or _judge_content(item)


def _judge_documents(item: AssetItem) -> Fault | None:
    kinds: set[str] = set()
    for file in item.files:
        if not is_document(file):
            continue
        if file.size_bytes > DOCUMENT_BYTES_MAX:
            expected, found = f"at most {DOCUMENT_BYTES_MAX} bytes", f"{file.size_bytes} bytes"
            return Fault("document_too_large", expected, found, file.path)
        kind = analysis_kind(file) if file.role == "source_data" else "source"
        if len(kind) > ANALYSIS_KIND_CHARS_MAX:
            expected = f"at most {ANALYSIS_KIND_CHARS_MAX} characters"
            return Fault("path_too_long", expected, f"{len(kind)} characters", file.path)
        if kind in kinds:
            return Fault("manifest_shape", f"one document {kind}", "two", file.path)
        kinds.add(kind)
    return None


def _judge_content(item: AssetItem) -> Fault | None:
    originals = [file for file in item.files if file.role == "original"]
    if originals and not has_content(item):
        return Fault(
            "manifest_shape",
            f"sha256:{item.content_hash}, the sha256 of an original",
            f"sha256:{originals[0].sha256}",
            originals[0].path,
        )
    if has_content(item) and item.asset_subtype == VIDEO_SIMPLE and not item.duration_s:
        return Fault(
            "manifest_shape", "the duration of the video", shown(item.duration_s), "duration_s"
        )
    return None


def has_content(item: AssetItem) -> bool:
    """Whether the item brings the file that its content hash names.

    That is an original; a simple video's primary file may be one of its deliverables.
    """
    return any(
        file.sha256 == item.content_hash
        and (
            file.role == "original"
            or (item.asset_subtype == VIDEO_SIMPLE and not is_document(file) and is_kept(file))
        )
        for file in item.files
    )


def decide_asset(action: str, item: AssetItem, state: LibraryState) -> Verdict:
    """What to do with an asset whose files are in order, by what the library has of it (A5)."""
    if action == "remove":
        return _decide_removal(f"sha256:{item.content_hash}", state)
    creatable = has_content(item) and item.asset_type is not None
    if not state.known and not creatable:
        if action == "update":
            return _unknown_target(f"sha256:{item.content_hash}")
        fault = Fault("manifest_shape", "a file with the asset's content hash", "none", "files")
        return Verdict(Decision.REJECT, fault)
    return Verdict(_decide_present(state))


def decide_container(
    action: str, item: ContainerItem, state: LibraryState, unknown: Sequence[str]
) -> Verdict:
    """What to do with a container, by what the library has of it and of its members (A5, A14)."""
    if action == "remove":
        return _decide_removal(item.container_key, state)
    if unknown:
        shown_members = ", ".join(f"sha256:{member[:12]}…" for member in unknown[:3])
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        fault = Fault(
            "unknown_member",
            f"{len(item.members or ())} members that are in the bundle or in the library",
            f"{len(unknown)} unknown: {shown_members}{more}",
            item.container_key,
        )
        return Verdict(Decision.REJECT, fault)
    if item.members is None and not state.known:
        if action == "update":
            return _unknown_target(item.container_key)
        return Verdict(Decision.REJECT, Fault("manifest_shape", "a list", "none", "members"))
    return Verdict(_decide_present(state))


def _decide_removal(subject: str, state: LibraryState) -> Verdict:
    if not state.known:
        return _unknown_target(subject)
    return Verdict(Decision.UNCHANGED if state.deleted else Decision.REMOVE)


def _decide_present(state: LibraryState) -> Decision:
    if not state.known:
        return Decision.CREATE
    return Decision.UNCHANGED if state.same and not state.deleted else Decision.UPDATE


def _unknown_target(subject: str) -> Verdict:
    fault = Fault("unknown_target", "an entry of the library", "none", subject)
    return Verdict(Decision.REJECT, fault)
