"""The commands of `lading people` that try settings on a photo or folder, and adopt them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final

import click

from lading.base.stopping import StopSignal
from lading.bootstrap import open_lading
from lading.cli import output
from lading.cli.granting import DRY_RUN
from lading.cli.session import Session, with_session
from lading.db import rehearsal
from lading.library.people_queries import list_persons
from lading.media.faces.rules import Match, explain
from lading.media.faces.settings import FaceSettings
from lading.people.adopted import settings_held
from lading.people.lab import LabRun, adopt_run, compared_with_held, lab_run, run_lab, start_run
from lading.people.people import People

THRESHOLDS: Final = {
    "distance_max": "How far a face may be from a reference image.",
    "margin_min": "By how much farther the next person has to be.",
    "side_min_px": "How large a face has to be, in pixels.",
    "score_min": "How sure the detector has to be.",
}
TOP: Final = "."


def _settings_options(function: Callable[..., Any]) -> Callable[..., Any]:
    held = FaceSettings().as_dict()
    for name, help_ in reversed(THRESHOLDS.items()):
        option = click.option(f"--{name.replace('_', '-')}", type=type(held[name]), help=help_)
        function = option(function)
    return function


@click.command("try")
@click.argument("source", metavar="SOURCE")
@click.argument("path", metavar="PATH")
@click.option("--model", help="How the engine finds faces, such as hog or cnn.")
@click.option("--side-max", type=int, help="Longest side of the picture looked at, in pixels.")
@_settings_options
@with_session
def try_settings(session: Session, source: str, path: str, **chosen: Any) -> None:
    """Try settings on a photo or folder, and write nothing but the result.

    PATH is below the source; it ends in a slash for a folder, and is . for the top. What is not
    given is as it holds now. `judge` tries other thresholds on the result, and `adopt` lets them
    hold.
    """
    folder, _, file_name = path.strip().rpartition("/")
    if path == TOP:
        folder, file_name = "", ""
    with open_lading(session.load_settings()) as lading:
        with lading.db.read() as conn:
            held = settings_held(conn).settings
        settings = FaceSettings.from_dict({**held.as_dict(), **_given(chosen)})
        number = start_run(
            lading.people,
            source,
            folder,
            settings,
            file_name=file_name or None,
            actor=session.actor,
            enqueue=False,
        )
        run = run_lab(lading.people, number, stop=StopSignal())
        _show_run(session, lading.people, run, settings)


@click.command("judge")
@click.argument("run_id", type=int, metavar="RUN")
@_settings_options
@with_session
def judge_run(session: Session, run_id: int, **chosen: Any) -> None:
    """Say what other thresholds make of a run, by its distances; no file is looked into."""
    with open_lading(session.load_settings()) as lading:
        run = lab_run(lading.people, run_id)
        settings = FaceSettings.from_dict({**run.settings.as_dict(), **_given(chosen)})
        _show_run(session, lading.people, run, settings)


@click.command("adopt")
@click.argument("run_id", type=int, metavar="RUN")
@_settings_options
@DRY_RUN
@with_session
def adopt(session: Session, run_id: int, dry_run: bool, **chosen: Any) -> None:
    """Let the settings of a run hold, with these thresholds; then `match` or `rescan`."""
    with (
        open_lading(session.load_settings()) as lading,
        rehearsal() if dry_run else nullcontext(),
    ):
        run = lab_run(lading.people, run_id)
        settings = FaceSettings.from_dict({**run.settings.as_dict(), **_given(chosen)})
        held = adopt_run(lading.people, run_id, matching=settings.matching, actor=session.actor)
    facts = {"version": held.version, "settings": held.settings.as_dict()}
    for consequence in held.settings.consequences().values():
        output.note(consequence)
    tell(session, facts, "adopted", dry_run=dry_run)


def _given(chosen: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in chosen.items() if value is not None}


def _show_run(session: Session, people: People, run: LabRun, settings: FaceSettings) -> None:
    verdicts = run.verdicts(settings.matching)
    changes = compared_with_held(people, run, settings.matching)
    with people.db.read() as conn:
        names = {each.person.id: each.person.name for each in list_persons(conn)}
    if session.as_json:
        output.emit(
            {
                "run": run.id,
                "settings": settings.as_dict(),
                "files": run.files,
                "faces": [
                    _verdict(face.file, face.box, verdict, settings)
                    for face, verdict in zip(run.faces, verdicts, strict=True)
                ],
                "changes": [
                    {"face": each.after.measured.face, "kind": each.kind} for each in changes
                ],
            }
        )
        return
    output.say(f"Run {run.id}: {len(run.files):,} files, {len(run.faces):,} faces")
    for file in run.files:
        if file.error:
            output.say(f"{output.cell(file.name)}  {output.cell(file.error)}")
    output.table(
        ("face", "verdict", "person", "file", "why"),
        (
            (
                each.measured.face,
                each.verdict,
                names.get(int(each.nearest.person)) if each.nearest else None,
                face.file,
                explain(each, settings.matching),
            )
            for face, each in zip(run.faces, verdicts, strict=True)
        ),
    )
    counted: dict[Any, int] = {}
    for change_ in changes:
        counted[change_.kind] = counted.get(change_.kind, 0) + 1
    output.say(f"Against what holds now: {output.counts(counted, nothing='no change')}")


def _verdict(file: str, box: object, match_: Match, settings: FaceSettings) -> dict[str, Any]:
    return {
        "face": match_.measured.face,
        "file": file,
        "box": box,
        "verdict": match_.verdict,
        "rule": match_.rule,
        "why": explain(match_, settings.matching),
        "candidates": [each._asdict() for each in match_.measured.candidates],
    }


def tell(session: Session, facts: dict[str, Any], done: str, *, dry_run: bool) -> None:
    """Say what was changed, or would be."""
    if session.as_json:
        output.emit({**facts, "dry_run": dry_run})
        return
    told = "; ".join(f"{name}: {_shown(value)}" for name, value in facts.items())
    output.say(f"{told}; {done}{' (dry run, nothing was written)' if dry_run else ''}")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return output.words(value)
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else output.cell(value)
