"""What one picture or video says of itself, what was derived of it, and what lies beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from lading.console.readers.photos_folders import folder_url
from lading.console.readers.photos_places import Area, country_of, label_of_place
from lading.db import Database
from lading.library.live_photos import photo_places
from lading.library.photo_companions import companions_of, pictures_of
from lading.library.photo_sidecars import Sidecar, place_said, sidecars_of, time_said
from lading.library.photo_values import FROM_SIDECAR, DerivationFacts, FilePlace
from lading.library.tables import asset_file, derivation, photo, photo_file
from lading.library.values import parse_detail

FROM_WORDS: Final[Mapping[str, str]] = {
    "exif_original": "EXIF, when it was taken",
    "quicktime_creation": "QuickTime, when it was made",
    "xmp_original": "XMP, when it was taken",
    "exif_digitized": "EXIF, when it was digitised",
    "xmp_created": "XMP, when it was made",
    "iptc_created": "IPTC, when it was made",
    "xmp_written": "XMP, when it was written",
    "container_creation": "the file's own header",
    "exif_modified": "EXIF, when it was changed",
    "takeout": "Google Photos, when it was taken",
    FROM_SIDECAR: "a sidecar",
}
DOUBT_WORDS: Final[Mapping[str, str]] = {
    "undated": "It states no time that can be believed.",
    "offset_unknown": "It does not say how far its clock was from UTC.",
    "zone_unknown": "Its clock was in UTC; the local time is not known.",
}
REFUSAL_WORDS: Final[Mapping[str, str]] = {
    "unset": "never set",
    "malformed": "no time",
    "incomplete": "incomplete",
    "epoch": "where a clock begins that was never set",
    "too_early": "before there were such files",
    "future": "in the future",
}


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A time that stands in the file and does not count."""

    text: str
    origin: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarLine:
    """What a sidecar says, and whether that counts; `why_not` is what could not be made of it."""

    name: str
    path: str
    taken_at: datetime | None
    taken_offset_min: int | None
    latitude: float | None
    longitude: float | None
    place: str | None
    time_counts: bool
    place_counts: bool
    why_not: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoView:
    """The photo's part of an asset. `companions` are (name, content hash) of what belongs to it."""

    captured_from: str | None
    doubt: str | None
    refused_times: Sequence[RefusedLine]
    camera: str | None
    lens: str | None
    place: str | None
    place_url: str | None
    altitude_m: float | None
    frames: int
    perceptual_hash: str | None
    derivations: Sequence[DerivationFacts]
    folders: Sequence[tuple[str, str]]
    companions: Sequence[tuple[str, str]]
    sidecars: Sequence[SidecarLine]


def read_photo(db: Database, asset_id: int) -> PhotoView | None:
    """What there is to say of an asset as a photo; None when it is none."""
    with db.read() as conn:
        row = conn.execute(select(photo).where(photo.c.asset_id == asset_id)).one_or_none()
        if row is None:
            return None
        made = conn.execute(
            select(derivation)
            .where(derivation.c.asset_id == asset_id)
            .order_by(derivation.c.name, derivation.c.variant)
        ).all()
        places = _places(conn, asset_id)
        companions = _companions(conn, asset_id)
        sidecars = sidecars_of(conn, asset_id)
    here = None if row.latitude is None else (float(row.latitude), float(row.longitude))
    camera = " ".join(part for part in (row.camera_make, row.camera_model) if part)
    return PhotoView(
        captured_from=FROM_WORDS.get(row.captured_from or "", row.captured_from),
        doubt=DOUBT_WORDS.get(row.capture_doubt or "", row.capture_doubt),
        refused_times=_refused(parse_detail(row.detail)),
        camera=camera or None,
        lens=row.lens,
        place=None if here is None else label_of_place(*here, country_of(*here)),
        place_url=None if here is None else Area.around(*here).url,
        altitude_m=row.altitude_m,
        frames=row.frames,
        perceptual_hash=row.perceptual_hash,
        derivations=[_derivation(each) for each in made],
        folders=list(
            dict.fromkeys(
                (
                    f"{place.source}/{place.folder}".rstrip("/"),
                    folder_url(place.source, place.folder),
                )
                for place in places
            )
        ),
        companions=companions,
        sidecars=_sidecars(row, sidecars),
    )


def read_sidecars(db: Database, asset_id: int) -> list[SidecarLine]:
    """What sidecars say of an asset, the most trusted first; nothing of one that is no photo."""
    counts = select(photo.c.captured_from, photo.c.place_from).where(photo.c.asset_id == asset_id)
    with db.read() as conn:
        row = conn.execute(counts).one_or_none()
        return [] if row is None else _sidecars(row, sidecars_of(conn, asset_id))


def _places(conn: Connection, asset_id: int) -> list[FilePlace]:
    query = photo_places(photo_file.c.source, asset_file.c.location)
    rows = conn.execute(query.where(asset_file.c.asset_id == asset_id).order_by(asset_file.c.path))
    return [FilePlace.at(row.source, row.location) for row in rows]


def _companions(conn: Connection, asset_id: int) -> list[tuple[str, str]]:
    """The RAW and the film that belong to it, or the picture that it belongs to."""
    found = {
        **companions_of(conn, [asset_id]),
        **pictures_of(conn, [asset_id]),
    }.get(asset_id, ())
    return [(FilePlace.at("", each.location).name, each.content_hash) for each in found]


def _sidecars(row: Any, found: Sequence[Sidecar]) -> list[SidecarLine]:
    time = time_said(found) if row.captured_from == FROM_SIDECAR else None
    place = place_said(found) if row.place_from == FROM_SIDECAR else None
    lines = []
    for one in found:
        said, where = one.said, None
        if said.latitude is not None and said.longitude is not None:
            here = (said.latitude, said.longitude)
            where = label_of_place(*here, country_of(*here))
        refused = [f"{each.text} ({each.why})" for each in _refused(said.detail)]
        damaged = ["it cannot be read as a whole"] if said.detail.get("damaged_metadata") else []
        lines.append(
            SidecarLine(
                name=one.name,
                path=one.path,
                taken_at=said.taken_at,
                taken_offset_min=said.taken_offset_min,
                latitude=said.latitude,
                longitude=said.longitude,
                place=where,
                time_counts=one is time,
                place_counts=one is place,
                why_not=[*refused, *damaged],
            )
        )
    return lines


def _refused(detail: Mapping[str, Any]) -> list[RefusedLine]:
    return [
        RefusedLine(
            text=str(each["text"]),
            origin=FROM_WORDS.get(each["origin"], str(each["origin"])),
            why=REFUSAL_WORDS.get(each["reason"], str(each["reason"])),
        )
        for each in detail.get("refused_times", ())
    ]


def _derivation(row: Any) -> DerivationFacts:
    return DerivationFacts(
        name=row.name,
        variant=row.variant,
        key=row.key,
        tool=row.tool,
        version=row.version,
        settings=row.settings,
        width=row.width,
        height=row.height,
        error=row.error,
        error_text=row.error_text,
    )
