"""Sorting photos: where each file would be moved, runs and their moves, and taking back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from lading.accounts.values import Caller, Permission
from lading.console.actions.photos_sorting import (
    preview_sorting,
    start_sorting,
    undo_sorting,
    wanted_of,
)
from lading.console.answers import EXPORT_PAGE, Many, export, many
from lading.console.api.conventions import (
    BASE,
    Body,
    Cursor,
    DryRun,
    Export,
    Form,
    Limit,
    Name,
    States,
    Text,
    Word,
    also,
    asked,
    creates,
    one_of,
    reads,
    require_beginning,
)
from lading.console.listing import Field
from lading.console.parts import Console
from lading.console.readers.photos_sorting import SortLine, read_moves, read_sort, read_sorts
from lading.console.sorting_words import preview_sentence, run_sentence
from lading.db.counting import Count
from lading.sorting.previews import Preview, PreviewLine, PreviewState, Show
from lading.sorting.values import Move, MoveState, RunState, SortRun, Wanted

TAG: Final = "photos"
WAIT_S: Final = 10.0
"""So long an answer waits for a preview; then it says how far it is, and may be asked for again."""
STATES: Final = (Field("state", "State", {state.value: state.value for state in MoveState}),)

Aside = Annotated[
    bool, QueryParameter(description="Whether copies of what is at its place already are moved.")
]
ShownOnly = Annotated[
    str | None, QueryParameter(description=f"Only these files: {', '.join(Show)}.")
]
Photo = Annotated[
    str | None, QueryParameter(description="Only the file of this path and what goes with it.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SortItem:
    """A run. `plan` counts files by verdict, `moves` those to be moved by where they stand.

    `accept` is the word of the plan, `job_id` the last job that was at it.
    """

    key: str
    state: RunState
    sentence: str
    wanted: Wanted
    accept: str | None
    plan: Mapping[str, int]
    moves: Mapping[MoveState, int]
    actor: str
    created_at: datetime
    finished_at: datetime | None
    job_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveItem:
    """What became of one file, and why, where it did not go."""

    position: int
    source_path: str
    target_path: str
    group: str
    sha256: str
    size_bytes: int
    state: MoveState
    code: str | None
    sentence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SortWouldBe:
    """What sorting would do. Until it is `complete`, ask again; its word is there then."""

    dry_run: Literal[True]
    sentence: str
    wanted: Wanted
    began_at: datetime
    preview: PreviewState


@dataclass(frozen=True, slots=True, kw_only=True)
class SortPlanAnswer:
    """A page of the files of a preview, with its totals. `next` may be there before it is whole."""

    plan: SortWouldBe
    items: Sequence[PreviewLine]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoWouldBe:
    """What taking a run back would do: `back` files are moved, `copies` removed again."""

    dry_run: Literal[True]
    run: SortItem
    back: int
    copies: int


class SortBody(Body, frozen=True):
    """What is to be sorted; what is left out is as in the settings, the target the source itself.

    With `accept`, the word of a preview, exactly what that showed is moved, or nothing.
    """

    source: Name
    folder: Text = ""
    target: Text = ""
    pattern: Text = ""
    undated: Text = ""
    set_aside: bool = False
    accept: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")] | None = None

    def wanted(self, console: Console) -> Wanted:
        """What it means."""
        return wanted_of(
            console,
            source=self.source,
            folder=self.folder,
            target=self.target,
            pattern=self.pattern,
            undated=self.undated,
            set_aside=self.set_aside,
        )


def routes() -> list[HTTPRouteHandler]:
    """The runs, the preview, one run, its moves, starting and taking back."""
    return [list_sorts, plan, one_sort, moves, start, undo]


@reads("/photos/sorts", "Runs of sorting, the newest first", tag=TAG)
def list_sorts(
    console: NamedDependency[Console], *, cursor: Cursor = None, limit: Limit = 50
) -> Many[SortItem]:
    """A page of runs."""
    found = read_sorts(console, cursor=cursor or None, limit=limit)
    return many([_item(line) for line in found.lines], found, found.count)


@reads(
    "/photos/sorts/plan",
    "Where each file would be moved, and why",
    tag=TAG,
    permission=Permission.OPERATE,
)
def plan(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    *,
    source: Annotated[str, QueryParameter(min_length=1, max_length=190)],
    folder: Word = None,
    target: Word = None,
    pattern: Word = None,
    undated: Word = None,
    set_aside: Aside = False,
    show: ShownOnly = None,
    photo: Photo = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> SortPlanAnswer:
    """A page of the plan as it is now, or of the one that handed out the `cursor`."""
    wanted = wanted_of(
        console,
        source=source,
        folder=folder or "",
        target=target or "",
        pattern=pattern or "",
        undated=undated or "",
        set_aside=set_aside,
    )
    narrowed = Show(one_of("show", show, tuple(Show))) if show else None
    preview = preview_sorting(console, caller, wanted, cursor=cursor or None)
    told = _would_be(preview, preview.wait(WAIT_S))
    found = preview.page(show=narrowed, path=photo or None, cursor=cursor or None, limit=limit)
    return SortPlanAnswer(plan=told, items=found.lines, next=found.next_cursor)


@reads("/photos/sorts/{key:str}", "One run of sorting as it stands", tag=TAG)
def one_sort(console: NamedDependency[Console], key: FromPath[str]) -> SortItem:
    """One run."""
    return _item(read_sort(console, key).line)


@reads(
    "/photos/sorts/{key:str}/moves",
    "What became of each file",
    tag=TAG,
    operation_class=Export,
)
def moves(
    console: NamedDependency[Console],
    key: FromPath[str],
    *,
    states: States = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    form: Form = "json",
) -> Response[Many[MoveItem]]:
    """A page of moves in the order of the plan, or all of them."""
    query = asked(STATES, {"state": states}, cursor=cursor, limit=limit)
    wanted = [MoveState(value) for value in query.many("state")]
    run = read_sort(console, key).line.run
    if form == "json":
        page = read_moves(console, run, wanted, cursor=query.cursor, limit=limit)
        count = Count(sum(run.moves.get(state, 0) for state in wanted or MoveState))
        return Response(many([_move(move) for move in page.moves], page, count))
    require_beginning(cursor)

    def fetch(after: str | None) -> tuple[Sequence[MoveItem], str | None]:
        page = read_moves(console, run, wanted, cursor=after, limit=EXPORT_PAGE)
        return [_move(move) for move in page.moves], page.next_cursor

    return export(f"moves-{run.key}", form, fetch, MoveItem)


@creates(
    "/photos/sorts",
    "Have photos sorted; with dry_run, say what would be moved, and the word for it",
    tag=TAG,
    permission=Permission.OPERATE,
    responses=also(202, SortItem, "A worker does it."),
)
def start(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[SortBody],
    *,
    dry_run: DryRun = False,
) -> Response[SortItem | SortWouldBe]:
    """A large plan may take longer than an answer: ask again until the preview is `complete`."""
    wanted = data.wanted(console)
    if dry_run:
        preview = preview_sorting(console, caller, wanted)
        return Response(_would_be(preview, preview.wait(WAIT_S)), status_code=200)
    run = start_sorting(console, caller, wanted, accepted=data.accept)
    return Response(_item(read_sort(console, run.key).line), status_code=202, headers=_at(run))


@creates(
    "/photos/sorts/{key:str}/undo",
    "Have everything put back that a run moved",
    tag=TAG,
    permission=Permission.OPERATE,
    responses=also(202, SortItem, "A worker does it."),
)
def undo(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    *,
    dry_run: DryRun = False,
) -> Response[SortItem | UndoWouldBe]:
    """What is not as it was moved stays; a run can be taken back again, for the rest."""
    run = undo_sorting(console, caller, key, dry_run=dry_run)
    detail = read_sort(console, key)
    if not dry_run:
        return Response(_item(detail.line), status_code=202, headers=_at(run))
    answer = UndoWouldBe(
        dry_run=True, run=_item(detail.line), back=detail.back, copies=detail.copies
    )
    return Response(answer, status_code=200)


def _at(run: SortRun) -> dict[str, str]:
    return {"Location": f"{BASE}/photos/sorts/{run.key}"}


def _would_be(preview: Preview, state: PreviewState) -> SortWouldBe:
    return SortWouldBe(
        dry_run=True,
        sentence=preview_sentence(state),
        wanted=preview.wanted,
        began_at=preview.began_at,
        preview=state,
    )


def _item(line: SortLine) -> SortItem:
    run = line.run
    return SortItem(
        key=run.key,
        state=run.state,
        sentence=run_sentence(run),
        wanted=run.wanted,
        accept=run.digest,
        plan=run.verdicts,
        moves=run.moves,
        actor=run.actor,
        created_at=run.created_at,
        finished_at=run.finished_at,
        job_id=line.job_id,
    )


def _move(move: Move) -> MoveItem:
    return MoveItem(
        position=move.position,
        source_path=move.source_path,
        target_path=move.target_path,
        group=move.group,
        sha256=move.sha256,
        size_bytes=move.stamp.size_bytes,
        state=move.state,
        code=move.code,
        sentence=move.sentence,
    )
