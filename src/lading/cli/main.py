"""The program `lading`: its list of commands, and what becomes of errors.

This file must load fast: it imports click and the roots of errors, and each command's own module
only when that command is called.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from dataclasses import dataclass
from typing import Final

import click

from lading.base.errors import InternalError, LadingError
from lading.base.version import __version__
from lading.cli.failures import BROKEN_PIPE, INTERRUPTED, report


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is, and its line in the list of commands (its docstring's first line)."""

    module: str
    summary: str


SECTIONS: Final[dict[str, dict[str, Entry]]] = {
    "Set up": {
        "init": Entry("init", "Make a settings file, the data folder and the database."),
        "config": Entry("config", "Check the settings and everything they point to."),
        "db": Entry("db", "Look after the database's schema."),
        "demo": Entry("demo", "Make a small hand-over tree of real media to try things on."),
    },
    "Let people in": {
        "users": Entry("users", "Look after the accounts of people and scripts."),
        "tokens": Entry("tokens", "Look after the tokens of scripts."),
    },
    "Take media in": {
        "archive": Entry("archive", "Take an archive's bucket in, and tell about it."),
        "scan": Entry("scan", "Look for new and changed batches."),
        "preflight": Entry(
            "preflight", "Decide about every item of batches; write no library row."
        ),
        "plan": Entry("plan", "Write down what queueing batches would do."),
        "queue": Entry("queue", "Give batches to the workers."),
        "worker": Entry("worker", "Work on queued jobs until told to stop."),
        "serve": Entry("serve", "Serve the console and its API over HTTP."),
        "up": Entry("up", "Run a worker and the console together."),
    },
    "Keep recordings": {
        "recordings": Entry(
            "recordings", "Take recordings of rigs in, find and fetch them, and keep their catalog."
        ),
    },
    "Keep photos": {
        "photos": Entry(
            "photos", "Sort photos into folders by date and place, and correct their dates."
        ),
        "people": Entry(
            "people", "Say who is in photos, and look after how people are recognised."
        ),
    },
    "Look": {
        "batches": Entry("batches", "List batches: unfinished first, then the newest."),
        "batch": Entry("batch", "Show one batch: its items, reasons, accounts and events."),
        "jobs": Entry("jobs", "List jobs."),
        "job": Entry("job", "Show one job: its progress and events."),
        "events": Entry("events", "Read the ledger's events, or follow them."),
    },
    "Steer": {
        "cancel": Entry("cancel", "Cancel jobs that are not running."),
        "stop": Entry("stop", "Stop running jobs after the item in hand."),
        "resume": Entry("resume", "Put paused jobs back in line."),
        "retry": Entry("retry", "Put failed or cancelled jobs back in line."),
        "prioritise": Entry("prioritise", "Change the priority of jobs in line."),
        "intake": Entry("intake", "Pause or resume the handing out of jobs."),
    },
    "Show": {
        "sites": Entry("sites", "Look after the sites that see parts of the library."),
        "packages": Entry("packages", "Look after the access packages that sites are given."),
        "visibility": Entry(
            "visibility", "Say which sites see an asset, by every route there is, or why not."
        ),
    },
    "Prove": {
        "verify": Entry("verify", "Compare what was imported with the library and its store."),
        "ledger": Entry("ledger", "Prove the ledger whole."),
        "trash": Entry("trash", "Put assets and containers in the trash."),
        "restore": Entry("restore", "Take assets and containers out of the trash."),
    },
}
COMMANDS: Final = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
_COMPLETION: Final = "_LADING_COMPLETE"


class Program(click.Group):
    """The list of commands by purpose; a command's module is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the list."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"lading.cli.commands.{entry.module}")
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        command = module.command
        if not isinstance(command, click.Command):
            raise InternalError("a command's module has no command", subject=cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list from the summaries, without importing anything."""
        del ctx
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.summary) for name, entry in commands.items()])


@click.command(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Settings and statuses are explained in docs/settings.md and docs/cli.md.",
)
@click.version_option(__version__, "-V", "--version", prog_name="lading")
@click.option(
    "-c",
    "--config",
    metavar="FILE",
    help="Settings file; otherwise LADING_CONFIG, ./lading.toml, then the user's own.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error, and debug logs.")
@click.pass_context
def lading(ctx: click.Context, config: str | None, debug: bool) -> None:
    """Lading takes media in: found where it lands, checked, queued, stored, catalogued once."""
    ctx.obj = {"config": config, "debug": debug}


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit with its status; see `docs/cli.md` for what each means."""
    # What imports make stays: to look through it for garbage, again and again, finds nothing.
    gc.disable()
    given = sys.argv[1:] if arguments is None else arguments
    sys.exit(run(given))


def run(arguments: list[str]) -> int:
    """Run the program with `arguments` and return its exit status."""
    as_json, debug = "--json" in arguments, "--debug" in arguments
    if _COMPLETION in os.environ:
        lading.main(arguments, prog_name="lading", complete_var=_COMPLETION)
    try:
        _require_text(arguments)
        # Not `lading.main`: it has a status of its own for a reader that went away.
        with lading.make_context("lading", list(arguments)) as context:
            status = lading.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as wanted:
        return wanted.exit_code
    except BrokenPipeError:
        # Whoever read our output went away. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except (click.ClickException, LadingError) as error:
        return report(error, as_json=as_json, debug=debug)
    except BaseException as error:  # noqa: BLE001 - the last place where a fault can be told
        return report(error, as_json=as_json, debug=debug)
    return status if isinstance(status, int) else 0


def _require_text(arguments: list[str]) -> None:
    """Bytes that are not UTF-8 could be put in no settings file, no database and no document."""
    for argument in arguments:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            raise click.UsageError(f"an argument is not text in UTF-8: {argument!r}")
