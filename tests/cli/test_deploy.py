"""The systemd units start what there is, as the account they name, and are read by systemd."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import click
import pytest

from lading.cli.main import lading

FOLDER = Path(__file__).resolve().parents[2] / "deploy"
UNITS = sorted(FOLDER.glob("*.service"))
HARDENING = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "PrivateTmp": "yes",
    "CapabilityBoundingSet": "",
    "SystemCallFilter": "@system-service",
}


def read(unit: Path) -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)
    return parser


def test_there_is_a_unit_for_the_worker_and_one_for_the_console() -> None:
    assert [unit.name for unit in UNITS] == ["lading-console.service", "lading-worker.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_a_command_that_there_is_and_lets_it_end_in_order(unit: Path) -> None:
    service = read(unit)["Service"]
    program, *arguments = shlex.split(service["ExecStart"])
    assert program == "/opt/lading/bin/lading"
    context = lading.make_context("lading", list(arguments), resilient_parsing=False)
    name, _, rest = lading.resolve_command(context, [*context._protected_args, *context.args])
    command = lading.get_command(context, name or "")
    assert command is not None
    assert isinstance(command.make_context(name, rest), click.Context)
    assert service["KillSignal"] == "SIGTERM"
    assert service["User"] == "lading"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_may_write_its_state_directory_and_nothing_else(unit: Path) -> None:
    service = read(unit)["Service"]
    assert {key: service.get(key) for key in HARDENING} == HARDENING
    assert service["StateDirectory"] == "lading"
    assert "ReadWritePaths" not in service


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed on this machine"
)
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    # The program is not installed there; everything else is as it is.
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/lading/bin/lading", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, found) == (0, [])
