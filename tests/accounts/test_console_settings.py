"""The settings of the console's door: what they take, refuse, and never show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lading.settings import SettingsInvalid, load_settings, masked

FILE = """
[console]
public_url = "https://Lading.example.org/"
trusted_proxies = ["10.0.0.0/8", "::1"]
session_idle_s = 600

[console.oidc]
issuer = "https://id.example.org/realms/media"
client_id = "lading"
admin_values = ["media-admins"]
"""


def test_settings_of_the_door_come_from_the_file_and_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "lading.toml"
    file.write_text(FILE)
    secret = "do-not-show"
    settings = load_settings(
        str(file),
        environ={
            "LADING_CONSOLE__OIDC__CLIENT_SECRET": secret,
            "LADING_CONSOLE__ALLOWED_HOSTS": '["lading.lan:8740"]',
        },
    )
    console = settings.console
    assert console.public_url == "https://lading.example.org"
    assert console.secure
    assert console.allowed_hosts == ("lading.lan:8740",)
    assert console.account_limits.session_idle_s == 600
    assert console.oidc is not None
    assert console.oidc.client_secret is not None
    assert console.oidc.client_secret.get_secret_value() == secret
    assert secret not in json.dumps(masked(settings)) + repr(settings)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('public_url = "https://x.example/console"', "without a path"),
        ('public_url = "x.example"', "an address such as"),
        ('trusted_proxies = ["everybody"]', "addresses or networks"),
        ('allowed_hosts = ["https://x.example"]', "host names such as"),
        ("session_idle_s = 5", "greater than or equal to 60"),
        ('[console.oidc]\nissuer = "https://x.example"\nclient_id = "a"', "public_url too"),
        ('[console.oidc]\nissuer = "http://x.example"\nclient_id = "a"', "begins with https"),
        ('[console.oidc]\nissuer = "https://x.example"\nclient = "a"', "did you mean client_id"),
    ],
)
def test_settings_that_would_not_work_are_refused(
    tmp_path: Path, lines: str, expected: str
) -> None:
    file = tmp_path / "lading.toml"
    file.write_text(f"[console]\n{lines}\n")
    with pytest.raises(SettingsInvalid, match=expected):
        load_settings(str(file), environ={})
