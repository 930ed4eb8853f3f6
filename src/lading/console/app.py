"""The web application: every page and every handler of the API, behind sign-in.

Each module of `pages` and of `api` gives its handlers by `routes()` and, if parts of it change
while they are seen, says how by `live(fragments)`. Without sign-in there is the sign-in itself,
liveness and readiness, and nothing else; a test holds that.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from litestar import Litestar, Request, Response, Router, get
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from lading.accounts.accounts import Accounts
from lading.accounts.values import Caller, Permission
from lading.base.version import __version__
from lading.bootstrap import Lading
from lading.console import api, face_pictures, media, pages, security
from lading.console.failures import Failures
from lading.console.kept_pictures import KeptPictures
from lading.console.live import events, stream
from lading.console.live.fragments import Fragments
from lading.console.live.live import Live
from lading.console.once import Once
from lading.console.parts import Console
from lading.console.readers.alike_watch import AlikeWatch
from lading.console.readers.engine import EngineReader
from lading.console.readers.faces_waiting import FacesWaiting
from lading.console.readers.metrics import MetricsReader
from lading.console.readers.overview import OverviewReader
from lading.console.readers.problem_watch import ProblemWatch
from lading.console.readers.series import SeriesReader
from lading.console.reasons import known_reasons
from lading.console.render import Renderer
from lading.console.security import headers
from lading.console.security.entrance import Entrance
from lading.console.security.errors import NotSignedIn
from lading.console.security.guards import requires
from lading.console.security.hosts import KnownHosts
from lading.console.static_files import StaticFiles
from lading.console.status import StatusReader
from lading.sorting.previews import Previews

BODY_BYTES_MAX: Final = 4 * 1024 * 1024
_LOCAL_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")


def create_app(lading: Lading, *, host: str, port: int) -> Litestar:
    """The application on an open installation, for one address."""
    return build_app(open_console(lading), host=host, port=port)


def open_console(lading: Lading) -> Console:
    """The parts of a console on an open installation."""
    problems = ProblemWatch(lading.db, lading.operations.problems.wording)
    engine = EngineReader(lading, count_problems=problems.count)
    return Console(
        lading=lading,
        accounts=Accounts(lading.db, limits=lading.settings.console.account_limits),
        operations=lading.operations,
        engine=engine,
        overview=OverviewReader(lading, engine),
        problems=problems,
        metrics=MetricsReader(lading),
        series=SeriesReader(lading.db),
        status=StatusReader(lading, version=__version__, engine=engine),
        alike=AlikeWatch(),
        face_pictures=KeptPictures(),
        faces_waiting=FacesWaiting(lading),
        sort_previews=Previews(lading.db, lading.sorting),
        renderer=Renderer(StaticFiles(), known_reasons(lading)),
    )


def build_app(console: Console, *, host: str, port: int) -> Litestar:
    """The application on these parts; see `create_app`. `app.state.live` ends its streams."""
    settings = console.lading.settings.console
    entrance = Entrance(console.accounts, settings, console.renderer.render)
    streams = Live(
        console, console.lading.db, _fragments(), still_valid=console.accounts.still_valid
    )
    reading = [requires(Permission.READ)]
    app = Litestar(
        # One router, registered once: handlers of one path that are registered one after the other
        # are each put into a thread once more, and answer nothing.
        route_handlers=[
            Router(
                "/",
                route_handlers=[
                    *_alive(console),
                    console.renderer.static.route(),
                    *security.routes(entrance),
                    *(handler for module in _modules(pages) for handler in module.routes()),
                    *(handler for module in _modules(api) for handler in module.routes()),
                    *stream.routes(streams, reading),
                    *events.routes(streams, reading),
                    *media.routes(),
                    *face_pictures.routes(),
                ],
            )
        ],
        dependencies={
            "console": Provide(lambda: console, sync_to_thread=False, use_cache=True),
            "caller": Provide(_caller, sync_to_thread=False),
        },
        middleware=[
            KnownHosts(_host_names(console, host, port)),
            *security.middleware(entrance),
            Once(console.accounts),
        ],
        exception_handlers=Failures(console.renderer).handlers(),
        request_max_body_size=BODY_BYTES_MAX,
        on_shutdown=[streams.close, console.sort_previews.close],
        openapi_config=_openapi(),
    )
    app.state.live = streams
    headers.install(app, secure=settings.secure)
    return app


def _caller(request: Request[Any, Any, Any]) -> Caller:
    """Who asks; every handler that takes a caller has a guard that asked before."""
    if not isinstance(request.user, Caller):
        raise NotSignedIn("nobody is signed in")
    return request.user


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for module in pkgutil.iter_modules(package.__path__):
        loaded = import_module(f"{package.__name__}.{module.name}")
        if hasattr(loaded, "routes"):
            yield loaded


def _fragments() -> Fragments:
    found = Fragments()
    for module in _modules(pages):
        if hasattr(module, "live"):
            module.live(found)
    return found


def _alive(console: Console) -> list[HTTPRouteHandler]:
    @get("/health", sync_to_thread=False, summary="Whether this process answers", security=[{}])
    def health() -> dict[str, str]:
        return {"status": "alive", "version": __version__}

    @get(
        "/ready",
        sync_to_thread=True,
        summary="Whether database, store and sources answer",
        security=[{}],
        responses={
            503: ResponseSpec(
                dict[str, Any], generate_examples=False, description="Some of it does not."
            )
        },
    )
    def ready() -> Response[dict[str, Any]]:
        checks = console.status.checks()
        ok = all(check.ok for check in checks)
        # What a check found may name hosts and folders: only whether it is well is for everybody.
        told = [{"name": check.name, "ok": check.ok} for check in checks]
        return Response({"ready": ok, "checks": told}, status_code=200 if ok else 503)

    return [health, ready]


def _only_the_description(
    connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler
) -> None:
    """Litestar answers all else below this address with a page of its own."""
    if not connection.url.path.endswith("/openapi.json"):
        raise NotFoundException


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Lading",
        version=__version__,
        description="What the console's pages do, for programs. Errors are problem+json.",
        openapi_router=Router(
            "/api/v1",
            route_handlers=[],
            guards=[requires(Permission.READ), _only_the_description],
            include_in_schema=False,
        ),
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        security=[{"token": []}],
        components=Components(
            security_schemes={
                "token": SecurityScheme(
                    type="http",
                    scheme="bearer",
                    description="A token from the page Tokens, or from `lading tokens create`.",
                )
            }
        ),
    )


def _host_names(console: Console, host: str, port: int) -> list[str]:
    settings = console.lading.settings.console
    names = {*_LOCAL_NAMES, f"[{host}]" if ":" in host else host}
    public = settings.public_url.split("://", 1)[1] if settings.public_url else None
    return [
        *(name for plain in sorted(names) for name in (plain, f"{plain}:{port}")),
        *settings.allowed_hosts,
        *([public] if public else []),
    ]
