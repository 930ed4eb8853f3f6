"""The settings for faces that hold: the newest version that somebody adopted, or the defaults.

Versions are never changed. To go back is to adopt an earlier one again, as a new version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, insert, select

from lading.base.errors import InternalError
from lading.ledger.chain import Entry, append_all, lock
from lading.ledger.people_events import FaceSettingsAdopted
from lading.library.people_tables import face_settings
from lading.library.statements import moment
from lading.media.faces.settings import FaceSettings
from lading.people.errors import SettingsAdoptedMeanwhile, UnknownFaceSettings


class Adopted(NamedTuple):
    """Settings, and their version: 0 for the defaults."""

    version: int
    settings: FaceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsVersion:
    """A version of the settings, who adopted it, from which lab run, and what it changed.

    `changed` has the values before and after by name. Nobody adopted the defaults, version 0.
    """

    version: int
    settings: FaceSettings
    lab_run: int | None = None
    adopted_by: str | None = None
    adopted_at: datetime | None = None
    changed: Mapping[str, tuple[Any, Any]]


def settings_held(conn: Connection) -> Adopted:
    """What holds now."""
    row = conn.execute(
        select(face_settings.c.id, face_settings.c.settings)
        .order_by(face_settings.c.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return Adopted(0, FaceSettings())
    return Adopted(row.id, FaceSettings.from_dict(json.loads(row.settings)))


def settings_of_version(conn: Connection, version: int) -> FaceSettings:
    """The settings of a version, whether it holds or not. Raises `UnknownFaceSettings`."""
    if version == 0:
        return FaceSettings()
    kept = select(face_settings.c.settings).where(face_settings.c.id == version)
    text = conn.execute(kept).scalar()
    if text is None:
        raise UnknownFaceSettings("there is no such version", subject=f"version {version}")
    return FaceSettings.from_dict(json.loads(text))


def settings_versions(
    conn: Connection, *, before: int | None = None, limit: int = 50
) -> list[SettingsVersion]:
    """The versions that were adopted, newest first; the defaults end the list."""
    query = select(face_settings).order_by(face_settings.c.id.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(face_settings.c.id < before)
    rows: Sequence[Row[Any]] = conn.execute(query).all()
    settings = [FaceSettings.from_dict(json.loads(row.settings)) for row in rows]
    earlier = [*settings, FaceSettings()][1:]
    found = [
        SettingsVersion(
            version=row.id,
            settings=own,
            lab_run=row.lab_run_id,
            adopted_by=row.adopted_by,
            adopted_at=row.adopted_at,
            changed=changed_settings(old, own),
        )
        for row, own, old in zip(rows, settings, earlier, strict=True)
    ]
    if len(rows) <= limit and before != 0:
        found.append(SettingsVersion(version=0, settings=FaceSettings(), changed={}))
    return found[:limit]


def changed_settings(before: FaceSettings, after: FaceSettings) -> dict[str, tuple[Any, Any]]:
    """The values before and after, by name, where they differ."""
    old, new = before.as_dict(), after.as_dict()
    return {name: (old[name], new[name]) for name in new if old[name] != new[name]}


def adopt_settings(
    conn: Connection,
    settings: FaceSettings,
    *,
    actor: str,
    lab_run: int | None = None,
    again_of: int | None = None,
    expected: int | None = None,
) -> Adopted:
    """Let these settings hold from now on; the same ones again are no new version.

    Faces that other settings identified are to be matched again from then on, and with other
    settings of detection files are to be scanned again (C7). `again_of` is an earlier version that
    has these settings. Raises `SettingsAdoptedMeanwhile` when another version holds than the one
    that was `expected`.
    """
    lock(conn)
    before = settings_held(conn)
    if expected is not None and before.version != expected:
        raise SettingsAdoptedMeanwhile(
            "other settings were adopted in the meantime",
            expected=f"version {expected}",
            found=f"version {before.version}",
            current={"version": before.version, **before.settings.as_dict()},
            yours=settings.as_dict(),
        )
    if before.settings.digest == settings.digest:
        return before
    row = {
        "settings": json.dumps(settings.as_dict(), sort_keys=True),
        "digest": settings.digest,
        "lab_run_id": lab_run,
        "adopted_by": actor[:190],
        "adopted_at": moment(conn),
    }
    key = conn.execute(insert(face_settings).values(**row)).inserted_primary_key
    if key is None:
        raise InternalError("a version of the settings has no number")
    changed = changed_settings(before.settings, settings)
    event = FaceSettingsAdopted(
        version=int(key[0]),
        changed={name: list(values) for name, values in changed.items()},
        lab_run=lab_run,
        again_of=again_of,
    )
    append_all(conn, [Entry(event, actor)])
    return Adopted(int(key[0]), settings)
