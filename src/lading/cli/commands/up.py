"""`lading up`: a worker and the console together; with `--demo`, on media made for it."""

from __future__ import annotations

import os
from typing import Final

import click

from lading.accounts.accounts import Accounts
from lading.base.stopping import StopSignal
from lading.bootstrap import open_lading
from lading.cli import output
from lading.cli.commands.serve import announce
from lading.cli.demo.show import DemoFolders, demonstrate
from lading.cli.failures import NEEDS_A_PERSON
from lading.cli.logs import configure_logs
from lading.cli.session import Session, with_session
from lading.cli.setting_up import set_up
from lading.cli.supervisor import WorkerSupervisor
from lading.console.server import listen, serve
from lading.jobs.signals import install_signal_handlers
from lading.settings import Settings, find_settings_file, load_settings

DEMO_FOLDER: Final = "demo"


@click.command("up")
@click.option("--host", help="Address to listen on; otherwise the setting.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port; 0 takes a free one.")
@click.option("--demo", is_flag=True, help="Make real media first and import them, as a showing.")
@click.option(
    "--data-dir",
    metavar="FOLDER",
    help=f"Where the showing lives; otherwise ./{DEMO_FOLDER}. Only with --demo.",
)
@click.option("--once", is_flag=True, help="End after the showing. Only with --demo.")
@with_session
def command(
    session: Session,
    *,
    host: str | None,
    port: int | None,
    demo: bool,
    data_dir: str | None,
    once: bool,
) -> int:
    """Run a worker and the console together.

    A new installation gets its tables, its store, and an account `admin` with a password that is
    said once and changed at the first sign-in. The worker is a process of its own and is started
    again when it dies. SIGTERM and SIGINT end both in order.

    With --demo a small hand-over tree of real photos and a film is made, scanned and imported,
    and what happened is told; the last bundles are left to be imported in the console. With --once
    too, everything is imported; a second time nothing is left to do.
    """
    if (data_dir is not None or once) and not demo:
        raise click.UsageError("--data-dir and --once belong to --demo")
    config = session.config
    if demo:
        folders = DemoFolders.below(os.path.abspath(data_dir or DEMO_FOLDER))
        found = demonstrate(session, folders, by_hand=not once)
        if once:
            return NEEDS_A_PERSON if found.needs_a_person else 0
        config = folders.settings_file
    settings = load_settings(config)
    configure_logs(settings.log, debug=session.debug)
    set_up(settings)
    _run(session, settings, find_settings_file(config), host=host, port=port)
    return 0


def _run(
    session: Session, settings: Settings, config: str | None, *, host: str | None, port: int | None
) -> None:
    address = host or settings.console.host
    stop = StopSignal()
    listener = listen(address, settings.console.port if port is None else port)
    with listener, open_lading(settings) as lading:
        first = Accounts(lading.db).first_admin(actor=session.actor)
        restore = install_signal_handlers(stop)
        try:
            with WorkerSupervisor(config, debug=session.debug):
                told = announce(session, first=first)
                serve(lading, listener, host=address, stop=stop, on_ready=told)
                if not session.as_json:
                    output.note("Ending; the worker finishes or rolls back the item in hand.")
        finally:
            restore()
