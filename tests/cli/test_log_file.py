"""Logs in a file beside those on standard error: JSON lines, however the other looks."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from lading.cli.logs import LogNotWritten, configure_logs
from lading.settings import LogSettings, load_settings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("shape", ["text", "json"])
def test_what_is_logged_is_in_the_file_too_as_json_lines(tmp_path: Path, shape: str) -> None:
    file = tmp_path / "lading.log"
    configure_logs(LogSettings.model_validate({"format": shape, "file": str(file)}))
    structlog.stdlib.get_logger("lading.try").info("phase ended", phase=1, found=57)
    try:
        raise ValueError("it broke")
    except ValueError:
        logging.getLogger("other").exception("it broke with %s", "\udcff")
    first, second = map(json.loads, file.read_text().splitlines())
    assert (first["event"], first["phase"], first["found"]) == ("phase ended", 1, 57)
    assert (first["logger"], first["level"]) == ("lading.try", "info")
    assert next(iter(first)) == "at"
    assert "ValueError: it broke" in second["exception"]


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "lading.log"
    configure_logs(LogSettings(file=str(file)))
    structlog.stdlib.get_logger("lading.try").info("before")
    file.rename(tmp_path / "lading.log.1")
    structlog.stdlib.get_logger("lading.try").info("after")
    assert json.loads(file.read_text())["event"] == "after"


def test_a_file_that_cannot_be_written_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(LogNotWritten, match="No such file") as caught:
        configure_logs(LogSettings(file=str(tmp_path / "gone" / "lading.log")))
    assert str(tmp_path) in str(caught.value)


def test_its_place_is_relative_to_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / "lading.toml").write_text('[log]\nfile = "logs/lading.log"\n')
    settings = load_settings(str(tmp_path / "lading.toml"), environ={})
    assert settings.log.file == f"{tmp_path}/logs/lading.log"
