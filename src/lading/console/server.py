"""Runs the application on a socket until it is told to stop."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn

from lading.base.errors import RequestError
from lading.base.stopping import StopSignal
from lading.bootstrap import Lading
from lading.console.app import create_app

REQUESTS_END_WITHIN_S: Final = 5
_LOOK_EVERY_S: Final = 0.2


class AddressTaken(RequestError):
    """The console's address cannot be listened on."""

    code = "address_taken"
    next_step = "End the program that listens there, or set another port under [console]."


class _Server(uvicorn.Server):
    """A server that leaves signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: the command has its own handlers, and a worker to stop too."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `AddressTaken`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise AddressTaken(error.strerror or str(error), subject=f"{host}:{port}") from error


def serve(
    lading: Lading,
    listener: socket.socket,
    *,
    host: str,
    stop: StopSignal,
    on_ready: Callable[[str], None],
) -> None:
    """Answer requests until `stop`; `on_ready` is told the address once requests are answered."""
    port = int(listener.getsockname()[1])
    public_url = lading.settings.console.public_url
    plain = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    address = public_url or plain
    app = create_app(lading, host=host, port=port)
    app.on_startup.append(lambda: on_ready(address))
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=REQUESTS_END_WITHIN_S,
        )
    )

    def watch() -> None:
        while not stop.wait(_LOOK_EVERY_S) and not server.should_exit:
            pass
        # A stream does not end by itself, and the server waits for it.
        app.state.live.end_streams()
        server.should_exit = True

    watcher = threading.Thread(target=watch, name="lading-console-stop")
    watcher.start()
    try:
        server.run(sockets=[listener])
    finally:
        server.should_exit = True
        watcher.join()
