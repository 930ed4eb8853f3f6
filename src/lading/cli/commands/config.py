"""`lading config`: the settings and everything they point to, tried before it matters."""

from __future__ import annotations

import click

from lading.base.units import format_count
from lading.cli import output
from lading.cli.checks import Finding, Level, check_installation
from lading.cli.session import Session, with_session
from lading.settings import find_settings_file, masked
from lading.settings.dotenv_file import find_dotenv_file
from lading.settings.load import settings_folder


@click.group("config")
def command() -> None:
    """Check the settings and everything they point to."""


@command.command("check")
@with_session
def check(session: Session) -> int:
    """Try the settings: database, store, sources, clocks and free space.

    Every part is tried even if another fails. A refusal keeps Lading from working, and the status
    is then that of the first one; a warning does not, and a person should look at it. Secrets are
    shown as ***.
    """
    file = find_settings_file(session.config)
    settings = session.load_settings()
    environment_file = find_dotenv_file(settings_folder(file))
    findings = check_installation(settings)
    refusals = [finding for finding in findings if finding.level is Level.REFUSAL]
    if session.as_json:
        output.emit(
            {
                "settings_file": file,
                "environment_file": environment_file,
                "settings": masked(settings),
                "ok": not refusals,
                "findings": findings,
            }
        )
    else:
        output.say(f"settings: {file or 'none found; defaults and environment only'}")
        if environment_file:
            output.say(f"variables: {environment_file}, where the environment has none")
        for finding in findings:
            _show(finding)
        warnings = sum(finding.level is Level.WARNING for finding in findings)
        output.say(f"{format_count(len(refusals), 'refusal')}, {format_count(warnings, 'warning')}")
    return refusals[0].exit_status if refusals else 0


def _show(finding: Finding) -> None:
    output.say(f"{finding.level:<8} {finding.part}: {output.cell(finding.sentence)}")
    if finding.next_step is not None:
        output.say(f"{'':<8} next step: {finding.next_step}")
