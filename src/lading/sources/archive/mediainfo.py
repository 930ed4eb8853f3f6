"""Reads what mediainfo says of a file: one General track and a track for each stream.

Its JSON was not always the same: today's `media.track`, what converters made of the older XML
(`File.track`, text with units, names with underscores or slashes), and pymediainfo's `tracks`.
Field names are compared by their letters and digits alone, which are the same in all of them.

InternetMediaType is not asked: it says video/mp4 of every QuickTime file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lading.sources.archive.formats import (
    codec_of_mediainfo,
    container_of_brand,
    container_of_extension,
)
from lading.sources.archive.probed import (
    CHANNELS_MAX,
    SIDE_MAX,
    SIZE_BYTES_MAX,
    Picture,
    Place,
    Probed,
    Sound,
    Span,
    count_of,
    file_name_of,
    mapping_of,
    mappings_of,
    rate_of,
    span_of,
    text_of,
)

_CONTAINERS: Final = {
    "quicktime": "quicktime", "matroska": "matroska", "webm": "webm", "mxf": "mxf", "avi": "avi",
    "dv": "dv", "mpeg-ps": "mpeg-ps", "mpeg-ts": "mpeg-ts", "bdav": "mpeg-ts",
    "mpeg video": "mpeg-es", "windows media": "asf", "flash video": "flv", "wave": "wav",
    "rf64": "rf64", "wave64": "wave64", "aiff": "aiff", "aifc": "aifc", "aiff-c": "aifc",
    "flac": "flac", "caf": "caf", "au": "au", "dsf": "dsf", "dsdiff": "dff", "wavpack": "wavpack",
    "ogg": "ogg", "mpeg audio": "mpeg-audio", "adts": "adts",
}  # fmt: skip
"""Containers by General's Format, where that settles the matter or nearly."""

_KINDS: Final = frozenset({"general", "video", "audio", "text", "other", "image", "menu"})
_TYPE_FIELDS: Final = ("type", "tracktype", "kindofstream", "streamkind")


@dataclass(frozen=True, slots=True)
class _Track:
    """One track: what it is of, and its fields by the letters and digits of their names."""

    kind: str
    fields: Mapping[str, Any]

    def text(self, *names: str) -> str | None:
        return next((text for name in names if (text := text_of(self.fields.get(name)))), None)

    def count(self, largest: int, *names: str) -> int | None:
        counts = (count_of(self.fields.get(name), largest) for name in names)
        return next((count for count in counts if count is not None), None)


def is_mediainfo(node: Mapping[str, Any]) -> bool:
    """Whether an object holds tracks as mediainfo writes them, in any of its dialects."""
    return bool(_tracks_of(node))


def read_mediainfo(place: Place) -> Probed:
    """What mediainfo says of one file (B5).

    What is around the tracks knows the tool's version, and whether bare numbers are seconds.
    """
    tracks = _tracks_of(place.node)
    general = next((track for track in tracks if track.kind == "general"), _Track("general", {}))
    videos = [track for track in tracks if track.kind == "video"]
    audios = [track for track in tracks if track.kind == "audio"]
    unit_s = _unit_of_durations_s(place)
    container, field, found = _container_of(general, audios)
    truncated = (general.text("istruncated") or "").lower() == "yes"
    return Probed(
        key=place.key,
        tool=_tool_of([*place.around, place.node]),
        container=container,
        container_source=f"mediainfo {field}",
        container_found=found,
        file_name=_file_name_of(general, place.node),
        size_bytes=count_of(general.fields.get("filesize"), SIZE_BYTES_MAX),
        duration=_duration_of([general, *videos, *audios], unit_s),
        picture=_picture_of(videos),
        sound=_sound_of(audios),
        streams_found=f"tracks: {', '.join(track.kind for track in tracks[:12])}",
        conflict=_conflict_of(general, videos, audios),
        notes=("mediainfo says that the file is cut short.",) if truncated else (),
    )


def _tracks_of(node: Mapping[str, Any]) -> list[_Track]:
    """The tracks of an object, under `track` or `tracks`; empty if they are none."""
    tracks = []
    for name, value in node.items():
        if name.lower() in {"track", "tracks"}:
            for fields in map(_plain_fields, mappings_of(value)):
                kinds = ((text_of(fields.get(name)) or "").lower() for name in _TYPE_FIELDS)
                kind = next((kind for kind in kinds if kind in _KINDS), None)
                if kind is not None:
                    tracks.append(_Track(kind, fields))
    return tracks


def _plain_fields(track: Mapping[str, Any]) -> dict[str, Any]:
    """Fields by their letters and digits: `Format/String` and `Format_String` are the same.

    `extra` holds what mediainfo has no name of its own for, `$` what was an attribute in XML.
    """
    plain: dict[str, Any] = {}
    for source in (track, mapping_of(track.get("$")), mapping_of(track.get("extra"))):
        for name, value in source.items():
            plain.setdefault("".join(c for c in name.lower() if c.isalnum()), value)
    return plain


def _unit_of_durations_s(place: Place) -> float:
    """Bare numbers are seconds in today's JSON, and milliseconds in the older dialects."""
    if "tracks" in {name.lower() for name in place.node}:
        return 0.001
    names = [name.lower() for name in place.names if name.lower() in {"file", "media"}]
    return 0.001 if names[-1:] == ["file"] else 1.0


def _tool_of(objects: Sequence[Mapping[str, Any]]) -> str:
    for around in objects:
        library = mapping_of(around.get("creatingLibrary"))
        if version := text_of(library.get("version"), 40):
            return f"{text_of(library.get('name'), 40) or 'mediainfo'} {version}"
        for name in ("@version", "version"):
            if version := text_of(around.get(name), 40):
                return f"mediainfo {version}"
    return "mediainfo"


def _file_name_of(general: _Track, node: Mapping[str, Any]) -> str | None:
    for value in (general.fields.get("completename"), node.get("@ref"), node.get("ref")):
        if name := file_name_of(value):
            return name
    return file_name_of(general.fields.get("filenameextension"))


def _container_of(general: _Track, audios: Sequence[_Track]) -> tuple[str | None, str, str]:
    """The container or None, by which field, and the field's value."""
    form = general.text("format", "formatstring")
    if form is None:
        return None, "General.Format", "no Format of General"
    if form.lower() == "mpeg-4":
        return _of_the_mpeg4_family(general)
    container = _CONTAINERS.get(form.lower())
    sound = audios[0] if audios else None
    return _closer_form(container, general, sound) or (container, "General.Format", form)


def _closer_form(
    container: str | None, general: _Track, sound: _Track | None
) -> tuple[str, str, str] | None:
    """What a Format stands for more closely, where another field tells."""
    profile = general.text("formatprofile") or ""
    if container == "wav" and "rf64" in profile.lower():
        return "rf64", "General.Format_Profile", profile
    if container == "wav" and (general.text("bextpresent") or "").lower() == "yes":
        return "bwf", "General.bext_Present", "Yes"
    if container == "aiff" and sound is not None and (codec := sound.text("codecid")):
        return "aifc", "Audio.CodecID", codec  # plain AIFF has no field for a codec
    if container == "mpeg-audio" and sound is not None:
        layer = sound.text("formatprofile") or ""
        if layer.endswith(("2", "3")):
            return f"mp{layer[-1]}", "Audio.Format_Profile", layer
    return None


def _of_the_mpeg4_family(general: _Track) -> tuple[str | None, str, str]:
    """QuickTime, MP4 and 3GP share a Format; its profile and the brand tell them apart."""
    profile = general.text("formatprofile") or ""
    by_profile = _container_of_profile(profile)
    if by_profile is not None:
        return by_profile, "General.Format_Profile", profile
    brand = general.text("codecid") or ""
    by_brand = container_of_brand(brand[:4])
    if by_brand is not None:
        return by_brand, "General.CodecID", brand
    file_name = file_name_of(general.fields.get("completename"))
    hinted = container_of_extension(file_name)
    if hinted in {"quicktime", "mp4", "3gp"}:
        return hinted, "General.CompleteName", file_name or ""
    return None, "General.Format", "MPEG-4, without a profile or brand that is known"


def _container_of_profile(profile: str) -> str | None:
    lowered = profile.lower()
    if lowered.startswith("quicktime"):
        return "quicktime"
    if lowered.startswith("3gpp"):
        return "3gp"
    return "mp4" if lowered.startswith("base media") else None


def _duration_of(tracks: Sequence[_Track], unit_s: float) -> Span | None:
    """The first duration that is told, General's before those of the streams."""
    for track in tracks:
        if (span := span_of(track.fields.get("duration"), unit_s)) is not None:
            return span
    return None


def _codec_of(track: _Track) -> str | None:
    return codec_of_mediainfo(
        track.text("format", "formatstring"),
        version=track.text("formatversion"),
        profile=track.text("formatprofile"),
        codec_id=track.text("codecid"),
    )


def _picture_of(videos: Sequence[_Track]) -> Picture | None:
    if not videos:
        return None
    first = videos[0]
    return Picture(
        codec=_codec_of(first),
        width=first.count(SIDE_MAX, "width"),
        height=first.count(SIDE_MAX, "height"),
    )


def _sound_of(audios: Sequence[_Track]) -> Sound | None:
    if not audios:
        return None
    channels = [track.count(CHANNELS_MAX, "channels") for track in audios]
    known = [number for number in channels if number is not None]
    return Sound(
        codec=_codec_of(audios[0]),
        channels=sum(known) if len(known) == len(channels) else None,
        rate_hz=rate_of(audios[0].fields.get("samplingrate")),
    )


def _conflict_of(general: _Track, videos: Sequence[_Track], audios: Sequence[_Track]) -> str | None:
    for name, tracks in (("Video", videos), ("Audio", audios)):
        declared = general.count(10_000, f"{name.lower()}count", f"countof{name.lower()}streams")
        if declared is not None and declared != len(tracks):
            return f"General.{name}Count is {declared}, but {len(tracks)} such tracks are listed"
    profile = general.text("formatprofile") or ""
    brand = general.text("codecid") or ""
    if (general.text("format") or "").lower() == "mpeg-4":
        by_profile, by_brand = _container_of_profile(profile), container_of_brand(brand[:4])
        if None not in {by_profile, by_brand} and by_profile != by_brand:
            return f"General.Format_Profile is {profile}, but General.CodecID is {brand}"
    return None
