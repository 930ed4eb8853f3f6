"""`lading photos`: photos sorted into folders by date and place, after a preview, with undo."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping

import click

from lading.base.units import format_count
from lading.bootstrap import Lading, open_lading
from lading.cli import output
from lading.cli.photo_dates import dates_group
from lading.cli.session import Session, with_session
from lading.sorting.values import Move, MoveState, PlanCount, PlannedFile, SortRun, Verdict, Wanted

_VERDICTS = {
    Verdict.MOVE: "move",
    Verdict.SET_ASIDE: "set aside",
    Verdict.IN_PLACE: "in place",
    Verdict.ALREADY_THERE: "already there",
    Verdict.LEFT: "left",
}


@click.group("photos")
def command() -> None:
    """Sort photos into folders by date and place, and correct their dates.

    What is in the library is moved, by patterns of the settings or one given here; companions go
    with their picture, nothing is written over, and every run can be taken back.
    """


command.add_command(dates_group)


@command.command("sort")
@click.argument("source", required=False)
@click.option("--to", metavar="SOURCE", help="The tree of photos they go to, unless their own.")
@click.option("--folder", default="", metavar="PATH", help="Only this folder and those below it.")
@click.option("--pattern", help="Where photos with a date go, instead of the settings' pattern.")
@click.option(
    "--set-aside",
    is_flag=True,
    help="Move copies of what is at its place already to the folder for duplicates.",
)
@click.option(
    "--accept",
    metavar="WORD",
    help="The word a dry run ended with: move only if that is still the plan.",
)
@click.option("--undo", metavar="RUN", help="Put back what this run moved.")
@click.option("--dry-run", is_flag=True, help="Show where each file would go, and write nothing.")
@with_session
def sort_command(
    session: Session,
    *,
    source: str | None,
    to: str | None,
    folder: str,
    pattern: str | None,
    set_aside: bool,
    accept: str | None,
    undo: str | None,
    dry_run: bool,
) -> None:
    """Move the photos of SOURCE to where their dates and places say.

    A worker does it. A dry run shows the plan and ends with a word; with --accept, what is moved
    is exactly that, or nothing.
    """
    if (source is None) == (undo is None):
        raise click.UsageError("name a source to be sorted, or a run with --undo")
    settings = session.load_settings()
    with open_lading(settings) as lading:
        if undo is not None:
            _undo(session, lading, undo, dry_run=dry_run)
            return
        chosen = settings.sorting
        wanted = Wanted(
            source=source or "",
            target=to or source or "",
            folder=folder.strip("/"),
            pattern=pattern or chosen.pattern,
            undated=chosen.undated,
            duplicates=chosen.duplicates,
            set_aside=set_aside,
        )
        if dry_run:
            _preview(session, lading, wanted)
            return
        run = lading.sorting.start(wanted, actor=session.actor, accepted=accept)
        _tell(session, run, "is planned and moved by a worker")


@command.command("runs")
@click.argument("run", required=False)
@with_session
def runs_command(session: Session, run: str | None) -> None:
    """List the runs of sorting, or show what became of each file of one."""
    with open_lading(session.load_settings()) as lading:
        if run is None:
            found = lading.sorting.runs()
            if session.as_json:
                output.emit({"runs": [_run_document(one) for one in found]})
            else:
                columns = ("run", "state", "source", "to", "moves", "created")
                output.table(columns, map(_run_row, found))
            return
        one = lading.sorting.run(run)
        moves = lading.sorting.moves(run)
        if session.as_json:
            output.emit(_run_document(one) | {"moves": [_move_document(m) for m in moves]})
            return
        output.facts(
            [
                ("run", one.key),
                ("state", one.state),
                ("pattern", one.wanted.pattern),
                ("plan", output.counts(one.verdicts)),
                ("moves", output.counts(one.moves)),
            ]
        )
        for move in moves:
            _say_move(move)


def _preview(session: Session, lading: Lading, wanted: Wanted) -> None:
    """Rows as they are found: a large tree is not held in memory."""
    count = PlanCount()
    planned = _counted(lading.sorting.preview(wanted), count)
    if session.as_json:
        _emit_plan(planned, count)
        return
    for one in planned:
        to = f" -> {output.cell(one.target_path)}" if one.target_path else ""
        how = " (copied, the source cannot be written to)" if one.stays else ""
        output.say(
            f"{_VERDICTS[one.verdict]:<13}  {output.cell(one.source_path)}{to}"
            f"{how}  ({output.cell(one.why)})"
        )
    output.say(f"{output.counts(_words(count))} (dry run, nothing was moved)")
    output.say(f"to move exactly this: add --accept {count.digest}")


def _emit_plan(planned: Iterator[PlannedFile], count: PlanCount) -> None:
    """The plan as one JSON document, written as it is found."""
    separator = '{"files": ['
    for one in planned:
        sys.stdout.write(separator + json.dumps(output.plain(_planned_document(one))))
        separator = ", "
    rest = json.dumps(output.plain(_plan_facts(count)))
    sys.stdout.write(('{"files": [' if separator[0] == "{" else "") + "], " + rest[1:] + "\n")


def _undo(session: Session, lading: Lading, key: str, *, dry_run: bool) -> None:
    if not dry_run:
        run = lading.sorting.undo(key, actor=session.actor)
        _tell(session, run, "is taken back by a worker")
        return
    back = [
        move
        for move in lading.sorting.moves(key)
        if move.state in {MoveState.MOVED, MoveState.COPIED}
    ]
    if session.as_json:
        output.emit({"run": key, "moves": [_move_document(move) for move in back]})
        return
    for move in back:
        verb = "put back" if move.state is MoveState.MOVED else "remove copy"
        path = f"{output.cell(move.target_path)} -> {output.cell(move.source_path)}"
        output.say(f"{verb:<13}  {path}")
    output.say(f"{format_count(len(back), 'file')} (dry run, nothing was moved)")


def _tell(session: Session, run: SortRun, what: str) -> None:
    if session.as_json:
        output.emit(_run_document(run))
        return
    output.say(f"{run.key}  {what}; see `lading photos runs {run.key}`")


def _counted(files: Iterator[PlannedFile], count: PlanCount) -> Iterator[PlannedFile]:
    for file in files:
        count.add(file)
        yield file


def _words(count: PlanCount) -> Mapping[str, int]:
    return {_VERDICTS[verdict]: count.verdicts[verdict] for verdict in Verdict}


def _plan_facts(count: PlanCount) -> dict[str, object]:
    return {
        "verdicts": {verdict.value: count.verdicts[verdict] for verdict in Verdict},
        "bytes": count.bytes,
        "accept": count.digest,
        "dry_run": True,
    }


def _planned_document(one: PlannedFile) -> dict[str, object]:
    return {
        "source_path": one.source_path,
        "target_path": one.target_path,
        "verdict": one.verdict,
        "why": one.why,
        "group": one.group,
        "size_bytes": one.stamp.size_bytes,
        "sha256": one.sha256,
        "copied": one.stays,
    }


def _move_document(move: Move) -> dict[str, object]:
    return {
        "source_path": move.source_path,
        "target_path": move.target_path,
        "state": move.state,
        "sha256": move.sha256,
        "code": move.code,
        "sentence": move.sentence,
    }


def _run_document(run: SortRun) -> dict[str, object]:
    return {
        "run": run.key,
        "state": run.state,
        "wanted": run.wanted,
        "plan": run.verdicts,
        "accept": run.digest,
        "counts": run.moves,
        "actor": run.actor,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
    }


def _run_row(run: SortRun) -> tuple[object, ...]:
    moves = output.counts(run.moves)
    return run.key, run.state, run.wanted.source, run.wanted.target, moves, run.created_at


def _say_move(move: Move) -> None:
    why = f"  ({output.cell(move.sentence)})" if move.sentence else ""
    path = f"{output.cell(move.source_path)} -> {output.cell(move.target_path)}"
    output.say(f"{move.state.value:<10}  {path}{why}")
