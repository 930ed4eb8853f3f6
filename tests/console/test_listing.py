"""A list's address is read, explained and written anew without losing or inventing anything."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import RequestFactory

from lading.console.listing import Field, ListQuery, parse_instant, read_query

FIELDS = (
    Field("status", "Status", {"pending": "Pending", "failed": "Failed"}),
    Field("q", "Name"),
    Field("since", "Since", kind="instant"),
    Field("job", "Job", kind="number"),
)


def read(address: str) -> ListQuery:
    path, _, query = address.partition("?")
    request = RequestFactory().get(path, query_params=dict_of(query))
    return read_query(request, FIELDS, sorts=("updated", "id"), default_sort="-updated")


def dict_of(query: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        found.setdefault(name, []).append(value)
    return found


def test_several_values_come_by_commas_or_by_repetition() -> None:
    assert read("/l?status=pending,failed").many("status") == ["pending", "failed"]
    assert read("/l?status=pending&status=failed").many("status") == ["pending", "failed"]
    assert read("/l?status=pending&status=pending").many("status") == ["pending"]


@pytest.mark.parametrize(
    ("address", "ignored"),
    [
        ("/l?foo=1", ["foo"]),
        ("/l?status=lost", ["status=lost"]),
        ("/l?status=lost,failed", ["status=lost"]),
        ("/l?since=yesterday", ["since=yesterday"]),
        ("/l?job=-1", ["job=-1"]),
        ("/l?job=٣", ["job=٣"]),
        ("/l?sort=size", ["sort=size"]),
        ("/l?limit=7", ["limit=7"]),
    ],
)
def test_what_does_not_fit_is_named_and_left_out(address: str, ignored: list[str]) -> None:
    assert read(address).ignored == ignored


def test_a_changed_filter_begins_at_the_first_page_and_keeps_the_rest() -> None:
    query = read("/l?status=failed&q=x&sort=id&limit=100&sel=sel_1&cursor=abc")
    assert query.url(q="y") == "/l?status=failed&q=y&sort=id&limit=100&sel=sel_1"
    assert query.url(cursor="def").endswith("&cursor=def")
    assert query.here.endswith("&cursor=abc")
    assert query.clear_url == "/l?sort=id&limit=100&sel=sel_1"


def test_a_chip_takes_away_just_its_own_value() -> None:
    chips = read("/l?status=pending,failed&q=x").chips
    assert [(chip.label, chip.value) for chip in chips] == [
        ("Status", "Pending"),
        ("Status", "Failed"),
        ("Name", "x"),
    ]
    assert chips[0].remove_url == "/l?status=failed&q=x"


def test_a_column_sorts_one_way_then_the_other() -> None:
    assert read("/l").sorted_by("updated") == "descending"
    assert read("/l").sort_url("updated") == "/l?sort=updated"
    assert read("/l?sort=updated").sort_url("updated") == "/l"
    assert read("/l?sort=updated").sorted_by("updated") == "ascending"
    assert read("/l").sorted_by("id") is None


@given(st.text(max_size=60))
def test_no_text_breaks_a_filter_or_its_address(text: str) -> None:
    request = RequestFactory().get("/l", query_params={"q": text})
    query = read_query(request, FIELDS)
    if text.strip() and "\0" not in text:
        assert query.one("q") == text.strip()
        assert query.url() == f"/l?{urlencode({'q': text.strip()}, safe=',:')}"


def test_instants_without_an_offset_are_utc_and_nonsense_is_none() -> None:
    at = parse_instant("2026-06-29")
    assert at is not None
    assert at.isoformat() == "2026-06-29T00:00:00+00:00"
    east = parse_instant("2026-06-29T00:00:00+05:45")
    assert east is not None
    assert east.isoformat() == "2026-06-28T18:15:00+00:00"
    assert parse_instant("2026-02-30") is None
    assert parse_instant("2026") is None
