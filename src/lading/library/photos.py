"""Writes photos: an asset for each content, and a file for each place where it lies.

A file that shows up adds itself to the asset of its content; one that vanishes is retired, and so
is its asset when it was the last. Paths are locations: a move changes them and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    bindparam,
    delete,
    insert,
    select,
    true,
    update,
)

from lading.base.errors import InternalError, RequestError
from lading.ledger.states import Outcome
from lading.library.assets import asset_columns
from lading.library.covers import resolve_covers
from lading.library.known import file_row
from lading.library.photo_dates import carry_date, keep_said
from lading.library.photo_queries import is_brought_otherwise
from lading.library.photo_sidecars import filled, forget_sidecar, keep_sidecar
from lading.library.photo_stacks import carry_stack
from lading.library.photo_values import (
    DerivationFacts,
    FilePlace,
    FileStamp,
    Photo,
    PhotoFacts,
    SidecarFacts,
)
from lading.library.rules import ORIGINAL_ROLE, check_asset
from lading.library.statements import insert_missing, insert_one, moment
from lading.library.tables import FileRole, asset, asset_file, derivation, photo, photo_file
from lading.library.values import AssetFacts, AssetProposal, FileFacts, detail_text

IN_PLACE_PREFIX: Final = "source:"

# Built once: an import runs them for every file.
_LIVE_AT: Final = (
    select(asset_file.c.id, asset_file.c.asset_id, asset_file.c.role)
    .join_from(photo_file, asset_file, asset_file.c.id == photo_file.c.file_id)
    .where(
        photo_file.c.source == bindparam("source"),
        photo_file.c.folder_sha256 == bindparam("folder"),
        photo_file.c.path_sha256 == bindparam("path"),
        asset_file.c.deleted_at.is_(None),
    )
)
_LOOKS: Final = (
    select(
        asset.c.id,
        asset.c.asset_type,
        asset.c.width,
        asset.c.height,
        asset.c.duration_s,
        photo.c.perceptual_hash,
    )
    .join_from(asset, photo, photo.c.asset_id == asset.c.id)
    .where(asset.c.id.in_(bindparam("ids", expanding=True)))
)
_STAMP: Final = select(photo_file).where(photo_file.c.file_id == bindparam("file_id"))


class PhotoNotHeld(RequestError):
    """A sidecar's picture is not in the library."""

    code = "photo_not_held"
    http_status = 409
    next_step = "See why the picture was not taken in, mend that, then scan."


def save_photo(
    conn: Connection,
    place: FilePlace,
    stamp: FileStamp,
    found: Photo,
    *,
    batch_id: int | None = None,
) -> Outcome:
    """Make the library hold this content at this place, in the caller's writing transaction.

    `created` for new content; `updated` when content that is held lies here now, or came back, or
    says something new; other content that was recorded here is retired. Raises `FactsRefused`.
    """
    at = moment(conn)
    original = FileFacts(
        role=FileRole.ORIGINAL,
        path=place.path,
        sha256=found.asset.content_hash,
        size_bytes=found.size_bytes,
        store=IN_PLACE_PREFIX + place.source,
        location=place.location,
        media_type=found.media_type,
    )
    made = tuple(one.file for one in found.derivations if one.file is not None)
    check_asset(AssetProposal(facts=found.asset, files=(original, *made)))
    row, created = _asset_of(conn, found.asset, at, batch_id)
    was_held = not created and _has_originals(conn, row.id)
    changed = _save_facts(conn, row, found.asset, found.facts, at)
    changed |= _save_derivations(conn, row.id, found.derivations, at)
    file_id, placed = _place(conn, row.id, original, place, stamp, at=at)
    _carry_decisions(conn, _retire_others(conn, place, file_id, at), row.id)
    # What a person put into the trash while its file lay here stays there.
    if row.deleted_at is not None and not was_held:
        _set_deleted(conn, row.id, None, at)
        changed = True
    if created:
        resolve_covers(conn, [found.asset.content_hash])
        return Outcome.CREATED
    return Outcome.UPDATED if placed or changed else Outcome.UNCHANGED


def save_sidecar(
    conn: Connection,
    place: FilePlace,
    stamp: FileStamp,
    *,
    of: str,
    sha256: str,
    media_type: str,
    said: SidecarFacts | None = None,
) -> Outcome:
    """Keep a sidecar with the picture `of`, a name in the same folder. Raises `PhotoNotHeld`.

    What it says counts where the picture says nothing, until it is gone.
    """
    at = moment(conn)
    main = FilePlace(place.source, place.folder, of)
    owners = [row.asset_id for row in _live_at(conn, main) if row.role == ORIGINAL_ROLE]
    if not owners:
        raise PhotoNotHeld("the library does not have its picture", subject=of)
    file = FileFacts(
        role=FileRole.SIDECAR,
        path=place.path,
        sha256=sha256,
        size_bytes=stamp.size_bytes,
        store=IN_PLACE_PREFIX + place.source,
        location=place.location,
        media_type=media_type,
    )
    before = {row.asset_id for row in _live_at(conn, place)}
    file_id, placed = _place(conn, owners[0], file, place, stamp, at=at)
    news = keep_sidecar(conn, file_id, owners[0], said, at)
    _retire_others(conn, place, file_id, at)
    if not before:
        return Outcome.CREATED
    return Outcome.UPDATED if placed or news else Outcome.UNCHANGED


def retire_file(conn: Connection, place: FilePlace, *, spare_last: bool = False) -> Outcome:
    """Take note that nothing is at this place any more; the asset follows its last original.

    With `spare_last`, an original whose content lies nowhere else is left as it is.
    """
    if spare_last and any(_is_last(conn, row) for row in _live_at(conn, place)):
        return Outcome.UNCHANGED
    gone = _retire_others(conn, place, None, moment(conn))
    return Outcome.REMOVED if gone else Outcome.UNCHANGED


def _asset_of(
    conn: Connection, facts: AssetFacts, at: datetime, batch_id: int | None
) -> tuple[Row[Any], bool]:
    """The asset of this content, locked, made if it was not there; and whether it was made."""
    query = (
        select(asset)
        .where(asset.c.content_hash == facts.content_hash)
        .with_for_update(key_share=True)
    )
    row = conn.execute(query).one_or_none()
    if row is not None:
        return row, False
    values = {**asset_columns(facts), "batch_id": batch_id, "created_at": at, "updated_at": at}
    created = insert_one(conn, asset, values) is not None
    return conn.execute(query).one(), created


def _save_facts(
    conn: Connection, row: Row[Any], facts: AssetFacts, said: PhotoFacts, at: datetime
) -> bool:
    """Write what differs; an asset that another source brings as well keeps its description."""
    known = conn.execute(select(photo).where(photo.c.asset_id == row.id)).one_or_none()
    if known is not None:
        facts, said = filled(conn, row.id, facts, said)
    values = {**asdict(said), "detail": detail_text(said.detail)}
    if known is None:
        fresh = {"asset_id": row.id, **values, "created_at": at, "updated_at": at}
        insert_missing(conn, photo, [fresh])
        return True
    changed = _update_differing(conn, photo, known, values, photo.c.asset_id == row.id, at=at)
    if is_brought_otherwise(conn, row.id):
        return changed
    # A picture keeps the name it came by first.
    columns = {
        name: value
        for name, value in asset_columns(facts).items()
        if name not in {"content_hash", "title", "detail"}
    }
    columns = keep_said(conn, row.id, columns)
    return _update_differing(conn, asset, row, columns, asset.c.id == row.id, at=at) or changed


def _save_derivations(
    conn: Connection, asset_id: int, made: Iterable[DerivationFacts], at: datetime
) -> bool:
    of_asset = derivation.c.asset_id == asset_id
    known = {
        (row.name, row.variant): row for row in conn.execute(select(derivation).where(of_asset))
    }
    changed = False
    named = set()
    for one in made:
        named.add((one.name, one.variant))
        file_id = None
        if one.file is not None:
            file_id, written = _save_file(conn, asset_id, one.file, at)
            changed |= written
        values: dict[str, Any] = {
            name: getattr(one, name)
            for name in ("key", "tool", "version", "settings", "width", "height", "error")
        } | {"file_id": file_id, "error_text": one.error_text}
        before = known.get((one.name, one.variant))
        if before is None:
            names = {"asset_id": asset_id, "name": one.name, "variant": one.variant}
            fresh = {**names, **values, "created_at": at, "updated_at": at}
            insert_missing(conn, derivation, [fresh])
            changed = True
        else:
            which = (derivation.c.name == one.name) & (derivation.c.variant == one.variant)
            changed |= _update_differing(conn, derivation, before, values, of_asset & which, at=at)
    for former in known.values():
        if former.variant and (former.name, former.variant) not in named:
            _withdraw_derivation(conn, former, at)
            changed = True
    return changed


def _withdraw_derivation(conn: Connection, former: Row[Any], at: datetime) -> None:
    """Forget a variant that is no longer wanted, such as thumbnails of another size."""
    conn.execute(
        delete(derivation).where(
            derivation.c.asset_id == former.asset_id,
            derivation.c.name == former.name,
            derivation.c.variant == former.variant,
        )
    )
    conn.execute(
        update(asset_file)
        .where(asset_file.c.id == former.file_id, asset_file.c.deleted_at.is_(None))
        .values(deleted_at=at, updated_at=at)
    )


def _update_differing(
    conn: Connection,
    into: Table,
    known: Row[Any],
    values: Mapping[str, Any],
    which: ColumnElement[bool],
    *,
    at: datetime,
) -> bool:
    differing = {name: value for name, value in values.items() if getattr(known, name) != value}
    if differing:
        conn.execute(update(into).where(which).values(**differing, updated_at=at))
    return bool(differing)


def _save_file(conn: Connection, asset_id: int, file: FileFacts, at: datetime) -> tuple[int, bool]:
    """The row of a file of an asset, and whether it had to be written."""
    digest = hashlib.sha256(file.path.encode()).hexdigest()
    query = select(asset_file).where(
        asset_file.c.asset_id == asset_id, asset_file.c.path_sha256 == digest
    )
    row = conn.execute(query).one_or_none()
    values = {**asdict(file), "role": str(file.role)}
    if row is None:
        fresh = {
            **values,
            "asset_id": asset_id,
            "path_sha256": digest,
            "created_at": at,
            "updated_at": at,
        }
        file_id = insert_one(conn, asset_file, fresh)
        if file_id is None:
            raise InternalError("a file is there and is not", subject=file.path)
        return file_id, True
    if row.deleted_at is None and file_row(row).facts == file:
        return int(row.id), False
    conn.execute(
        update(asset_file)
        .where(asset_file.c.id == row.id)
        .values(**values, deleted_at=None, updated_at=at)
    )
    return int(row.id), True


def _place(
    conn: Connection,
    asset_id: int,
    file: FileFacts,
    place: FilePlace,
    stamp: FileStamp,
    *,
    at: datetime,
) -> tuple[int, bool]:
    """The file of an asset that lies here, with its stamp; and whether it is news.

    A stamp alone is none: the file was touched, and is what it was.
    """
    file_id, written = _save_file(conn, asset_id, file, at)
    values = {"mtime_ns": stamp.mtime_ns, "inode": stamp.inode, "replaced_by": None}
    known = conn.execute(_STAMP, {"file_id": file_id}).one_or_none()
    if known is None:
        row = {
            **values,
            "file_id": file_id,
            "source": place.source,
            "folder_sha256": place.folder_sha256,
            "path_sha256": place.path_sha256,
        }
        conn.execute(insert(photo_file).values(**row))
    elif any(getattr(known, name) != value for name, value in values.items()):
        conn.execute(update(photo_file).where(photo_file.c.file_id == file_id).values(**values))
    return file_id, written


def _retire_others(
    conn: Connection, place: FilePlace, file_id: int | None, at: datetime
) -> list[Row[Any, Any, Any]]:
    """Retire the files recorded at this place but `file_id`, which took it; their rows."""
    others = [row for row in _live_at(conn, place) if row.id != file_id]
    for row in others:
        conn.execute(
            update(asset_file).where(asset_file.c.id == row.id).values(deleted_at=at, updated_at=at)
        )
        if file_id is not None:
            conn.execute(
                update(photo_file).where(photo_file.c.file_id == row.id).values(replaced_by=file_id)
            )
        if row.role == ORIGINAL_ROLE:
            _retire_asset(conn, row.asset_id, at)
        elif row.role == FileRole.SIDECAR:
            forget_sidecar(conn, row.id, at)
    return others


def _carry_decisions(
    conn: Connection, retired: Iterable[Row[Any, Any, Any]], asset_id: int
) -> None:
    """Have what people decided about a picture hold for the same picture with other metadata."""
    for row in retired:
        if row.role != ORIGINAL_ROLE or row.asset_id == asset_id:
            continue
        looks = {
            each.id: tuple(each[1:])
            for each in conn.execute(_LOOKS, {"ids": [row.asset_id, asset_id]})
        }
        if len(looks) == 2 and looks[row.asset_id] == looks[asset_id]:
            carry_date(conn, row.asset_id, asset_id)
            carry_stack(conn, row.asset_id, asset_id)


def _retire_asset(conn: Connection, asset_id: int, at: datetime) -> None:
    """Put the asset in the trash, unless its content lies somewhere else as well."""
    # Held until the end, so that two files that vanish at once do not each see the other.
    deleted_at = _lock_asset(conn, asset_id)
    if deleted_at is None and not _has_originals(conn, asset_id):
        _set_deleted(conn, asset_id, at, at)


def _is_last(conn: Connection, file: Row[Any, Any, Any]) -> bool:
    """Whether a file is the one place of its asset; the asset stays locked."""
    if file.role != ORIGINAL_ROLE:
        return False
    _lock_asset(conn, file.asset_id)
    others = (asset_file.c.asset_id == file.asset_id) & (asset_file.c.id != file.id)
    return not _has_originals(conn, file.asset_id, others)


def _lock_asset(conn: Connection, asset_id: int) -> datetime | None:
    """Hold the asset until the end of the transaction; when it was put in the trash."""
    held: datetime | None = conn.scalar(
        select(asset.c.deleted_at).where(asset.c.id == asset_id).with_for_update(key_share=True)
    )
    return held


def _has_originals(
    conn: Connection, asset_id: int, which: ColumnElement[bool] | None = None
) -> bool:
    query = (
        select(asset_file.c.id)
        .where(
            true() if which is None else which,
            asset_file.c.asset_id == asset_id,
            asset_file.c.role == ORIGINAL_ROLE,
            asset_file.c.deleted_at.is_(None),
        )
        .limit(1)
    )
    return conn.scalar(query) is not None


def _set_deleted(
    conn: Connection, asset_id: int, deleted_at: datetime | None, at: datetime
) -> None:
    conn.execute(
        update(asset).where(asset.c.id == asset_id).values(deleted_at=deleted_at, updated_at=at)
    )


def _live_at(conn: Connection, place: FilePlace) -> list[Row[Any, Any, Any]]:
    """The files that are recorded at this place; one at most outside of a transaction."""
    where = {
        "source": place.source,
        "folder": place.folder_sha256,
        "path": place.path_sha256,
    }
    return list(conn.execute(_LIVE_AT, where))
