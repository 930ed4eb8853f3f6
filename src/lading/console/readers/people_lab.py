"""The lab: what was tried, by whom, where each run stands, and which settings hold and held."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from sqlalchemy import Connection, select

from lading.base.errors import LadingError
from lading.console.parts import Console
from lading.console.readers.people import NAMES_MAX
from lading.console.vocabulary import JOB_LOOKS, Look
from lading.db.keyset import BadCursor
from lading.jobs.states import UNFINISHED_JOB_STATES, JobState
from lading.jobs.tables import import_job
from lading.library.people import all_persons, root_of
from lading.library.people_queries import list_persons
from lading.library.people_values import PersonSummary
from lading.media.faces.engine import face_engine
from lading.media.faces.settings import FaceSettings
from lading.people.adopted import (
    Adopted,
    SettingsVersion,
    changed_settings,
    settings_held,
    settings_of_version,
    settings_versions,
)
from lading.people.adopting import Effect, effects_of
from lading.people.jobs import FACES_JOB_KIND, MATCH_JOB_KIND
from lading.people.lab import LAB_JOB_KIND, finished_run, job_key, list_runs
from lading.people.lab_values import LabRun

LAB: Final = "/people/lab"
VERSIONS: Final = "/people/lab/versions"
_VERSIONS_SHOWN: Final = 3
_DIGITS_MAX: Final = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A run without its result, and the job that does it, if one does.

    `changed` is what it tried beside what holds now; `persons` are the names of those it is about.
    """

    run: LabRun
    job_id: int | None
    look: Look
    changed: Sequence[str]
    persons: Sequence[str]

    @property
    def place(self) -> str:
        """The file or folder it looked into, after its source."""
        return place_of(self.run)

    @property
    def url(self) -> str:
        """Its page."""
        return run_url(self.run.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPage:
    """What the lab begins with: what holds, who there is, and what was tried."""

    held: Adopted
    versions: Sequence[SettingsVersion]
    people: Sequence[PersonSummary]
    sources: Sequence[str]
    models: Sequence[str]
    runs: Sequence[RunLine]
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionList:
    """A page of versions, the newest first, and the jobs about faces that have not ended."""

    held: Adopted
    versions: Sequence[SettingsVersion]
    unfinished: int
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptPlan:
    """What would hold instead of what holds, and what each scope would put in line."""

    held: Adopted
    settings: FaceSettings
    run: LabRun | None
    version: int | None
    effects: Sequence[Effect]


def run_url(run_id: int) -> str:
    """The page of a run."""
    return f"{LAB}/{run_id}"


def try_url(source: str, folder: str, file_name: str | None = None) -> str:
    """The lab, with a folder or file of photos chosen."""
    chosen = {"source": source, "folder": folder} | ({"file": file_name} if file_name else {})
    return f"{LAB}?{urlencode(chosen)}"


def place_of(run: LabRun) -> str:
    """The file or folder a run looked into, as it is written below its source."""
    return "/".join(part for part in (run.folder, run.file_name) if part) or "."


def models_of(settings: FaceSettings) -> Sequence[str]:
    """The models that can be chosen; without the engine here, the one that is set."""
    with suppress(LadingError):
        return face_engine(settings.detection.engine).models
    return (settings.detection.model,)


def read_lab(console: Console, *, cursor: str | None = None, limit: int = 20) -> LabPage:
    """The first page of the lab. Raises `BadCursor`."""
    with console.lading.db.read() as conn:
        held = settings_held(conn)
        found = list_runs(conn, before=number_of(cursor), limit=limit + 1)
        runs = run_lines(conn, found[:limit], held.settings)
        versions = settings_versions(conn, limit=_VERSIONS_SHOWN)
        people = list_persons(conn)[:NAMES_MAX]
    return LabPage(
        held=held,
        versions=versions,
        people=people,
        sources=sorted(console.lading.people.roots),
        models=models_of(held.settings),
        runs=runs,
        next_cursor=str(found[limit - 1].id) if len(found) > limit else None,
    )


def read_versions(console: Console, *, cursor: str | None = None, limit: int = 50) -> VersionList:
    """A page of the versions of the settings. Raises `BadCursor`."""
    with console.lading.db.read() as conn:
        found = settings_versions(conn, before=number_of(cursor), limit=limit + 1)
        states = [state.value for state in UNFINISHED_JOB_STATES]
        kinds = [FACES_JOB_KIND, MATCH_JOB_KIND]
        jobs = select(import_job.c.id).where(
            import_job.c.kind.in_(kinds), import_job.c.status.in_(states)
        )
        return VersionList(
            held=settings_held(conn),
            versions=found[:limit],
            unfinished=len(conn.execute(jobs.limit(1_000)).all()),
            next_cursor=str(found[limit - 1].version) if len(found) > limit else None,
        )


def plan_for_run(console: Console, run_id: int, settings: FaceSettings) -> AdoptPlan:
    """What adopting these settings, which a run tried, would mean. Raises `UnknownLabRun`."""
    run = finished_run(console.lading.people, run_id)
    return _plan(console, settings, run=run)


def plan_for_version(console: Console, version: int) -> AdoptPlan:
    """What adopting a version again would mean. Raises `UnknownFaceSettings`."""
    with console.lading.db.read() as conn:
        settings = settings_of_version(conn, version)
    return _plan(console, settings, version=version)


def _plan(
    console: Console,
    settings: FaceSettings,
    *,
    run: LabRun | None = None,
    version: int | None = None,
) -> AdoptPlan:
    effects = effects_of(console.lading.people, settings, run)
    with console.lading.db.read() as conn:
        held = settings_held(conn)
    return AdoptPlan(held=held, settings=settings, run=run, version=version, effects=effects)


def run_lines(conn: Connection, runs: Sequence[LabRun], held: FaceSettings) -> list[RunLine]:
    """Runs as lines."""
    jobs = _jobs_of(conn, [run.id for run in runs])
    known = all_persons(conn)
    lines = []
    for run in runs:
        job_id, state = jobs.get(run.id, (None, JobState.QUEUED))
        lines.append(
            RunLine(
                run=run,
                job_id=job_id,
                look=JOB_LOOKS[JobState.DONE if run.finished else state],
                changed=list(changed_settings(held, run.settings)),
                persons=[known[root_of(known, each)].name for each in run.persons or ()],
            )
        )
    return lines


def _jobs_of(conn: Connection, runs: Collection[int]) -> dict[int, tuple[int, JobState]]:
    """The newest job of each of these runs, and its state."""
    keys = {job_key(run): run for run in runs}
    query = (
        select(import_job.c.own_key, import_job.c.id, import_job.c.status)
        .where(import_job.c.kind == LAB_JOB_KIND, import_job.c.own_key.in_(keys))
        .order_by(import_job.c.id)
    )
    return {keys[key]: (number, JobState(status)) for key, number, status in conn.execute(query)}


def number_of(cursor: str | None) -> int | None:
    """The number that a page goes on after. Raises `BadCursor`."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _DIGITS_MAX):
        raise BadCursor("the page cursor cannot be read")
    return int(cursor)
