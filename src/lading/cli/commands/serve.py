"""`lading serve`: the console and its API over HTTP, without a worker."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

import click

from lading.accounts.accounts import Accounts
from lading.accounts.values import OneTimePassword
from lading.base.stopping import StopSignal
from lading.bootstrap import open_lading
from lading.cli import output
from lading.cli.logs import configure_logs
from lading.cli.session import Session, with_session
from lading.console.server import listen, serve
from lading.jobs.signals import install_signal_handlers

STATUS_PATH: Final = "/api/v1/status"


@click.command("serve")
@click.option("--host", help="Address to listen on; otherwise the setting.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port; 0 takes a free one.")
@with_session
def command(session: Session, host: str | None, port: int | None) -> None:
    """Serve the console and its API over HTTP.

    Everything needs an account; the first one is made with `lading users add`. /health says that
    the process answers, /ready whether the database, the store and the sources do. SIGTERM and
    SIGINT end it in order.
    """
    settings = session.load_settings()
    configure_logs(settings.log, debug=session.debug)
    address = host or settings.console.host
    stop = StopSignal()
    listener = listen(address, settings.console.port if port is None else port)
    with listener, open_lading(settings) as lading:
        nobody = not Accounts(lading.db).list(limit=1).accounts
        restore = install_signal_handlers(stop)
        try:
            told = announce(session, nobody=nobody)
            serve(lading, listener, host=address, stop=stop, on_ready=told)
        finally:
            restore()


def announce(
    session: Session, *, first: OneTimePassword | None = None, nobody: bool = False
) -> Callable[[str], None]:
    """What tells people, or a program, where the console is and how to come in.

    `first` is the account that was just made, `nobody` says that there is none.
    """

    def told(address: str) -> None:
        if session.as_json:
            facts = {"address": address, "status": f"{address}{STATUS_PATH}"}
            if first is not None:
                facts |= {"name": first.account.name, "one_time_password": first.password}
            output.emit_line(facts)
            return
        output.say(f"Console: {address} (Ctrl-C ends)")
        if first is not None:
            output.say(f"Sign in as {first.account.name} with the password {first.password}")
            output.say("It works once: you choose your own right after. It is not shown again.")
        elif nobody:
            output.say("Nobody can sign in yet: lading users add NAME --role admin")
        sys.stdout.flush()

    return told
