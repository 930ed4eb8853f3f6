"""Reads and writes the journal of sorting, in the caller's transaction."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from lading.base.errors import printable
from lading.db import Database
from lading.db.clock import now
from lading.library.photo_values import FileStamp
from lading.sorting.errors import UnknownSort
from lading.sorting.tables import sort_move, sort_run
from lading.sorting.values import (
    Move,
    MoveState,
    PlanCount,
    PlannedFile,
    RunState,
    SortRun,
    Wanted,
    planned_moves,
)

_PAGE: Final = 500
_SENTENCE_CHARS_MAX: Final = 2_000
_USUAL: Final = {RunState.SORTED: MoveState.MOVED, RunState.UNDONE: MoveState.UNDONE}


def add_run(conn: Connection, wanted: Wanted, *, actor: str) -> SortRun:
    """Record a run that is about to be planned."""
    key = f"srt_{secrets.token_hex(6)}"
    text = json.dumps(asdict(wanted), sort_keys=True)
    conn.execute(
        insert(sort_run).values(
            key=key,
            wanted=text,
            actor=actor[:190],
            state=RunState.PLANNING.value,
            created_at=now(),
        )
    )
    return require_run(conn, key)


def require_run(conn: Connection, key: str) -> SortRun:
    """One run by its key. Raises `UnknownSort`."""
    row = conn.execute(select(sort_run).where(sort_run.c.key == key)).one_or_none()
    if row is None:
        raise UnknownSort("There is no such run", subject=key)
    return runs_of(conn, [row])[0]


def runs(conn: Connection, *, limit: int = 50) -> list[SortRun]:
    """The newest runs, the newest first."""
    rows = conn.execute(select(sort_run).order_by(sort_run.c.id.desc()).limit(limit)).all()
    return runs_of(conn, rows)


def set_state(conn: Connection, run: SortRun, state: RunState, **values: Any) -> None:
    """Say where a run stands now."""
    conn.execute(
        update(sort_run).where(sort_run.c.id == run.id).values(state=state.value, **values)
    )


def forget_plan(conn: Connection, run: SortRun) -> None:
    """Take back what was planned, before it is planned anew."""
    conn.execute(delete(sort_move).where(sort_move.c.run_id == run.id))


def add_moves(conn: Connection, run: SortRun, first: int, files: Sequence[PlannedFile]) -> None:
    """Record moves of a plan, in order, from position `first` on."""
    rows = [
        {
            "run_id": run.id,
            "position": position,
            "group_path": file.group,
            "source_path": file.source_path,
            "target_path": file.target_path,
            "sha256": file.sha256,
            "size_bytes": file.stamp.size_bytes,
            "mtime_ns": file.stamp.mtime_ns,
            "inode": file.stamp.inode,
            "stays": int(file.stays),
            "state": MoveState.PLANNED.value,
        }
        for position, file in enumerate(files, first)
    ]
    if rows:
        conn.execute(insert(sort_move), rows)


def set_planned(
    conn: Connection, run: SortRun, count: PlanCount, identities: Mapping[str, str]
) -> None:
    """Say that the plan of a run is whole."""
    verdicts = {verdict.value: number for verdict, number in sorted(count.verdicts.items())}
    set_state(
        conn,
        run,
        RunState.SORTING,
        digest=count.digest,
        identities=json.dumps(dict(identities)),
        verdicts=json.dumps(verdicts),
    )


def set_move(
    conn: Connection,
    run: SortRun,
    move: Move,
    state: MoveState,
    *,
    placed: FileStamp | None = None,
    code: str | None = None,
    sentence: str | None = None,
) -> None:
    """Say where a move stands now; `placed` is its stamp at its new place, once it is known."""
    values: dict[str, Any] = {"state": state.value, "code": code}
    values["sentence"] = sentence and printable(sentence, length_max=_SENTENCE_CHARS_MAX)
    if placed is not None:
        values |= {"placed_mtime_ns": placed.mtime_ns, "placed_inode": placed.inode}
    conn.execute(
        update(sort_move)
        .where(sort_move.c.run_id == run.id, sort_move.c.position == move.position)
        .values(**values)
    )


def moves_in(
    conn: Connection,
    run: SortRun,
    states: Iterable[MoveState],
    *,
    after: int | None = None,
    limit: int = _PAGE,
    downwards: bool = False,
) -> list[Move]:
    """Moves in these states, in the order of their positions, or against it, `after` one."""
    position = sort_move.c.position
    query = select(sort_move).where(
        sort_move.c.run_id == run.id, sort_move.c.state.in_([state.value for state in states])
    )
    if after is not None:
        query = query.where(position < after if downwards else position > after)
    rows = conn.execute(query.order_by(position.desc() if downwards else position).limit(limit))
    return [move_of(row) for row in rows]


def moves(db: Database, run: SortRun) -> Iterator[Move]:
    """Every move of a run, in order, some at a time."""
    after: int | None = None
    while True:
        with db.read() as conn:
            page = moves_in(conn, run, MoveState, after=after)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].position


def runs_of(conn: Connection, rows: Sequence[Row[Any]]) -> list[SortRun]:
    """Rows of `sort_run` as runs, with what became of their moves; few statements for all."""
    counted = _count_moves(conn, rows)
    return [
        SortRun(
            id=row.id,
            key=row.key,
            wanted=Wanted(**json.loads(row.wanted)),
            state=RunState(row.state),
            actor=row.actor,
            digest=row.digest,
            identities=json.loads(row.identities or "{}"),
            verdicts=json.loads(row.verdicts or "{}"),
            moves=counted[row.id],
            created_at=row.created_at,
            finished_at=row.finished_at,
        )
        for row in rows
    ]


def _count_moves(conn: Connection, rows: Sequence[Row[Any]]) -> dict[int, dict[MoveState, int]]:
    """How many moves of each run are in which state.

    Of a run that has ended nearly all are in one state: what remains of the plan's total is that
    one, so that a list of large runs reads no million rows.
    """
    found: dict[int, dict[MoveState, int]] = {row.id: {} for row in rows}
    for state in {RunState(row.state) for row in rows}:
        usual = _USUAL.get(state)
        counted = select(sort_move.c.run_id, sort_move.c.state, func.count()).where(
            sort_move.c.run_id.in_([row.id for row in rows if row.state == state.value]),
            sort_move.c.state.in_([one.value for one in MoveState if one is not usual]),
        )
        for run_id, value, number in conn.execute(
            counted.group_by(sort_move.c.run_id, sort_move.c.state)
        ):
            found[run_id][MoveState(value)] = number
    for row in rows:
        usual = _USUAL.get(RunState(row.state))
        if usual is not None:
            rest = planned_moves(json.loads(row.verdicts or "{}")) - sum(found[row.id].values())
            found[row.id] |= {usual: rest} if rest else {}
    return found


def move_of(row: Row[Any]) -> Move:
    """A row of `sort_move` as a move."""
    placed = None
    if row.placed_inode is not None:
        placed = FileStamp(row.size_bytes, row.placed_mtime_ns, row.placed_inode)
    return Move(
        position=row.position,
        group=row.group_path,
        source_path=row.source_path,
        target_path=row.target_path,
        sha256=row.sha256,
        stamp=FileStamp(row.size_bytes, row.mtime_ns, row.inode),
        placed=placed,
        stays=bool(row.stays),
        state=MoveState(row.state),
        code=row.code,
        sentence=row.sentence,
    )
