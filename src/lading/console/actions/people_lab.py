"""What is done in the lab: settings for faces are tried, adopted, and taken back.

Who may scan and queue may do this: a run only reads, settings change what is suggested and nothing
that people said, and an earlier version can hold again. It concerns no account.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from lading.accounts.values import Caller, Permission
from lading.base.errors import MissingExtra
from lading.console.parts import Console
from lading.media.faces.scanning import detection_of
from lading.media.faces.settings import FaceSettings, MatchingSettings
from lading.people.adopted import Adopted
from lading.people.adopting import Scope, adopt_run, adopt_version
from lading.people.jobs import Lined
from lading.people.lab import start_run


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedAnswer:
    """The version that holds now, and how many jobs were put in line by it."""

    version: int
    scope: Scope
    scans: int
    matches: int


def try_settings(
    console: Console,
    caller: Caller,
    *,
    source: str,
    folder: str,
    file_name: str | None,
    settings: FaceSettings,
    persons: Sequence[int] = (),
) -> int:
    """Have settings tried by a worker; the number of the run.

    Raises `NotPhotos`, `LabTooLarge`, `UnknownPerson`, and `UnknownFaceEngine` for a model that
    there is not.
    """
    caller.require(Permission.OPERATE)
    # Without the engine here, the worker says what is wrong with a model.
    with suppress(MissingExtra):
        detection_of(settings.detection)
    number = start_run(
        console.lading.people,
        source,
        folder,
        settings,
        actor=caller.actor,
        file_name=file_name or None,
        persons=persons,
    )
    console.engine.forget()
    return number


def adopt_tried(
    console: Console,
    caller: Caller,
    run_id: int,
    matching: MatchingSettings,
    *,
    scope: Scope,
    expected: int | None,
) -> AdoptedAnswer:
    """Let the settings of a run hold, with these thresholds.

    Raises `UnknownLabRun`, `SettingsAdoptedMeanwhile`.
    """
    caller.require(Permission.OPERATE)
    adopted, lined = adopt_run(
        console.lading.people,
        run_id,
        actor=caller.actor,
        matching=matching,
        scope=scope,
        expected=expected,
    )
    return _answer(console, scope, adopted, lined)


def adopt_again(
    console: Console, caller: Caller, version: int, *, scope: Scope, expected: int | None
) -> AdoptedAnswer:
    """Let an earlier version hold again.

    Raises `UnknownFaceSettings`, `SettingsAdoptedMeanwhile`.
    """
    caller.require(Permission.OPERATE)
    adopted, lined = adopt_version(
        console.lading.people, version, actor=caller.actor, scope=scope, expected=expected
    )
    return _answer(console, scope, adopted, lined)


def _answer(console: Console, scope: Scope, adopted: Adopted, lined: Lined) -> AdoptedAnswer:
    console.engine.forget()
    return AdoptedAnswer(
        version=adopted.version, scope=scope, scans=lined.scans, matches=lined.matches
    )
