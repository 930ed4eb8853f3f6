"""Reads what ffprobe says of a file: its `format` and `streams`, or either of them alone.

ffprobe has one name for all of QuickTime, MP4 and 3GP, and one for WAVE in all its forms. They are
told apart by brand, tags and codec tags; the file's name comes last, and only for the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lading.sources.archive.formats import (
    codec_of_ffprobe,
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
    "matroska": "matroska", "webm": "matroska", "mxf": "mxf", "avi": "avi", "dv": "dv",
    "mpeg": "mpeg-ps", "mpegts": "mpeg-ts", "mpegvideo": "mpeg-es", "asf": "asf", "flv": "flv",
    "wav": "wav", "w64": "wave64", "aiff": "aiff", "flac": "flac", "caf": "caf", "au": "au",
    "dsf": "dsf", "wv": "wavpack", "ogg": "ogg", "mp3": "mpeg-audio", "aac": "adts",
}  # fmt: skip
"""Containers by the first word of `format_name`, where that word settles the matter or nearly."""

_NAMES_BY_LONG_NAME: Final = {
    "quicktime / mov": "mov", "matroska / webm": "matroska", "matroska": "matroska",
    "mxf (material exchange format)": "mxf", "avi (audio video interleaved)": "avi",
    "dv (digital video)": "dv", "mpeg-ps (mpeg-2 program stream)": "mpeg",
    "mpeg-ts (mpeg-2 transport stream)": "mpegts", "raw mpeg video": "mpegvideo",
    "wav / wave (waveform audio)": "wav", "sony wave64": "w64", "audio iff": "aiff",
    "raw flac": "flac", "apple caf (core audio format)": "caf", "sun au": "au", "ogg": "ogg",
    "mp2/3 (mpeg audio layer 2/3)": "mp3",
}  # fmt: skip

_QUICKTIME_CODEC_TAGS: Final = frozenset(
    [
        "apco",
        "apcs",
        "apcn",
        "apch",
        "ap4h",
        "ap4x",
        "2vuy",
        "v210",
        "v308",
        "v408",
        "yuv2",
        "dvc",
        "dvcp",
        "dvpp",
        "dv5n",
        "dv5p",
        "dvh5",
        "dvh6",
        "dvhp",
        "dvhq",
        "avdn",
        "avdh",
        "mjpa",
        "mjpb",
        "jpeg",
        "rle",
        "svq3",
        "icod",
        "raw",
        "png",
        "xd5b",
        "xdv1",
        "xdv2",
        "xdv3",
        "xdv6",
        "xdvc",
        "in24",
        "in32",
        "sowt",
        "twos",
        "fl32",
        "fl64",
        "lpcm",
        "tmcd",
    ]
)
"""Codec tags that QuickTime writes and MP4 does not: without a brand they tell the two apart."""

_BEXT_TAGS: Final = frozenset(
    {"time_reference", "coding_history", "originator", "originator_reference", "umid"}
)
_NO_TAG: Final = "[0][0][0][0]"
_DOUBTFUL_SCORE: Final = 25  # of 100; ffprobe itself would read on for certainty


@dataclass(frozen=True, slots=True)
class _Told:
    """A container or None, by which field, and the field's value."""

    container: str | None
    source: str
    found: str


def is_ffprobe(node: Mapping[str, Any]) -> bool:
    """Whether an object has a `format` or `streams` as ffprobe writes them."""
    form = mapping_of(node.get("format"))
    streams = node.get("streams")
    return not form.keys().isdisjoint({"format_name", "format_long_name", "nb_streams"}) or (
        isinstance(streams, list)
        and any("codec_type" in one or "codec_name" in one for one in mappings_of(streams))
    )


def read_ffprobe(place: Place) -> Probed:
    """What ffprobe says of one file (B5)."""
    node = place.node
    form = mapping_of(node.get("format"))
    streams = mappings_of(node.get("streams")) if isinstance(node.get("streams"), list) else []
    declared = form.get("nb_streams")
    declared = declared if type(declared) is int and declared >= 0 else None
    told = _container_of(form, streams)
    version = text_of(mapping_of(node.get("program_version")).get("version"), 80)
    score = form.get("probe_score")
    notes = []
    if type(score) is int and 0 <= score <= _DOUBTFUL_SCORE:
        notes.append(f"ffprobe was not sure of the format: its score is {score} of 100.")
    if declared is not None and 0 < len(streams) < declared:
        notes.append(f"ffprobe was asked for {len(streams)} of {declared} streams only.")
    return Probed(
        key=place.key,
        tool=f"ffprobe {version}" if version else "ffprobe",
        container=told.container,
        container_source=f"ffprobe {told.source}",
        container_found=told.found,
        file_name=file_name_of(form.get("filename")),
        size_bytes=count_of(form.get("size"), SIZE_BYTES_MAX),
        duration=span_of(form.get("duration")) or _longest(streams),
        picture=_picture_of(streams),
        sound=_sound_of(streams),
        streams_listed=isinstance(node.get("streams"), list) or declared == 0,
        streams_found=_shown(streams, declared),
        conflict=_conflict_of(form, streams, declared),
        notes=tuple(notes),
    )


def _container_of(form: Mapping[str, Any], streams: Sequence[Mapping[str, Any]]) -> _Told:
    field = "format.format_name"
    name = text_of(form.get("format_name"))
    if name is None:
        field = "format.format_long_name"
        name = _NAMES_BY_LONG_NAME.get((text_of(form.get("format_long_name")) or "").lower())
    if name is None:
        return _Told(None, field, "no format.format_name")
    words = name.lower().split(",")
    if not {"mov", "mp4"}.isdisjoint(words):
        return _of_the_mov_family(name, form, streams)
    closer = _closer_form(words[0], form, streams)
    return closer or _Told(_CONTAINERS.get(words[0]), field, name)


def _closer_form(
    name: str, form: Mapping[str, Any], streams: Sequence[Mapping[str, Any]]
) -> _Told | None:
    """What a name of ffprobe's stands for more closely, where tags or the codec tell."""
    bext = sorted(_tags_of(form).keys() & _BEXT_TAGS)
    sound = next((stream for stream in streams if _kind_of(stream) == "audio"), {})
    codec = (text_of(sound.get("codec_name")) or "").lower()
    if name == "wav" and bext:
        return _Told("bwf", "format.tags", ", ".join(bext))
    if name == "aiff" and _has_compression_type(sound, codec):
        return _Told("aifc", "streams[].codec_tag_string", codec)
    if name == "mp3" and codec in {"mp2", "mp3"}:
        return _Told(codec, "streams[].codec_name", codec)
    if name == "iff" and codec.startswith(("dsd_", "dst")):
        return _Told("dff", "streams[].codec_name", codec)
    return None


def _of_the_mov_family(
    name: str, form: Mapping[str, Any], streams: Sequence[Mapping[str, Any]]
) -> _Told:
    """Brands first, then what only QuickTime has, then the name; else it is not told."""
    tags = _tags_of(form)
    major = text_of(tags.get("major_brand"))
    if major is not None and (container := container_of_brand(major)) is not None:
        return _Told(container, "format.tags.major_brand", major)
    compatible = text_of(tags.get("compatible_brands")) or ""
    for brand in (compatible[start : start + 4] for start in range(0, len(compatible), 4)):
        if (container := container_of_brand(brand)) is not None:
            return _Told(container, "format.tags.compatible_brands", compatible)
    if any(tag.startswith("com.apple.quicktime.") for tag in tags):
        return _Told("quicktime", "format.tags", "com.apple.quicktime.*")
    for stream in streams:
        codec_tag = (text_of(stream.get("codec_tag_string")) or "").lower().strip()
        if codec_tag in _QUICKTIME_CODEC_TAGS:
            return _Told("quicktime", "streams[].codec_tag_string", codec_tag)
    file_name = file_name_of(form.get("filename"))
    hinted = container_of_extension(file_name)
    if hinted in {"quicktime", "mp4", "3gp"}:
        return _Told(hinted, "format.filename", file_name or "")
    return _Told(None, "format.format_name", f"{name}, without a brand that is known")


def _has_compression_type(stream: Mapping[str, Any], codec: str) -> bool:
    """Plain AIFF has no field for a codec; AIFF-C has one, and mostly uses it."""
    tag = text_of(stream.get("codec_tag_string"))
    if tag is not None:
        return tag != _NO_TAG
    return bool(codec) and not (codec == "pcm_s8" or codec.endswith("be"))


def _tags_of(form: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in mapping_of(form.get("tags")).items()}


def _kind_of(stream: Mapping[str, Any]) -> str:
    """`video`, `audio` or other; a cover picture is no video."""
    disposition = mapping_of(stream.get("disposition"))
    if any(disposition.get(still) == 1 for still in ("attached_pic", "timed_thumbnails")):
        return "picture"
    return (text_of(stream.get("codec_type")) or "unknown").lower()


def _picture_of(streams: Sequence[Mapping[str, Any]]) -> Picture | None:
    for stream in streams:
        if _kind_of(stream) == "video":
            return Picture(
                codec=codec_of_ffprobe(text_of(stream.get("codec_name"))),
                width=count_of(stream.get("width"), SIDE_MAX),
                height=count_of(stream.get("height"), SIDE_MAX),
            )
    return None


def _sound_of(streams: Sequence[Mapping[str, Any]]) -> Sound | None:
    sounding = [stream for stream in streams if _kind_of(stream) == "audio"]
    if not sounding:
        return None
    channels = [count_of(stream.get("channels"), CHANNELS_MAX) for stream in sounding]
    known = [number for number in channels if number is not None]
    codec = codec_of_ffprobe(text_of(sounding[0].get("codec_name")))
    rate_hz = rate_of(sounding[0].get("sample_rate"))
    if codec == "dsd" and rate_hz is not None:
        rate_hz *= 8  # ffprobe counts bytes of eight samples
    return Sound(codec, sum(known) if len(known) == len(channels) else None, rate_hz)


def _longest(streams: Sequence[Mapping[str, Any]]) -> Span | None:
    spans = [span_of(stream.get("duration")) for stream in streams]
    known = [span for span in spans if span is not None]
    return max(known, key=lambda span: span.seconds, default=None)


def _shown(streams: Sequence[Mapping[str, Any]], declared: int | None) -> str:
    kinds = ", ".join(_kind_of(stream) for stream in streams[:8])
    of_all = "" if declared is None or declared == len(streams) else f" of {declared}"
    return f"{len(streams)}{of_all} streams{': ' if kinds else ''}{kinds}"


def _conflict_of(
    form: Mapping[str, Any], streams: Sequence[Mapping[str, Any]], declared: int | None
) -> str | None:
    if declared is not None and len(streams) > declared:
        return f"format.nb_streams is {declared}, but {len(streams)} streams are listed"
    name = text_of(form.get("format_name"))
    long_name = text_of(form.get("format_long_name")) or ""
    meant = _NAMES_BY_LONG_NAME.get(long_name.lower())
    if name is not None and meant is not None and meant not in name.lower().split(","):
        return f"format.format_name is {name}, but format.format_long_name is {long_name}"
    return None
