"""The lab for programs: settings for faces are tried, judged by kept distances, and adopted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, QueryParameter

from lading.accounts.values import Caller, Permission
from lading.console.actions.people_lab import (
    AdoptedAnswer,
    adopt_again,
    adopt_tried,
    try_settings,
)
from lading.console.answers import Many, many
from lading.console.api.conventions import (
    BASE,
    BadParameter,
    Body,
    Cursor,
    Done,
    DryRun,
    Id,
    Limit,
    Name,
    Number,
    Text,
    Whole,
    Word,
    creates,
    one_of,
    reads,
    rehearsed,
)
from lading.console.distance_chart import DistanceChart
from lading.console.parts import Console
from lading.console.readers.people_lab import (
    RunLine,
    plan_for_run,
    plan_for_version,
    read_lab,
    read_versions,
)
from lading.console.readers.people_lab_run import (
    VERDICTS_AND_CHANGES,
    FaceLine,
    Judged,
    Listed,
    judge_run,
    read_run_line,
)
from lading.db.counting import Count
from lading.library.people_values import FaceBox
from lading.media.faces.errors import FaceSettingsRefused
from lading.media.faces.settings import FaceSettings, MatchingSettings
from lading.people.adopted import SettingsVersion
from lading.people.adopting import Effect, Scope
from lading.people.lab import finished_run

TAG: Final = "people"

Fraction = Annotated[float | None, QueryParameter(description="Judge by it; as it was run if not.")]
Pixels = Annotated[int | None, QueryParameter(description="Judge by it; as it was run if not.")]
Settings = dict[str, float | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunItem:
    """A run: on a folder or one file of it, about some persons by number or about everybody."""

    id: int
    source: str
    folder: str
    file: str | None
    persons: Sequence[int] | None
    settings: Settings
    state: str
    job_id: int | None
    created_by: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateItem:
    """A person that a face may be of, and the reference image that is nearest."""

    person: int
    name: str
    distance: float
    behind: float
    reference: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFaceItem:
    """A face of a run; the box is in shares of the upright picture. `rule` is what decided it."""

    face: int
    file: str
    box: FaceBox
    score: float
    side_px: int
    verdict: str
    rule: str
    why: str
    change: str | None
    confirmed: int | None
    reference: bool
    candidates: Sequence[CandidateItem]


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceItem:
    """How many distances lie from here to the next, to the same person and to others."""

    since: str
    same: int
    different: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DistancesItem:
    """Distances of confirmed faces; `lost` and `taken` are by these thresholds."""

    bins: Sequence[DistanceItem]
    same: int
    different: int
    lost: int
    taken: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedItem:
    """A file that was not looked into."""

    file: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAnswer:
    """A run and, once it has a result, what the thresholds make of it.

    `verdicts` and `changes` count all faces; `faces` are a page of those asked for. `distances` are
    those of the library and of the run alone.
    """

    run: RunItem
    thresholds: Settings | None = None
    held_version: int
    files: int = 0
    others: int = 0
    verdicts: Mapping[str, int] = field(default_factory=dict)
    changes: Mapping[str, int] = field(default_factory=dict)
    faces: Sequence[LabFaceItem] = ()
    count: Count | None = None
    next: str | None = None
    prev: str | None = None
    failed: Sequence[FailedItem] = ()
    library: DistancesItem | None = None
    own: DistancesItem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionItem:
    """A version of the settings; `changed` has values before and after by name."""

    version: int
    holds: bool
    settings: Settings
    changed: Mapping[str, Sequence[Any]]
    lab_run: int | None
    adopted_by: str | None
    adopted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptAnswer:
    """What each scope would put in line, and what was adopted; None for a rehearsal."""

    settings: Settings
    effects: Sequence[Effect]
    adopted: AdoptedAnswer | None


class ThresholdsBody(Body, frozen=True):
    """Those settings that distances which are kept can be judged anew by."""

    distance_max: float | None = None
    margin_min: float | None = None
    side_min_px: int | None = None
    score_min: float | None = None

    def given(self) -> dict[str, Any]:
        """Those that are given."""
        return {
            name: value for name, value in msgspec.structs.asdict(self).items() if value is not None
        }


class SettingsBody(ThresholdsBody, frozen=True):
    """All settings; those of detection decide what is found."""

    engine: Name | None = None
    model: Name | None = None
    side_max: int | None = None
    upsample: int | None = None
    faces_max: int | None = None


class RunBody(Body, frozen=True):
    """What to try on what. Settings that are not named are as they hold; so are all without any."""

    source: Name
    folder: Text = ""
    file: Text | None = None
    persons: Annotated[list[Id], msgspec.Meta(max_length=1_000)] = msgspec.field(
        default_factory=list
    )
    settings: SettingsBody = msgspec.field(default_factory=SettingsBody)


class AdoptBody(Body, frozen=True):
    """The run whose settings shall hold, with these thresholds, or an earlier version.

    With `held`, the version that is thought to hold, it is refused if another one does.
    """

    from_run: Id | None = None
    version: Annotated[int, msgspec.Meta(ge=0)] | None = None
    thresholds: ThresholdsBody = msgspec.field(default_factory=ThresholdsBody)
    scope: Scope = Scope.NEW
    held: Annotated[int, msgspec.Meta(ge=0)] | None = None


def routes() -> list[HTTPRouteHandler]:
    """Runs, one run, trying, the versions, and adopting."""
    return [list_of_runs, one_run, start, versions, adopt]


@reads("/lab/runs", "What settings for faces were tried on, the newest first", tag=TAG)
def list_of_runs(
    console: NamedDependency[Console], *, cursor: Cursor = None, limit: Limit = 50
) -> Many[RunItem]:
    """The newest runs are kept, and those that settings were adopted from."""
    found = read_lab(console, cursor=cursor or None, limit=limit)
    return many([_run(line) for line in found.runs], found, None)


@reads("/lab/runs/{run_id:int}", "A run, judged by thresholds as asked", tag=TAG)
def one_run(
    console: NamedDependency[Console],
    run_id: Number,
    *,
    distance_max: Fraction = None,
    margin_min: Fraction = None,
    side_min_px: Pixels = None,
    score_min: Fraction = None,
    show: Word = None,
    person: Whole = None,
    file: Word = None,
    cursor: Cursor = None,
) -> RunAnswer:
    """Nothing is looked into: verdicts follow from the distances that the run kept.

    `show` lists faces of a verdict, or of a kind of change: new, lost, conflict, reason.
    """
    line, held = read_run_line(console, run_id)
    if not line.run.finished:
        return RunAnswer(run=_run(line), held_version=held.version)
    given = {
        "distance_max": distance_max,
        "margin_min": margin_min,
        "side_min_px": side_min_px,
        "score_min": score_min,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    shown = one_of("show", show, VERDICTS_AND_CHANGES) if show else ""
    listed = Listed(show=shown, person=person, file=file or None)
    judged = judge_run(
        console, line, held, _thresholds(line.run.settings, chosen), listed, cursor=cursor or None
    )
    return _answer(judged)


@creates(
    "/lab/runs",
    "Try settings for faces on a folder or file; a worker does it",
    tag=TAG,
    permission=Permission.OPERATE,
)
def start(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[RunBody],
    *,
    dry_run: DryRun = False,
) -> Response[Done[RunItem | None]]:
    """It writes the run's own result, and nothing of the library. A rehearsal makes no run."""
    held = read_lab(console, limit=1).held.settings
    with rehearsed(dry_run):
        number = try_settings(
            console,
            caller,
            source=data.source,
            folder=data.folder.strip("/"),
            file_name=data.file,
            settings=FaceSettings.from_dict({**held.as_dict(), **data.settings.given()}),
            persons=data.persons,
        )
    if dry_run:
        return Response(Done(dry_run=True, result=None))
    line, _ = read_run_line(console, number)
    made: Done[RunItem | None] = Done(dry_run=False, result=_run(line))
    return Response(made, headers={"Location": f"{BASE}/lab/runs/{number}"})


@reads("/face-settings", "The settings for faces that hold, and those that held before", tag=TAG)
def versions(
    console: NamedDependency[Console], *, cursor: Cursor = None, limit: Limit = 50
) -> Many[VersionItem]:
    """The newest first; version 0 is what Lading comes with."""
    found = read_versions(console, cursor=cursor or None, limit=limit)
    items = [_version(each, found.held.version) for each in found.versions]
    return many(items, found, None)


@creates(
    "/face-settings",
    "Let settings that were tried hold, or an earlier version again",
    tag=TAG,
    permission=Permission.OPERATE,
)
def adopt(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[AdoptBody],
    *,
    dry_run: DryRun = False,
) -> Done[AdoptAnswer]:
    """With dry_run it is said what each scope would put in line, and how long that takes."""
    if (data.from_run is None) == (data.version is None):
        raise BadParameter(
            "it has to be said what shall hold",
            subject="from_run, version",
            expected="one of them",
            found="both" if data.version is not None else "none",
        )
    if data.from_run is not None:
        tried = finished_run(console.lading.people, data.from_run).settings
        matching = _thresholds(tried, data.thresholds.given())
        plan = plan_for_run(console, data.from_run, FaceSettings(tried.detection, matching))
    else:
        if data.thresholds.given():
            raise BadParameter("a version has thresholds of its own", subject="thresholds")
        plan = plan_for_version(console, data.version or 0)
    done = None
    with rehearsed(dry_run):
        if data.from_run is not None:
            done = adopt_tried(
                console,
                caller,
                data.from_run,
                plan.settings.matching,
                scope=data.scope,
                expected=data.held,
            )
        else:
            done = adopt_again(
                console, caller, data.version or 0, scope=data.scope, expected=data.held
            )
    answer = AdoptAnswer(
        settings=plan.settings.as_dict(), effects=plan.effects, adopted=None if dry_run else done
    )
    return Done(dry_run=dry_run, result=answer)


def _thresholds(base: FaceSettings, chosen: Mapping[str, float | int]) -> MatchingSettings:
    """The thresholds of a run, some changed. Raises `BadParameter`, `FaceSettingsRefused`."""
    try:
        return FaceSettings.from_dict({**base.as_dict(), **chosen}).matching
    except FaceSettingsRefused as refused:
        raise BadParameter(
            "the threshold cannot have this value",
            subject=refused.subject or "",
            expected=refused.expected,
            found=refused.found,
        ) from refused


def _run(line: RunLine) -> RunItem:
    run = line.run
    return RunItem(
        id=run.id,
        source=run.source,
        folder=run.folder,
        file=run.file_name,
        persons=run.persons,
        settings=run.settings.as_dict(),
        state=line.look.word.lower(),
        job_id=line.job_id,
        created_by=run.created_by,
        created_at=run.created_at,
        finished_at=run.finished_at,
    )


def _answer(judged: Judged) -> RunAnswer:
    run = judged.run
    return RunAnswer(
        run=_run(judged.line),
        thresholds=judged.settings.as_dict(),
        held_version=judged.held.version,
        files=len(run.files),
        others=run.result.others,
        verdicts=dict(judged.verdicts),
        changes=dict(judged.changes),
        faces=[_face(line) for card in judged.cards for line in card.faces],
        count=judged.count,
        next=judged.next_cursor,
        prev=judged.prev_cursor,
        failed=[FailedItem(file=f.name, error=f.error) for f in run.files if f.error],
        library=_distances(judged.library),
        own=_distances(judged.own),
    )


def _face(line: FaceLine) -> LabFaceItem:
    measured = line.face.measured
    return LabFaceItem(
        face=line.number,
        file=line.face.file,
        box=line.face.box,
        score=measured.score,
        side_px=measured.side_px,
        verdict=line.match.verdict.value,
        rule=line.match.rule.value,
        why=line.why,
        change=line.change.value if line.change else None,
        confirmed=line.face.confirmed,
        reference=line.face.reference,
        candidates=[
            CandidateItem(
                person=shown.person_id,
                name=shown.person,
                distance=shown.distance,
                behind=shown.behind,
                reference=int(each.reference),
            )
            for shown, each in zip(line.candidates, measured.candidates, strict=True)
        ],
    )


def _distances(chart: DistanceChart | None) -> DistancesItem | None:
    if chart is None:
        return None
    return DistancesItem(
        bins=[
            DistanceItem(since=row.label, same=row.same, different=row.different)
            for row in chart.rows
        ],
        same=chart.pairs_same,
        different=chart.pairs_different,
        lost=chart.lost[0],
        taken=chart.taken[0],
    )


def _version(each: SettingsVersion, held: int) -> VersionItem:
    return VersionItem(
        version=each.version,
        holds=each.version == held,
        settings=each.settings.as_dict(),
        changed={name: list(values) for name, values in each.changed.items()},
        lab_run=each.lab_run,
        adopted_by=each.adopted_by,
        adopted_at=each.adopted_at,
    )
