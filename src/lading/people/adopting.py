"""Adopting settings for faces: what it means for what is in the library, and doing it (C7, C9).

Settings hold for what comes from then on. A scope says what of the library is judged anew as well;
those jobs are put in line by the same action. What people decided stays under any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from lading.base.errors import MissingExtra
from lading.library.people_counts import FacesAndFiles, count_to_match, count_to_scan
from lading.library.people_queries import folders_to_match, folders_to_scan, list_persons
from lading.media.faces.errors import UnknownFaceEngine
from lading.media.faces.scanning import detection_of
from lading.media.faces.settings import FaceSettings, MatchingSettings
from lading.people.adopted import Adopted, adopt_settings, settings_of_version
from lading.people.jobs import FACES_JOB_KIND, MATCH_JOB_KIND, Lined
from lading.people.lab import finished_run
from lading.people.lab_values import LabRun
from lading.people.people import People
from lading.people.speed import Speed, measured_speed


class Scope(StrEnum):
    """What of the library is judged anew by settings that are adopted."""

    NEW = "new"
    UNIDENTIFIED = "unidentified"
    EVERYTHING = "everything"


SCOPE_MEANINGS: Final[Mapping[Scope, str]] = {
    Scope.NEW: "Nothing is put in line. What is taken in from now on is judged by these settings.",
    Scope.UNIDENTIFIED: "Faces of whom nobody knows whose they are, are matched again.",
    Scope.EVERYTHING: (
        "All faces that nobody confirmed are matched again; where the way of finding faces changed,"
        " all files are first looked into again."
    ),
}


@dataclass(frozen=True, slots=True)
class Effect:
    """What a scope puts in line. `scanned` files are looked into, `faces` in `files` are matched.

    After a scan there may be other faces than are counted here. `seconds` is how long it takes one
    worker that does nothing else, None when such work was never measured; `processes` look for
    faces at a time.
    """

    scope: Scope
    scanned: int = 0
    faces: int = 0
    files: int = 0
    scan_jobs: int = 0
    match_jobs: int = 0
    seconds: float | None = 0.0
    processes: int = 1

    @property
    def jobs(self) -> int:
        """How many jobs are put in line at most; those that are in line already do not count."""
        return self.scan_jobs + self.match_jobs


def effects_of(people: People, settings: FaceSettings, run: LabRun | None = None) -> list[Effect]:
    """What each scope would do if these settings were adopted now; nothing is written.

    How long a file takes is known from the `run` that tried them, or from earlier scans. Where the
    engine is not installed, nothing can be said of everything, and it is not among the effects.
    """
    digest = settings.matching.digest
    with people.db.read() as conn:
        persons = sum(each.references > 0 for each in list_persons(conn))
        speed = measured_speed(conn, MATCH_JOB_KIND)
        folders = folders_to_match(conn, digest, again=False)
        counted = count_to_match(conn, digest, again=False)
        effects = [
            Effect(Scope.NEW),
            _matched(Scope.UNIDENTIFIED, counted, len(folders), persons, speed),
        ]
        with suppress(MissingExtra, UnknownFaceEngine):
            effects.append(_everything(conn, settings, run, persons, speed))
    return effects


def adopt_run(
    people: People,
    run_id: int,
    *,
    actor: str,
    matching: MatchingSettings | None = None,
    scope: Scope = Scope.NEW,
    expected: int | None = None,
) -> tuple[Adopted, Lined]:
    """Let the settings of a run hold, with these thresholds if they were tried on it.

    What the scope asks for is put in line after that; should it be cut off there, `match` and
    `rescan` put the rest in line. Raises `UnknownLabRun`, also for a run that has no result, and
    `SettingsAdoptedMeanwhile` when another version holds than was `expected`.
    """
    run = finished_run(people, run_id)
    settings = FaceSettings(run.settings.detection, matching or run.settings.matching)
    _require_engine(scope, settings)
    adopted = people.db.run(
        lambda conn: adopt_settings(conn, settings, actor=actor, lab_run=run_id, expected=expected)
    )
    return adopted, _line_up(people, scope, actor)


def adopt_version(
    people: People,
    version: int,
    *,
    actor: str,
    scope: Scope = Scope.NEW,
    expected: int | None = None,
) -> tuple[Adopted, Lined]:
    """Let the settings of an earlier version hold again, 0 for the defaults; a version of its own.

    Raises `UnknownFaceSettings`, `SettingsAdoptedMeanwhile`.
    """

    def adopt(conn: Connection) -> Adopted:
        settings = settings_of_version(conn, version)
        _require_engine(scope, settings)
        return adopt_settings(conn, settings, actor=actor, again_of=version, expected=expected)

    return people.db.run(adopt), _line_up(people, scope, actor)


def _require_engine(scope: Scope, settings: FaceSettings) -> None:
    """Raise `UnknownFaceEngine` or `MissingExtra` before anything is adopted that needs it."""
    if scope is Scope.EVERYTHING:
        detection_of(settings.detection)


def _line_up(people: People, scope: Scope, actor: str) -> Lined:
    """Put in line what a scope asks for under the settings that hold."""
    if scope is Scope.NEW:
        return Lined()
    if scope is Scope.UNIDENTIFIED:
        return people.match(actor=actor, again=False)
    return people.scan(actor=actor, match_again=True)


def _matched(
    scope: Scope, counted: FacesAndFiles, folders: int, persons: int, speed: Speed | None
) -> Effect:
    """Matching alone; without anybody to compare with, nothing is put in line."""
    jobs = folders * persons
    if not jobs:
        return Effect(scope)
    seconds = None if speed is None else speed.seconds(jobs=jobs, items=counted.faces * persons)
    return Effect(scope, 0, *counted, match_jobs=jobs, seconds=seconds)


def _everything(
    conn: Connection, settings: FaceSettings, run: LabRun | None, persons: int, speed: Speed | None
) -> Effect:
    """Matching all again, after files are looked into that were not, or in another way."""
    key, digest = detection_of(settings.detection).key, settings.matching.digest
    scanned = folders_to_scan(conn, key)
    folders = {(each.source, each.digest) for each in scanned}
    folders |= {(each.source, each.digest) for each in folders_to_match(conn, digest)}
    counted = count_to_match(conn, digest, again=True)
    effect = _matched(Scope.EVERYTHING, counted, len(folders), persons, speed)
    files = count_to_scan(conn, key)
    if not files:
        return effect
    processes = 1
    seconds = None
    if run and run.settings.detection == settings.detection and run.result.seconds_each:
        seconds, processes = files * run.result.seconds_each, run.result.processes
    elif (scanning := measured_speed(conn, FACES_JOB_KIND)) is not None:
        seconds = scanning.seconds(jobs=len(scanned), items=files)
    if seconds is not None:
        seconds = None if effect.seconds is None else seconds + effect.seconds
    return replace(
        effect, scanned=files, scan_jobs=len(scanned), seconds=seconds, processes=processes
    )
