"""A little provider of OpenID Connect with a key of its own, on loopback; it can be made to lie."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "lading", "a secret: with % signs"
Claims = dict[str, Any]


class OpenId:
    """What the provider knows, and how it lies: `claims` and `token` change what it says."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
        self.published: KeySet = KeySet([self.key])
        self.person: Claims = {"sub": "s-1", "preferred_username": "ana", "name": "Ana Lima"}
        self.groups: list[str] = ["media-admins"]
        self.claims: Callable[[Claims], Claims] = lambda claims: claims
        self.token: Callable[[Claims], str] = self.signed
        self.discovery: Claims = {}
        self.userinfo: Claims | None = None
        self.asked: list[str] = []
        self.issuer = ""
        self._codes: dict[str, dict[str, str]] = {}

    def signed(self, claims: Claims) -> str:
        return jwt.encode({"alg": "RS256", "kid": str(self.key.kid)}, claims, self.key)

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: str
    ) -> tuple[int, dict[str, str], Any]:
        url = urlsplit(target)
        self.asked.append(url.path)
        query = {key: found[-1] for key, found in parse_qs(url.query or body).items()}
        if url.path == "/.well-known/openid-configuration":
            return 200, {}, self._discovered() | self.discovery
        if url.path == "/keys":
            return 200, {}, self.published.as_dict(private=False)
        if url.path == "/authorize":
            code = secrets.token_urlsafe(8)
            self._codes[code] = query
            back = urlencode({"code": code, "state": query["state"], "iss": self.issuer})
            return 303, {"Location": f"{query['redirect_uri']}?{back}"}, {}
        if url.path == "/token" and method == "POST":
            return self._redeem(query, headers)
        if url.path == "/userinfo":
            return 200, {}, self.userinfo
        return 404, {}, {}

    def _discovered(self) -> Claims:
        found: Claims = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        if self.userinfo is not None:
            found["userinfo_endpoint"] = f"{self.issuer}/userinfo"
        return found

    def _redeem(
        self, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], Any]:
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(
            hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        ).decode()
        proper = (
            asked is not None
            and asked["code_challenge"] == challenge.rstrip("=")
            and asked["code_challenge_method"] == "S256"
            and asked["redirect_uri"] == form.get("redirect_uri")
            and form.get("grant_type") == "authorization_code"
        )
        if not proper or asked is None:
            return 400, {}, {"error": "invalid_grant"}
        pair = f"{CLIENT}:a%20secret%3A%20with%20%25%20signs"
        if headers.get("authorization") != f"Basic {base64.b64encode(pair.encode()).decode()}":
            return 401, {}, {"error": "invalid_client"}
        at = int(time.time())
        claims = self.claims(
            {
                "iss": self.issuer,
                "aud": CLIENT,
                "iat": at,
                "exp": at + 300,
                "nonce": asked["nonce"],
                "groups": self.groups,
                **self.person,
            }
        )
        answer = {"access_token": "an access token", "token_type": "Bearer"}
        return 200, {}, answer | {"id_token": self.token(claims)}


@contextmanager
def openid_provider() -> Iterator[OpenId]:
    """A provider that answers; `issuer` is its address."""
    provider = OpenId()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            length = int(self.headers.get("content-length", 0))
            given = {key.lower(): value for key, value in self.headers.items()}
            status, headers, answer = provider.answer(
                method, self.path, given, self.rfile.read(length).decode()
            )
            body = json.dumps(answer).encode()
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
