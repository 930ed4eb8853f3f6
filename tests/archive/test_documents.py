"""Metadata sidecars as strict JSON and reports as whole PDFs: what passes and what does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lading.sources.archive.documents import VALUES_MAX, check_pdf, parse_metadata
from lading.sources.archive.values import Fault, Faulty

KEY = "BRD/VO-BRD-14387.json"
PDF = "BRD/VO-BRD-14387.pdf"
BYTES_MAX = 16 * 1024 * 1024


def parsed(body: bytes, *, bytes_max: int = BYTES_MAX) -> dict[str, Any]:
    return parse_metadata(body, KEY, bytes_max=bytes_max)


def refused(body: bytes, *, bytes_max: int = BYTES_MAX, depth_max: int = 64) -> Fault:
    with pytest.raises(Faulty) as caught:
        parse_metadata(body, KEY, bytes_max=bytes_max, depth_max=depth_max)
    fault = caught.value.fault
    assert (fault.code, fault.key) == ("json_unreadable", KEY)
    assert fault.expected is not None
    assert fault.found is not None
    assert fault.found.isprintable()
    return fault


def test_an_object_in_utf_8_is_read_with_or_without_a_mark() -> None:
    document = {"format": {"duration": "12.5", "nome": "Perch\u00e9"}, "streams": [1, 2.5, None]}
    body = json.dumps(document, ensure_ascii=False).encode()
    assert parsed(body) == document
    assert parsed(b"\xef\xbb\xbf" + body + b"\r\n") == document


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "nothing"),
        (b" \r\n", "nothing"),
        (b"\xef\xbb\xbf", "nothing"),
        (b"[]", "a list"),
        (b'"text"', "a string"),
        (b"null", "null"),
        (b"true", "true or false"),
        (b"12", "a number"),
        (b'{"a": "\xe8"}', "byte 0xe8 at 7"),
        ('{"a": 1}'.encode("utf-16"), "byte 0xff at 0"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "1e999"),
        (b'{"a": 1, "b": 2, "a": 3}', "a 2 times"),
        (b'{"a": {"\\n": 1, "\\n": 1}}', "\\n 2 times"),
        (b'{"a": "\\u0000"}', "\\x00"),
        (b'{"a\\ud800": 1}', "a\\ud800"),
        (b'{"a": ["\\udfff"]}', "\\udfff"),
    ],
)
def test_what_is_no_strict_object_is_rejected_with_what_it_is(body: bytes, found: str) -> None:
    assert refused(body).found == found


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1} {"b": 2}',
        b'{"a": 1}, ',
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 01}',
        b'{"a": "tab\t"}',
        b'{"a": 1',
        b'{"a": "1',
        b'{"a": "\\',
        b'// said ffprobe\n{"a": 1}',
        b"<html><title>503 Service Unavailable</title></html>",
        b"}" * 100 + b"{" * 100,
    ],
)
def test_what_is_not_json_is_rejected_with_its_place(body: bytes) -> None:
    fault = refused(body)
    assert fault.expected == "JSON"
    assert (fault.found or "").startswith("line 1, column ")


def test_escaped_pairs_and_spelled_escapes_are_text() -> None:
    body = b'{"film": "\\ud83c\\udfac", "said": "\\\\u0000"}'
    assert parsed(body) == {"film": "\U0001f3ac", "said": "\\u0000"}


def test_a_body_may_be_as_large_as_its_limit_and_no_larger() -> None:
    assert parsed(b'{"a":1}', bytes_max=7) == {"a": 1}
    assert refused(b'{"a":1} ', bytes_max=7).found == "8 bytes"


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def test_values_may_be_nested_to_the_limit_and_no_deeper() -> None:
    assert "a" in parsed(nested(64))
    assert refused(nested(65)).found == "deeper nesting"
    assert refused(nested(3), depth_max=2).expected == "values nested at most 2 deep"


@pytest.mark.parametrize("body", [b"[" * 1_000_000, b'{"a":' * 200_000, b'{"a":[' * 100_000])
def test_a_bomb_of_nesting_is_rejected(body: bytes) -> None:
    assert refused(body).found == "deeper nesting"


def test_brackets_and_commas_in_text_are_no_structure() -> None:
    said = '[{"' * 100 + "," * (VALUES_MAX + 1)
    assert parsed(json.dumps({"said": said}).encode()) == {"said": said}


def test_a_flood_of_values_is_rejected() -> None:
    body = b'{"a":[' + b"[]," * VALUES_MAX + b"1]}"
    assert refused(body).expected == f"at most {VALUES_MAX} values"


@pytest.mark.parametrize("body", [b'"' + b'\\"' * 2_000_000, b'{"a": ' + b'"\\' * 1_000_001])
def test_a_text_that_never_ends_is_rejected_without_looking_at_it_twice(body: bytes) -> None:
    assert refused(body).expected == "JSON"


@pytest.mark.parametrize("number", ["1" * 101, "-" + "1" * 100, "1" * 1_000_000, "0." + "1" * 99])
def test_a_number_of_too_many_digits_is_rejected(number: str) -> None:
    assert refused(b'{"a": ' + number.encode() + b"}").found == f"one of {len(number)}"


def test_a_number_of_a_hundred_digits_is_read() -> None:
    assert parsed(b'{"a": ' + b"1" * 100 + b"}") == {"a": int("1" * 100)}


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**98), 10**98)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(TEXT, JSON_VALUES, max_size=4), st.booleans())
def test_what_is_written_as_json_is_read_again(document: dict[str, Any], ascii_only: bool) -> None:
    assert parsed(json.dumps(document, ensure_ascii=ascii_only).encode()) == document


JSON_JUNK = st.lists(
    st.sampled_from(["{", "}", "[", "]", '"', "\\", ":", ",", "a", "1", "e", "-", "\\u0000", " "])
).map(lambda parts: "".join(parts).encode())


@given(st.one_of(st.binary(), JSON_JUNK))
@example(b'{"":""}')
def test_any_bytes_are_an_object_or_rejected(body: bytes) -> None:
    try:
        document = parsed(body)
    except Faulty:
        refused(body)
    else:
        assert document == json.loads(body)


def report(*, head: bytes = b"%PDF-1.7\n", offset: int = 20, end: bytes = b"%%EOF\n") -> bytes:
    return head + b"." * 3000 + b"\nstartxref\n%d\n" % offset + end


def checked(body: bytes, *, edge: int = 1024) -> Fault | None:
    fault = check_pdf(body[:edge], body[-edge:], len(body), PDF)
    if fault is not None:
        assert (fault.code, fault.key) == ("pdf_unreadable", PDF)
        assert (fault.found or "").isprintable()
    return fault


@pytest.mark.parametrize(
    "body",
    [
        report(),
        report(head=b"%PDF-1.4\r\n"),
        report(head=b"%PDF-2.0\n"),
        report(head=b"\xef\xbb\xbf%PDF-1.7\n"),
        report(head=b"\0" * 1015 + b"%PDF-1.7\n"),
        report(end=b"%%EOF"),
        report(end=b"%%EOF\r\n" + b"\0" * 900),
        report().replace(b"\nstartxref\n20\n", b"\r\nstartxref\r\n20\r\n"),
        b"%PDF-1.7\n1 0 obj\nstartxref\n0\n%%EOF\n" + report(),
        b"%PDF-1.4\n startxref 9\n%%EOF",
        b"%PDF-1.4\nstartxref\n0\n%%EOF\n0 obj\nstartxref\n9\n%%EOF\n",
    ],
)
def test_a_whole_pdf_passes(body: bytes) -> None:
    assert checked(body) is None


def test_a_longer_look_at_both_ends_changes_nothing() -> None:
    assert checked(report(), edge=1 << 20) is None
    assert checked(report(head=b"\0" * 1024 + b"%PDF-1.7\n"), edge=1024) is not None
    assert checked(report(head=b"\0" * 1200 + b"%PDF-1.7\n"), edge=1 << 20) is not None


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html>404 Not Found</html>", "a page in HTML or XML"),
        (b'\xef\xbb\xbf\n<?xml version="1.0"?><Error/>', "a page in HTML or XML"),
        (b"PK\x03\x04docx", "a beginning with PK\\x03\\x04docx"),
        (b"\0" * 4096, "a beginning with \\x00"),
        (report(head=b"%PDF-3.0\n"), "a beginning with %PDF-3.0"),
        (report(head=b"%PDF-1."), "a beginning with %PDF-1..."),
        (report(head=b"%pdf-1.4\n"), "a beginning with %pdf-1.4"),
        (b"%PDF-1.7", "neither in the last 8 of 8 B"),
        (report()[:-7], "neither in the last 1024 of 3.0 kB"),
        (report()[:-1500], "neither in the last"),
        (report() + b"\0" * 2000, "neither in the last 1024"),
        (report(end=b""), "neither in the last"),
        (report(offset=5000), "one at 5000"),
        (report(offset=0), "one at 0"),
        (report(offset=10**30), "neither in the last"),
    ],
)
def test_what_is_no_whole_pdf_is_rejected_with_what_it_is(body: bytes, found: str) -> None:
    fault = checked(body)
    assert fault is not None
    assert (fault.found or "").startswith(found)


@given(st.binary(), st.binary(), st.integers(0, 10**12))
def test_any_two_ends_are_a_pdf_or_rejected(head: bytes, tail: bytes, size_bytes: int) -> None:
    fault = check_pdf(head, tail, size_bytes, PDF)
    assert fault is not None  # chance does not spell both marks
    assert fault.code == "pdf_unreadable"
