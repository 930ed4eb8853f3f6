"""Which assets and containers a list shows, as conditions on `asset` and on container tables.

Lists, counts, facets and selections all take their conditions here, so that a count is always
the length of its list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, false, func, literal, or_, select

from lading.base.identifiers import parse_content_hash
from lading.library.known import ASSET_OWNER
from lading.library.people_assets import shows_person
from lading.library.photo_companions import is_companion
from lading.library.photo_timeline import in_timeline
from lading.library.routes import all_ways, container_grants
from lading.library.tables import (
    CONTAINERS,
    ContainerKind,
    FileRole,
    asset,
    asset_cover,
    asset_file,
    photo,
    site,
)

HASH_PREFIX_MIN: Final = 6
WORDS_MAX: Final = 8
_BEYOND_HEX: Final = "g"
_SHA256_LENGTH: Final = 64
_HEX: Final = re.compile(r"(?:sha256:)?([0-9a-f]+)", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\s_./()\[\],:;-]+")
_BREAKS: Final = ("-", "_", "(", ".", "/", "\n")
"""What a word of a title may begin after, beside a space."""


class CoverState(StrEnum):
    """Whether an asset has a cover of its own."""

    PRESENT = "present"
    AWAITED = "awaited"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFilter:
    """Which assets a list shows; what is empty or None narrows nothing.

    `deleted`: only those in the trash, only the others, or all. `site` is the key of a site that
    sees them. `q` is words of a title, the beginning of a content hash, or the name of a file.
    `beside`: only the RAWs and films that belong to a picture, or none of them. `taken` is a part
    of the timeline of photos, and matches what it shows. `camera` is a model, or the make where
    a photo states no model, as `list_cameras` names them. `person` is the number of somebody whom
    people confirmed to be in them, and means everybody who was merged with them.
    """

    types: Sequence[str] = ()
    subtypes: Sequence[str] = ()
    q: str | None = None
    site: str | None = None
    batch_id: int | None = None
    has_transcript: bool | None = None
    has_hls: bool | None = None
    beside: bool | None = None
    cover: CoverState | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    deleted: bool | None = False
    taken: str | None = None
    camera: str | None = None
    person: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFilter:
    """Which containers a list shows; `q` is words of a title, or the beginning of a key."""

    q: str | None = None
    site: str | None = None
    batch_id: int | None = None
    deleted: bool | None = False


@dataclass(frozen=True, slots=True)
class Search:
    """What someone typed into the search field, as what it may mean; all of `words` must match."""

    words: Sequence[str] = ()
    hash_prefix: str | None = None
    file_name: str | None = None


def parse_search(text: str | None) -> Search:
    """What `text` may mean: words always, the beginning of a hash or a file name where it can."""
    typed = (text or "").replace("\0", "").strip()
    if not typed:
        return Search()
    hexadecimal = _HEX.fullmatch(typed)
    digits = hexadecimal.group(1).lower() if hexadecimal else ""
    is_name = len(typed.split()) == 1 and ("." in typed or "/" in typed)
    return Search(
        words=tuple(_WORD.findall(typed)[:WORDS_MAX]),
        hash_prefix=digits if HASH_PREFIX_MIN <= len(digits) <= _SHA256_LENGTH else None,
        file_name=typed.lstrip("/") or None if is_name else None,
    )


def asset_conditions(conn: Connection, filters: AssetFilter) -> list[ColumnElement[bool]]:
    """The conditions on `asset`, all of which must hold. An unknown site sees nothing.

    Who is one with a person is asked of the database now.
    """
    found = _column_conditions(filters)
    for role, wanted in (
        (FileRole.TRANSCRIPT, filters.has_transcript),
        (FileRole.HLS, filters.has_hls),
    ):
        if wanted is not None:
            found.append(_has_file(role) if wanted else ~_has_file(role))
    if filters.beside is not None:
        found.append(is_companion() if filters.beside else ~is_companion())
    if filters.cover is not None:
        found.append(_cover_condition(filters.cover))
    if filters.q and filters.q.strip():
        found.append(_search_condition(parse_search(filters.q)))
    if filters.taken is not None:
        found.append(in_timeline(filters.taken))
    if filters.camera is not None:
        found.append(_taken_with(filters.camera))
    if filters.person is not None:
        found.append(shows_person(conn, filters.person))
    if filters.site is not None:
        found += [asset.c.deleted_at.is_(None), _seen_by(filters.site)]
    return found


def container_conditions(
    kind: ContainerKind, filters: ContainerFilter
) -> list[ColumnElement[bool]]:
    """The conditions on the table of containers of this kind, all of which must hold."""
    container, _ = CONTAINERS[kind]
    found: list[ColumnElement[bool]] = []
    if filters.batch_id is not None:
        found.append(container.c.batch_id == filters.batch_id)
    if filters.deleted is not None:
        gone = container.c.deleted_at
        found.append(gone.is_not(None) if filters.deleted else gone.is_(None))
    if filters.q and filters.q.strip():
        search = parse_search(filters.q)
        begins = container.c.key.startswith(filters.q.strip().replace("\0", ""), autoescape=True)
        found.append(or_(begins, _words_condition(container.c.title, search.words)))
    if filters.site is not None:
        site_id: Any = _site_id(filters.site)
        grants = container_grants(site_id, kind).values()
        found.append(or_(*(grant.exists(container.c.id) for grant in grants)))
    return found


def _column_conditions(filters: AssetFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    column = asset.c
    if filters.types:
        found.append(column.asset_type.in_(sorted(set(filters.types))))
    if filters.subtypes:
        found.append(column.asset_subtype.in_(sorted(set(filters.subtypes))))
    if filters.batch_id is not None:
        found.append(column.batch_id == filters.batch_id)
    if filters.created_after is not None:
        found.append(column.created_at >= filters.created_after)
    if filters.created_before is not None:
        found.append(column.created_at < filters.created_before)
    if filters.deleted is not None:
        gone = column.deleted_at
        found.append(gone.is_not(None) if filters.deleted else gone.is_(None))
    return found


def _site_id(key: str) -> Any:
    return select(site.c.id).where(site.c.key == key).scalar_subquery()


def _seen_by(key: str) -> ColumnElement[bool]:
    return or_(*(way.exists() for way in all_ways(_site_id(key))))


def _has_file(role: FileRole) -> ColumnElement[bool]:
    return (
        select(literal(1))
        .select_from(asset_file)
        .where(
            asset_file.c.asset_id == asset.c.id,
            asset_file.c.role == role.value,
            asset_file.c.deleted_at.is_(None),
        )
        .correlate(asset)
        .exists()
    )


def _taken_with(camera: str) -> ColumnElement[bool]:
    model, make = photo.c.camera_model, photo.c.camera_make
    stated = or_(model == camera, and_(model.is_(None), make == camera))
    # Not correlated: each planner then walks the index of cameras, or the list where it is shorter.
    return asset.c.id.in_(select(photo.c.asset_id).where(stated))


def _cover_condition(state: CoverState) -> ColumnElement[bool]:
    """A cover is what a bundle named by its hash, or a file that is one by its role."""
    named = (
        select(literal(1))
        .select_from(asset_cover)
        .where(asset_cover.c.owner_kind == ASSET_OWNER, asset_cover.c.owner_id == asset.c.id)
    )
    resolved = asset_cover.c.file_id.is_not(None) | asset_cover.c.cover_asset_id.is_not(None)
    here = or_(
        named.where(resolved).correlate(asset).exists(),
        _has_file(FileRole.LIBRARY_COVER),
        _has_file(FileRole.COVER),
    )
    awaited = named.where(~resolved).correlate(asset).exists()
    match state:
        case CoverState.PRESENT:
            return here
        case CoverState.AWAITED:
            return awaited
        case CoverState.NONE:
            return ~here & ~awaited


def _search_condition(search: Search) -> ColumnElement[bool]:
    ways = [_words_condition(asset.c.title, search.words)]
    if search.hash_prefix is not None:
        # A range, which every planner walks the unique index for.
        first = search.hash_prefix
        ways.append(asset.c.content_hash.between(first, first + _BEYOND_HEX))
        digest = parse_content_hash(first)
        if digest is not None:
            named = select(asset_file.c.asset_id).where(asset_file.c.sha256 == digest)
            ways.append(asset.c.id.in_(named))
    if search.file_name is not None:
        path = asset_file.c.path
        name = search.file_name
        named_so = (path == name) | path.endswith(f"/{name}", autoescape=True)
        ways.append(
            select(literal(1))
            .select_from(asset_file)
            .where(asset_file.c.asset_id == asset.c.id, named_so)
            .correlate(asset)
            .exists()
        )
    return or_(*ways)


def _words_condition(title: Any, words: Sequence[str]) -> ColumnElement[bool]:
    """That each of `words` begins a word of the title, in whatever case."""
    if not words:
        return false()
    plain: Any = func.coalesce(title, "")
    for mark in _BREAKS:
        plain = func.replace(plain, mark, " ")
    plain = literal(" ").concat(plain)
    return and_(
        # That a title holds the words at all is asked first: it is many times cheaper, and true of
        # few. No word has a mark in it that is replaced.
        *(_holds(func.coalesce(title, ""), word) for word in words),
        *(_holds(plain, f" {word}") for word in words),
    )


def _holds(text: Any, part: str) -> ColumnElement[bool]:
    # SQLite lowers ASCII alone, so what was typed counts as it is as well.
    return or_(
        func.lower(text).contains(part.lower(), autoescape=True),
        text.contains(part, autoescape=True),
    )
