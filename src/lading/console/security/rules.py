"""Pure decisions at the door: which addresses are ours, who asks, what a provider's word gives."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from lading.accounts.values import Role

HOME: Final = "/"
NEXT_LENGTH_MAX: Final = 4_000
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)
_LOCAL: Final = re.compile(r"/[!-~]*", re.ASCII)
_NO_PAGES: Final = frozenset({"sign-in", "sign-out", "password", "api", "live"})
_OWN_REQUESTS: Final = frozenset({"same-origin", "none"})
_ROLES: Final = (Role.ADMIN, Role.OPERATOR, Role.VIEWER)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_local(text: str) -> bool:
    """Whether `text` is an address of this console, never one of another host."""
    # A browser reads `//host` and `/\\host` as another site, and leaves line breaks out.
    if _LOCAL.fullmatch(text) is None or text.startswith("//") or "\\" in text:
        return False
    return not urlsplit(text).netloc


def page_after_signing_in(text: str | None) -> str:
    """Where to go after signing in: `text` if it is a page of ours, else the first page."""
    if not text or len(text) > NEXT_LENGTH_MAX or not is_local(text):
        return HOME
    first = re.split(r"[/?#]", text[1:], maxsplit=1)[0]
    return HOME if first in _NO_PAGES else text


def accepted_request_id(given: str | None) -> str | None:
    """The name of a request as somebody before us gave it, if it is harmless."""
    return given if given is not None and _REQUEST_ID.fullmatch(given) else None


def comes_from_here(
    *, fetch_site: str | None, origin: str | None, own_origins: Collection[str]
) -> bool:
    """Whether a request was made by a page of ours, or by no page at all.

    Browsers say so themselves, where they come by TLS or from this machine; otherwise their
    `Origin` is compared. Programs send neither.
    """
    if fetch_site is not None:
        return fetch_site in _OWN_REQUESTS
    return origin is None or origin.lower() in own_origins


def own_origins(host: str | None, public_url: str | None) -> frozenset[str]:
    """The origins that pages of ours have: the public one, and that of the host asked for."""
    origins = {public_url} if public_url else set()
    if host:
        origins |= {f"http://{host.lower()}", f"https://{host.lower()}"}
    return frozenset(origins)


def is_host_of(host: str, names: Collection[str]) -> bool:
    """Whether a request's `Host` is one of `names`, or below one that begins with `*.`."""
    return host in names or any(
        host.endswith(name[1:]) and len(host) >= len(name)
        for name in names
        if name.startswith("*.")
    )


def client_address(
    peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[Network]
) -> str | None:
    """Who asks: the peer, or whom a trusted proxy says it asks for.

    Each proxy adds an address at the end; what is before the first that is not trusted may have
    been made up.
    """
    address = _address(peer)
    if address is None:
        return peer
    given = [part for line in forwarded_for for part in line.split(",")]
    for part in reversed(given):
        if not any(address in network for network in trusted):
            break
        before = _address(part.strip())
        if before is None:
            break
        address = before
    return str(address)


def role_of(
    claims: Mapping[str, Any],
    claim: str,
    values: Mapping[Role, Collection[str]],
    default: Role | None,
) -> Role | None:
    """The highest role that a claim's values give, or the default."""
    found = claims.get(claim)
    if found is None:  # names of claims may have dots in them, so the whole name comes first
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    given = {found} if isinstance(found, str) else set(_words(found))
    return next((role for role in _ROLES if given & set(values.get(role, ()))), default)


def _words(found: object) -> list[str]:
    if not isinstance(found, list | tuple):
        return []
    return [value for value in found if isinstance(value, str)]


def _address(text: str | None) -> Address | None:
    try:
        address = ipaddress.ip_address(text or "")
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
