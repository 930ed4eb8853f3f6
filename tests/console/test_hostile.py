"""Requests that nobody sends who means well: each is answered, in words, and breaks nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote, urlencode

import httpx
import pytest
import structlog
from litestar import Litestar
from litestar.routes import HTTPRoute

from lading.accounts.values import Role
from lading.cli.logs import configure_logs
from lading.console.app import create_app
from lading.console.listing import parse_instant
from lading.console.live.stream import _topics
from lading.console.pages.forms import local_path
from lading.settings import LogSettings
from lading.testing.console_data import PEOPLE
from tests.console.browser.serving import Served

FORM = "application/x-www-form-urlencoded"
HUGE = "9" * 30

PATHS = ("1", "0", "-1", HUGE, "%00", "%ff%fe", "..%2f..%2fetc", "%22%3E%3Cscript%3E", "%0d%0aX:y")
QUERIES = (
    "cursor=x",
    "cursor=%00",
    "cursor=WzFd",
    "limit=-1",
    "sort=%00",
    "sel=%00&done=%00",
    "since=0001-01-01T00:00%2B14:00",
    "until=9999-12-31T23:59-10:00",
    "q=%00",
    "q=%25%5C_%ff",
    f"from={HUGE}&upto={HUGE}",
    "list=%2F%2F%5B&back=%2F%2F%5B",
    "&".join(f"p{number}=1" for number in range(2_000)),
)
BODIES: Sequence[tuple[str, bytes]] = (
    (FORM, b""),
    (FORM, b"\xff\xfe=\xff"),
    (FORM, b"&".join(b"f%d=1" % number for number in range(5_000))),
    ("application/json", b"[" * 20_000),
    ("application/json", b'{"a":1,"a":'),
    ("text/plain", b"name=x"),
    ("multipart/form-data", b"x"),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xff\xfe\r\n--x--\r\n',
    ),
    (";;;", b"x"),
)
TEXTS = ("\0", HUGE, "9" * 4_000, "//[", "\r\nX: y<script>", "/\\elsewhere.test\u202e\u65e5")
NAMES = (
    *("name", "role", "display_name", "permission", "days", "back", "verb", "id", "resource"),
    *("selection", "sel", "key", "title", "names", "change", "reason", "source", "theme", "zone"),
    *("code", "kind", "current", "new", "repeat", "once", "next", "preview", "priority", "note"),
)
ENDLESS = frozenset({"/live", "/api/v1/events"})
SIGNS_OUT = frozenset({"/sign-out", "/sign-in", "/password"})


@pytest.fixture(scope="module")
def console(served: Callable[[str], Served]) -> Served:
    return served("failing")


@pytest.fixture
def admin(console: Served) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=console.origin,
        cookies=console.cookies_of(Role.ADMIN),
        headers={"origin": console.origin, "x-csrf-token": console.csrf_of(Role.ADMIN)},
    ) as client:
        yield client


@pytest.fixture(scope="module")
def app(console: Served) -> Litestar:
    """The application, to ask it for its routes."""
    return create_app(console.lading, host="127.0.0.1", port=1)


def addresses(app: Litestar, method: str) -> list[str]:
    """Every address that takes this method, with its parameters as they are written in a route."""
    found = {
        route.path_format
        for route in app.routes
        if isinstance(route, HTTPRoute) and method in route.methods
    }
    return sorted(found - ENDLESS)


def filled(path: str, value: str) -> str:
    """The address with this for each of its parameters."""
    for part in path.split("/"):
        if part.startswith("{"):
            path = path.replace(part, value)
    return path


def test_no_address_however_odd_breaks_a_page_or_the_api(
    app: Litestar, admin: httpx.Client
) -> None:
    broken = []
    for path in addresses(app, "GET"):
        asked = [filled(path, value) for value in PATHS] if "{" in path else [path]
        asked += [f"{filled(path, '1')}?{query}" for query in QUERIES]
        for address in asked:
            status = admin.get(address).status_code
            if status >= 500 and path != "/ready":
                broken.append(f"{status} {address[:150]}")
    assert not broken, "\n".join(broken)


def test_no_body_however_odd_breaks_a_form_or_the_api(app: Litestar, admin: httpx.Client) -> None:
    broken = []
    changing = [
        (method, path)
        for method in ("POST", "PUT", "PATCH", "DELETE")
        for path in addresses(app, method)
        if path not in SIGNS_OUT
    ]
    forms = [(FORM, urlencode([(name, text) for name in NAMES]).encode()) for text in TEXTS]
    for method, path in changing:
        sent = [(filled(path, "1"), *body) for body in (*BODIES, *forms)]
        sent += [(filled(path, HUGE), *BODIES[0])] * ("{" in path)
        for address, content_type, body in sent:
            headers = {"content-type": content_type}
            answer = admin.request(method, address, content=body, headers=headers)
            if answer.status_code >= 500:
                broken.append(f"{method} {address} {content_type} {body[:60]!r}: {answer.text}")
    assert not broken, "\n".join(broken)


def test_a_form_in_parts_is_refused_before_anybody_reads_it(console: Served) -> None:
    content_type, body = BODIES[-2]
    answer = httpx.post(
        f"{console.origin}/sign-in", content=body, headers={"content-type": content_type}
    )
    assert answer.status_code == 415
    assert "form_in_parts" in answer.text


@pytest.mark.parametrize("path", ["/jobs", "/health", "/static/x/console.css", "/live"])
def test_a_host_name_that_is_not_ours_is_told_what_to_set(console: Served, path: str) -> None:
    for accept, media_type in (
        ("text/html", "text/html"),
        ("application/json", "application/problem+json"),
    ):
        answer = httpx.get(
            f"{console.origin}{path}", headers={"host": "evil.example", "accept": accept}
        )
        assert answer.status_code == 400
        assert answer.headers["content-type"].startswith(media_type)
        for words in ("host_unknown", "evil.example", "public_url", "allowed_hosts"):
            assert words in answer.text


@pytest.mark.parametrize("text", ["0001-01-01T00:00+14:00", "0001-01-01", "9999-12-31T23:59-10:00"])
def test_an_instant_at_the_end_of_the_calendar_is_none(text: str) -> None:
    assert parse_instant(text) is None


@pytest.mark.parametrize(
    "text",
    ["//[", "//elsewhere.test", "/\\elsewhere.test", "http://elsewhere.test", "/a\nb", "/a b"],
)
def test_no_form_leads_to_another_site(text: str) -> None:
    assert local_path(text, "/here") == "/here"


def test_a_topic_is_followed_once_however_often_it_is_asked_for() -> None:
    assert _topics(",engine,jobs,engine," + "engine," * 1_000) == ["engine", "jobs"]


def test_a_form_sent_after_its_session_ended_leads_back_to_its_page(console: Served) -> None:
    headers = {"origin": console.origin, "accept": "text/html"}
    with httpx.Client(base_url=console.origin, headers=headers) as client:
        here = {"referer": f"{console.origin}/jobs?view=failed"}
        answer = client.post("/engine/pause", headers=here)
        assert answer.headers["location"] == f"/sign-in?next={quote('/jobs?view=failed', safe='/')}"
        elsewhere = {"referer": "http://elsewhere.test/jobs"}
        for headers in ({}, elsewhere):
            answer = client.post("/engine/pause", headers=headers)
            assert answer.headers["location"] == "/sign-in"


def test_what_went_wrong_is_logged_without_what_was_typed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = logging.getLogger().handlers[:]
    kept = structlog.get_config()
    typed = PEOPLE[Role.ADMIN].password
    try:
        configure_logs(LogSettings(format="text"))
        try:
            _fail_with(password=typed)
        except ZeroDivisionError as error:
            structlog.get_logger("lading.test").error("request failed", exc_info=error)
    finally:
        logging.getLogger().handlers = before
        structlog.configure(**kept)
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert typed not in said


def _fail_with(password: str) -> float:
    return len(password) / 0
