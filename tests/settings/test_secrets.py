"""Secrets among a source's options and in wrong settings: used in clear, shown nowhere."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from lading.console.readers.settings import read_settings
from lading.settings import SettingsInvalid, load_settings, masked

SECRET = "hunter2-correct-horse"
SOURCE = f"""
[sources.digi]
kind = "archive"
bucket = "digitised"
access_key = "{SECRET}"
secret_key = "{SECRET}"
session_token = "{SECRET}"
password = "{SECRET}"
proxy = "http://me:{SECRET}@proxy:3128"
tokens = ["{SECRET}"]
part_bytes = 5
[sources.digi.report]
password = "{SECRET}"
to = "a@example.org"
[sources.digi.credentials]
name = "{SECRET}"
"""


def test_options_reach_the_source_in_clear_and_no_reader_sees_them(tmp_path: Path) -> None:
    file = tmp_path / "lading.toml"
    file.write_text(SOURCE)
    settings = load_settings(str(file), environ={})
    options = settings.sources["digi"].options
    for key in ("access_key", "secret_key", "session_token", "password"):
        assert options[key] == SECRET
    assert options["report"] == {"password": SECRET, "to": "a@example.org"}
    assert options["tokens"] == [SECRET]
    assert options["part_bytes"] == 5
    assert pickle.loads(pickle.dumps(settings)).sources["digi"].options == options
    shown = masked(options)
    assert (shown["bucket"], shown["report"]["to"]) == ("digitised", "a@example.org")
    assert shown["proxy"] == "http://me:***@proxy:3128"
    for text in (json.dumps(shown), json.dumps(masked(settings)), settings.model_dump_json()):
        assert SECRET not in text.replace(f"http://me:{SECRET}@", "")


def test_the_page_of_settings_shows_origins_and_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "lading.toml"
    file.write_text(SOURCE)
    environ = {"AWS_REGION": "there", "LADING_SOURCES__DIGI__PREFIX": "p", "ACH_SAFE_RUN": "on"}
    sections = read_settings(load_settings(str(file), environ=environ))
    assert SECRET not in repr(sections)
    (digi,) = [section for section in sections if section.name == "sources.digi"]
    lines = {line.name: (line.value, line.origin) for line in digi.lines}
    assert lines["secret_key"] == ("***", "file")
    assert lines["region"] == ("there", "AWS_REGION")
    assert lines["prefix"] == ("p", "LADING_SOURCES__DIGI__PREFIX")
    assert lines["safe_run"] == ("yes", "ACH_SAFE_RUN")
    assert lines["report"][1] == "file"
    (log,) = [section for section in sections if section.name == "log"]
    assert {line.origin for line in log.lines} == {"default"}


@pytest.mark.parametrize(
    "text",
    [
        f'[sources.Digi]\nkind = "x"\nsecret_key = "{SECRET}"\n',
        f'[sources.digi]\nsecret_key = "{SECRET}"\n',
        f'[mail]\nhost = "m"\nuser = "u"\npassword = "{SECRET}"\n',
        f'[mail]\npassword = "{SECRET}"\n',
        f'[mail]\npassword = ["{SECRET}"]\n',
        f'[console.oidc]\nissuer = "https://x"\nclient_id = "a"\nclient_secret = "{SECRET}"\n',
        f'[database]\npassword = {{ x = "{SECRET}" }}\n',
        f'[store]\nsecret_key = ["{SECRET}"]\n',
        f'[mail]\nsecurity = {{ password = "{SECRET}" }}\n',
    ],
)
def test_a_wrong_setting_is_told_without_the_secrets_beside_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "lading.toml"
    file.write_text(text)
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(str(file), environ={})
    assert SECRET not in str(caught.value.as_dict())
    assert caught.value.__suppress_context__


def test_a_secret_below_an_ordinary_name_is_not_in_the_representation(tmp_path: Path) -> None:
    file = tmp_path / "lading.toml"
    file.write_text(SOURCE.replace("proxy", "# proxy"))
    settings = load_settings(str(file), environ={})
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings.sources["digi"])
