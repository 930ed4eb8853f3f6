"""The commands of `lading people` that try settings on a photo or folder, and adopt them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

import click

from lading.base.stopping import StopSignal
from lading.base.units import format_count, format_duration
from lading.bootstrap import open_lading
from lading.cli import output
from lading.cli.granting import DRY_RUN, LIMIT
from lading.cli.session import Session, with_session
from lading.library.people_queries import list_persons
from lading.media.faces.rules import Match, explain
from lading.media.faces.settings import FaceSettings
from lading.people.adopted import (
    Adopted,
    SettingsVersion,
    settings_held,
    settings_of_version,
    settings_versions,
)
from lading.people.adopting import Effect, Scope, adopt_run, adopt_version, effects_of
from lading.people.jobs import Lined
from lading.people.lab import compared_with_held, finished_run, lab_run, run_lab, start_run
from lading.people.lab_values import LabRun
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
@click.option("--upsample", type=int, help="How often the picture is doubled in size before.")
@click.option(
    "--person",
    "persons",
    multiple=True,
    metavar="PERSON",
    help="Tell only of faces that are, or lie nearest to, this person; may be repeated.",
)
@_settings_options
@with_session
def try_settings(
    session: Session, source: str, path: str, persons: tuple[str, ...], **chosen: Any
) -> None:
    """Try settings on a photo or folder, and write nothing but the result.

    PATH is below the source; it ends in a slash for a folder, and is . for the top. What is not
    given is as it holds now. Faces are compared with everybody. `judge` tries other thresholds on
    the result, and `adopt` lets them hold.
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
            persons=persons,
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


_SCOPE: Final = click.option(
    "--scope",
    type=click.Choice([each.value for each in Scope]),
    default=Scope.NEW.value,
    show_default=True,
    help="What of the library is judged anew: nothing, unidentified faces, or everything.",
)


@click.command("adopt")
@click.argument("run_id", type=int, metavar="RUN")
@_settings_options
@_SCOPE
@DRY_RUN
@with_session
def adopt(session: Session, run_id: int, scope: str, dry_run: bool, **chosen: Any) -> None:
    """Let the settings of a run hold, with these thresholds.

    With --dry-run it is said what each scope would put in line, and how long that would take.
    """
    with open_lading(session.load_settings()) as lading:
        run = finished_run(lading.people, run_id)
        settings = FaceSettings.from_dict({**run.settings.as_dict(), **_given(chosen)})
        if dry_run:
            _show_effects(session, settings, effects_of(lading.people, settings, run), scope)
            return
        held, lined = adopt_run(
            lading.people,
            run_id,
            matching=settings.matching,
            scope=Scope(scope),
            actor=session.actor,
        )
    _tell_adopted(session, held, lined)


@click.command("revert")
@click.argument("version", type=int, metavar="VERSION")
@_SCOPE
@DRY_RUN
@with_session
def revert(session: Session, version: int, scope: str, dry_run: bool) -> None:
    """Let an earlier version of the settings hold again; 0 is what Lading comes with."""
    with open_lading(session.load_settings()) as lading:
        if dry_run:
            with lading.db.read() as conn:
                settings = settings_of_version(conn, version)
            _show_effects(session, settings, effects_of(lading.people, settings), scope)
            return
        held, lined = adopt_version(lading.people, version, scope=Scope(scope), actor=session.actor)
    _tell_adopted(session, held, lined)


@click.command("settings")
@LIMIT
@with_session
def list_settings(session: Session, limit: int) -> None:
    """The settings that hold, and those that held before, newest first."""
    with open_lading(session.load_settings()) as lading, lading.db.read() as conn:
        versions = settings_versions(conn, limit=limit)
    if session.as_json:
        output.emit({"versions": [_version(each) for each in versions]})
        return
    output.table(
        ("version", "by", "at", "run", "changed"),
        (
            (
                each.version,
                each.adopted_by,
                each.adopted_at,
                each.lab_run,
                "; ".join(f"{name} {old} to {new}" for name, (old, new) in each.changed.items()),
            )
            for each in versions
        ),
    )


def _version(each: SettingsVersion) -> dict[str, Any]:
    return {
        "version": each.version,
        "settings": each.settings.as_dict(),
        "lab_run": each.lab_run,
        "adopted_by": each.adopted_by,
        "adopted_at": each.adopted_at,
        "changed": {name: list(values) for name, values in each.changed.items()},
    }


def _show_effects(
    session: Session, settings: FaceSettings, effects: list[Effect], scope: str
) -> None:
    if session.as_json:
        shown = [{**asdict(each), "scope": each.scope.value} for each in effects]
        output.emit(
            {"settings": settings.as_dict(), "scope": scope, "effects": shown, "dry_run": True}
        )
        return
    output.table(
        ("scope", "files to look into", "faces to match", "jobs", "takes about"),
        ((e.scope.value, e.scanned, e.faces, e.jobs, _takes(e.seconds)) for e in effects),
    )
    output.say(f"Nothing was written; --scope is {scope}.")


def _takes(seconds: float | None) -> str:
    return "unknown" if seconds is None else format_duration(seconds)


def _tell_adopted(session: Session, held: Adopted, lined: Lined) -> None:
    for consequence in held.settings.consequences().values():
        output.note(consequence)
    facts = {
        "version": held.version,
        "settings": held.settings.as_dict(),
        "scans": lined.scans,
        "matches": lined.matches,
    }
    tell(session, facts, "adopted", dry_run=False)


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
    faces = format_count(len(run.faces), "face")
    output.say(f"Run {run.id}: {format_count(len(run.files), 'file')}, {faces}")
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
