"""Documents that disagree, that speak of another file, and masters that lack what they promise."""

from __future__ import annotations

from typing import Any

import pytest

from lading.sources.archive.formats import CONTAINER_NAMES, CONTAINERS, DEFAULT_CONTAINERS
from lading.sources.archive.master import read_master
from lading.sources.archive.master_reasons import MASTER_REASONS
from lading.sources.archive.values import CodeKind, Fault, Faulty, MasterFacts
from tests.archive.probe_corpus import probe

KEY = "BRD/VO-BRD-14387.json"
SECOND = "BRD/VO-BRD-14387.mediainfo.json"
Document = dict[str, Any]


def facts_of(*documents: Document, kind: CodeKind = CodeKind.VIDEO) -> MasterFacts:
    return read_master(list(zip((KEY, SECOND), documents, strict=False)), kind)


def fault_of(*documents: Document, kind: CodeKind = CodeKind.VIDEO) -> Fault:
    with pytest.raises(Faulty) as caught:
        facts_of(*documents, kind=kind)
    fault = caught.value.fault
    assert fault.code in MASTER_REASONS
    assert fault.key in {KEY, SECOND}
    return fault


def general(document: Document) -> Document:
    """The General track of a document of mediainfo's."""
    track: Document = document["media"]["track"][0]
    return track


def test_two_documents_of_two_containers_contradict_each_other() -> None:
    fault = fault_of(
        probe("ffprobe-5.1.9", "mov_prores"), probe("mediainfo-23.04", "mxf_op1a_mpeg2")
    )
    assert fault == Fault(
        "metadata_contradictory",
        "QuickTime, as ffprobe says in BRD/VO-BRD-14387.json",
        "MXF by MediaInfoLib 23.04",
        SECOND,
    )


def test_two_sizes_are_two_files() -> None:
    other = probe("mediainfo-23.04", "mov_prores")
    general(other)["FileSize"] = "3449868"
    fault = fault_of(probe("ffprobe-5.1.9", "mov_prores"), other)
    assert (fault.code, fault.found) == (
        "metadata_contradictory", "3449868 bytes by MediaInfoLib 23.04",
    )  # fmt: skip
    assert str(fault.expected).startswith("3449869 bytes, as ffprobe says")


def sizeless(document: Document) -> Document:
    """A document of ffprobe's that does not say the file's size."""
    del document["format"]["size"]
    return document


def test_without_a_size_in_common_what_differs_contradicts() -> None:
    other = probe("mediainfo-23.04", "mov_dv")
    general(other)["CompleteName"] = "mov_prores.mov"
    fault = fault_of(sizeless(probe("ffprobe-5.1.9", "mov_prores")), other)
    assert (fault.code, fault.found) == (
        "metadata_contradictory", "width 720 by MediaInfoLib 23.04",
    )  # fmt: skip


def test_two_special_forms_of_one_container_contradict_each_other() -> None:
    one, other = probe("ffprobe-5.1.9", "mp3"), probe("ffprobe-5.1.9", "mp2")
    other["format"]["size"] = one["format"]["size"]
    anything = dict.fromkeys(CodeKind, CONTAINER_NAMES)
    with pytest.raises(Faulty) as caught:
        read_master([(KEY, one), (SECOND, other)], CodeKind.AUDIO, anything)
    assert caught.value.fault == Fault(
        "metadata_contradictory", f"mp3, as ffprobe says in {KEY}", "mp2 by ffprobe", SECOND
    )


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("duration", "3.4", "duration 0.4 s"),
        ("filename", "other.mov", "file name mov_prores.mov"),
    ],
)
def test_durations_and_names_of_two_files_contradict(field: str, value: str, found: str) -> None:
    one = sizeless(probe("ffprobe-5.1.9", "mov_prores"))
    one["format"][field] = value
    other = probe("mediainfo-23.04", "mov_prores")
    general(other)["CompleteName"] = "mov_prores.mov"
    fault = fault_of(one, other)
    assert (fault.code, fault.found) == (
        "metadata_contradictory", f"{found} by MediaInfoLib 23.04",
    )  # fmt: skip


def test_one_that_hears_sound_where_the_other_hears_none_contradicts() -> None:
    one = sizeless(probe("ffprobe-5.1.9", "mov_prores"))
    one["streams"] = [stream for stream in one["streams"] if stream["codec_type"] != "audio"]
    one["format"]["nb_streams"] = 2
    other = probe("mediainfo-23.04", "mov_prores")
    assert fault_of(one, other).found == "sound yes by MediaInfoLib 23.04"


def test_what_two_tools_see_differently_of_the_same_bytes_is_a_note() -> None:
    anything = dict.fromkeys(CodeKind, CONTAINER_NAMES)
    documents = [(KEY, probe("ffprobe-5.1.9", "au")), (SECOND, probe("mediainfo-23.04", "au"))]
    facts = read_master(documents, CodeKind.AUDIO, anything)
    assert facts.duration_s == 0.4
    assert facts.notes == ("ffprobe says duration 0.4 s, MediaInfoLib 23.04 says 1.6 s.",)


def test_lines_above_the_picture_that_one_tool_counts_are_no_contradiction() -> None:
    one, other = sizeless(probe("ffprobe-5.1.9", "mxf_d10")), probe("mediainfo-23.04", "mxf_d10")
    assert (facts_of(one, other).height, facts_of(one, other).notes) == (608, ())
    one["streams"][0]["height"] = 288  # one of two fields
    assert facts_of(one, other).notes == ()
    one["streams"][0]["height"] = 480
    assert fault_of(one, other).found == "height 576 by MediaInfoLib 23.04"


def test_codecs_are_compared_where_both_tools_name_them_alike() -> None:
    one, other = (
        sizeless(probe("ffprobe-5.1.9", "mov_mjpeg")),
        probe("mediainfo-23.04", "mov_mjpeg"),
    )
    one["streams"][0]["codec_name"] = "qtrle"
    other["media"]["track"][1]["Format"] = "Animation"
    assert facts_of(one, other).video_codec == "qtrle"
    one["streams"][0]["codec_name"] = "prores"
    other["media"]["track"][1]["Format"] = "FFV1"
    assert fault_of(one, other).found == "video codec ffv1 by MediaInfoLib 23.04"


def test_durations_are_compared_no_closer_than_they_are_told() -> None:
    one = probe("ffprobe-5.1.9", "mov_prores")
    one["format"]["duration"] = "3755.200000"
    other = probe("mediainfo-23.04-oldxml", "mov_prores")
    for track in other["Mediainfo"]["File"]["track"]:
        track["Duration"] = "1 h 2 min"
    facts = facts_of(other, one)
    assert (facts.duration_s, facts.notes) == (3755.2, ())


def test_a_document_that_sees_more_does_not_contradict_one_that_cannot() -> None:
    ffprobe, mediainfo = probe("ffprobe-5.1.9", "rf64"), probe("mediainfo-23.04", "rf64")
    for documents in ((ffprobe, mediainfo), (mediainfo, ffprobe)):
        facts = facts_of(*documents, kind=CodeKind.AUDIO)
        assert (facts.container, facts.tool) == ("rf64", "MediaInfoLib 23.04")


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        (
            "format_long_name",
            "Sony Wave64",
            "format.format_name is wav, but format.format_long_name is Sony Wave64",
        ),
        ("nb_streams", 0, "format.nb_streams is 0, but 1 streams are listed"),
    ],
)
def test_two_fields_of_ffprobe_that_disagree_are_a_contradiction(
    field: str, value: object, found: str
) -> None:
    document = probe("ffprobe-5.1.9", "wav")
    document["format"][field] = value
    fault = fault_of(document, kind=CodeKind.AUDIO)
    assert (fault.code, fault.found) == ("metadata_contradictory", found)


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("CodecID", "isom", "General.Format_Profile is QuickTime, but General.CodecID is isom"),
        ("VideoCount", "2", "General.VideoCount is 2, but 1 such tracks are listed"),
        ("AudioCount", "7", "General.AudioCount is 7, but 1 such tracks are listed"),
    ],
)
def test_two_fields_of_mediainfo_that_disagree_are_a_contradiction(
    field: str, value: str, found: str
) -> None:
    document = probe("mediainfo-23.04", "mov_prores")
    general(document)[field] = value
    fault = fault_of(document)
    assert (fault.code, fault.found) == ("metadata_contradictory", found)


@pytest.mark.parametrize("tool", ["ffprobe-3.1", "mediainfo-23.04", "mediainfo-23.04-oldxml"])
@pytest.mark.parametrize(
    ("master", "kind", "found"),
    [
        ("mp4_h264", CodeKind.VIDEO, "mp4 h264 mp4_h264.mp4"),
        ("mp3", CodeKind.AUDIO, "mp3 mp3 mp3.mp3"),
    ],
)
def test_metadata_of_the_streaming_copy_is_not_of_the_master(
    tool: str, master: str, kind: CodeKind, found: str
) -> None:
    fault = fault_of(probe(tool, master), kind=kind)
    assert (fault.code, fault.found) == ("metadata_of_streaming_copy", found)


def test_options_that_allow_a_streaming_container_make_masters_of_it() -> None:
    allowed = {**DEFAULT_CONTAINERS, CodeKind.VIDEO: frozenset({"mp4"})}
    facts = read_master([(KEY, probe("ffprobe-5.1.9", "mp4_h264"))], CodeKind.VIDEO, allowed)
    assert facts.mime == "video/mp4"
    with pytest.raises(Faulty) as caught:
        read_master([(KEY, probe("ffprobe-5.1.9", "mov_prores"))], CodeKind.VIDEO, allowed)
    assert caught.value.fault == Fault(
        "master_container_not_allowed",
        "for video one of mp4",
        "quicktime (ffprobe format.tags.major_brand: qt)",
        KEY,
    )


def test_a_description_of_the_streaming_copy_beside_the_masters_is_set_aside_and_noted() -> None:
    copy, master = probe("mediainfo-23.04", "mp4_h264"), probe("mediainfo-23.04", "mov_prores")
    facts = facts_of(copy, master)
    assert (facts.container, facts.size_bytes) == ("quicktime", 3449869)
    assert facts.notes == (f"{KEY} describes the streaming copy mp4_h264.mp4, too.",)
    both = {"media": [copy["media"], master["media"]]}
    assert facts_of(both).container == "quicktime"


def test_a_copy_that_is_not_named_like_one_or_has_the_masters_size_contradicts() -> None:
    master = probe("mediainfo-23.04", "mov_prores")
    unnamed = probe("ffprobe-5.1.9", "mp4_h264")
    unnamed["format"]["filename"] = "mov_prores.mov"
    assert fault_of(master, unnamed).code == "metadata_contradictory"
    same_size = probe("ffprobe-5.1.9", "mp4_h264")
    same_size["format"]["size"] = "3449869"
    assert fault_of(master, same_size).code == "metadata_contradictory"


def test_a_file_of_another_code_is_another_master() -> None:
    document = probe("ffprobe-5.1.9", "mov_prores")
    document["format"]["filename"] = "/mnt/in/VO-BRD-14388.mov"
    assert fault_of(document) == Fault(
        "metadata_of_another_master", "VO-BRD-14387", "VO-BRD-14388.mov", KEY
    )
    document["format"]["filename"] = "/mnt/in/vo-brd-14387_master.mov"
    assert facts_of(document).file_name == "vo-brd-14387_master.mov"


@pytest.mark.parametrize("tool", ["ffprobe-5.1.9", "mediainfo-23.04"])
def test_a_master_without_what_its_code_promises_is_refused(tool: str) -> None:
    with pytest.raises(Faulty) as caught:
        read_master([(KEY, probe(tool, "mov_sound_only"))], CodeKind.VIDEO, DEFAULT_CONTAINERS)
    fault = caught.value.fault
    assert (fault.code, fault.expected) == ("master_streams_missing", "a video stream")
    assert "audio" in str(fault.found)
    anything = dict.fromkeys(CodeKind, CONTAINER_NAMES)
    with pytest.raises(Faulty) as caught:
        read_master([(KEY, probe(tool, "mov_silent"))], CodeKind.AUDIO, anything)
    assert caught.value.fault.expected == "an audio stream"


def test_a_cover_picture_is_no_video() -> None:
    anything = dict.fromkeys(CodeKind, CONTAINER_NAMES)
    with pytest.raises(Faulty) as caught:
        read_master([(KEY, probe("ffprobe-5.1.9", "flac_cover"))], CodeKind.VIDEO, anything)
    assert caught.value.fault.found == "2 streams: audio, picture"


def test_a_file_of_which_only_the_wrapper_was_readable_has_no_streams() -> None:
    document = probe("mediainfo-23.04", "mov_prores")
    bare = {name: value for name, value in general(document).items() if "Count" not in name}
    document["media"]["track"] = [bare]
    fault = fault_of(document)
    assert (fault.code, fault.found) == ("master_streams_missing", "tracks: general")


def test_pictures_under_a_code_of_sound_are_noted() -> None:
    allowed = dict.fromkeys(CodeKind, frozenset({"matroska"}))
    facts = read_master([(KEY, probe("ffprobe-5.1.9", "mkv_ffv1_pcm"))], CodeKind.AUDIO, allowed)
    assert facts.mime == "video/matroska"
    assert facts.notes == ("The inventory code is of sound, but the master has pictures, too.",)


def test_streams_that_were_not_asked_for_are_not_missed_silently() -> None:
    document = probe("ffprobe-5.1.9", "mov_prores")
    document["streams"] = document["streams"][:1]
    assert facts_of(document).notes == ("ffprobe was asked for 1 of 3 streams only.",)
    document["streams"] = probe("ffprobe-5.1.9", "mov_prores")["streams"][1:2]
    assert fault_of(document).found == "1 of 3 streams: audio"


def test_more_descriptions_than_can_be_held_against_each_other_are_refused() -> None:
    media = probe("mediainfo-23.04", "mov_prores")["media"]
    assert facts_of({"media": [media] * 16}).container == "quicktime"
    fault = fault_of({"media": [media] * 17})
    assert (fault.code, fault.found) == ("metadata_contradictory", "17 descriptions")


def test_every_container_named_in_a_table_is_one_that_exists() -> None:
    for names in DEFAULT_CONTAINERS.values():
        assert names <= CONTAINER_NAMES
    for container in CONTAINERS.values():
        assert container.family in CONTAINERS
        assert CONTAINERS[container.family].form_of is None
