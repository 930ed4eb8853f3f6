"""Turns what was derived of a file into what the library keeps of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lading.base.errors import InternalError
from lading.library.photo_values import DerivationFacts, Photo, PhotoFacts
from lading.library.tables import FileRole
from lading.library.values import AssetFacts, FileFacts
from lading.media.derive import Derivation, Derived, Part
from lading.media.errors import MediaDamaged, MediaTooLarge, MediaUnreadable
from lading.media.facts import CaptureTime, MediaFacts, RefusedPlace, RefusedTime
from lading.media.kind import Family
from lading.media.thumbnails import Thumbnail
from lading.sources.photos.rules import capture_doubt
from lading.storage.placement import content_key

_NAME_CHARS_MAX: Final = 190


@dataclass(frozen=True, slots=True)
class StoredThumbnail:
    """A thumbnail with the hash that names it in the store."""

    thumbnail: Thumbnail
    sha256: str

    @property
    def key(self) -> str:
        """Its key in the store."""
        return content_key(self.sha256)


def refusal(derived: Derived) -> MediaUnreadable | None:
    """Why a file is not taken in: it cannot be looked into, or its picture is damaged.

    A video is taken in without a poster: its sound and most of its frames may be well.
    """
    for failure in derived.failures:
        if failure.part in {Part.CONTENT, Part.FACTS}:
            return failure.error
        damaged = isinstance(failure.error, MediaDamaged | MediaTooLarge)
        if damaged and derived.kind.kind.family is not Family.VIDEO:
            return failure.error
    return None


def photo_of(
    derived: Derived, thumbnails: Iterable[StoredThumbnail], *, title: str, store: str
) -> Photo:
    """What the library keeps; `store` is where the thumbnails are."""
    kind, facts = derived.kind.kind, derived.facts
    if derived.sha256 is None or facts is None:
        raise InternalError("a file was looked into and has no hash or no facts", subject=title)
    capture = facts.capture
    asset = AssetFacts(
        content_hash=derived.sha256,
        asset_type="video" if kind.family is Family.VIDEO else "photo",
        asset_subtype="raw" if kind.family is Family.RAW else None,
        title=title,
        captured_at=captured_at(capture),
        captured_offset_min=capture.offset_minutes if capture else None,
        width=facts.width,
        height=facts.height,
        duration_s=facts.duration_s,
    )
    return Photo(
        asset=asset,
        size_bytes=derived.size_bytes,
        media_type=kind.media_type,
        facts=_said(facts, derived),
        derivations=_derivations(
            derived, {one.thumbnail.spec.side: one for one in thumbnails}, store
        ),
    )


def captured_at(capture: CaptureTime | None) -> datetime | None:
    """The moment; where the offset is not known, the clock's time as if it were UTC's."""
    if capture is None:
        return None
    return capture.moment or capture.local.replace(tzinfo=UTC)


def _said(facts: MediaFacts, derived: Derived) -> PhotoFacts:
    place, camera = facts.place, facts.camera
    return PhotoFacts(
        captured_from=facts.capture.origin.value if facts.capture else None,
        capture_doubt=capture_doubt(facts.capture),
        latitude=place.latitude if place else None,
        longitude=place.longitude if place else None,
        altitude_m=place.altitude_m if place else None,
        camera_make=_name(camera.make),
        camera_model=_name(camera.model),
        lens=_name(camera.lens),
        orientation=facts.orientation,
        frames=facts.frames,
        perceptual_hash=derived.perceptual_hash,
        detail=_detail(facts, derived),
    )


def _detail(facts: MediaFacts, derived: Derived) -> Mapping[str, Any]:
    """What has no column: streams, what does not count and why, a name that says otherwise."""
    detail: dict[str, Any] = {
        **refused_detail(facts.refused_times, facts.refused_places),
        "damaged_metadata": list(facts.damaged_metadata),
        "streams": [asdict(one) for one in facts.streams],
        "named": list(derived.kind.named) if derived.kind.mislabelled else [],
    }
    offset_origin = facts.capture.offset_origin if facts.capture else None
    if offset_origin is not None:
        detail["offset_from"] = offset_origin.value
    return {name: value for name, value in detail.items() if value}


def refused_detail(times: Iterable[RefusedTime], places: Iterable[RefusedPlace]) -> dict[str, Any]:
    """What was stated and does not count, as `detail` has it."""
    refused = [asdict(one.stated) | {"reason": one.reason} for one in places]
    return {
        "refused_times": [asdict(one) for one in times],
        "refused_places": [{key: str(value) for key, value in place.items()} for place in refused],
    }


def _derivations(
    derived: Derived, thumbnails: Mapping[int, StoredThumbnail], store: str
) -> tuple[DerivationFacts, ...]:
    failed = {failure.part.value: failure.error for failure in derived.failures}
    # Thumbnails and likeness are made of the same pixels.
    failed.setdefault(Part.PERCEPTUAL_HASH, failed.get(Part.THUMBNAIL))  # type: ignore[arg-type]
    found = []
    for one in derived.derivations:
        side = _side(one)
        error = failed.get(one.name)
        made = thumbnails.get(side) if side is not None else None
        found.append(
            DerivationFacts(
                name=one.name,
                variant="" if side is None else str(side),
                key=one.key,
                tool=one.tool,
                version=one.version,
                settings=one.settings,
                file=None if made is None else _thumbnail_file(made, store),
                width=made.thumbnail.width if made else None,
                height=made.thumbnail.height if made else None,
                error=error.code if error else None,
                error_text=str(error) if error else None,
            )
        )
    return tuple(found)


def _side(one: Derivation) -> int | None:
    if one.name != Part.THUMBNAIL:
        return None
    return int(json.loads(one.settings)["side"])


def _thumbnail_file(made: StoredThumbnail, store: str) -> FileFacts:
    thumbnail = made.thumbnail
    name = f"thumbnail-{thumbnail.spec.side}"
    return FileFacts(
        role=FileRole.DERIVATIVE,
        path=f"derived/{name}.{thumbnail.spec.format.value}",
        sha256=made.sha256,
        size_bytes=len(thumbnail.data),
        store=store,
        location=made.key,
        variant=name,
        media_type=thumbnail.media_type,
    )


def _name(text: str) -> str | None:
    """A text out of a file as a column keeps it: without what databases refuse, not too long."""
    plain = text.replace("\0", " ").encode("utf-8", "replace").decode().strip()
    return plain[:_NAME_CHARS_MAX] or None
