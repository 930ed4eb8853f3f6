"""The settings of the console: where it listens, how others reach it, and who lets people in."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from lading.accounts.limits import AccountLimits
from lading.settings.section import SECONDS_MAX, Section

_PORT: Final = r"(:[0-9]{1,5})?"
_NAME: Final = rf"([a-z0-9.-]+|\[[0-9a-f:]+\]){_PORT}"
_ORIGIN: Final = re.compile(f"https?://{_NAME}")
_HOST: Final = re.compile(rf"(\*\.)?{_NAME}")
_SITE: Final = re.compile(r"https?://[^\s?#@]+")


class OidcSettings(Section):
    """Sign-in with a provider of OpenID Connect, beside names and passwords."""

    issuer: str = Field(
        min_length=1, max_length=190, description="Address of the provider, as it names itself."
    )
    client_id: str = Field(min_length=1, description="What the provider knows this console by.")
    client_secret: SecretStr | None = Field(
        default=None, description="Secret of that client; none for a public one."
    )
    label: str = Field(
        default="single sign-on", min_length=1, description="What the button for it says."
    )
    scopes: tuple[str, ...] = Field(
        default=("openid", "profile", "email"), description="What the provider is asked for."
    )
    role_claim: str = Field(
        default="groups",
        min_length=1,
        description="Claim that decides the role; `realm_access.roles` looks into a claim.",
    )
    admin_values: tuple[str, ...] = Field(
        default_factory=tuple, description="Values of that claim that make an admin."
    )
    operator_values: tuple[str, ...] = Field(
        default_factory=tuple, description="Values of that claim that make an operator."
    )
    viewer_values: tuple[str, ...] = Field(
        default_factory=tuple, description="Values of that claim that make a viewer."
    )
    default_role: Literal["none", "viewer", "operator", "admin"] = Field(
        default="none", description="Role of everybody else; `none` lets nobody else in."
    )

    @field_validator("issuer")
    @classmethod
    def _safe_issuer(cls, issuer: str) -> str:
        if _SITE.fullmatch(issuer) is None or not _private_way(issuer):
            raise ValueError("an address that begins with https://, without ? and #")
        return issuer

    @field_validator("scopes")
    @classmethod
    def _with_openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes:
            raise ValueError("a list that has openid in it")
        return scopes


class ConsoleSettings(Section):
    """Where the console listens, what others call it, and how long sign-in lasts."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on; one that others can reach needs TLS in front of it.",
    )
    port: int = Field(
        default=8740, ge=0, le=65_535, description="Port to listen on; 0 takes a free one."
    )
    public_url: str | None = Field(
        default=None,
        description="Address that browsers use, such as `https://lading.example.org`; no path.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        default_factory=tuple,
        description="Further host names the console answers to, with their port if they have one.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default_factory=tuple,
        description="Addresses or networks of proxies that are believed whom they ask for.",
    )
    session_idle_s: int = Field(
        default=12 * 3_600,
        ge=60,
        le=30 * SECONDS_MAX,
        description="Seconds without use after which a session ends.",
    )
    session_max_s: int = Field(
        default=7 * SECONDS_MAX,
        ge=60,
        le=90 * SECONDS_MAX,
        description="Seconds after which a session ends however much it is used.",
    )
    oidc: OidcSettings | None = Field(
        default=None, description="Sign-in with a provider of OpenID Connect."
    )

    @field_validator("public_url")
    @classmethod
    def _plain_origin(cls, url: str | None) -> str | None:
        if url is None:
            return None
        url = url.rstrip("/").lower()
        if _ORIGIN.fullmatch(url) is None:
            raise ValueError("an address such as https://lading.example.org, without a path")
        return url

    @field_validator("allowed_hosts")
    @classmethod
    def _plain_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if _HOST.fullmatch(host.lower()) is None:
                raise ValueError(f"host names such as lading.example.org:8740, not {host!r}")
        return hosts

    @field_validator("trusted_proxies")
    @classmethod
    def _known_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                ipaddress.ip_network(network)
            except ValueError:
                raise ValueError(
                    f"addresses or networks such as 10.0.0.0/8, not {network!r}"
                ) from None
        return networks

    @model_validator(mode="after")
    def _provider_knows_the_way_back(self) -> Self:
        if self.oidc is not None and self.public_url is None:
            raise ValueError("public_url too where there is [console.oidc]")
        return self

    @property
    def secure(self) -> bool:
        """Whether browsers come by TLS, so that cookies may insist on it."""
        return self.public_url is not None and self.public_url.startswith("https:")

    @property
    def account_limits(self) -> AccountLimits:
        """What `Accounts` takes."""
        return AccountLimits(session_idle_s=self.session_idle_s, session_max_s=self.session_max_s)


def _private_way(url: str) -> bool:
    """Whether nobody can listen on the way to an address: TLS, or this machine itself."""
    host = urlsplit(url).hostname or ""
    return url.startswith("https:") or host in {"localhost", "127.0.0.1", "::1"}
