"""Documents as archives keep them: wrapped, cut down, in older words, with the brand missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lading.sources.archive.formats import CONTAINER_NAMES
from lading.sources.archive.master import read_master
from lading.sources.archive.values import CodeKind, Fault, Faulty, MasterFacts
from tests.archive.probe_corpus import MASTERS, probe

KEY = "BRD/VO-BRD-14387.json"
ANY = dict.fromkeys(CodeKind, CONTAINER_NAMES)
Document = dict[str, Any]


def facts_of(document: Document, kind: CodeKind = CodeKind.VIDEO) -> MasterFacts:
    return read_master([(KEY, document)], kind, ANY)


def fault_of(document: Document, kind: CodeKind = CodeKind.VIDEO) -> Fault:
    with pytest.raises(Faulty) as caught:
        read_master([(KEY, document)], kind)
    assert caught.value.fault.key == KEY
    return caught.value.fault


def nested(document: Document, times: int) -> Document:
    """A document with so many objects around it."""
    for _ in range(times):
        document = {"inner": document}
    return document


WRAPPERS: dict[str, Callable[[Document], Document]] = {
    "under the name of the tool": lambda said: {"ffprobe": said},
    "in capitals": lambda said: {"MediaInfo": said, "created": "2026-01-02"},
    "beside a file name": lambda said: {"file": "VO-BRD-14387.mov", "output": said},
    "in a list": lambda said: {"results": [said]},
    "four deep": lambda said: nested(said, times=4),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=list(WRAPPERS))
@pytest.mark.parametrize("tool", ["ffprobe-5.1.9", "mediainfo-23.04", "mediainfo-23.04-oldxml"])
@pytest.mark.parametrize("master", ["mov_prores", "bwf"])
def test_wrappers_of_objects_and_lists_change_nothing(
    tool: str, master: str, wrap: Callable[[Document], Document]
) -> None:
    kind = MASTERS[master].kind
    assert facts_of(wrap(probe(tool, master)), kind) == facts_of(probe(tool, master), kind)


def test_media_may_be_a_list_with_one_file() -> None:
    document = probe("mediainfo-23.04", "mov_prores")
    document["media"] = [document["media"]]
    assert facts_of(document) == facts_of(probe("mediainfo-23.04", "mov_prores"))


def test_both_tools_may_stand_in_one_document() -> None:
    facts = facts_of(
        {
            "ffprobe": probe("ffprobe-5.1.9", "mov_prores"),
            "mediainfo": probe("mediainfo-23.04", "mov_prores"),
        }
    )
    assert (facts.container, facts.tool, facts.notes) == ("quicktime", "ffprobe", ())


def test_a_format_without_streams_tells_the_container_and_is_noted() -> None:
    document = probe("ffprobe-5.1.9", "mov_prores")
    facts = facts_of({"format": document["format"]})
    assert (facts.mime, facts.video_codec, facts.duration_s) == ("video/quicktime", None, 0.4)
    assert facts.notes == (f"{KEY} does not list the streams of the master.",)


def test_without_streams_the_code_says_whether_a_container_holds_video() -> None:
    document = {"format": probe("ffprobe-5.1.9", "mkv_ffv1_flac")["format"]}
    assert facts_of(document, CodeKind.VIDEO).mime == "video/matroska"
    assert facts_of(document, CodeKind.AUDIO).mime == "audio/matroska"


def test_streams_without_a_format_do_not_tell_the_container() -> None:
    document = probe("ffprobe-5.1.9", "mov_prores")
    fault = fault_of({"streams": document["streams"]})
    assert fault.code == "master_container_unknown"
    assert fault.found == "ffprobe format.format_long_name: no format.format_name"


def test_streams_of_one_document_and_the_format_of_another_make_a_master() -> None:
    document = probe("ffprobe-5.1.9", "mov_prores")
    halves = [(KEY, {"streams": document["streams"]}), (KEY, {"format": document["format"]})]
    facts = read_master(halves, CodeKind.VIDEO)
    assert (facts.container, facts.video_codec, facts.width) == ("quicktime", "prores", 1920)


def test_the_long_name_stands_in_for_a_missing_format_name() -> None:
    document = probe("ffprobe-5.1.9", "mxf_op1a_mpeg2")
    del document["format"]["format_name"]
    facts = facts_of(document)
    assert (facts.container, facts.mime_source) == ("mxf", "ffprobe format.format_long_name")


def without_brand(master: str, file_name: str | None) -> Document:
    """What ffprobe says of a master without an `ftyp` that tells, under another name."""
    document = probe("ffprobe-5.1.9", master)
    document["format"]["tags"] = {"encoder": "Lavf59.27.100"}
    document["format"]["filename"] = file_name
    for stream in document["streams"]:
        stream["codec_tag_string"] = "avc1"
    return document


def test_without_brand_and_tags_the_file_name_is_the_last_hint_and_named_as_such() -> None:
    facts = facts_of(without_brand("mov_h264", "D:\\masters\\VO-BRD-14387.MOV"))
    assert (facts.mime, facts.mime_source) == ("video/quicktime", "ffprobe format.filename")
    assert facts.file_name == "VO-BRD-14387.MOV"
    assert facts_of(without_brand("mov_h264", "VO-BRD-14387.mp4")).mime == "video/mp4"


@pytest.mark.parametrize("file_name", ["VO-BRD-14387", "VO-BRD-14387.mkv", "", None])
def test_without_any_hint_the_container_is_not_guessed(file_name: str | None) -> None:
    fault = fault_of(without_brand("mov_h264", file_name))
    assert fault.code == "master_container_unknown"
    assert "mov,mp4,m4a,3gp,3g2,mj2, without a brand that is known" in str(fault.found)


def test_the_name_never_decides_against_the_brand() -> None:
    document = probe("ffprobe-5.1.9", "mov_prores")
    document["format"]["filename"] = "VO-BRD-14387.mp4"
    facts = facts_of(document)
    assert facts.mime == "video/quicktime"
    assert facts.notes == ("The file is named VO-BRD-14387.mp4, but is QuickTime.",)


@pytest.mark.parametrize(
    ("brand", "compatible", "container"),
    [
        ("qt  ", "qt  ", "quicktime"),
        ("qt", "isom", "quicktime"),
        ("isom", "isomiso2avc1mp41", "mp4"),
        ("mp42", "mp42qt  ", "mp4"),
        ("XAVC", "XAVCmp42iso2", "mp4"),
        ("3gp5", "3gp5isom", "3gp"),
        ("CAEP", "CAEPqt  ", "quicktime"),
        (None, "niko/qt", "mp4"),
    ],
)
def test_brands_tell_quicktime_from_mp4(brand: str | None, compatible: str, container: str) -> None:
    document = without_brand("mov_h264", "VO-BRD-14387.mp4")
    document["format"]["tags"] = {"MAJOR_BRAND": brand, "compatible_brands": compatible}
    assert facts_of(document).container == container


def test_apples_own_tags_tell_quicktime() -> None:
    document = without_brand("mov_h264", "copy.mp4")
    document["format"]["tags"] = {"com.apple.quicktime.software": "Final Cut Pro"}
    assert facts_of(document).container == "quicktime"


def test_the_brand_of_a_remuxed_file_does_not_follow_it_into_matroska() -> None:
    document = probe("ffprobe-5.1.9", "mkv_ffv1_pcm")
    document["format"]["tags"] |= {"MAJOR_BRAND": "qt  ", "COMPATIBLE_BRANDS": "qt  "}
    assert facts_of(document).container == "matroska"


def test_the_words_of_2012_are_read_with_their_units() -> None:
    track = [
        {
            "type": "General",
            "Complete_name": r"E:\BRD\VO-BRD-14387.mov",
            "Format": "MPEG-4",
            "Format_profile": "QuickTime",
            "Codec_ID": "qt  ",
            "File_size": "118 GiB",
            "Duration": "1h 2mn",
        },
        {
            "type": "Video",
            "Format": "YUV",
            "Codec_ID": "v210",
            "Duration": "1h 2mn",
            "Width": "1 920 pixels",
            "Height": "1\u00a0080 pixels",
            "Frame_rate": "25.000 fps",
        },
        {
            "type": "Audio",
            "Format": "PCM",
            "Codec_ID": "in24",
            "Channel_s_": "2 channels",
            "Sampling_rate": "48.0 KHz",
        },
    ]
    facts = facts_of({"Mediainfo": {"version": "0.7.58", "File": {"track": track}}})
    assert facts == MasterFacts(
        mime="video/quicktime",
        mime_source="mediainfo General.Format_Profile",
        container="quicktime",
        tool="mediainfo 0.7.58",
        file_name="VO-BRD-14387.mov",
        duration_s=3720.0,
        width=1920,
        height=1080,
        video_codec="v210",
        audio_codec="pcm",
        audio_channels=2,
        sample_rate_hz=48_000,
    )


def test_names_with_slashes_spaces_or_brackets_are_the_same_names() -> None:
    document = probe("mediainfo-23.04-oldxml", "mov_prores")
    respelled = {"Channel_s_": "Channel(s)", "Codec_ID": "Codec ID", "Format": "Format/String"}
    tracks = document["Mediainfo"]["File"]["track"]
    document["Mediainfo"]["File"]["track"] = [
        {respelled.get(name, name): value for name, value in track.items()} for track in tracks
    ]
    assert facts_of(document) == facts_of(probe("mediainfo-23.04-oldxml", "mov_prores"))


def test_converters_that_make_lists_and_dollars_of_everything_are_understood() -> None:
    document = probe("mediainfo-23.04-oldxml", "mov_prores")["Mediainfo"]
    tracks = [
        {"$": {"type": track.pop("@type")}} | {name: [value] for name, value in track.items()}
        for track in document["File"]["track"]
    ]
    wrapped = {"Mediainfo": {"@version": "23.04", "File": [{"track": tracks}]}}
    assert facts_of(wrapped) == facts_of(probe("mediainfo-23.04-oldxml", "mov_prores"))


def test_all_values_of_a_field_at_once_are_taken_from_the_first() -> None:
    document = probe("pymediainfo-24.12", "wav")
    general = document["tracks"][0]
    general["duration"] = [400, "400 ms", "00:00:00.400"]
    assert facts_of(document, CodeKind.AUDIO).duration_s == 0.4


def test_bare_durations_are_seconds_today_and_were_milliseconds_before() -> None:
    track = {"@type": "General", "Format": "Wave", "Duration": "62500"}
    sound = {"@type": "Audio", "Format": "PCM"}
    old = {"File": {"track": [track, sound]}}
    new = {"media": {"track": [track, sound]}}
    assert facts_of(old, CodeKind.AUDIO).duration_s == 62.5
    for document in (new, {"file": new}, {"file": "sibling.wav", **new}):
        assert facts_of(document, CodeKind.AUDIO).duration_s == 62500


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"note": "the master is a mov"},
        {"error": {"code": -1094995529, "string": "Invalid data found"}},
        {"media": None},
        {"media": {"track": []}},
        {"media": {"track": [{"Format": "MPEG-4"}]}},
        {"format": {"filename": "VO-BRD-14387.mov"}, "streams": []},
        {"streams": [{"title": "not of ffprobe"}]},
        nested({"media": {"track": [{"@type": "General"}]}}, times=9),
    ],
    ids=repr,
)
def test_what_no_tool_wrote_is_of_no_known_dialect(document: Document) -> None:
    assert fault_of(document).code == "metadata_dialect_unknown"


def test_an_unknown_dialect_is_shown_by_the_fields_it_has() -> None:
    assert fault_of({"Titolo": "x", "Durata": 1}).found == "fields: Titolo, Durata"
    assert fault_of({}).found == "an empty object"


def test_no_document_is_no_master() -> None:
    with pytest.raises(Faulty) as caught:
        read_master([], CodeKind.VIDEO)
    assert caught.value.fault.code == "master_undescribed"


def test_a_format_that_is_known_to_the_tool_but_not_to_us_is_shown() -> None:
    document = probe("ffprobe-5.1.9", "mxf_op1a_mpeg2")
    document["format"] |= {"format_name": "gxf", "format_long_name": "GXF (General eXchange)"}
    assert fault_of(document).found == "ffprobe format.format_name: gxf"


def test_a_doubtful_probe_and_a_truncated_file_are_noted() -> None:
    document = probe("ffprobe-5.1.9", "mov_prores")
    document["format"]["probe_score"] = 12
    assert "its score is 12 of 100" in facts_of(document).notes[0]
    document = probe("mediainfo-23.04", "mov_prores")
    document["media"]["track"][0]["extra"] = {"IsTruncated": "Yes"}
    assert facts_of(document).notes == ("mediainfo says that the file is cut short.",)


def test_without_profile_and_brand_mediainfo_leaves_only_the_name_too() -> None:
    document = probe("mediainfo-23.04", "mov_prores")
    track = document["media"]["track"][0]
    del track["Format_Profile"], track["CodecID"]
    track["CompleteName"] = "/in/VO-BRD-14387.mov"
    facts = facts_of(document)
    assert (facts.mime, facts.mime_source) == ("video/quicktime", "mediainfo General.CompleteName")
    track["CompleteName"] = "/in/VO-BRD-14387"
    fault = fault_of(document)
    assert (fault.code, fault.found) == (
        "master_container_unknown",
        "mediainfo General.Format: MPEG-4, without a profile or brand that is known",
    )


def test_the_longest_stream_stands_in_for_a_missing_duration() -> None:
    document = probe("ffprobe-5.1.9", "mov_prores")
    del document["format"]["duration"]
    document["streams"][1]["duration"] = "0.480000"
    assert facts_of(document).duration_s == 0.48


def test_a_file_without_any_stream_has_none_even_if_none_are_listed() -> None:
    document = probe("ffprobe-5.1.9", "mov_prores")
    document["format"]["nb_streams"] = 0
    fault = fault_of({"format": document["format"]})
    assert (fault.code, fault.found) == ("master_streams_missing", "0 streams")


@pytest.mark.parametrize(
    ("master", "container"), [("aiff", "aiff"), ("aifc_sowt", "aifc"), ("aifc_alaw", "aifc")]
)
def test_without_codec_tags_the_byte_order_tells_aiff_from_aifc(
    master: str, container: str
) -> None:
    document = probe("ffprobe-5.1.9", master)
    del document["streams"][0]["codec_tag_string"]
    assert facts_of(document, CodeKind.AUDIO).container == container
