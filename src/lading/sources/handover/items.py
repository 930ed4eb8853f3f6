"""The shape of a manifest's items: plain values out of JSON, or a `BadItem` with what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from lading.base.identifiers import parse_content_hash
from lading.sources.handover.fields import (
    CODE_CHARS_MAX,
    NAME_CHARS_MAX,
    PATH_BYTES_MAX,
    TITLE_CHARS_MAX,
    Misshapen,
    check_detail,
    check_path,
    count_of,
    hash_of,
    instant_of,
    name_of,
    seconds_of,
    text_of,
    word_of,
)

PIXELS_MAX: Final = 2**31 - 1
FILE_BYTES_MAX: Final = 2**53

ROLES: Final = frozenset(
    {
        "original",
        "derivative",
        "hls",
        "transcript",
        "cloud_package",
        "library_cover",
        "cover",
        "source",
        "source_data",
    }
)
CONTAINER_TYPES: Final = frozenset({"gallery", "collection", "event"})

_ASSET_FIELDS: Final = frozenset(
    [
        "item_id",
        "kind",
        "asset_type",
        "asset_subtype",
        "content_hash",
        "title",
        "captured_at",
        "width",
        "height",
        "duration_s",
        "path",
        "cover_hash",
        "files",
    ]
)
_CONTAINER_FIELDS: Final = frozenset(
    ["item_id", "kind", "container_type", "container_key", "title", "cover_hash", "members"]
)
_FILE_FIELDS: Final = frozenset(["path", "role", "variant", "bytes", "sha256", "media_type"])


class FileEntry(NamedTuple):
    """One file of an asset. `path` is below the root, `name` as the manifest has it."""

    path: str
    name: str
    role: str
    variant: str | None
    size_bytes: int
    sha256: str
    media_type: str | None


@dataclass(frozen=True, slots=True)
class AssetItem:
    """An asset as the manifest gives it.

    `detail` holds the fields that Lading has no place for; `given` names all fields that the
    manifest has, since an update leaves alone what it does not mention.
    """

    item_id: str
    content_hash: str
    asset_type: str | None
    asset_subtype: str | None
    title: str | None
    captured_at: datetime | None
    captured_offset_min: int | None
    width: int | None
    height: int | None
    duration_s: float | None
    cover_hash: str | None
    files: tuple[FileEntry, ...]
    detail: Mapping[str, Any]
    given: frozenset[str]


@dataclass(frozen=True, slots=True)
class ContainerItem:
    """A gallery, collection or event. `members` are content hashes in order, None when not given.

    `given` names the fields that the manifest has, as for assets.
    """

    item_id: str
    container_type: str
    container_key: str
    title: str | None
    cover_hash: str | None
    members: tuple[str, ...] | None
    detail: Mapping[str, Any]
    given: frozenset[str]


@dataclass(frozen=True, slots=True)
class BadItem:
    """An item that is not as the format asks: `field` was to be `expected` and is `found`."""

    key: str
    kind: str
    content_hash: str | None
    code: str
    field: str
    expected: str
    found: str


def parse_item(number: int, value: object) -> AssetItem | ContainerItem | BadItem:
    """Item `number` (counted from 0) of the manifest, or what is wrong with its shape."""
    try:
        if not isinstance(value, dict):
            raise Misshapen("item", "an object", value)
        kind = value.get("kind")
        if kind == "asset":
            return _asset(value)
        if kind == "container":
            return _container(value)
        if not isinstance(kind, str):
            raise Misshapen("kind", "asset or container", kind)
        raise Misshapen("kind", "asset or container", kind, code="unsupported_type")
    except Misshapen as fault:
        return _bad(number, value, fault)


def kind_of(value: object) -> str:
    """`asset`, `container` or `unknown`, without looking further."""
    kind = value.get("kind") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) and kind in {"asset", "container"} else "unknown"


def _bad(number: int, value: object, fault: Misshapen) -> BadItem:
    fields: dict[str, Any] = value if isinstance(value, dict) else {}
    try:
        key = name_of(fields, "item_id")
    except Misshapen:
        key = f"#{number}"
    kind = kind_of(value)
    container_type = fields.get("container_type")
    if kind == "container" and isinstance(container_type, str):
        kind = container_type if container_type in CONTAINER_TYPES else kind
    content_hash = parse_content_hash(fields.get("content_hash")) if kind == "asset" else None
    return BadItem(key, kind, content_hash, fault.code, fault.field, fault.expected, fault.found)


def _asset(fields: dict[str, Any]) -> AssetItem:
    item_id = name_of(fields, "item_id")
    content_hash = hash_of(fields, "content_hash")
    if content_hash is None:
        raise Misshapen("content_hash", "sha256:<64 hex digits>", fields.get("content_hash"))
    captured_at, offset_min = instant_of(fields, "captured_at")
    files, files_detail = _files(fields)
    detail = {name: value for name, value in fields.items() if name not in _ASSET_FIELDS}
    if files_detail:
        detail["files"] = files_detail
    check_detail(detail)
    return AssetItem(
        item_id=item_id,
        content_hash=content_hash,
        asset_type=word_of(fields, "asset_type"),
        asset_subtype=word_of(fields, "asset_subtype"),
        title=text_of(fields, "title", chars_max=TITLE_CHARS_MAX),
        captured_at=captured_at,
        captured_offset_min=offset_min,
        width=count_of(fields, "width", PIXELS_MAX),
        height=count_of(fields, "height", PIXELS_MAX),
        duration_s=seconds_of(fields, "duration_s"),
        cover_hash=hash_of(fields, "cover_hash"),
        files=files,
        detail=detail,
        given=frozenset(fields),
    )


def _container(fields: dict[str, Any]) -> ContainerItem:
    item_id = name_of(fields, "item_id")
    container_type = word_of(fields, "container_type")
    if container_type not in CONTAINER_TYPES:
        code = "manifest_shape" if container_type is None else "unsupported_type"
        raise Misshapen("container_type", "gallery, collection or event", container_type, code=code)
    detail = {name: value for name, value in fields.items() if name not in _CONTAINER_FIELDS}
    check_detail(detail)
    return ContainerItem(
        item_id=item_id,
        container_type=container_type,
        container_key=name_of(fields, "container_key"),
        title=text_of(fields, "title", chars_max=TITLE_CHARS_MAX),
        cover_hash=hash_of(fields, "cover_hash"),
        members=_members(fields),
        detail=detail,
        given=frozenset(fields),
    )


def _members(fields: dict[str, Any]) -> tuple[str, ...] | None:
    members = fields.get("members")
    if members is None:
        return None
    if not isinstance(members, list):
        raise Misshapen("members", "a list of content hashes", members)
    parsed: list[str] = []
    for index, member in enumerate(members):
        digest = parse_content_hash(member)
        if digest is None:
            raise Misshapen(f"members[{index}]", "sha256:<64 hex digits>", member)
        parsed.append(digest)
    return tuple(parsed)


def _files(fields: dict[str, Any]) -> tuple[tuple[FileEntry, ...], dict[str, Any]]:
    """The files, and by name whatever they carry beyond the known fields."""
    listed = fields.get("files")
    if listed is None:
        return (), {}
    if not isinstance(listed, list):
        raise Misshapen("files", "a list", listed)
    folder = _folder(fields) if listed else ""
    files: list[FileEntry] = []
    detail: dict[str, Any] = {}
    names: set[str] = set()
    for index, value in enumerate(listed):
        where = f"files[{index}]"
        if not isinstance(value, dict):
            raise Misshapen(where, "an object", value)
        entry = _file(value, where, folder)
        if entry.name in names:
            raise Misshapen(f"{where}.path", "each path once", entry.name)
        names.add(entry.name)
        files.append(entry)
        if not value.keys() <= _FILE_FIELDS:
            detail[entry.name] = {k: v for k, v in value.items() if k not in _FILE_FIELDS}
    return tuple(files), detail


def _file(fields: dict[str, Any], where: str, folder: str) -> FileEntry:
    role = fields.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise Misshapen(f"{where}.role", "one of " + ", ".join(sorted(ROLES)), role)
    size_bytes = fields.get("bytes")
    if type(size_bytes) is not int or not 0 <= size_bytes <= FILE_BYTES_MAX:
        raise Misshapen(f"{where}.bytes", f"a number from 0 to {FILE_BYTES_MAX}", size_bytes)
    sha256 = parse_content_hash(fields.get("sha256"))
    if sha256 is None:
        raise Misshapen(f"{where}.sha256", "64 hex digits", fields.get("sha256"))
    variant = None
    if fields.get("variant") is not None:
        variant = name_of(fields, "variant", chars_max=CODE_CHARS_MAX, where=where)
    name = check_path(fields.get("path"), f"{where}.path")
    path = folder + name
    if len(path.encode()) > PATH_BYTES_MAX:
        raise Misshapen(
            f"{where}.path", f"at most {PATH_BYTES_MAX} bytes", path, code="path_too_long"
        )
    media_type = text_of(fields, "media_type", chars_max=NAME_CHARS_MAX, where=where)
    return FileEntry(path, name, role, variant, size_bytes, sha256, media_type)


def _folder(fields: dict[str, Any]) -> str:
    path = fields.get("path")
    if isinstance(path, str) and len(path) > 1:
        path = path.removesuffix("/")
    return check_path(path, "path") + "/"
