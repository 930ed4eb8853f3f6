"""Reads metadata sidecars as strict JSON and checks that a report is a whole PDF (B5).

What could exhaust the reader is measured before it is parsed: size, nesting, count, digits.
"""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from collections import Counter
from typing import Any, Final

from lading.base.errors import printable
from lading.base.units import format_bytes
from lading.sources.archive.values import Fault, Faulty

DEPTH_MAX: Final = 64
VALUES_MAX: Final = 1_000_000
NUMBER_CHARS_MAX: Final = 100
PDF_EDGE_BYTES: Final = 1024
"""How many bytes of its beginning and of its end a PDF's marks may be away from them."""

# A string to its end, or to the end of the text, so that no text is looked at twice.
_STRUCTURE = re.compile(r'"(?:[^"\\]+|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_PDF_HEAD = re.compile(rb"%PDF-[12]\.[0-9]")
_PDF_TAIL = re.compile(rb"startxref\s{1,20}([0-9]{1,20})\s{1,20}%%EOF")


def parse_metadata(
    body: bytes, key: str, *, bytes_max: int, depth_max: int = DEPTH_MAX
) -> dict[str, Any]:
    """The object that the metadata sidecar `key` holds. Raises `Faulty` (`json_unreadable`).

    Strict: UTF-8, with or without its mark; one object and nothing after it; no key twice in an
    object; finite numbers of at most 100 characters; no text that a database could not keep.
    """
    if len(body) > bytes_max:
        raise _unreadable(key, f"at most {bytes_max} bytes", f"{len(body)} bytes")
    try:
        text = body.removeprefix(BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{body[error.start]:02x} at {error.start}"
        raise _unreadable(key, "text in UTF-8", found) from None
    if not text.strip():
        raise _unreadable(key, "a JSON object", "nothing")
    # What these could count at most is seen at a glance for all but large or odd documents.
    opened = text.count("[") + text.count("{")
    if opened > depth_max or opened + text.count(",") > VALUES_MAX:
        _measure(text, key, depth_max)
    document = _parse(text, key)
    if not isinstance(document, dict):
        raise _unreadable(key, "a JSON object", _JSON_WORDS.get(type(document), "a number"))
    if "\\u" in text:
        _check_text(document, key)
    return document


_JSON_WORDS: Final = {list: "a list", str: "a string", bool: "true or false", type(None): "null"}


def _measure(text: str, key: str, depth_max: int) -> None:
    """Nesting and number of values, before any of them is made."""
    depth, values = 0, 0
    for match in _STRUCTURE.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
            continue
        elif mark != ",":
            continue
        values += 1
        if depth > depth_max:
            raise _unreadable(key, f"values nested at most {depth_max} deep", "deeper nesting")
        if values > VALUES_MAX:
            raise _unreadable(key, f"at most {VALUES_MAX} values", "more of them")


def _parse(text: str, key: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) != len(pairs):
            name, times = Counter(name for name, _ in pairs).most_common(1)[0]
            found = f"{_shown(name)} {times} times"
            raise _unreadable(key, "each name once in an object", found)
        return fields

    def constant(word: str) -> Any:
        raise _unreadable(key, "finite numbers", word)

    def integer(spelled: str) -> int:
        return int(_bounded(spelled, key))

    def real(spelled: str) -> float:
        number = float(_bounded(spelled, key))
        if not math.isfinite(number):
            raise _unreadable(key, "finite numbers", spelled)
        return number

    try:
        return json.loads(
            text,
            object_pairs_hook=unique,
            parse_constant=constant,
            parse_int=integer,
            parse_float=real,
        )
    except json.JSONDecodeError as error:
        found = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise _unreadable(key, "JSON", found) from None


def _bounded(spelled: str, key: str) -> str:
    if len(spelled) > NUMBER_CHARS_MAX:
        expected = f"numbers of at most {NUMBER_CHARS_MAX} characters"
        raise _unreadable(key, expected, f"one of {len(spelled)}")
    return spelled


def _check_text(document: dict[str, Any], key: str) -> None:
    """Escapes can spell NUL and half characters, which no database keeps as text."""
    pending: list[Any] = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, str) and _UNSTORABLE.search(value):
            raise _unreadable(key, "text without NUL or half characters", _shown(value))


def _shown(text: str) -> str:
    return printable(text, length_max=80)


def _unreadable(key: str, expected: str, found: str) -> Faulty:
    return Faulty(Fault("json_unreadable", expected, found, key))


def check_pdf(head: bytes, tail: bytes, size_bytes: int, key: str) -> Fault | None:
    """Whether the report `key` is a PDF from its first to its last bytes; else `pdf_unreadable`.

    `head` and `tail` are at least the first and the last 1024 bytes of the file, or all of a
    smaller one. What is drawn on its pages is not looked at.
    """
    if size_bytes == 0:
        return Fault("pdf_unreadable", "a PDF", "an empty file", key)
    if not _PDF_HEAD.search(head[: PDF_EDGE_BYTES + len(b"%PDF-1.7")]):
        return Fault("pdf_unreadable", "%PDF-1 or %PDF-2 in the first bytes", _begins(head), key)
    ends = _PDF_TAIL.findall(tail)
    if not ends:
        found = f"neither in the last {len(tail)} of {format_bytes(size_bytes)}: cut short?"
        return Fault("pdf_unreadable", "startxref and %%EOF at the end", found, key)
    offset = int(ends[-1])
    # A file for the web has an early `startxref 0`; as the last one it means that the rest is gone.
    if not 0 < offset < size_bytes:
        expected = f"a cross-reference within its {size_bytes} bytes"
        return Fault("pdf_unreadable", expected, f"one at {offset}", key)
    return None


def _begins(head: bytes) -> str:
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "a page in HTML or XML, perhaps an error of the server it came from"
    return f"a beginning with {_shown(head[:16].decode('latin-1'))}"
