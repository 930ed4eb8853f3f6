"""Asks a provider of OpenID Connect who somebody is: authorization code with PKCE, state, nonce.

Needs the extra `oidc`. What the provider says is believed if it is signed with its keys, was made
for us and for this very visit, and has not expired.
"""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from lading.accounts.values import Role
from lading.base.errors import printable
from lading.console.security.errors import NoRole, ProviderRefused, ProviderUnavailable
from lading.console.security.rules import role_of
from lading.settings.console import OidcSettings

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384")
ANSWER_WITHIN_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 1_000_000
DISCOVERED_FOR_S: Final = 3_600.0
KEYS_ASKED_AGAIN_AFTER_S: Final = 10.0
CLOCK_SKEW_MAX_S: Final = 60
_WELL_KNOWN: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit to the provider: where it begins, and what must come back from it."""

    url: str
    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom the provider vouches for, and as what."""

    issuer: str
    subject: str
    name: str
    display_name: str
    role: Role


@dataclass(frozen=True, slots=True)
class _Discovered:
    at_s: float
    facts: Mapping[str, Any]
    keys: KeySet


class Provider:
    """One provider. Safe to share between threads."""

    def __init__(self, settings: OidcSettings, *, redirect_uri: str) -> None:
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._lock = threading.Lock()
        self._known: _Discovered | None = None

    def begin(self) -> Visit:
        """A visit to begin. Raises `ProviderUnavailable`."""
        facts = self._discover().facts
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(32)
        nonce = secrets.token_urlsafe(32)
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._settings.client_id,
                "redirect_uri": self._redirect_uri,
                "scope": " ".join(self._settings.scopes),
                "state": state,
                "nonce": nonce,
                "code_challenge": create_s256_code_challenge(verifier),
                "code_challenge_method": "S256",
            }
        )
        address = str(facts["authorization_endpoint"])
        return Visit(f"{address}{'&' if '?' in address else '?'}{query}", state, nonce, verifier)

    def finish(self, code: str, visit: Visit, *, issuer: str | None = None) -> Vouched:
        """Whom the provider vouches for at the end of a visit; `issuer` as it named itself there.

        Raises `ProviderRefused`, `ProviderUnavailable`, and `NoRole`.
        """
        if issuer is not None and issuer != self._settings.issuer:
            raise ProviderRefused("another provider answered", found=printable(issuer))
        facts = self._discover().facts
        answer = self._redeem(facts, code, visit)
        id_token = answer.get("id_token")
        if not isinstance(id_token, str):
            raise ProviderRefused("the provider did not say who this is")
        claims = dict(self._verified(id_token, visit, answer.get("access_token")))
        claims = self._completed(facts, claims, answer.get("access_token"))
        return self._vouched(claims)

    def _vouched(self, claims: Mapping[str, Any]) -> Vouched:
        settings = self._settings
        values = {
            Role.ADMIN: settings.admin_values,
            Role.OPERATOR: settings.operator_values,
            Role.VIEWER: settings.viewer_values,
        }
        default = None if settings.default_role == "none" else Role(settings.default_role)
        role = role_of(claims, settings.role_claim, values, default)
        if role is None:
            raise NoRole("nothing the provider says gives you a role here")
        email = str(claims.get("email") or "").split("@", 1)[0]
        name = str(claims.get("preferred_username") or email or claims["sub"])
        shown = str(claims.get("name") or name)
        return Vouched(settings.issuer, str(claims["sub"]), name, shown, role)

    def _redeem(self, facts: Mapping[str, Any], code: str, visit: Visit) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": visit.verifier,
        }
        headers = {}
        settings = self._settings
        if settings.client_secret is None:
            form["client_id"] = settings.client_id
        else:
            secret = settings.client_secret.get_secret_value()
            ways = facts.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
            if "client_secret_basic" in ways:
                pair = f"{quote(settings.client_id, '')}:{quote(secret, '')}"
                headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
            else:
                form |= {"client_id": settings.client_id, "client_secret": secret}
        return _ask("POST", str(facts["token_endpoint"]), form=form, headers=headers)

    def _verified(self, id_token: str, visit: Visit, access_token: object) -> Mapping[str, Any]:
        token = self._decoded(id_token)
        settings = self._settings
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": settings.issuer},
                "aud": {"essential": True, "value": settings.client_id},
                "sub": {"essential": True},
                "exp": {"essential": True},
            },
            params={
                "nonce": visit.nonce,
                "client_id": settings.client_id,
                "access_token": access_token,
            },
        )
        try:
            claims.validate(now=int(time.time()), leeway=CLOCK_SKEW_MAX_S)
        except (JoseError, TypeError, ValueError) as error:
            raise ProviderRefused(
                "what the provider says does not hold", found=printable(str(error))
            ) from error
        found: dict[str, Any] = dict(claims)
        if found.get("nonce") != visit.nonce or not isinstance(found.get("sub"), str):
            raise ProviderRefused("what the provider says is of another visit")
        return found

    def _decoded(self, id_token: str) -> jwt.Token:
        known = self._discover()
        try:
            return jwt.decode(id_token, known.keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            # Its keys may have changed since we asked for them; they are not asked for often.
            again = self._discover(anew=_age_s(known) >= KEYS_ASKED_AGAIN_AFTER_S)
        try:
            return jwt.decode(id_token, again.keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError) as error:
            raise ProviderRefused("the provider's signature does not hold") from error

    def _completed(
        self, facts: Mapping[str, Any], claims: dict[str, Any], access_token: object
    ) -> dict[str, Any]:
        """Some providers tell the groups of a person only when they are asked once more."""
        address = facts.get("userinfo_endpoint")
        if not address or not isinstance(access_token, str):
            return claims
        answer = _ask("GET", str(address), headers={"authorization": f"Bearer {access_token}"})
        if answer.get("sub") != claims["sub"]:
            raise ProviderRefused("the provider speaks of two people")
        return {**answer, **claims}

    def _discover(self, *, anew: bool = False) -> _Discovered:
        with self._lock:
            known = self._known
            if known is not None and not anew and _age_s(known) < DISCOVERED_FOR_S:
                return known
            issuer = self._settings.issuer
            facts = _ask("GET", issuer.rstrip("/") + _WELL_KNOWN)
            if facts.get("issuer") != issuer:
                raise ProviderUnavailable(
                    "the provider names itself differently",
                    expected=issuer,
                    found=printable(str(facts.get("issuer"))),
                )
            plain = urlsplit(issuer).scheme == "http"
            for key in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not str(facts.get(key)).startswith(
                    ("https://", "http://" if plain else "https://")
                ):
                    raise ProviderUnavailable("the provider does not say where to ask", subject=key)
            try:
                keys = KeySet.import_key_set(_ask("GET", str(facts["jwks_uri"])))  # type: ignore[arg-type]
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise ProviderUnavailable("the provider's keys cannot be read") from error
            self._known = _Discovered(time.monotonic(), facts, keys)
            return self._known


def _age_s(known: _Discovered) -> float:
    return time.monotonic() - known.at_s


def _ask(
    method: str,
    address: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Mapping[str, Any]:
    """One JSON object from the provider; nothing of what it says otherwise is passed on."""
    place = address.split("?", 1)[0]
    try:
        with (
            httpx.Client(timeout=ANSWER_WITHIN_S, follow_redirects=False) as client,
            client.stream(
                method,
                address,
                data=form,
                headers={"accept": "application/json", **(headers or {})},
            ) as response,
        ):
            body = b""
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    raise ProviderUnavailable("the provider answers too much", subject=place)
            status = response.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ProviderUnavailable(
            f"the provider cannot be reached: {printable(type(error).__name__)}", subject=place
        ) from error
    try:
        answer = httpx.Response(status, content=body).json()
    except (ValueError, RecursionError):
        answer = None
    if 400 <= status < 500 and isinstance(answer, dict) and "error" in answer:
        raise ProviderRefused("the provider refused", found=printable(str(answer["error"])))
    if status != 200 or not isinstance(answer, dict):
        raise ProviderUnavailable(
            "the provider gave an answer of another kind", subject=place, found=f"status {status}"
        )
    return answer
