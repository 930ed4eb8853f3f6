"""The settings for faces that hold: the newest version that somebody adopted, or the defaults."""

from __future__ import annotations

import json
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from lading.base.errors import InternalError
from lading.ledger.chain import Entry, append_all
from lading.ledger.people_events import FaceSettingsAdopted
from lading.library.people_tables import face_settings
from lading.library.statements import moment
from lading.media.faces.settings import FaceSettings


class Adopted(NamedTuple):
    """Settings, and their version: 0 for the defaults."""

    version: int
    settings: FaceSettings


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


def adopt_settings(
    conn: Connection, settings: FaceSettings, *, actor: str, lab_run: int | None = None
) -> Adopted:
    """Let these settings hold from now on; the same ones again are no new version.

    Faces that other settings identified are to be matched again from then on, and with other
    settings of detection files are to be scanned again (C7).
    """
    before = settings_held(conn)
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
    old, new = before.settings.as_dict(), settings.as_dict()
    changed = {name: [old[name], new[name]] for name in new if old[name] != new[name]}
    event = FaceSettingsAdopted(version=int(key[0]), changed=changed, lab_run=lab_run)
    append_all(conn, [Entry(event, actor)])
    return Adopted(int(key[0]), settings)
