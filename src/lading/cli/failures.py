"""How an error is told on the command line: sentences for people, one JSON document for programs.

Errors go to standard error in both cases, so that standard output is either a whole result or
nothing. The exit status says whose fault it was.
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import Final

import click

from lading.base.errors import LadingError, printable

EXIT_STATUSES: Final[dict[int, str]] = {
    0: "Done; nothing needs you.",
    1: "Done, and something needs a person: items failed or were rejected, or problems were found.",
    2: "The request was wrong: an option, a name, a setting, a state that does not allow it.",
    3: "A source is at fault: not mounted, or what it holds cannot be believed.",
    4: "The store or the database is at fault; the same command can be run again.",
    70: "Lading itself is at fault.",
    130: "Interrupted from the keyboard.",
    141: "Whoever read the output went away.",
}
NEEDS_A_PERSON: Final = 1
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
_LABEL_WIDTH: Final = 10
_LENGTH_MAX: Final = 2_000


def report(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Tell `error` on standard error and return the exit status that goes with it."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return 2
    facts, status = _facts(error)
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    if as_json:
        sys.stderr.write(json.dumps({"error": facts, "exit_status": status}) + "\n")
    else:
        sys.stderr.write("\n".join(_lines(facts)) + "\n")
    return status


def _facts(error: BaseException) -> tuple[dict[str, object], int]:
    if isinstance(error, LadingError):
        return error.as_dict(), error.exit_status
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        command = context.command_path if isinstance(context, click.Context) else "lading"
        return {
            "code": "usage",
            "message": error.format_message(),
            "next_step": f"Run `{command} --help` for what it takes.",
        }, 2
    return {
        "code": "internal_error",
        "message": printable(f"{type(error).__name__}: {error}"),
        "next_step": "Run it again with --debug before the command, and report what it prints.",
    }, 70


def _lines(facts: dict[str, object]) -> list[str]:
    problems = facts.get("problems")
    if isinstance(problems, list) and problems:
        told = (f"  - {_clean(problem)}" for problem in problems)
        first = [f"Error: {_clean(facts.get('subject', ''))}", *told]
    else:
        first = [f"Error: {_clean(facts['message'])}"]
        for key in ("subject", "expected", "found"):
            if key in facts:
                first.append(_labelled(key, facts[key]))
    return [*first, _labelled("next step", facts["next_step"]), _labelled("code", facts["code"])]


def _labelled(label: str, value: object) -> str:
    return f"  {label + ':':<{_LABEL_WIDTH}} {_clean(value)}"


def _clean(value: object) -> str:
    """What an error says may quote text from outside, which must not steer a terminal."""
    return printable(str(value), length_max=_LENGTH_MAX)
