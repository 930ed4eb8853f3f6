"""Signing in with a provider: the whole way, and every lie on it."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from litestar import Litestar
from litestar.testing import TestClient
from pydantic import SecretStr

from lading.accounts.accounts import Accounts
from lading.accounts.values import Role
from lading.base.errors import MissingExtra
from lading.settings.console import ConsoleSettings, OidcSettings
from tests.accounts.door import HERE, application, browser
from tests.accounts.openid import CLIENT, SECRET, Claims, OpenId, openid_provider
from tests.accounts.people import settled

Browser = TestClient[Litestar]


@pytest.fixture
def provider() -> Iterator[OpenId]:
    """A provider on loopback."""
    with openid_provider() as provider:
        yield provider


def settings_for(provider: OpenId, **changes: Any) -> ConsoleSettings:
    oidc = OidcSettings(
        **{
            "issuer": provider.issuer,
            "client_id": CLIENT,
            "client_secret": SecretStr(SECRET),
            "label": "the company",
            "admin_values": ("media-admins",),
            "operator_values": ("media",),
            **changes,
        }
    )
    return ConsoleSettings(public_url=HERE, oidc=oidc)


def visit(client: Browser, *, next_path: str = "/things") -> str:
    """Go to the provider; returns the address that it sends the browser back to."""
    begun = client.get(f"/sign-in/oidc?next={next_path}")
    assert begun.status_code == 303, begun.text
    return httpx.get(begun.headers["location"]).headers["location"]


def refused(client: Browser, back: str) -> str:
    """The page that says so; nobody is signed in after it."""
    answer = client.get(back)
    assert answer.status_code in {401, 403, 502}, answer.text
    assert 'role="alert"' in answer.text
    assert "lading_session" not in client.cookies
    return answer.text


def test_the_provider_signs_people_in_with_a_role_from_its_groups(
    accounts: Accounts, provider: OpenId
) -> None:
    settled(accounts, "ana", Role.ADMIN)
    with browser(application(accounts, settings_for(provider))) as client:
        page = client.get("/sign-in?next=/things").text
        assert 'href="/sign-in/oidc?next=/things"' in page
        assert "Sign in with the company" in page
        entered = client.get(visit(client))
        assert (entered.status_code, entered.headers["location"]) == (303, "/things")
        assert client.get("/things").text == "user:ana-2"
        assert "lading_sign_in" not in client.cookies
    made = accounts.get("ana-2")
    assert (made.role, made.issuer, made.display_name) == (Role.ADMIN, provider.issuer, "Ana Lima")
    provider.groups = ["media"]
    with browser(application(accounts, settings_for(provider))) as client:
        client.get(visit(client))
    assert accounts.get("ana-2").role is Role.OPERATOR
    assert len(accounts.list().accounts) == 2


def other_key(claims: Claims) -> str:
    key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)


def unsigned(claims: Claims) -> str:
    parts = [{"alg": "none"}, claims]
    words = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    return f"{'.'.join(words)}."


def signed_with_the_secret(claims: Claims) -> str:
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))


def changed(**changes: Any) -> Callable[[Claims], Claims]:
    return lambda claims: {k: v for k, v in {**claims, **changes}.items() if v is not None}


LIES: dict[str, Callable[[Claims], Claims]] = {
    "of another issuer": changed(iss="https://elsewhere.example"),
    "for another client": changed(aud="somebody else"),
    "for several, and not for us to use": changed(aud=[CLIENT, "other"], azp="other"),
    "expired": changed(exp=int(time.time()) - 3_600),
    "without an end": changed(exp=None),
    "made tomorrow": changed(iat=int(time.time()) + 86_400),
    "of another visit": changed(nonce="another"),
    "of no visit": changed(nonce=None),
    "about nobody": changed(sub=None),
    "about a number": changed(sub=7),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_token_of_the_provider_that_does_not_hold_lets_nobody_in(
    few: Accounts, provider: OpenId, lie: str
) -> None:
    provider.claims = LIES[lie]
    with browser(application(few, settings_for(provider))) as client:
        refused(client, visit(client))
    assert few.list().accounts == []


@pytest.mark.parametrize("make", [other_key, unsigned, signed_with_the_secret, lambda _: "x.y.z"])
def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(
    few: Accounts, provider: OpenId, make: Callable[[Claims], str]
) -> None:
    provider.token = make
    with browser(application(few, settings_for(provider))) as client:
        assert "signature does not hold" in refused(client, visit(client))
    assert few.list().accounts == []


def test_only_the_browser_that_began_a_visit_can_end_it(few: Accounts, provider: OpenId) -> None:
    app = application(few, settings_for(provider))
    with browser(app) as attacker:
        back = visit(attacker)
    with browser(app) as victim:
        refused(victim, back)  # without having begun one
        visit(victim)
        refused(victim, back)  # having begun another
        assert provider.asked.count("/token") == 0


def test_a_visit_is_ended_once(few: Accounts, provider: OpenId) -> None:
    with browser(application(few, settings_for(provider))) as client:
        back = visit(client)
        kept = client.cookies["lading_sign_in"]
        assert client.get(back).status_code == 303
        client.cookies.clear()
        client.cookies.set("lading_sign_in", kept)
        refused(client, back)  # the provider takes no code twice


def test_what_the_provider_refuses_is_told(few: Accounts, provider: OpenId) -> None:
    with browser(application(few, settings_for(provider))) as client:
        back = visit(client)
        state = back.partition("state=")[2].partition("&")[0]
        refused(client, f"/sign-in/oidc/callback?error=access_denied&state={state}")
        refused(client, "/sign-in/oidc/callback")
        back = visit(client)
        refused(client, f"{back.partition('&iss=')[0]}&iss=https://elsewhere.example")
        client.cookies.set("lading_sign_in", "no\x7fnsense")
        refused(client, back)


def test_who_has_no_role_stays_out_unless_everybody_has_one(
    few: Accounts, provider: OpenId
) -> None:
    provider.groups = ["others"]
    with browser(application(few, settings_for(provider))) as client:
        assert "role" in refused(client, visit(client))
    assert few.list().accounts == []
    with browser(application(few, settings_for(provider, default_role="viewer"))) as client:
        assert client.get(visit(client)).status_code == 303
    assert few.get("ana").role is Role.VIEWER


def test_a_disabled_account_stays_out(few: Accounts, provider: OpenId) -> None:
    settled(few, "boss", Role.ADMIN)
    app = application(few, settings_for(provider))
    with browser(app) as client:
        client.get(visit(client))
    few.disable("ana", actor="test")
    with browser(app) as client:
        refused(client, visit(client))


def test_groups_may_be_told_on_being_asked_once_more(few: Accounts, provider: OpenId) -> None:
    provider.claims = changed(groups=None)
    provider.userinfo = {"sub": "s-1", "groups": ["media"]}
    app = application(few, settings_for(provider))
    with browser(app) as client:
        assert client.get(visit(client)).status_code == 303
    assert few.get("ana").role is Role.OPERATOR
    provider.userinfo = {"sub": "somebody else", "groups": ["media-admins"]}
    with browser(app) as client:
        assert "two people" in refused(client, visit(client))


def test_a_key_that_was_changed_is_asked_for(
    few: Accounts, provider: OpenId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lading.console.security.provider.KEYS_ASKED_AGAIN_AFTER_S", 0.0)
    app = application(few, settings_for(provider))
    with browser(app) as client:
        assert client.get(visit(client)).status_code == 303
        provider.key = RSAKey.generate_key(2048, {"kid": "two"}, private=True)
        provider.published = KeySet([provider.key])
        client.cookies.clear()
        assert client.get(visit(client)).status_code == 303
    assert provider.asked.count("/keys") == 2


def test_a_provider_that_is_away_or_another_is_told_on_the_page(
    few: Accounts, provider: OpenId
) -> None:
    provider.discovery = {"issuer": "https://elsewhere.example"}
    with browser(application(few, settings_for(provider))) as client:
        refused(client, "/sign-in/oidc")
        provider.discovery = {"token_endpoint": None}
        refused(client, "/sign-in/oidc")
    gone = settings_for(provider, issuer="http://127.0.0.1:9")
    with browser(application(few, gone)) as client:
        assert "cannot be reached" in refused(client, "/sign-in/oidc")


def test_without_a_provider_there_is_none(few: Accounts) -> None:
    with browser(application(few)) as client:
        assert "oidc" not in client.get("/sign-in").text
        for path in ("/sign-in/oidc", "/sign-in/oidc/callback?code=x&state=y"):
            assert client.get(path).json()["code"] == "no_provider"


def test_a_provider_without_its_extra_is_said_at_the_start(
    few: Accounts, provider: OpenId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "lading.console.security.provider", raising=False)
    monkeypatch.setitem(sys.modules, "authlib.oidc.core", None)
    with pytest.raises(MissingExtra, match="not installed"):
        application(few, settings_for(provider))
