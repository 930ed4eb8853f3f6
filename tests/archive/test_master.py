"""What real tools, old and new, say of real masters: all must come to the same master."""

from __future__ import annotations

import pytest

from lading.sources.archive.formats import CONTAINER_NAMES, CONTAINERS, DEFAULT_CONTAINERS
from lading.sources.archive.master import read_master
from lading.sources.archive.values import CodeKind, Faulty, MasterFacts
from tests.archive.probe_corpus import DOCUMENTS, MASTERS, SEEN_AS, probe, tools_of

KEY = "BRD/VO-BRD-14387.json"
ANY = dict.fromkeys(CodeKind, CONTAINER_NAMES)

NOT_TOLD = {("mediainfo-23.04", "wavpack")}
"""Where the tool has no word for the format."""
TOLD = [pair for pair in DOCUMENTS if pair not in NOT_TOLD]
MISTIMED = {("mediainfo-23.04", "au"), ("mediainfo-23.04", "caf")}
"""Where the tool itself is wrong about how long it lasts."""


def seen_as(tool: str, master: str) -> str:
    """The container that a tool sees."""
    known = (seen for (part, name), seen in SEEN_AS.items() if part in tool and name == master)
    return next(known, MASTERS[master].container)


def height_seen_by(tool: str, master: str) -> int | None:
    """ffprobe counts the lines above the picture of a D-10, too."""
    video = MASTERS[master].video
    if master == "mxf_d10" and tool.startswith("ffprobe"):
        return 608
    return None if video is None else video[2]


def test_the_corpus_is_complete() -> None:
    assert {master for _, master in DOCUMENTS} == set(MASTERS)
    assert len({tool for tool, _ in DOCUMENTS}) >= 12


@pytest.mark.parametrize(("tool", "master"), TOLD, ids="-".join)
def test_every_tool_tells_container_mime_and_facts_of_every_master(tool: str, master: str) -> None:
    true = MASTERS[master]
    facts = read_master([(KEY, probe(tool, master))], true.kind, ANY)
    container = CONTAINERS[seen_as(tool, master)]
    assert (facts.container, facts.mime) == (
        container.name,
        true.mime if container.name == true.container else container.mime,
    )
    video = facts.video_codec, facts.width, facts.height
    assert video == (
        (None, None, None)
        if true.video is None
        else (*true.video[:2], height_seen_by(tool, master))
    )
    audio = facts.audio_codec, facts.audio_channels, facts.sample_rate_hz
    assert audio == (true.audio or (None, None, None))
    assert facts.mime_source.startswith("ffprobe " if "ffprobe" in tool else "mediainfo ")
    assert facts.notes == ()


@pytest.mark.parametrize("master", MASTERS)
def test_all_tools_together_describe_one_master_as_closely_as_the_best_of_them(
    master: str,
) -> None:
    true = MASTERS[master]
    documents = [(KEY, probe(tool, master)) for tool in tools_of(master)]
    facts = read_master(documents, true.kind, ANY)
    assert (facts.container, facts.mime) == (true.container, true.mime)
    assert facts.size_bytes is not None


@pytest.mark.parametrize(("tool", "master"), DOCUMENTS, ids="-".join)
def test_what_a_master_is_kept_in_by_default_is_taken_and_the_rest_refused(
    tool: str, master: str
) -> None:
    true = MASTERS[master]
    if true.by_default or seen_as(tool, master) in DEFAULT_CONTAINERS[true.kind]:
        assert read_master([(KEY, probe(tool, master))], true.kind).container
        return
    with pytest.raises(Faulty) as caught:
        read_master([(KEY, probe(tool, master))], true.kind)
    streaming = {"mp4_h264", "mp4_sound_only", "3gp", "mp3"}
    code = "metadata_of_streaming_copy" if master in streaming else "master_container_not_allowed"
    if (tool, master) in NOT_TOLD:
        code = "master_container_unknown"
    assert (caught.value.fault.code, caught.value.fault.key) == (code, KEY)


@pytest.mark.parametrize(("tool", "master"), TOLD, ids="-".join)
def test_size_duration_and_name_are_taken_where_they_are_exact(tool: str, master: str) -> None:
    facts = read_master([(KEY, probe(tool, master))], MASTERS[master].kind, ANY)
    rounded = "oldxml" in tool or "pretty" in tool  # 113 KiB is no size
    assert (facts.size_bytes is None) == rounded
    nameless = "mediainfo.js" in tool
    assert (facts.file_name is None) == nameless
    assert nameless or str(facts.file_name).rpartition(".")[0] == master
    untimed = (tool.startswith("ffprobe"), master) in {(True, "mpeg_es"), (False, "adts")}
    assert (facts.duration_s is None) == untimed
    if not untimed and (tool, master) not in MISTIMED:
        assert 0.3 < (facts.duration_s or 0) < 0.5


def facts_of(tool: str, master: str) -> MasterFacts:
    return read_master([(KEY, probe(tool, master))], MASTERS[master].kind, ANY)


@pytest.mark.parametrize(
    ("tool", "master", "named", "source"),
    [
        ("ffprobe-5.1.9", "mov_prores", "ffprobe", "ffprobe format.tags.major_brand"),
        ("ffprobe-5.1.9", "mov_no_ftyp", "ffprobe", "ffprobe streams[].codec_tag_string"),
        ("ffprobe-5.1.9", "mkv_ffv1_pcm", "ffprobe", "ffprobe format.format_name"),
        ("ffprobe-5.1.9", "bwf", "ffprobe", "ffprobe format.tags"),
        (
            "ffprobe-5.1.9-programs", "mpeg_ts",
            "ffprobe 5.1.9-0+deb12u1", "ffprobe format.format_name",
        ),
        (
            "mediainfo-23.04", "mov_prores",
            "MediaInfoLib 23.04", "mediainfo General.Format_Profile",
        ),
        ("mediainfo-23.04", "mov_no_ftyp", "MediaInfoLib 23.04", "mediainfo General.Format"),
        ("mediainfo-23.04", "bwf", "MediaInfoLib 23.04", "mediainfo General.bext_Present"),
        (
            "mediainfo-23.04-oldxml", "rf64",
            "mediainfo 23.04", "mediainfo General.Format_Profile",
        ),
        ("mediainfo.js-0.3.8", "wave64", "MediaInfoLib 26.05", "mediainfo General.Format"),
        ("pymediainfo-24.12", "aifc_sowt", "mediainfo", "mediainfo Audio.CodecID"),
    ],
)  # fmt: skip
def test_the_facts_name_tool_dialect_and_field(
    tool: str, master: str, named: str, source: str
) -> None:
    facts = facts_of(tool, master)
    assert (facts.tool, facts.mime_source) == (named, source)
