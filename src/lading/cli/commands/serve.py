"""`lading serve`: health, readiness and status over HTTP, without a worker."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

import click

from lading.base.stopping import StopSignal
from lading.bootstrap import open_lading
from lading.cli import output
from lading.cli.logs import configure_logs
from lading.cli.session import Session, with_session
from lading.console.server import listen, serve
from lading.jobs.signals import install_signal_handlers

STATUS_PATH: Final = "/api/v1/status"


@click.command("serve")
@click.option("--host", help="Loopback address to listen on; otherwise the setting.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port; 0 takes a free one.")
@with_session
def command(session: Session, host: str | None, port: int | None) -> None:
    """Serve health and status over HTTP.

    /health says that the process answers, /ready whether the database, the store and the sources
    do, /api/v1/status what the engine is doing. SIGTERM and SIGINT end it in order.
    """
    settings = session.load_settings()
    configure_logs(settings.log, debug=session.debug)
    address = host or settings.console.host
    stop = StopSignal()
    listener = listen(address, settings.console.port if port is None else port)
    with listener, open_lading(settings) as lading:
        restore = install_signal_handlers(stop)
        try:
            serve(lading, listener, host=address, stop=stop, on_ready=announce(session))
        finally:
            restore()


def announce(session: Session) -> Callable[[str], None]:
    """What tells people, or a program, where the status is."""

    def told(address: str) -> None:
        if session.as_json:
            output.emit_line({"address": address, "status": f"{address}{STATUS_PATH}"})
        else:
            output.say(f"Status: {address}{STATUS_PATH} (Ctrl-C ends)")
            sys.stdout.flush()

    return told
