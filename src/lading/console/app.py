"""The web application of this version: liveness, readiness and status, as JSON.

There is no sign-in yet. Therefore it only answers on the loopback interface, and only to requests
that name it: otherwise any web page could read the status through a name of its own.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from litestar import Litestar, Response, get
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from lading import __version__
from lading.base.errors import LadingError, RequestError
from lading.bootstrap import Lading
from lading.console.status import Status, StatusReader

PROBLEM: Final = "application/problem+json"
_LOCAL_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")


class ConsoleExposed(RequestError):
    """The console was asked to listen where others could reach it, and it has no sign-in yet."""

    code = "console_exposed"
    next_step = (
        "Listen on 127.0.0.1, and let a reverse proxy or an SSH tunnel decide who comes through."
    )


def require_loopback(host: str) -> None:
    """Raise `ConsoleExposed` unless `host` is this machine's loopback address."""
    if host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConsoleExposed(
            "the console would listen where others can reach it",
            expected="127.0.0.1, ::1 or localhost",
            found=host,
        )


def create_app(lading: Lading, *, host: str, port: int) -> Litestar:
    """The application on an open installation, for one address."""
    names = {*_LOCAL_NAMES, f"[{host}]" if ":" in host else host}
    return Litestar(
        route_handlers=_routes(StatusReader(lading, version=__version__)),
        allowed_hosts=AllowedHostsConfig(
            allowed_hosts=[name for plain in sorted(names) for name in (plain, f"{plain}:{port}")]
        ),
        exception_handlers={LadingError: _problem},
        openapi_config=OpenAPIConfig(
            title="Lading",
            version=__version__,
            path="/api/v1/openapi",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        ),
    )


def _routes(status: StatusReader) -> list[HTTPRouteHandler]:
    @get("/health", sync_to_thread=False, summary="Whether this process answers")
    def health() -> dict[str, str]:
        return {"status": "alive", "version": __version__}

    @get("/ready", sync_to_thread=True, summary="Whether database, store and sources answer")
    def ready() -> Response[dict[str, Any]]:
        checks = status.checks()
        ok = all(check.ok for check in checks)
        return Response({"ready": ok, "checks": checks}, status_code=200 if ok else 503)

    @get("/api/v1/status", sync_to_thread=True, summary="What the engine is doing")
    def read_status() -> Status:
        return status.read()

    return [health, ready, read_status]


def _problem(_request: object, error: LadingError) -> Response[dict[str, object]]:
    problem = {
        "type": f"urn:lading:error:{error.code}",
        "title": error.message,
        "status": error.http_status,
        "detail": str(error),
    }
    return Response(
        problem | error.as_dict(),
        status_code=error.http_status,
        media_type=PROBLEM,
    )
