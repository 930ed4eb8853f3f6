"""Photos by time, place, folder and likeness, and deciding about those that look alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from lading.accounts.values import Caller, Permission
from lading.console.actions.photos import MEMBERS_MAX, Decided, Unstacked, decide_alike, unstack
from lading.console.actions.photos_folders import (
    FacesAsked,
    FolderScanAsked,
    look_for_faces,
    scan_folder,
)
from lading.console.answers import Many, many
from lading.console.api.assets import AssetItem, asset_item
from lading.console.api.conventions import (
    BASE,
    Body,
    Cursor,
    Done,
    DryRun,
    Limit,
    Name,
    Word,
    also,
    creates,
    one_of,
    reads,
    rehearsed,
)
from lading.console.parts import Console
from lading.console.readers.photo_decisions import (
    Correction,
    photo_id,
    read_correction,
    read_stack,
)
from lading.console.readers.photo_facts import SidecarLine, read_sidecars
from lading.console.readers.photos import Timeline, read_photos, read_timeline
from lading.console.readers.photos_alike import (
    Alike,
    DecidedLine,
    GroupLine,
    SameLine,
    read_decided,
    read_groups,
    read_same,
)
from lading.console.readers.photos_folders import FolderLine, read_folder, read_roots
from lading.console.readers.photos_places import ZOOM_MAX, Area, read_places
from lading.ledger.queries import ItemView
from lading.ledger.states import BatchState
from lading.library.photo_timeline import parse_on

TAG: Final = "photos"
FolderPath = Annotated[str, msgspec.Meta(min_length=1, max_length=4_096, pattern="^[^\\x00]*$")]
KINDS: Final = ("alike", "same", "decided")

Zoom = Annotated[
    int | None, QueryParameter(ge=0, le=ZOOM_MAX, description="How fine the grid is; 0 is 30°.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaItem:
    """A part of the world in degrees; one across the 180th meridian has a west above its east."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterItem:
    """Photos that lie together: their middle in degrees, what surrounds them, and one of them."""

    count: int
    latitude: float
    longitude: float
    area: AreaItem
    first: datetime | None
    last: datetime | None
    photo: AssetItem


@dataclass(frozen=True, slots=True, kw_only=True)
class ClustersAnswer:
    """The clusters of an area, the largest first. `cut`: there are more than are given."""

    area: AreaItem
    zoom: int
    clusters: Sequence[ClusterItem]
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderItem:
    """A folder; `photos`, `folders` and `failed` count what is in it and below.

    `path` begins with its source. Without pictures of its own it is no batch.
    """

    path: str
    name: str
    photos: int
    folders: int
    failed: int
    batch_id: int | None
    state: BatchState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldersAnswer:
    """The folders in a folder, the first photos right in it, and what was not taken in of it.

    `dangling` are the first of the files that are in the library and were not seen there.
    """

    folder: FolderItem | None
    folders: Sequence[FolderItem]
    photos: Sequence[AssetItem]
    next: str | None
    prev: str | None
    spoiled: Sequence[ItemView]
    dangling: Sequence[str] = ()
    dangling_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberItem:
    """One photo of a group. `bits` of its look differ from those of the recommended one."""

    photo: AssetItem
    bits: int | None = None
    differences: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateItem:
    """Photos that look alike, one that lies at several `places`, or what was decided about some.

    `content_hashes` names all of a group, `members` the first; `keep` is recommended, or was kept.
    A stack `stands` until it is taken apart or made anew.
    """

    content_hashes: Sequence[str]
    members: Sequence[MemberItem]
    keep: str | None = None
    why: str | None = None
    burst: bool = False
    places: Sequence[str] = ()
    decision: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    operation: str | None = None
    stands: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoDecisions:
    """What people decided about a photo, and what its sidecars say, the most trusted first.

    `stack` has the top first, and is empty without one.
    """

    correction: Correction | None
    stack: Sequence[AssetItem]
    sidecars: Sequence[SidecarLine]


class DecisionBody(Body, frozen=True):
    """What shall become of photos that look alike; `keep` is the one that stays, or is on top."""

    content_hashes: Annotated[list[Name], msgspec.Meta(max_length=MEMBERS_MAX)]
    decision: Literal["keep_all", "stack", "trash_others"]
    keep: Name | None = None


class FolderBody(Body, frozen=True):
    """A folder of photos; its path begins with the name of its source."""

    path: FolderPath


class FolderScanBody(FolderBody, frozen=True):
    """`accept_root` lets the missing-mount guard pass for this folder."""

    accept_root: bool = False


def routes() -> list[HTTPRouteHandler]:
    """The four ways to look at photos, deciding, and what was decided about one."""
    return [
        timeline,
        list_of_photos,
        clusters,
        folders,
        scan_one_folder,
        look_for_faces_here,
        duplicates,
        decide,
        decisions,
        take_apart,
    ]


@reads("/photos/timeline", "How many photos were taken in each year and month", tag=TAG)
def timeline(console: NamedDependency[Console]) -> Timeline:
    """By the clock of where each was taken; those without a believable time are counted apart."""
    return read_timeline(console.lading.db)


@reads("/photos", "The photos of a year, month or day, the last taken first", tag=TAG)
def list_of_photos(
    console: NamedDependency[Console],
    *,
    on: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Many[AssetItem]:
    """`on` is 2024, 2024-07, 2024-07-03, undated or clock; without it, the newest month."""
    db = console.lading.db
    chosen = parse_on(on) if on else read_timeline(db).newest
    found = read_photos(db, chosen, cursor=cursor or None, limit=limit)
    return many([asset_item(card) for card in found.cards], found, found.count)


@reads("/photos/clusters", "Where photos were taken, on a grid", tag=TAG)
def clusters(
    console: NamedDependency[Console], *, bbox: Word = None, z: Zoom = None
) -> ClustersAnswer:
    """`bbox` is west,south,east,north in degrees; without `z` the grid fits the area."""
    found = read_places(console.lading.db, Area.parse(bbox) if bbox else Area(), z)
    return ClustersAnswer(
        area=_area(found.area),
        zoom=found.zoom,
        clusters=[
            ClusterItem(
                count=each.count,
                latitude=each.latitude,
                longitude=each.longitude,
                area=_area(each.area),
                first=each.first,
                last=each.last,
                photo=asset_item(each.card),
            )
            for each in found.clusters
        ],
        cut=found.cut,
    )


@reads("/photos/folders", "A folder of photos, or the sources there are", tag=TAG)
def folders(
    console: NamedDependency[Console],
    *,
    path: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> FoldersAnswer:
    """`path` begins with the name of a source; without it, each source is a folder."""
    if not path:
        roots = [_folder(line.name, line) for line, _ in read_roots(console)]
        return FoldersAnswer(
            folder=None, folders=roots, photos=[], next=None, prev=None, spoiled=[]
        )
    found = read_folder(console, path, cursor=cursor or None, limit=limit)
    return FoldersAnswer(
        folder=_folder(found.source, found.own),
        folders=[_folder(found.source, line) for line in found.folders],
        photos=[asset_item(card) for card in found.photos.cards],
        next=found.photos.next_cursor,
        prev=found.photos.prev_cursor,
        spoiled=found.spoiled,
        dangling=found.state.dangling.files if found.state.dangling else (),
        dangling_count=found.state.dangling.count if found.state.dangling else 0,
    )


@creates(
    "/photos/folders/scan",
    "Have a worker scan a folder and what is below it",
    tag=TAG,
    permission=Permission.OPERATE,
    status_code=202,
    responses=also(200, Done[FolderScanAsked], "A dry run: nothing was asked for."),
)
def scan_one_folder(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[FolderScanBody],
    *,
    dry_run: DryRun = False,
) -> Response[Done[FolderScanAsked]]:
    """What it misses stays in the library until the whole source is scanned: it may have moved."""
    with rehearsed(dry_run):
        asked = scan_folder(console, caller, data.path, accept_root=data.accept_root)
    result = FolderScanAsked(path=asked.path, job_id=None if dry_run else asked.job_id)
    return Response(
        Done(dry_run=dry_run, result=result),
        status_code=200 if dry_run else 202,
        headers={} if dry_run else {"Location": f"{BASE}/jobs/{asked.job_id}"},
    )


@creates(
    "/photos/folders/faces",
    "Have faces looked for in a folder",
    tag=TAG,
    permission=Permission.OPERATE,
)
def look_for_faces_here(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[FolderBody],
    *,
    dry_run: DryRun = False,
) -> Done[FacesAsked]:
    """In the photos right in it; nothing is put in line where all were searched already."""
    with rehearsed(dry_run):
        asked = look_for_faces(console, caller, data.path)
    return Done(dry_run=dry_run, result=asked)


@reads("/photos/duplicates", "Photos that look alike or lie at several places", tag=TAG)
def duplicates(
    console: NamedDependency[Console],
    *,
    kind: Word = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Many[DuplicateItem]:
    """`kind` is alike (what nobody decided about), same (byte for byte) or decided."""
    match one_of("kind", kind or KINDS[0], KINDS):
        case "same":
            same = read_same(console.lading.db, cursor=cursor or None, limit=limit)
            return many([_same(line) for line in same.lines], same.page, same.page.count)
        case "decided":
            decided = read_decided(console, cursor=cursor or None, limit=limit)
            return many([_decided(line) for line in decided.lines], decided, decided.count)
        case _:
            groups = read_groups(console, cursor=cursor or None, limit=limit)
            return many([_group(line) for line in groups.groups], groups, groups.count)


@creates(
    "/photos/duplicates/decisions",
    "Decide about photos that look alike",
    tag=TAG,
    permission=Permission.OPERATE,
)
def decide(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[DecisionBody],
    *,
    dry_run: DryRun = False,
) -> Done[Decided]:
    """With trash_others an operation puts all but one in the trash, with stack they are folded.

    No file is touched.
    """
    result = decide_alike(
        console,
        caller,
        data.content_hashes,
        decision=data.decision,
        keep=data.keep,
        dry_run=dry_run,
    )
    return Done(dry_run=dry_run, result=result)


@reads(
    "/photos/{content_hash:str}/decisions",
    "When people and sidecars say a photo was taken, and its stack",
    tag=TAG,
)
def decisions(console: NamedDependency[Console], content_hash: FromPath[str]) -> PhotoDecisions:
    """The correction that counts with what the file says, the photos stacked with it, and
    each sidecar with whether its time and place count.
    """
    found = photo_id(console.lading.db, content_hash)
    stack = read_stack(console.lading.db, found)
    return PhotoDecisions(
        correction=read_correction(console.lading.db, found),
        stack=[asset_item(card) for card in stack.cards] if stack else [],
        sidecars=read_sidecars(console.lading.db, found),
    )


@creates(
    "/photos/{content_hash:str}/unstack",
    "Take apart the stack that a photo is in",
    tag=TAG,
    permission=Permission.OPERATE,
)
def take_apart(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    content_hash: FromPath[str],
    *,
    dry_run: DryRun = False,
) -> Done[Unstacked]:
    """Each of its photos is shown by itself again."""
    return Done(dry_run=dry_run, result=unstack(console, caller, content_hash, dry_run=dry_run))


def _area(area: Area) -> AreaItem:
    return AreaItem(west=area.west, south=area.south, east=area.east, north=area.north)


def _folder(source: str, line: FolderLine) -> FolderItem:
    return FolderItem(
        path=f"{source}/{line.path}" if line.path else source,
        name=line.name,
        photos=line.photos,
        folders=line.folders,
        failed=line.failed,
        batch_id=line.batch.id if line.batch else None,
        state=line.batch.state if line.batch else None,
    )


def _group(line: GroupLine) -> DuplicateItem:
    return DuplicateItem(
        content_hashes=line.hashes,
        members=[_member(each) for each in line.members],
        keep=line.keep.content_hash,
        why=line.why,
        burst=line.burst,
    )


def _member(each: Alike) -> MemberItem:
    return MemberItem(photo=asset_item(each.card), bits=each.bits, differences=each.differences)


def _same(line: SameLine) -> DuplicateItem:
    return DuplicateItem(
        content_hashes=[line.card.content_hash],
        members=[MemberItem(photo=asset_item(line.card))],
        places=line.places,
    )


def _decided(line: DecidedLine) -> DuplicateItem:
    decision = line.decision
    return DuplicateItem(
        content_hashes=sorted(decision.hashes),
        members=[MemberItem(photo=asset_item(card)) for card in line.cards],
        keep=decision.kept,
        decision=decision.decision,
        decided_by=decision.actor,
        decided_at=decision.at,
        operation=decision.operation,
        stands=decision.stands,
    )
