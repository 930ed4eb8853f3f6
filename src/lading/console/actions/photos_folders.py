"""What people ask for of one folder of photos: to be scanned, and to be looked at for faces."""

from __future__ import annotations

from dataclasses import dataclass

from lading.accounts.values import Caller, Permission
from lading.base.errors import RequestError
from lading.console.actions.scans import request_scan
from lading.console.parts import Console
from lading.console.readers.photos import photos_sources
from lading.console.readers.photos_folders import NoSuchFolder
from lading.people.jobs import Lined
from lading.sources.photos.rules import is_shortened


class FacesDisabled(RequestError):
    """Faces were to be looked for where the settings say that none are."""

    code = "faces_disabled"
    http_status = 409
    next_step = "Set `enabled = true` under [faces] in the settings, and start Lading again."


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderScanAsked:
    """The job that is to scan a folder, also one that waited already; a dry run has none."""

    path: str
    job_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FacesAsked:
    """How many jobs were put in line: those that look for faces, and those that match them."""

    path: str
    scans: int
    matches: int


def scan_folder(
    console: Console, caller: Caller, place: str, *, accept_root: bool = False
) -> FolderScanAsked:
    """Have the folder `source/path` scanned, and what is below it.

    Raises `NoSuchFolder`, and `RequestError` for what is no folder.
    """
    source, path = _parts(console, place)
    job_id = request_scan(console, caller, source, accept_root=accept_root, folder=path)
    return FolderScanAsked(path=place, job_id=job_id)


def look_for_faces(console: Console, caller: Caller, place: str) -> FacesAsked:
    """Have faces looked for in the photos right in `source/path`, and matched.

    Where they were found by the settings that hold, nothing is to be done. Raises `NoSuchFolder`,
    `FacesDisabled`.
    """
    caller.require(Permission.OPERATE)
    source, path = _parts(console, place)
    if not console.lading.settings.faces.enabled:
        raise FacesDisabled("no faces are looked for here", subject=place[:200])
    if is_shortened(path):
        raise NoSuchFolder("only the beginning of this folder's path is known", subject=place[:200])
    lined: Lined = console.lading.people.scan(source, actor=caller.actor, folder=path)
    return FacesAsked(path=place, scans=lined.scans, matches=lined.matches)


def _parts(console: Console, place: str) -> tuple[str, str]:
    source, _, path = place.strip("/").partition("/")
    if source not in photos_sources(console):
        raise NoSuchFolder("there is no such source of photos", subject=source[:100])
    return source, path
