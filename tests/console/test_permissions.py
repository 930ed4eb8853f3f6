"""Nobody changes anything without being signed in, allowed to, and on a page of this console."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx
import pytest
from litestar.routes import HTTPRoute

from lading.accounts.values import ROLE_PERMISSIONS, Permission, Role
from lading.console.app import create_app
from lading.console.security.guards import PUBLIC, permission_of, unguarded
from lading.testing.console_data import PEOPLE
from tests.console.browser.serving import Served

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
OWN_THINGS = frozenset(
    {
        "POST /password",
        "POST /sign-out",
        "POST /profile",
        "POST /tokens",
        "POST /tokens/{token_id}/revoke",
        "POST /users/{name}/sessions/end",
        "POST /users/{name}/sessions/{session_id}/end",
        "POST /api/v1/tokens",
        "DELETE /api/v1/tokens/{token_id}",
        "PATCH /api/v1/me/preferences",
        "DELETE /api/v1/me/sessions",
        "DELETE /api/v1/me/sessions/{session_id}",
    }
)
"""What everybody may do who is signed in, to what is their own; see what is tried below."""

GetServed = Callable[[str], Served]


@dataclass(frozen=True)
class Endpoint:
    """One method of one address, with what it needs."""

    method: str
    path: str
    permission: Permission | None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def of_api(self) -> bool:
        return self.path.startswith("/api/")

    @property
    def address(self) -> str:
        """An address of this shape; who may not ask is not told whether there is such a thing."""
        return re.sub(r"\{[^}]+\}", "1", self.path)


@pytest.fixture(scope="module")
def console(served: GetServed) -> Served:
    return served("empty")


@pytest.fixture(scope="module")
def endpoints(console: Served) -> Sequence[Endpoint]:
    """Everything that changes something."""
    app = create_app(console.lading, host="127.0.0.1", port=1)
    found = [
        Endpoint(method, route.path_format, permission_of(handler))
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in sorted(handler.http_methods & UNSAFE)
        if f"{method} {route.path_format}" not in PUBLIC
    ]
    assert len(found) > 60
    return found


@pytest.fixture
def clients(console: Served) -> Iterator[Callable[..., httpx.Client]]:
    """Makes clients: `clients(Role.VIEWER)`, as a page of the console would send."""
    made: list[httpx.Client] = []

    def client(role: Role | None, *, csrf: bool = True, token: str | None = None) -> httpx.Client:
        headers = {"origin": console.origin}
        cookies: dict[str, str] = {}
        if role is not None:
            cookies = console.cookies_of(role)
            if csrf:
                headers["x-csrf-token"] = console.csrf_of(role)
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        made.append(httpx.Client(base_url=console.origin, headers=headers, cookies=cookies))
        return made[-1]

    yield client
    for one in made:
        one.close()


def refusals(
    client: httpx.Client, endpoints: Sequence[Endpoint], expected: Mapping[bool, int], code: str
) -> list[str]:
    """Which endpoints answer otherwise; `expected` is the status for pages and for the API."""
    wrong = []
    for endpoint in endpoints:
        accept = {"accept": "application/json" if endpoint.of_api else "text/html"}
        answer = client.request(endpoint.method, endpoint.address, headers=accept)
        status = expected[endpoint.of_api]
        said = code in answer.text or (
            status == 303 and answer.headers.get("location", "").startswith("/sign-in")
        )
        if answer.status_code != status or not said:
            wrong.append(f"{endpoint.name}: {answer.status_code} {answer.text[:200]!r}")
    return wrong


def test_every_handler_is_guarded_or_meant_for_anybody(console: Served) -> None:
    app = create_app(console.lading, host="127.0.0.1", port=1)
    assert unguarded(app) == []


def test_what_is_meant_for_anybody_is_no_more_than_the_door() -> None:
    assert {name.split(" ", 1)[1].split("/")[1] for name in PUBLIC} == {
        "health",
        "ready",
        "sign-in",
        "static",
    }


def test_what_changes_something_needs_more_than_reading_unless_it_is_ones_own(
    endpoints: Sequence[Endpoint],
) -> None:
    easy = {e.name for e in endpoints if e.permission in {None, Permission.READ}}
    assert easy == OWN_THINGS


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_whoever_may_not_is_refused_by_every_endpoint(
    clients: Callable[..., httpx.Client], endpoints: Sequence[Endpoint], role: Role
) -> None:
    beyond = [e for e in endpoints if e.permission and e.permission not in ROLE_PERMISSIONS[role]]
    assert len(beyond) > (40 if role is Role.VIEWER else 6)
    wrong = refusals(clients(role), beyond, {True: 403, False: 403}, "not_permitted")
    assert not wrong, "\n".join(wrong)


def test_a_token_does_no_more_than_it_was_made_for(
    console: Served, clients: Callable[..., httpx.Client], endpoints: Sequence[Endpoint]
) -> None:
    admin = console.accounts.get(PEOPLE[Role.ADMIN].name)
    token = console.accounts.create_token(
        admin.id, "reader", {Permission.READ}, expires_in_s=3600, actor="user:ada"
    )
    beyond = [e for e in endpoints if e.of_api and e.permission not in {None, Permission.READ}]
    wrong = refusals(
        clients(None, token=token.secret), beyond, {True: 403, False: 403}, "not_permitted"
    )
    assert not wrong, "\n".join(wrong)


def test_without_a_session_the_api_refuses_and_pages_lead_to_the_door(
    clients: Callable[..., httpx.Client], endpoints: Sequence[Endpoint]
) -> None:
    wrong = refusals(clients(None), endpoints, {True: 401, False: 303}, "not_signed_in")
    assert not wrong, "\n".join(wrong)


def test_a_session_alone_changes_nothing(
    clients: Callable[..., httpx.Client], endpoints: Sequence[Endpoint]
) -> None:
    client = clients(Role.ADMIN, csrf=False)
    wrong = refusals(client, endpoints, {True: 403, False: 403}, "csrf_refused")
    assert not wrong, "\n".join(wrong)


def test_the_word_of_another_session_is_not_taken(
    console: Served, clients: Callable[..., httpx.Client], endpoints: Sequence[Endpoint]
) -> None:
    client = clients(Role.ADMIN, csrf=False)
    client.headers["x-csrf-token"] = console.csrf_of(Role.VIEWER)
    wrong = refusals(client, endpoints, {True: 403, False: 403}, "csrf_refused")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://elsewhere.test"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=["origin", "no origin", "other site", "neighbour"],
)
def test_a_page_of_another_site_changes_nothing_even_with_the_proof(
    clients: Callable[..., httpx.Client],
    endpoints: Sequence[Endpoint],
    headers: Mapping[str, str],
) -> None:
    client = clients(Role.ADMIN)
    del client.headers["origin"]
    client.headers.update(headers)
    wrong = refusals(client, endpoints, {True: 403, False: 403}, "csrf_refused")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_what_is_anothers_own_is_not_ended_by_those_who_may_end_their_own(
    console: Served, clients: Callable[..., httpx.Client], role: Role
) -> None:
    ada = PEOPLE[Role.ADMIN].name
    owner = console.accounts.get(ada)
    made = console.accounts.create_token(
        owner.id, f"not {role}", {Permission.READ}, expires_in_s=3600, actor=f"user:{ada}"
    )
    session = console.session_of(Role.ADMIN)
    known = console.accounts.caller_of_session(session)
    assert known is not None
    assert known.session is not None
    client = clients(role)
    attempts = (
        ("POST", f"/users/{ada}/sessions/end"),
        ("POST", f"/users/{ada}/sessions/{known.session.id}/end"),
        ("POST", f"/tokens/{made.token.id}/revoke"),
        ("DELETE", f"/api/v1/tokens/{made.token.id}"),
        ("DELETE", f"/api/v1/me/sessions/{known.session.id}"),
    )
    for method, address in attempts:
        answer = client.request(method, address)
        assert answer.status_code in {403, 404}, f"{method} {address}: {answer.status_code}"
    assert console.accounts.caller_of_token(made.secret) is not None
    assert console.accounts.caller_of_session(session) is not None


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_a_token_made_by_oneself_has_no_more_than_ones_role(
    console: Served, clients: Callable[..., httpx.Client], role: Role
) -> None:
    wanted = {"name": f"mine {role}", "permissions": [p.value for p in Permission]}
    answer = clients(role).post("/api/v1/tokens", json={**wanted, "expires_in_days": 1})
    if answer.status_code == 201:
        caller = console.accounts.caller_of_token(answer.json()["secret"])
        assert caller is not None
        assert caller.permissions <= ROLE_PERMISSIONS[role]
    else:
        assert answer.status_code in {400, 403}, answer.text
