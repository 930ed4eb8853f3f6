"""Carries a run of sorting out, or takes it back: chunk by chunk, each move as it was journalled.

A chunk is placed, then written in one transaction, then its old places are taken away. Whatever
is cut off goes on from the journal; a file is never looked for, it is where its row says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from sqlalchemy import Connection

from lading.base.errors import LadingError, SourceError
from lading.base.progress import Progress
from lading.base.steps import SortStep, reach
from lading.base.stopping import Interrupted
from lading.db import Database
from lading.jobs.context import JobContext
from lading.jobs.errors import LeaseLost
from lading.library.photo_places import forget_file, move_file
from lading.library.photo_values import FilePlace, FileStamp
from lading.sorting import journal
from lading.sorting.errors import SortRootReplaced
from lading.sorting.mover import Mover, Place, Removal, Way
from lading.sorting.tree import SortTree, temporary_name
from lading.sorting.values import Move, MoveState, SortRun
from lading.storage.roots import ReadFault
from lading.storage.transfer import verify_in_place

CHUNK_MOVES: Final = 64

_KEPT: Final = {
    Removal.KEPT: ("not_removable", "the system did not let the file be taken from its old place"),
    Removal.CHANGED: ("old_place_changed", "another file was at its old place by then"),
    Removal.LOST: ("new_place_changed", "it was gone from its new place, or changed there"),
}
_KEPT_BACK: Final = {
    **_KEPT,
    Removal.LOST: ("old_place_changed", "it was gone from its old place, or changed there"),
}


@dataclass(frozen=True, slots=True)
class _Placed:
    """A move whose file has both places; `stamp` is that at the new one."""

    move: Move
    stamp: FileStamp


@dataclass(frozen=True, slots=True)
class _Refused:
    move: Move
    error: LadingError


WayOf = Callable[[Move], Way]


class CarryingOut:
    """One attempt at the moves of one run, under the lease of its job."""

    def __init__(
        self, db: Database, context: JobContext, run: SortRun, source: SortTree, target: SortTree
    ) -> None:
        self._db = db
        self._context = context
        self._run = run
        self._source = source
        self._target = target
        self._mover = Mover(self, context.stop)
        self._total = sum(run.moves.values())
        self._done = 0
        self._refused = 0
        self._bytes = 0
        self._current = ""

    def moved(self, count: int) -> None:
        """Bytes were read: a heartbeat, when one is due."""
        self._bytes += count
        self._context.report(self._progress())

    def skipped(self, count: int) -> None:
        """Nothing is skipped: what is moved is read."""

    def sort(self) -> bool:
        """Move what is left to be moved; False when asked to stop before the end."""
        while written := self._moves([MoveState.WRITTEN]):
            self._require_roots()
            self._take_originals_away([_Placed(m, m.placed) for m in written if m.placed])
        while planned := self._moves([MoveState.PLANNED]):
            if self._context.stop.is_set() or not self._sort_chunk(_whole_groups(planned)):
                return False
        return True

    def undo(self) -> bool:
        """Put everything back that can be; False when asked to stop before the end."""
        while unwritten := self._moves([MoveState.UNWRITTEN]):
            self._require_roots()
            self._take_copies_away([(m, self._restored(m)) for m in unwritten])
        last: int | None = None
        states = [MoveState.MOVED, MoveState.COPIED]
        while moved := self._moves(states, after=last, downwards=True):
            chunk = _whole_groups(moved)
            if self._context.stop.is_set() or not self._undo_chunk(chunk):
                return False
            last = chunk[-1].position
        return True

    # -- sorting

    def _sort_chunk(self, moves: Sequence[Move]) -> bool:
        placed, refused, whole = self._each_group(moves, self._way)
        self._require_roots()

        def write(conn: Connection) -> None:
            for one in placed:
                before, after = self._places(one.move)
                stays = one.move.stays
                move_file(conn, before, after, one.stamp, keep=stays)
                state = MoveState.COPIED if stays else MoveState.WRITTEN
                journal.set_move(conn, self._run, one.move, state, placed=one.stamp)
            for bad in refused:
                self._note(conn, bad, MoveState.REFUSED)
            reach(SortStep.SORT_WRITTEN)

        self._refused += len(refused)
        self._done += len(placed)
        self._context.run(write, self._progress())
        reach(SortStep.SORT_COMMITTED)
        self._take_originals_away([one for one in placed if not one.move.stays])
        return whole

    def _take_originals_away(self, placed: Sequence[_Placed]) -> None:
        removals = [(one, self._take_away(self._old(one.move), self._new(one))) for one in placed]

        def settle(conn: Connection) -> None:
            for one, removal in removals:
                if removal is Removal.REMOVED:
                    journal.set_move(conn, self._run, one.move, MoveState.MOVED)
                    continue
                before, after = self._places(one.move)
                lost = removal is Removal.LOST
                if lost or removal is Removal.KEPT:
                    move_file(conn, after, before, one.move.stamp, keep=not lost)
                state = MoveState.REFUSED if lost else MoveState.COPIED
                code, sentence = _KEPT[removal]
                journal.set_move(conn, self._run, one.move, state, code=code, sentence=sentence)

        if removals:
            self._context.run(settle, self._progress())
            reach(SortStep.SORT_SETTLED)

    # -- taking back

    def _undo_chunk(self, moves: Sequence[Move]) -> bool:
        placed, refused, whole = self._each_group(moves, self._way_back)
        self._require_roots()

        def write(conn: Connection) -> None:
            for one in placed:
                before, after = self._places(one.move)
                if not move_file(conn, after, before, one.stamp):
                    forget_file(conn, after)
                journal.set_move(conn, self._run, one.move, MoveState.UNWRITTEN)
            for bad in refused:
                self._note(conn, bad, bad.move.state)
            reach(SortStep.SORT_WRITTEN)

        self._refused += len(refused)
        self._done += len(placed)
        self._context.run(write, self._progress())
        reach(SortStep.SORT_COMMITTED)
        self._take_copies_away([(one.move, one.stamp) for one in placed])
        return whole

    def _take_copies_away(self, restored: Sequence[tuple[Move, FileStamp | None]]) -> None:
        """Take the new places away; a move that was not put back for all that is one as before."""
        removals = []
        for move, stamp in restored:
            removal = Removal.LOST
            new = Place(self._target, move.target_path, move.placed or move.stamp)
            if stamp is not None:
                back = Place(self._source, move.source_path, stamp)
                removal = self._take_away(new, back)
            removals.append((move, new, removal))

        def settle(conn: Connection) -> None:
            for move, new, removal in removals:
                state, (code, sentence) = MoveState.UNDONE, _KEPT_BACK.get(removal, (None, None))
                if removal is Removal.LOST:
                    before, after = self._places(move)
                    move_file(conn, before, after, new.stamp)
                    state = MoveState.MOVED
                journal.set_move(conn, self._run, move, state, code=code, sentence=sentence)

        if removals:
            self._context.run(settle, self._progress())
            reach(SortStep.SORT_SETTLED)

    def _restored(self, move: Move) -> FileStamp | None:
        """The stamp of a file that an attempt before put back; None if it is not there as it was.

        Its content is compared again.
        """
        try:
            verify_in_place(
                self._source.root,
                move.source_path,
                size_bytes=move.stamp.size_bytes,
                sha256=move.sha256,
                meter=self,
                stop=self._context.stop,
            )
            return self._source.stamp(move.source_path)
        except SourceError as error:
            if error.transient:
                raise
            return None

    # -- both ways

    def _each_group(
        self, moves: Sequence[Move], way_of: WayOf
    ) -> tuple[list[_Placed], list[_Refused], bool]:
        """Give each group its second places, all or none; whether all groups were come to."""
        placed: list[_Placed] = []
        refused: list[_Refused] = []
        for _, members in groupby(moves, key=lambda move: move.group):
            group = list(members)
            self._current = group[0].source_path
            try:
                self._context.stop.check()
                placed += self._place_group([(move, way_of(move)) for move in group])
            except Interrupted:
                return placed, refused, False
            except LeaseLost:
                raise
            except LadingError as error:
                if isinstance(error, ReadFault):
                    self._require_roots()  # a bad sector stays one; a disk that went may come back
                elif error.transient:
                    raise
                refused += [_Refused(move, error) for move in group]
        reach(SortStep.SORT_GROUP_PLACED)
        return placed, refused, True

    def _place_group(self, group: Sequence[tuple[Move, Way]]) -> list[_Placed]:
        for _, way in group:
            self._mover.check(way.source, way.source_path, way.stamp, way.sha256)
        placed: list[tuple[_Placed, Way]] = []
        try:
            for move, way in group:
                placed.append((_Placed(move, self._mover.place(way)), way))
        except LeaseLost:
            raise  # another worker has these files in hand now
        except (LadingError, Interrupted):
            for one, way in placed:
                self._mover.withdraw(way, one.stamp)
            raise
        return [one for one, _ in placed]

    def _way(self, move: Move) -> Way:
        return Way(
            self._source,
            move.source_path,
            self._target,
            move.target_path,
            move.stamp,
            move.sha256,
            temporary_name(self._run.id, move.position),
        )

    def _way_back(self, move: Move) -> Way:
        return Way(
            self._target,
            move.target_path,
            self._source,
            move.source_path,
            move.placed or move.stamp,
            move.sha256,
            temporary_name(self._run.id, move.position),
        )

    def _take_away(self, place: Place, kept: Place) -> Removal:
        self._current = place.path
        return self._mover.remove(place, kept)

    def _old(self, move: Move) -> Place:
        return Place(self._source, move.source_path, move.stamp)

    def _new(self, one: _Placed) -> Place:
        return Place(self._target, one.move.target_path, one.stamp)

    def _places(self, move: Move) -> tuple[FilePlace, FilePlace]:
        return (
            FilePlace.at(self._source.name, move.source_path),
            FilePlace.at(self._target.name, move.target_path),
        )

    def _note(self, conn: Connection, bad: _Refused, state: MoveState) -> None:
        error = bad.error
        journal.set_move(
            conn, self._run, bad.move, state, code=error.code, sentence=f"{error} {error.advice}"
        )

    def _moves(
        self, states: Sequence[MoveState], *, after: int | None = None, downwards: bool = False
    ) -> list[Move]:
        with self._db.read() as conn:
            return journal.moves_in(
                conn, self._run, states, after=after, limit=CHUNK_MOVES, downwards=downwards
            )

    def _require_roots(self) -> None:
        """Nothing is recorded of a disk that was taken away or replaced in the meantime (G1)."""
        for tree in (self._source, self._target):
            expected, found = self._run.identities.get(tree.name), tree.root.identity()
            if expected != found:
                raise SortRootReplaced(
                    "The root of the tree is another one than when the plan was made",
                    subject=str(tree.root.path),
                    expected=expected,
                    found=found,
                )

    def _progress(self) -> Progress:
        return Progress(
            items_done=self._done,
            items_failed=self._refused,
            items_total=self._total,
            bytes_moved=self._bytes,
            current=self._current,
        )


def _whole_groups(moves: Sequence[Move]) -> Sequence[Move]:
    """The moves without those of the last group, which may go on; a chunk has room for many."""
    if len(moves) < CHUNK_MOVES:
        return moves
    last = moves[-1].group
    whole = [move for move in moves if move.group != last]
    return whole or moves
