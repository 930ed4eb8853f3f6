"""Which bytes of a file are answered and as what, and which file stands for an asset."""

from __future__ import annotations

from email.message import Message
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.console.media_rules import (
    ORIGINAL_THUMBNAIL_BYTES_MAX,
    ByteRange,
    Candidate,
    Conditions,
    Presentation,
    Verdict,
    cache_control,
    choose_preview,
    choose_thumbnail,
    disposition,
    etag_of,
    file_url,
    judge,
    present,
)

ETAG = etag_of("a" * 64)
OTHER = etag_of("b" * 64)


def asked(size: int = 100, **headers: Any) -> Verdict:
    return judge(Conditions(**headers), etag=ETAG, size=size)


@pytest.mark.parametrize(
    ("text", "size", "status", "part"),
    [
        ("bytes=0-0", 100, 206, (0, 0)),
        ("bytes=0-99", 100, 206, (0, 99)),
        ("bytes=0-100", 100, 206, (0, 99)),
        ("bytes=99-", 100, 206, (99, 99)),
        ("bytes=100-", 100, 416, None),
        ("bytes=5-4", 100, 200, None),
        ("bytes=-1", 100, 206, (99, 99)),
        ("bytes=-1000", 100, 206, (0, 99)),
        ("bytes=-0", 100, 416, None),
        ("bytes=0-", 0, 416, None),
        ("bytes=-5", 0, 200, None),
        ("bytes=-", 100, 200, None),
        ("bytes=", 100, 200, None),
        ("BYTES = 1-2 ", 100, 206, (1, 2)),
        ("bytes=1-2,4-5", 100, 200, None),
        ("bytes=1-2, ", 100, 200, None),
        ("items=1-2", 100, 200, None),
        ("bytes=a-b", 100, 200, None),
        ("bytes=-1-2", 100, 200, None),
        ("bytes=0x1-2", 100, 200, None),
        ("bytes=\u0661-2", 100, 200, None),
        ("bytes=0-" + "9" * 40, 100, 200, None),
    ],
)
def test_a_range_is_read_as_http_defines_it(
    text: str, size: int, status: int, part: tuple[int, int] | None
) -> None:
    assert asked(size, range=text) == Verdict(status, part and ByteRange(*part))


@given(
    size=st.integers(0, 2**40),
    first=st.none() | st.integers(0, 2**41),
    last=st.none() | st.integers(0, 2**41),
)
def test_a_part_is_within_the_file_and_starts_where_it_was_asked_for(
    size: int, first: int | None, last: int | None
) -> None:
    text = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    verdict = asked(size, range=text)
    assert (verdict.status == 206) == (verdict.part is not None)
    if verdict.part is not None:
        assert 0 <= verdict.part.first <= verdict.part.last < size
        assert verdict.part.length >= 1
        if first is not None:
            assert verdict.part.first == first
            assert last is None or verdict.part.last <= last
        else:
            assert verdict.part.last == size - 1
    if first is not None and first >= size and (last is None or last >= first):
        assert verdict.status == 416


@given(st.text(max_size=60))
def test_whatever_the_range_header_holds_it_is_answered(text: str) -> None:
    assert asked(range=text).status in {200, 206, 416}
    assert asked(if_none_match=text).status in {200, 304}
    assert asked(if_match=text).status in {200, 412}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_none_match": ETAG}, 304),
        ({"if_none_match": f"{OTHER}, W/{ETAG}"}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": OTHER}, 200),
        ({"if_none_match": ETAG, "range": "bytes=0-1"}, 304),
        ({"if_match": ETAG}, 200),
        ({"if_match": "*"}, 200),
        ({"if_match": f"W/{ETAG}"}, 412),
        ({"if_match": OTHER, "if_none_match": ETAG}, 412),
        ({"if_range": ETAG, "range": "bytes=0-1"}, 206),
        ({"if_range": f"W/{ETAG}", "range": "bytes=0-1"}, 200),
        ({"if_range": OTHER, "range": "bytes=0-1"}, 200),
        ({"if_range": OTHER, "range": "bytes=100-"}, 200),
        ({"if_range": "Wed, 21 Oct 2026 07:28:00 GMT", "range": "bytes=0-1"}, 200),
        ({"if_range": ETAG}, 200),
    ],
)
def test_conditions_are_weighed_in_the_order_http_prescribes(
    headers: dict[str, Any], status: int
) -> None:
    assert asked(**headers).status == status


def test_a_head_request_has_no_part() -> None:
    conditions = Conditions(range="bytes=0-1")
    assert judge(conditions, etag=ETAG, size=100, head=True) == Verdict(200)


@pytest.mark.parametrize(
    ("media_type", "path", "expected"),
    [
        ("image/jpeg", "a", Presentation("image/jpeg", inline=True)),
        ("IMAGE/JPEG; q=1", "a", Presentation("image/jpeg", inline=True)),
        (None, "a/b.JPG", Presentation("image/jpeg", inline=True)),
        ("application/octet-stream", "b.mp4", Presentation("video/mp4", inline=True)),
        ("text/vtt", "en.vtt", Presentation("text/vtt; charset=utf-8", inline=True)),
        ("application/x-mpegURL", "x", Presentation("application/x-mpegurl", inline=True)),
        (None, "hls/s_1.ts", Presentation("video/mp2t", inline=True)),
        ("application/zip", "x", Presentation("application/zip", inline=False)),
        ("application/json", "x", Presentation("application/json", inline=False)),
        ("image/svg+xml", "a.svg", Presentation("application/octet-stream", inline=False)),
        ("text/html", "a.jpg", Presentation("application/octet-stream", inline=False)),
        ("text/javascript", "a.js", Presentation("application/octet-stream", inline=False)),
        ("text/xml", "a.xml", Presentation("application/octet-stream", inline=False)),
        ("application/xhtml+xml", "a", Presentation("application/octet-stream", inline=False)),
        (None, "a.html", Presentation("application/octet-stream", inline=False)),
        (None, ".jpg", Presentation("application/octet-stream", inline=False)),
        ("image/jpeg\r\nX: y", "a", Presentation("application/octet-stream", inline=False)),
        ("multipart/x-mixed-replace", "a", Presentation("application/octet-stream", inline=False)),
    ],
)
def test_only_what_a_browser_cannot_run_is_shown_in_it(
    media_type: str | None, path: str, expected: Presentation
) -> None:
    assert present(media_type, path) == expected


@given(st.none() | st.text(max_size=80), st.text(min_size=1, max_size=80))
def test_nothing_is_ever_sent_as_something_that_can_run(media_type: str | None, path: str) -> None:
    shown = present(media_type, path).content_type
    assert shown.isascii()
    assert shown.isprintable()
    for word in ("html", "svg", "xml", "script", "multipart"):
        assert word not in shown


@given(st.text(min_size=1, max_size=400), st.booleans())
def test_a_name_comes_back_out_of_its_header(name: str, inline: bool) -> None:
    value = disposition(name, inline=inline)
    assert value.isascii()
    assert value.isprintable()
    assert len(value) < 2_500
    message = Message()
    message["Content-Disposition"] = value
    assert message.get_content_disposition() == ("inline" if inline else "attachment")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("original/a b.jpg", 'attachment; filename="a b.jpg"'),
        ('a"b\\.jpg', "attachment; filename=\"a_b_.jpg\"; filename*=UTF-8''a%22b%5C.jpg"),
        ("tür.jpg", "attachment; filename=\"t_r.jpg\"; filename*=UTF-8''t%C3%BCr.jpg"),
        ("a\r\nSet-Cookie: x", 'attachment; filename="aSet-Cookie: x"'),
        ("\n", 'attachment; filename="file"'),
        ("100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
    ],
)
def test_a_file_is_saved_under_its_name(path: str, value: str) -> None:
    assert disposition(path, inline=False) == value


def test_a_long_name_keeps_its_ending() -> None:
    value = disposition("x" * 400 + ".tiff", inline=False)
    assert value.endswith('x.tiff"')
    assert len(value) < 200


def test_only_an_address_that_names_the_content_may_be_kept_for_good() -> None:
    digest = "c" * 64
    assert "immutable" in cache_control(digest, digest)
    assert cache_control(None, digest) == cache_control("d" * 64, digest) == "private, no-cache"
    url = file_url("a" * 64, "original/a b#?%.jpg", digest)
    assert url.startswith(f"/media/assets/{'a' * 64}/files/original/a%20b%23%3F%25.jpg?v=")
    assert unquote(url).endswith(f"original/a b#?%.jpg?v={digest}")


def file(role: str, size: int, media_type: str | None = "image/webp", **more: Any) -> Candidate:
    return Candidate(
        **{
            "file_id": size,
            "role": role,
            "media_type": media_type,
            "size_bytes": size,
            "path": f"{role}/{size}",
            "content_hash": "a" * 64,
            "sha256": "b" * 64,
            **more,
        }
    )


LIBRARY = file("library_cover", 50_000)
COVER = file("cover", 40_000)
LARGE, SMALL = file("derivative", 90_000), file("derivative", 9_000)
ORIGINAL = file("original", ORIGINAL_THUMBNAIL_BYTES_MAX)
UNTYPED = file("original", 10, None, path="a.JPEG")
OTHERS = file("cover", 30_000, content_hash="c" * 64)


@pytest.mark.parametrize(
    ("files", "cover", "expected"),
    [
        ([ORIGINAL, SMALL, LARGE, COVER, LIBRARY], OTHERS, LIBRARY),
        ([ORIGINAL, SMALL, LARGE, COVER], OTHERS, OTHERS),
        ([ORIGINAL, SMALL, LARGE, COVER], None, COVER),
        ([ORIGINAL, LARGE, SMALL], None, SMALL),
        ([ORIGINAL], None, ORIGINAL),
        ([file("original", ORIGINAL_THUMBNAIL_BYTES_MAX + 1)], None, None),
        ([file("original", 10, "image/tiff")], None, None),
        ([UNTYPED], None, UNTYPED),
        ([file("original", 10, "image/svg+xml")], None, None),
        ([file("derivative", 10, "video/mp4"), LARGE], None, LARGE),
        ([file("library_cover", 10, "image/tiff"), SMALL], None, SMALL),
        ([SMALL], file("cover", 5, "image/heic"), SMALL),
        ([file("original", 10, "video/mp4"), file("transcript", 5, "text/vtt")], None, None),
        ([file("hls", 5, "image/jpeg")], None, None),
        ([], None, None),
    ],
)  # fmt: skip
def test_the_best_picture_there_is_stands_for_an_asset(
    files: list[Candidate], cover: Candidate | None, expected: Candidate | None
) -> None:
    assert choose_thumbnail(files, cover) == expected
    assert choose_thumbnail(files[::-1], cover) == expected


def test_a_page_about_one_asset_shows_more_than_its_thumbnail() -> None:
    assert choose_preview([ORIGINAL, SMALL, LARGE], SMALL) == LARGE
    assert choose_preview([ORIGINAL], None) == ORIGINAL
    assert choose_preview([file("original", 10, "video/mp4")], LIBRARY) == LIBRARY
    assert choose_preview([file("original", 10**9)], None) is None
