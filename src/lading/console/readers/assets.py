"""One asset as its page and the API show it: its files, where it is shown, where it came from."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from lading.base.identifiers import parse_content_hash
from lading.console.media_rules import (
    BROWSER_FILMS,
    BROWSER_SOUNDS,
    PLAYLISTS,
    choose_preview,
    ending,
    file_url,
    present,
)
from lading.console.readers.import_queue import batch_url
from lading.console.readers.library import AssetCard, asset_cards
from lading.console.readers.thumbnails import asset_candidates
from lading.db import Database
from lading.ledger.batches import Batch, get_batches
from lading.ledger.queries import EventView, ItemView, item_view
from lading.ledger.tables import ingest_batch_item
from lading.library.browsing import AssetSort, Neighbours, neighbours
from lading.library.filters import AssetFilter, CoverState
from lading.library.known import UnknownAsset
from lading.library.named_in_ledger import events_naming
from lading.library.placements import asset_packages
from lading.library.queries import AssetView, Cover, KeptDocument, Membership, get_asset
from lading.library.sites import list_sites
from lading.library.tables import FileRole
from lading.library.values import FileFacts, FileRow
from lading.library.visibility import Route, explain

FILES_SHOWN: Final = 200
"""How many files of one role are listed; a long film has thousands of segments."""

TEXT_SHOWN: Final = 65_536
PARSED_BYTES_MAX: Final = 1_000_000
SOURCE_DATA: Final = "source_data:"

ROLE_WORDS: Final[Mapping[str, str]] = {
    FileRole.ORIGINAL: "Original",
    FileRole.SIDECAR: "Sidecars",
    FileRole.DERIVATIVE: "Derivatives",
    FileRole.STREAMING: "Streaming copy",
    FileRole.HLS: "Streaming (HLS)",
    FileRole.TRANSCRIPT: "Transcripts",
    FileRole.CLOUD_PACKAGE: "Cloud package",
    FileRole.LIBRARY_COVER: "Library cover",
    FileRole.COVER: "Cover",
}
"""The roles in the order in which a page lists them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLine:
    """One file. `url` is None where there is nothing to fetch; `in_place` names its source."""

    file: FileRow
    name: str
    content_type: str
    inline: bool
    url: str | None
    in_place: str | None

    @property
    def facts(self) -> FileFacts:
        """What it is."""
        return self.file.facts

    @property
    def download_url(self) -> str | None:
        """Where to save it from."""
        return None if self.url is None else f"{self.url}&download=1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileGroup:
    """The files of one role; `total` counts also those that are not listed."""

    role: str
    label: str
    files: Sequence[FileLine]
    total: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the page shows or plays; None where there is nothing of that kind."""

    picture_url: str | None = None
    film_url: str | None = None
    film_type: str | None = None
    sound_url: str | None = None
    playlist_url: str | None = None
    captions: Sequence[tuple[str, str]] = ()  # language or variant, address
    alt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentText:
    """A provenance document. `parsed` is None when it is no JSON or too long to be read here.

    `text` is its beginning, at most `TEXT_SHOWN` characters.
    """

    document: KeptDocument
    label: str
    parsed: Any
    text: str
    cut: bool
    size_bytes: int

    @property
    def is_source_data(self) -> bool:
        """Whether it is a file of a kind that nobody gave a name."""
        return (self.document.analysis_kind or "").startswith(SOURCE_DATA)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverView:
    """The cover an asset was given: whether it is here, and which asset or file it is."""

    state: CoverState
    cover_hash: str | None = None
    asset_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBy:
    """A site that sees the asset, and by which routes."""

    key: str
    name: str
    routes: Sequence[Route]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetDetail:
    """One asset with all that its page shows. `beside` is None unless a list was named."""

    card: AssetCard
    view: AssetView
    preview: Preview
    groups: Sequence[FileGroup]
    retired: Sequence[FileLine]
    memberships: Sequence[Membership]
    sites: Sequence[SeenBy]
    packages: Sequence[str]
    cover: CoverView
    source: DocumentText | None
    ai_runs: Sequence[DocumentText]
    batch: Batch | None
    item: ItemView | None
    history: Sequence[EventView]
    beside: Neighbours | None

    @property
    def batch_url(self) -> str | None:
        """The page of the batch that brought it first."""
        return batch_url(self.batch) if self.batch else None


def read_asset(
    db: Database,
    content_hash: str,
    *,
    within: AssetFilter | None = None,
    sort: AssetSort = AssetSort.NEWEST,
) -> AssetDetail:
    """One asset, in the trash or not; `within` is the list it was come from. `UnknownAsset`."""
    digest = parse_content_hash(content_hash)
    if digest is None:
        raise UnknownAsset("this is no content hash", subject=content_hash)
    with db.read() as conn:
        view = get_asset(conn, digest)
        [card] = asset_cards(conn, [view.asset])
        batch_id = view.asset.batch_id
        batch = None if batch_id is None else get_batches(conn, [batch_id]).get(batch_id)
        documents = ([view.source] if view.source else []) + list(view.ai_runs)
        return AssetDetail(
            card=card,
            view=view,
            preview=_preview(conn, view, card),
            groups=_groups(digest, view.files),
            retired=[_line(digest, file) for file in view.retired[:FILES_SHOWN]],
            memberships=view.memberships,
            sites=_seen_by(conn, card),
            packages=asset_packages(conn, digest),
            cover=_cover(view),
            source=None if view.source is None else _text(view.source, "source.json"),
            ai_runs=[_text(run, str(run.analysis_kind)) for run in view.ai_runs],
            batch=batch,
            item=_item(conn, batch, digest),
            history=events_naming(
                conn, digest, batch_id, *(document.batch_id for document in documents)
            ),
            beside=None if within is None else neighbours(conn, digest, within, sort=sort),
        )


def _groups(content_hash: str, files: Sequence[FileRow]) -> list[FileGroup]:
    by_role: defaultdict[str, list[FileRow]] = defaultdict(list)
    for file in files:
        by_role[file.facts.role].append(file)
    known = [role for role in ROLE_WORDS if role in by_role]
    return [
        FileGroup(
            role=str(role),
            label=ROLE_WORDS.get(role, str(role)),
            files=[_line(content_hash, file) for file in by_role[role][:FILES_SHOWN]],
            total=len(by_role[role]),
            bytes=sum(file.facts.size_bytes for file in by_role[role]),
        )
        for role in [*known, *sorted(by_role.keys() - set(known))]
    ]


def _line(content_hash: str, file: FileRow) -> FileLine:
    facts = file.facts
    shown = present(facts.media_type, facts.path)
    return FileLine(
        file=file,
        name=facts.path.rpartition("/")[2],
        content_type=shown.content_type,
        inline=shown.inline,
        url=None if file.deleted else file_url(content_hash, facts.path, facts.content_version),
        in_place=facts.store.partition(":")[2] or None,
    )


def _preview(conn: Connection, view: AssetView, card: AssetCard) -> Preview:
    """The picture, and what plays: an original that browsers know goes before its playlist."""
    digest = card.content_hash
    picture = choose_preview(asset_candidates(conn, view.asset.id), card.thumbnail.candidate)

    def first(types: frozenset[str], *roles: FileRole) -> FileFacts | None:
        found = (
            file.facts
            for role in roles
            for file in view.files
            if file.facts.role == role
            and present(file.facts.media_type, file.facts.path).content_type in types
        )
        return next(found, None)

    film = first(BROWSER_FILMS, FileRole.STREAMING, FileRole.DERIVATIVE, FileRole.ORIGINAL)
    sound = first(BROWSER_SOUNDS, FileRole.STREAMING, FileRole.DERIVATIVE, FileRole.ORIGINAL)
    playlist = first(PLAYLISTS, FileRole.HLS)
    captions = [
        (f.facts.variant or "transcript", file_url(digest, f.facts.path, f.facts.content_version))
        for f in view.files
        if f.facts.role == FileRole.TRANSCRIPT and ending(f.facts.path) == "vtt"
    ]

    def url(facts: FileFacts | None) -> str | None:
        return None if facts is None else file_url(digest, facts.path, facts.content_version)

    return Preview(
        picture_url=None
        if picture is None
        else file_url(picture.content_hash, picture.path, picture.sha256),
        film_url=url(film),
        film_type=None if film is None else present(film.media_type, film.path).content_type,
        sound_url=url(sound) if film is None else None,
        playlist_url=url(playlist),
        captions=captions,
        alt=card.alt,
    )


def _seen_by(conn: Connection, card: AssetCard) -> list[SeenBy]:
    if not card.sites:
        return []
    names = {site.key: site.name for site in list_sites(conn)}
    return [
        SeenBy(key=key, name=names[key], routes=explain(conn, key, card.content_hash).routes)
        for key in card.sites
    ]


def _cover(view: AssetView) -> CoverView:
    cover: Cover | None = view.cover
    own = {FileRole.COVER.value, FileRole.LIBRARY_COVER.value}
    if cover is None:
        here = any(file.facts.role in own for file in view.files)
        return CoverView(state=CoverState.PRESENT if here else CoverState.NONE)
    awaited = cover.file_id is None and cover.asset_id is None
    return CoverView(
        state=CoverState.AWAITED if awaited else CoverState.PRESENT,
        cover_hash=cover.cover_hash,
        asset_hash=cover.cover_hash if cover.asset_id is not None else None,
    )


def _text(document: KeptDocument, label: str) -> DocumentText:
    body = document.body
    text = body[: TEXT_SHOWN * 4].decode(errors="replace")
    parsed = None
    if len(body) <= PARSED_BYTES_MAX:
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            parsed = None
    return DocumentText(
        document=document,
        label=label,
        parsed=parsed,
        text=text[:TEXT_SHOWN],
        cut=len(text) > TEXT_SHOWN or len(body) > TEXT_SHOWN * 4,
        size_bytes=len(body),
    )


def _item(conn: Connection, batch: Batch | None, content_hash: str) -> ItemView | None:
    """The item of the batch that the asset came from, in the newest revision."""
    if batch is None:
        return None
    item = ingest_batch_item.c
    row = conn.execute(
        select(ingest_batch_item)
        .where(
            item.batch_id == batch.id,
            item.revision == batch.revision,
            item.content_hash == content_hash,
        )
        .order_by(item.seq)
        .limit(1)
    ).one_or_none()
    return None if row is None else item_view(row)
