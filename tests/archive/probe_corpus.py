"""The documents of real tools under `probes/`, and what is true of the masters they describe."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lading.sources.archive.values import CodeKind

PROBES: Final = Path(__file__).parent / "probes"


@dataclass(frozen=True)
class Master:
    """What a master is, whoever describes it; `by_default` is whether the options need not say so.

    `video` is codec, width and height, `audio` is codec, channels and rate.
    """

    container: str
    mime: str
    video: tuple[str, int, int] | None
    audio: tuple[str, int, int] | None
    by_default: bool = True

    @property
    def kind(self) -> CodeKind:
        return CodeKind.AUDIO if self.video is None else CodeKind.VIDEO


QUICKTIME, MATROSKA, MPEG = "video/quicktime", "video/matroska", "video/mpeg"
MXF, AVI, WAVE = "application/mxf", "video/vnd.avi", "audio/vnd.wave"
PCM, FLAC, MP2, AAC = (codec_and_layout for codec_and_layout in (
    ("pcm", 2, 48_000), ("flac", 2, 48_000), ("mp2", 2, 48_000), ("aac", 2, 48_000),
))  # fmt: skip

MASTERS: Final = {
    "mov_prores": Master("quicktime", QUICKTIME, ("prores", 1920, 1080), PCM),
    "mov_no_ftyp": Master("quicktime", QUICKTIME, ("prores", 1920, 1080), PCM),
    "mov_dv": Master("quicktime", QUICKTIME, ("dv", 720, 576), PCM),
    "mov_v210": Master("quicktime", QUICKTIME, ("v210", 720, 576), PCM),
    "mov_h264": Master("quicktime", QUICKTIME, ("h264", 1920, 1080), AAC),
    "mov_mjpeg": Master("quicktime", QUICKTIME, ("mjpeg", 720, 576), PCM),
    "mov_2vuy": Master("quicktime", QUICKTIME, ("rawvideo", 720, 576), PCM),
    "mov_silent": Master("quicktime", QUICKTIME, ("prores", 720, 576), None),
    "mov_sound_only": Master("quicktime", QUICKTIME, None, PCM, by_default=False),
    "mkv_ffv1_pcm": Master("matroska", MATROSKA, ("ffv1", 720, 576), PCM),
    "mkv_ffv1_flac": Master("matroska", MATROSKA, ("ffv1", 720, 576), FLAC),
    "mkv_sound_only": Master("matroska", "audio/matroska", None, FLAC, by_default=False),
    "webm_vp9": Master(
        "webm", "video/webm", ("vp9", 720, 576), ("opus", 2, 48_000), by_default=False
    ),
    "mxf_op1a_mpeg2": Master("mxf", MXF, ("mpeg2", 1920, 1080), PCM),
    "mxf_d10": Master("mxf", MXF, ("mpeg2", 720, 576), ("pcm", 4, 48_000)),
    "mxf_dnxhd": Master("mxf", MXF, ("dnxhd", 1920, 1080), PCM),
    "mxf_jpeg2000": Master("mxf", MXF, ("jpeg2000", 720, 576), PCM),
    "avi_dv": Master("avi", AVI, ("dv", 720, 576), PCM),
    "avi_raw": Master("avi", AVI, ("rawvideo", 720, 576), PCM),
    "avi_ffv1": Master("avi", AVI, ("ffv1", 720, 576), PCM),
    "dv_raw": Master("dv", "video/dv", ("dv", 720, 576), PCM),
    "mpeg_ps": Master("mpeg-ps", MPEG, ("mpeg2", 720, 576), MP2),
    "mpeg1_ps": Master("mpeg-ps", MPEG, ("mpeg1", 720, 576), MP2),
    "mpeg_ts": Master("mpeg-ts", "video/mp2t", ("mpeg2", 720, 576), MP2),
    "mpeg_es": Master("mpeg-es", MPEG, ("mpeg2", 720, 576), None),
    "mp4_h264": Master("mp4", "video/mp4", ("h264", 1920, 1080), AAC, by_default=False),
    "mp4_mpeg2": Master("mp4", "video/mp4", ("mpeg2", 720, 576), AAC, by_default=False),
    "mp4_sound_only": Master("mp4", "audio/mp4", None, AAC, by_default=False),
    "3gp": Master("3gp", "video/3gpp", ("h264", 720, 576), AAC, by_default=False),
    "asf": Master(
        "asf", "application/vnd.ms-asf", ("wmv", 720, 576), ("wma", 2, 48_000), by_default=False
    ),
    "wav": Master("wav", WAVE, None, PCM),
    "wav_float": Master("wav", WAVE, None, ("pcm", 1, 44_100)),
    "wav_96k": Master("wav", WAVE, None, ("pcm", 2, 96_000)),
    "bwf": Master("bwf", WAVE, None, PCM),
    "rf64": Master("rf64", WAVE, None, PCM),
    "rf64_bext": Master("rf64", WAVE, None, PCM),
    "wave64": Master("wave64", WAVE, None, PCM),
    "aiff": Master("aiff", "audio/aiff", None, PCM),
    "aifc_sowt": Master("aifc", "audio/aiff", None, PCM),
    "aifc_alaw": Master("aifc", "audio/aiff", None, PCM),
    "flac": Master("flac", "audio/flac", None, FLAC),
    "flac_cover": Master("flac", "audio/flac", None, FLAC),
    "mp3": Master("mp3", "audio/mpeg", None, ("mp3", 2, 48_000), by_default=False),
    "mp2": Master("mp2", "audio/mpeg", None, MP2, by_default=False),
    "caf": Master("caf", "audio/x-caf", None, PCM, by_default=False),
    "au": Master("au", "audio/x-au", None, PCM, by_default=False),
    "dsdiff": Master("dff", "audio/x-dff", None, ("dsd", 2, 2_822_400), by_default=False),
    "dsf": Master("dsf", "audio/x-dsf", None, ("dsd", 2, 2_822_400), by_default=False),
    "ogg_vorbis": Master("ogg", "audio/ogg", None, ("vorbis", 2, 48_000), by_default=False),
    "ogg_opus": Master("ogg", "audio/ogg", None, ("opus", 2, 48_000), by_default=False),
    "wavpack": Master("wavpack", "audio/x-wavpack", None, ("wavpack", 2, 48_000), by_default=False),
    "adts": Master("adts", "audio/aac", None, AAC, by_default=False),
}

SEEN_AS: Final = {
    ("ffprobe", "rf64"): "wav",  # ffprobe has no word for it
    ("ffprobe", "rf64_bext"): "bwf",
    ("ffprobe", "webm_vp9"): "matroska",
    ("oldxml", "bwf"): "wav",  # the older XML leaves out that there is a bext chunk
}
"""Where a tool sees less of a container than there is: part of the tool's name, and master."""

DOCUMENTS: Final = sorted((path.parent.name, path.stem) for path in PROBES.glob("*/*.json"))
"""Tool with version, and master, of every document of the corpus."""


def probe(tool: str, master: str) -> dict[str, Any]:
    """A fresh copy of what a tool said of a master."""
    document: dict[str, Any] = json.loads((PROBES / tool / f"{master}.json").read_text("utf-8"))
    return document


def tools_of(master: str) -> list[str]:
    """All tools that were asked about a master."""
    return [tool for tool, name in DOCUMENTS if name == master]
