"""What is decided at the door, on plain values."""

from __future__ import annotations

import ipaddress

import pytest

from lading.accounts.values import Role
from lading.console.security.rules import client_address, is_host_of, page_after_signing_in, role_of

PROXIES = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("198.51.100.4", [], "198.51.100.4"),
        ("198.51.100.4", ["203.0.113.9"], "198.51.100.4"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["made up"], "10.0.0.1"),
        ("::1", ["2001:db8::7"], "2001:db8::7"),
        ("::ffff:198.51.100.4", ["203.0.113.9"], "198.51.100.4"),
        (None, ["203.0.113.9"], None),
        ("testclient", ["203.0.113.9"], "testclient"),
    ],
)
def test_an_address_is_believed_as_far_as_the_proxies_are(
    peer: str | None, forwarded: list[str], found: str | None
) -> None:
    assert client_address(peer, forwarded, PROXIES) == found


@pytest.mark.parametrize("path", ["/", "/jobs?state=failed&q=%2F#e1", "/signs", "/library/assets"])
def test_pages_of_ours_can_be_come_back_to(path: str) -> None:
    assert page_after_signing_in(path) == path


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("lading.example", True),
        ("lading.example:8740", False),
        ("a.lan", True),
        ("a.b.lan", True),
        (".lan", False),
        ("lan", False),
        ("evil-lan", False),
        ("a.lan.evil.example", False),
        ("", False),
    ],
)
def test_a_host_is_known_by_its_whole_name(host: str, known: bool) -> None:
    assert is_host_of(host, {"lading.example", "*.lan"}) is known


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["x", "media-admins"]}, Role.ADMIN),
        ({"groups": ["ops", "media-admins"]}, Role.ADMIN),
        ({"groups": "ops"}, Role.OPERATOR),
        ({"groups": ["Ops"]}, None),
        ({"groups": {"ops": True}}, None),
        ({"groups": [["ops"], 7, None]}, None),
        ({}, None),
    ],
)
def test_the_highest_role_that_a_claim_gives_counts(
    claims: dict[str, object], role: Role | None
) -> None:
    values = {Role.ADMIN: ["media-admins"], Role.OPERATOR: ["ops"]}
    assert role_of(claims, "groups", values, None) is role
    assert role_of(claims, "groups", values, Role.VIEWER) is (role or Role.VIEWER)


def test_a_claim_may_be_inside_another_or_have_dots_in_its_name() -> None:
    values = {Role.VIEWER: ["v"]}
    assert role_of({"a": {"b": ["v"]}}, "a.b", values, None) is Role.VIEWER
    assert (
        role_of({"https://x.example/g": ["v"]}, "https://x.example/g", values, None) is Role.VIEWER
    )
    assert role_of({"a": "v"}, "a.b", values, None) is None
