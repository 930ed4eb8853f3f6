"""What the parts of this package share: the accounts, the settings, and how a page is made."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from lading.accounts.accounts import Accounts
from lading.console.security.rules import client_address, own_origins
from lading.settings.console import ConsoleSettings

Render = Callable[..., str]
"""Makes a page: `render("sign_in.html", name=…)`."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """The parts that decide who comes in. Safe to share between threads."""

    accounts: Accounts
    settings: ConsoleSettings
    render: Render

    @property
    def session_cookie(self) -> str:
        """The name of the session's cookie; the prefix keeps other hosts from setting it."""
        return self._named("lading_session")

    @property
    def flow_cookie(self) -> str:
        """The name of the cookie that a visit to the provider is remembered in."""
        return self._named("lading_sign_in")

    def cookie(self, name: str, value: str, *, max_age_s: int) -> Cookie:
        """A cookie that no script reads and no other site sends along; gone with `max_age_s` 0."""
        return Cookie(
            key=name,
            value=value,
            path="/",
            max_age=max_age_s,
            secure=self.settings.secure,
            httponly=True,
            samesite="lax",
        )

    def address_of(self, connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
        """Who asks, as far as the proxies in between are believed."""
        client = connection.client
        return client_address(
            None if client is None else client.host,
            connection.headers.getall("x-forwarded-for", []),
            [ipaddress.ip_network(network) for network in self.settings.trusted_proxies],
        )

    def origins_of(self, connection: ASGIConnection[Any, Any, Any, Any]) -> frozenset[str]:
        """The origins that pages of ours have for who asks."""
        return own_origins(connection.headers.get("host"), self.settings.public_url)

    def _named(self, name: str) -> str:
        return f"__Host-{name}" if self.settings.secure else name
