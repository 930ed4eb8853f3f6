"""The containers a master may come in, with their MIME types, and one name for each codec.

MIME types are those that IANA or an RFC knows, where there is one: `video/matroska` (RFC 9559) and
not `video/x-matroska`, `video/vnd.avi` and `audio/vnd.wave` (RFC 2361) and not `video/x-msvideo`
and `audio/x-wav`. What is only a form of WAVE keeps its own container name (`bwf`, `rf64`,
`wave64`) and shares the MIME type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lading.sources.archive.values import CodeKind


@dataclass(frozen=True, slots=True)
class Container:
    """How a file is wrapped. `form_of` is the container that a tool may take this one for.

    A tool that cannot tell RF64 from WAVE says WAVE, so the two do not contradict each other.
    """

    name: str
    label: str
    mime: str
    mime_without_video: str | None = None
    form_of: str | None = None

    @property
    def family(self) -> str:
        """The name that this container and those it is taken for have in common."""
        return self.form_of or self.name

    def mime_of(self, *, has_video: bool) -> str:
        """The MIME type of a file that has pictures, or has none."""
        return self.mime if has_video else self.mime_without_video or self.mime


CONTAINERS: Final[Mapping[str, Container]] = {
    container.name: container
    for container in (
        Container("quicktime", "QuickTime", "video/quicktime"),
        Container("mp4", "MP4", "video/mp4", "audio/mp4"),
        Container("3gp", "3GP", "video/3gpp", "audio/3gpp", form_of="mp4"),
        Container("matroska", "Matroska", "video/matroska", "audio/matroska"),
        Container("webm", "WebM", "video/webm", "audio/webm", form_of="matroska"),
        Container("mxf", "MXF", "application/mxf"),
        Container("avi", "AVI", "video/vnd.avi"),
        Container("dv", "raw DV", "video/dv"),
        Container("mpeg-ps", "MPEG program stream", "video/mpeg"),
        Container("mpeg-ts", "MPEG transport stream", "video/mp2t"),
        Container("mpeg-es", "MPEG elementary stream", "video/mpeg"),
        Container("asf", "ASF", "application/vnd.ms-asf"),
        Container("flv", "Flash Video", "video/x-flv"),
        Container("wav", "WAVE", "audio/vnd.wave"),
        Container("bwf", "Broadcast WAVE", "audio/vnd.wave", form_of="wav"),
        Container("rf64", "RF64", "audio/vnd.wave", form_of="wav"),
        Container("wave64", "Wave64", "audio/vnd.wave"),
        Container("aiff", "AIFF", "audio/aiff"),
        Container("aifc", "AIFF-C", "audio/aiff", form_of="aiff"),
        Container("flac", "FLAC", "audio/flac"),
        Container("caf", "Core Audio Format", "audio/x-caf"),
        Container("au", "Sun audio", "audio/x-au"),
        Container("dsf", "DSF", "audio/x-dsf"),
        Container("dff", "DSDIFF", "audio/x-dff"),
        Container("wavpack", "WavPack", "audio/x-wavpack"),
        Container("ogg", "Ogg", "video/ogg", "audio/ogg"),
        Container("mpeg-audio", "MPEG audio", "audio/mpeg"),
        Container("mp2", "MP2", "audio/mpeg", form_of="mpeg-audio"),
        Container("mp3", "MP3", "audio/mpeg", form_of="mpeg-audio"),
        Container("adts", "AAC in ADTS", "audio/aac"),
    )
}
"""Every container by its name."""

CONTAINER_NAMES: Final = frozenset(CONTAINERS)
"""What the source's options may name."""

DEFAULT_CONTAINERS: Final[Mapping[CodeKind, frozenset[str]]] = {
    CodeKind.VIDEO: frozenset(
        {"quicktime", "matroska", "mxf", "avi", "dv", "mpeg-ps", "mpeg-ts", "mpeg-es"}
    ),
    CodeKind.AUDIO: frozenset({"wav", "bwf", "rf64", "wave64", "aiff", "aifc", "flac"}),
}
"""What a master is kept in unless the options say otherwise.

MP4 and MP3 are not among them: in this archive they are what people look at and listen to, and a
sidecar that speaks of one is taken for one that was made of the wrong file.
"""

STREAMING_CONTAINERS: Final = frozenset({"mp4", "3gp", "mp3"})
STREAMING_VIDEO_CODECS: Final = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})
STREAMING_AUDIO_CODECS: Final = frozenset({"aac", "mp3", "opus", "ac3"})

COMPARABLE_CODECS: Final = frozenset(
    {
        *("prores", "dv", "v210", "ffv1", "mjpeg", "jpeg2000", "dnxhd", "mpeg1", "mpeg2"),
        *("h264", "hevc", "pcm", "flac", "aac", "mp2", "mp3", "opus", "vorbis", "dsd"),
    }
)
"""Codecs that both tools are known to name alike here; of others, two names prove nothing."""

_CONTAINERS_BY_EXTENSION: Final = {
    "mov": "quicktime", "qt": "quicktime", "mp4": "mp4", "m4v": "mp4", "m4a": "mp4", "3gp": "3gp",
    "mkv": "matroska", "mka": "matroska", "webm": "webm", "mxf": "mxf", "avi": "avi", "dv": "dv",
    "vob": "mpeg-ps", "ts": "mpeg-ts", "m2ts": "mpeg-ts", "m2v": "mpeg-es", "wav": "wav",
    "bwf": "bwf", "rf64": "rf64", "w64": "wave64", "aif": "aiff", "aiff": "aiff", "aifc": "aifc",
    "flac": "flac", "caf": "caf", "mp3": "mp3", "mp2": "mp2",
}  # fmt: skip

_CODECS_BY_FFPROBE_NAME: Final = {
    "dvvideo": "dv", "mpeg2video": "mpeg2", "mpeg1video": "mpeg1", "wmav1": "wma",
    "wmav2": "wma", "wmv1": "wmv", "wmv2": "wmv", "wmv3": "wmv",
}  # fmt: skip

_CODECS_BY_MEDIAINFO_FORMAT: Final = {
    "avc": "h264", "jpeg": "mjpeg", "jpeg 2000": "jpeg2000", "vc-3": "dnxhd", "mpeg-4 visual":
    "mpeg4", "wmv1": "wmv", "wmv2": "wmv", "ac-3": "ac3", "e-ac-3": "eac3", "aac lc": "aac",
    "he-aac": "aac", "a-law": "pcm", "u-law": "pcm", "alaw": "pcm",
    "yuv": "rawvideo", "rgb": "rawvideo", "raw": "rawvideo",
}  # fmt: skip


def container_of_extension(file_name: str | None) -> str | None:
    """The container that a file's name promises, or None; only ever a hint."""
    if file_name is None or "." not in file_name:
        return None
    return _CONTAINERS_BY_EXTENSION.get(file_name.rpartition(".")[2].lower())


def container_of_brand(brand: str) -> str | None:
    """The container of a four-letter `ftyp` brand, with or without its padding."""
    brand = brand.strip().lower()
    if brand == "qt":
        return "quicktime"
    if brand.startswith(("3gp", "3g2", "3gr", "3gs")):
        return "3gp"
    if brand.startswith(("iso", "mp4", "m4v", "m4a", "m4b", "avc1", "dash", "xavc", "f4v", "msnv")):
        return "mp4"
    return None


def codec_of_ffprobe(name: str | None) -> str | None:
    """One name for a codec, whatever its layout of samples: `pcm` for `pcm_s24le`."""
    if name is None or name in {"none", "unknown"}:
        return None
    name = name.lower()
    if name.startswith(("pcm_", "dsd_", "adpcm_")):
        return name.partition("_")[0]
    return _CODECS_BY_FFPROBE_NAME.get(name, name)


def codec_of_mediainfo(
    form: str | None, *, version: str | None, profile: str | None, codec_id: str | None
) -> str | None:
    """The same name from mediainfo's words, which says more in Format_Version and CodecID."""
    if form is None:
        return None
    name = form.lower()
    if name == "mpeg video":
        return {"1": "mpeg1", "2": "mpeg2"}.get((version or "")[-1:], "mpeg video")
    if name == "mpeg audio":
        return {"1": "mp1", "2": "mp2", "3": "mp3"}.get((profile or "")[-1:], "mpeg audio")
    if name == "yuv" and (codec_id or "").lower() == "v210":
        return "v210"
    return _CODECS_BY_MEDIAINFO_FORMAT.get(name, name)
