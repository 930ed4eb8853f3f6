"""The file `.env`: where it is read from, what wins over it, and how a wrong line is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.settings import SettingsUnreadable, load_settings
from lading.settings.dotenv_file import read_dotenv

NOWHERE = {"XDG_CONFIG_HOME": "/nonexistent"}


def test_it_is_read_from_the_working_folder_when_there_is_no_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("BUCKET_NAME=digitised\nLADING_WORKER__SLOTS=3\n")
    settings = load_settings(environ=NOWHERE)
    assert settings.sources["archive"].options["bucket"] == "digitised"
    assert settings.worker.slots == 3
    assert settings.data_dir == f"{tmp_path}/lading-data"


def test_it_is_read_from_beside_the_settings_file_and_from_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("BUCKET_NAME=wrong\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/lading.toml").write_text("")
    (tmp_path / "etc/.env").write_text("BUCKET_NAME=right\n")
    settings = load_settings("etc/lading.toml", environ=NOWHERE)
    assert settings.sources["archive"].options == {"bucket": "right"}
    (tmp_path / "etc/.env").unlink()
    assert load_settings("etc/lading.toml", environ=NOWHERE).sources == {}


def test_the_real_environment_wins_also_by_being_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("BUCKET_NAME=b\nAWS_REGION=there\nACH_DRY_RUN=false\n")
    environ = {**NOWHERE, "ACH_DRY_RUN": "true", "AWS_REGION": ""}
    options = load_settings(environ=environ).sources["archive"].options
    assert options == {"bucket": "b", "dry_run": True}


def test_a_variable_of_it_wins_over_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / "lading.toml").write_text("[worker]\nslots = 2\n")
    (tmp_path / ".env").write_text("LADING_WORKER__SLOTS=5\n")
    assert load_settings(str(tmp_path / "lading.toml"), environ={}).worker.slots == 5


def test_values_are_taken_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(
        b"\xef\xbb\xbf# a comment\r\nexport A=1\r\n\r\n"
        b"B='p#ss ${A} \"x\"'\r\nC=x${A} # rest\r\nD=\r\n"
    )
    found = read_dotenv(str(tmp_path / ".env"))
    assert found == {"A": "1", "B": 'p#ss ${A} "x"', "C": "x${A}", "D": ""}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"A=1\n\nDB_PASSWORD 'hunter2'\nB=2\n", "line 3"),
        (b"A=1\nDB_PASSWORD='hunter2\nB=2\n", "line 2"),
        (b"hunter2\n", "line 1"),
        (b"A=1\n# c\n'hunter2' = 'x' y\n", "line 3"),
        (b"A=1\nDB_PASSWORD=hunter2\xff\n", "line 2"),
        (b"A=1\nDB_PASSWORD=hunter2\0\n", "line 2"),
    ],
)
def test_a_wrong_line_is_named_without_its_content(tmp_path: Path, text: bytes, line: str) -> None:
    (tmp_path / ".env").write_bytes(text)
    with pytest.raises(SettingsUnreadable) as caught:
        read_dotenv(str(tmp_path / ".env"))
    told = str(caught.value.as_dict())
    assert f"{line} is not" in told
    assert str(tmp_path / ".env") in told
    assert "hunter2" not in told
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_settings_file_cannot_be_named_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.toml").write_text("")
    (tmp_path / ".env").write_text("LADING_CONFIG=other.toml\n")
    with pytest.raises(SettingsUnreadable, match="LADING_CONFIG"):
        load_settings(environ=NOWHERE)


def test_a_file_of_any_size_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=1\n" * 300_000)
    with pytest.raises(SettingsUnreadable, match="too large"):
        read_dotenv(str(tmp_path / ".env"))
