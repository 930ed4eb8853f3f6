"""Whatever a sidecar holds, it is read into facts or refused with a reason; nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.sources.archive.formats import CONTAINER_NAMES, CONTAINERS, DEFAULT_CONTAINERS
from lading.sources.archive.master import read_master
from lading.sources.archive.master_reasons import MASTER_REASONS
from lading.sources.archive.probed import (
    DURATION_S_MAX,
    SIDE_MAX,
    SIZE_BYTES_MAX,
    Span,
    count_of,
    file_name_of,
    rate_of,
    span_of,
    text_of,
)
from lading.sources.archive.values import CodeKind, Faulty
from tests.archive.probe_corpus import DOCUMENTS, probe

KEY = "BRD/VO-BRD-14387.json"
ANY = dict.fromkeys(CodeKind, CONTAINER_NAMES)

NAMES = st.sampled_from(
    ["format", "streams", "format_name", "format_long_name", "nb_streams", "tags", "major_brand",
     "codec_type", "codec_name", "width", "channels", "duration", "size", "filename",
     "disposition", "probe_score", "media", "track", "tracks", "@type", "File", "Format",
     "Format_Profile", "CodecID", "Duration", "Width", "extra", "$", "VideoCount", "AudioCount"],
)  # fmt: skip
WORDS = st.sampled_from(
    ["mov,mp4,m4a,3gp,3g2,mj2", "wav", "aiff", "mp3", "iff", "qt  ", "isom", "video", "audio",
     "General", "Video", "Audio", "MPEG-4", "QuickTime", "Wave", "AIFF", "MPEG Audio", "h264",
     "1 920 pixels", "25.000 FPS", "1 h 2 min", "00:00:01.5", "48.0 kHz", "8 / 6", "-1", "1e400",
     "VO-BRD-14388.mov", "9" * 400, "\u0661\u0662", "a\u202eb.mov"],
)  # fmt: skip
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 2**63, -0.0])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=8,
)


def check(document: Any, kind: CodeKind, *, everything: bool) -> None:
    """Facts that a database takes and that are plausible, or a fault that may be shown."""
    allowed = ANY if everything else DEFAULT_CONTAINERS
    try:
        facts = read_master([(KEY, document)], kind, allowed)
    except Faulty as faulty:
        fault = faulty.fault
        assert fault.code in MASTER_REASONS
        assert fault.key == KEY
        for shown in (fault.expected, fault.found):
            assert shown is not None
            assert len(shown) <= 400
            assert shown.isprintable()
        return
    container = CONTAINERS[facts.container]
    assert facts.container in allowed[kind]
    assert facts.mime in {container.mime, container.mime_without_video}
    for number, largest in (
        (facts.size_bytes, SIZE_BYTES_MAX),
        (facts.duration_s, DURATION_S_MAX),
        (facts.width, SIDE_MAX),
        (facts.height, SIDE_MAX),
        (facts.audio_channels, 10**6),
        (facts.sample_rate_hz, 10**9),
    ):
        assert number is None or (math.isfinite(number) and 0 < number <= largest)
    for text in (facts.file_name, facts.video_codec, facts.audio_codec, facts.tool, *facts.notes):
        assert text is None or 0 < len(text) <= 1_000
        assert text is None or "\x00" not in text
        assert text is None or text.encode("utf-8")  # without halves of characters


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES | st.text(max_size=4), VALUES), st.sampled_from(CodeKind))
def test_any_object_gives_facts_or_a_reason(document: dict[str, Any], kind: CodeKind) -> None:
    check(document, kind, everything=True)


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every object or list inside a value, with each of its keys or positions."""
    inner = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for place, one in inner:
        yield value, place
        if isinstance(one, dict | list):
            yield from places_in(one)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(DOCUMENTS),
    st.lists(st.tuples(st.integers(0, 10**6), VALUES | st.just(KEY)), min_size=1, max_size=6),
    st.sampled_from(CodeKind),
    st.booleans(),
)
def test_real_documents_with_fields_replaced_or_lost_give_facts_or_a_reason(
    real: tuple[str, str], edits: list[tuple[int, Any]], kind: CodeKind, everything: bool
) -> None:
    document = probe(*real)
    for number, value in edits:
        places = list(places_in(document))
        if places:
            within, place = places[number % len(places)]
            if value == KEY:
                del within[place]
            else:
                within[place] = value
    check(document, kind, everything=everything)


@pytest.mark.parametrize(("tool", "master"), [pair for pair in DOCUMENTS if "mov_prores" in pair])
def test_any_one_field_of_a_real_document_may_be_missing_or_null(tool: str, master: str) -> None:
    text = json.dumps(probe(tool, master))
    for number in range(len(list(places_in(json.loads(text))))):
        for lost in (True, False):
            document = json.loads(text)
            within, place = list(places_in(document))[number]
            if lost:
                del within[place]
            else:
                within[place] = None
            check(document, CodeKind.VIDEO, everything=False)


NO_SPANS: list[Any] = [
    *("", "soon", "-3", "3 weeks", "1e400", "N/A", "9" * 40, "1 h soon"),
    *(True, None, 0, -1, math.nan, math.inf, 10**400, {}, [["1"]]),
]
NO_COUNTS: list[Any] = [
    *("", "0", "-2", "2.5", "2 dozen", "1 92 pixels", "0x10", "\u0662"),
    *(None, True, 0, -1, 2.5, math.nan, 10**9, 10**400, {}, [["2"]]),
]


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("12.345", Span(12.345)),
        (12, Span(12)),
        ("00:01:02.500", Span(62.5)),
        ("0:00:00.400000", Span(0.4)),
        ("01:00:00:12", Span(3600, 1.0)),
        ("1 h 2 min", Span(3720, 60.0)),
        ("1h 2mn", Span(3720, 60.0)),
        ("1mn 2s", Span(62, 1.0)),
        ("2 s 40 ms", Span(2.04)),
        ("400 ms", Span(0.4)),
        ([None, "x", "3 s"], Span(3, 1.0)),
        *((odd, None) for odd in NO_SPANS),
    ],
    ids=repr,
)
def test_durations_are_read_as_closely_as_they_are_told(value: Any, span: Span | None) -> None:
    assert span_of(value) == span


def test_bare_numbers_count_in_the_unit_of_their_dialect() -> None:
    assert span_of("62500", 0.001) == Span(62.5)
    assert span_of("62.5 s", 0.001) is None
    assert span_of("62 s", 0.001) == Span(62, 1.0)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("1920", 1920),
        (1920.0, 1920),
        ("48000.000", 48_000),
        ("1 920 pixels", 1920),
        ("1\u202f920 pixels", 1920),
        ("2 channels", 2),
        ("6 channel(s)", 6),
        ("8 / 6", 8),
        ("8 channels / 6 channels", 8),
        (["2", "2 channels"], 2),
        *(
            (odd, None)
            for odd in ["", "0", "-2", "2.5", "2 dozen", "1 92 pixels", "0x10", "\u0662"]
        ),
    ],
    ids=repr,
)
def test_counts_are_whole_and_within_bounds(value: Any, count: int | None) -> None:
    assert count_of(value, SIDE_MAX) == count


@pytest.mark.parametrize(
    ("value", "rate_hz"),
    [
        ("48000", 48_000), (44_100, 44_100), ("48.0 kHz", 48_000), ("44.1 KHz", 44_100),
        ("11.0 kHz", 11_025), ("88.2 kHz", 88_200), ("2 822 kHz", 2_822_400),
        ("47.2 kHz", 47_200), ("48000 Hz", 48_000), ("fast", None), (None, None), (-1, None),
    ],
)  # fmt: skip
def test_rates_that_were_rounded_for_reading_are_put_right(value: Any, rate_hz: int | None) -> None:
    assert rate_of(value) == rate_hz


def test_text_is_made_printable_and_short() -> None:
    assert text_of("  a\x00b\nc\ud800 ") == "a b c"
    assert text_of("x" * 10_000) == "x" * 200
    no_text: list[Any] = ["", " \x00", None, True, {}, [], math.nan]
    assert [text_of(odd) for odd in no_text] == [None] * 7


def test_the_name_is_the_last_part_of_either_kind_of_path() -> None:
    assert file_name_of("/mnt/in/VO-BRD-14387.mov") == "VO-BRD-14387.mov"
    assert file_name_of(r"\\nas\in\VO-BRD-14387.mov") == "VO-BRD-14387.mov"
    assert [file_name_of(odd) for odd in ("", "/", None, 5.0e20)] == [None] * 4
