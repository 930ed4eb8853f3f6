"""A document read through a window is the document that the standard reader reads."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.sources.handover.json_window import JsonWindow, NotJson, walk_object
from tests.handover.fuzzing import fuzzed

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
documents = st.dictionaries(st.sampled_from(["a", "items", "é", ""]), values, max_size=4)


def cut(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def walk(data: bytes, size: int = 7, **limits: int) -> list[tuple[str, bool, Any]]:
    return list(walk_object(JsonWindow(cut(data, size), **limits), "items"))


@fuzzed
@given(documents, st.integers(1, 40), st.sampled_from([None, 1]), st.booleans())
def test_any_document_in_any_pieces_gives_what_the_standard_reader_gives(
    document: dict[str, Any], size: int, indent: int | None, ascii_only: bool
) -> None:
    try:
        data = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:
        data = json.dumps(document, indent=indent).encode()
    rebuilt: dict[str, Any] = {}
    if isinstance(document.get("items"), list):
        rebuilt["items"] = []
    for key, element, value in walk(data, size):
        if element:
            rebuilt[key].append(value)
        else:
            rebuilt[key] = value
    assert rebuilt == document


@given(
    st.binary(max_size=200)
    | st.text(alphabet='{}[]",:\\ue0123 \n-.tfn', max_size=80).map(str.encode)
)
def test_any_bytes_are_read_or_refused_as_not_json(data: bytes) -> None:
    fault = None
    try:
        walk(data, 3)
    except NotJson as error:
        fault = error
    if fault is None:
        json.loads(data)
    else:
        assert 0 <= fault.byte <= len(data)
        assert 1 <= fault.line <= 1 + data.count(b"\n")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not an object"),
        (b"[1]", "not an object"),
        (b'{"a": 1', "breaks off"),
        (b'{"a": 1}x', "something follows"),
        (b'{"a": 1} {', "something follows"),
        (b'{"a" 1}', "':' expected"),
        (b"{1: 2}", "quotation marks"),
        (b'{"a": 1,}', "quotation marks"),
        (b'{"items": [1,]}', "expecting value"),
        (b'{"items": [1 2]}', "']' expected"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"a": ' + b"7" * 5000 + b"}", "too many digits"),
        (b'{"a": 1, "a": 2}', "'a' occurs twice"),
        (b'{"items": [{"b": 1, "b": 2}]}', "'b' occurs twice"),
        (b'{"a": "\x01"}', "control character"),
        (b'{"a": "caf\xe9"}', "not UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"a": "' + b"x" * 5000 + b'"}', "longer than 1000 characters"),
    ],
)
def test_what_is_not_one_json_object_is_refused_in_words(data: bytes, problem: str) -> None:
    with pytest.raises(NotJson, match=problem):
        walk(data, 100, value_chars_max=1000 if b"xxx" in data else 200_000)


def test_a_fault_is_named_by_its_line_and_byte_wherever_the_window_stands() -> None:
    data = '{\n "name": "é",\n "items": [1, 2,\n  3, oops]}'.encode()
    for size in (1, 2, 5, 1000):
        with pytest.raises(NotJson) as refused:
            walk(data, size)
        assert (refused.value.line, refused.value.byte) == (4, data.index(b"oops"))


def test_invalid_utf8_is_named_by_its_byte_wherever_the_window_stands() -> None:
    data = '{"a": "é",\n "b": "'.encode() + b"\xc3("
    for size in (1, 3, 1000):
        with pytest.raises(NotJson) as refused:
            walk(data, size)
        assert (refused.value.line, refused.value.byte) == (2, len(data) - 2)


def test_half_characters_and_large_numbers_come_out_as_they_were_sent() -> None:
    [(_, _, value)] = walk(b'{"a": ["\\ud800", 1e999, 123456789012345678901]}')
    assert value == ["\ud800", float("inf"), 123456789012345678901]


def test_many_values_pass_through_a_window_of_a_few_kilobytes() -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"items": [0'
        for _ in range(700):
            yield b',"0123456789"' * 100
        yield b"]}"

    tracemalloc.start()
    try:
        count = sum(1 for _ in walk_object(JsonWindow(pieces()), "items"))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 70_001
    assert peak_bytes < 100_000
