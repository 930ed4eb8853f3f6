"""A tiny application behind the console's door, and browsers that come to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from litestar import Litestar, Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.testing import TestClient

from lading.accounts.accounts import Accounts
from lading.accounts.values import Caller, Permission
from lading.base.errors import LadingError
from lading.console.render import Renderer
from lading.console.security import Entrance, install_headers, middleware, requires, routes
from lading.console.static_files import StaticFiles
from lading.settings.console import ConsoleSettings
from tests.accounts.people import PASSWORD

AnyRequest = Request[Any, Any, Any]
HERE = "http://testserver.local"


def handlers() -> list[HTTPRouteHandler]:
    @get("/health", sync_to_thread=False)
    def health(request: AnyRequest) -> str:
        return f"alive for {request.user}"

    @get("/things", guards=[requires(Permission.READ)], sync_to_thread=False)
    def read(request: AnyRequest) -> str:
        caller: Caller = request.user
        return caller.actor

    @post("/things", guards=[requires(Permission.OPERATE)], status_code=200)
    async def change(request: AnyRequest) -> dict[str, Any]:
        form = await request.form()
        return {key: str(value) for key, value in form.items() if key != "_csrf"}

    @post("/api/v1/things", guards=[requires(Permission.OPERATE)], status_code=200)
    async def change_by_api(request: AnyRequest) -> dict[str, Any]:
        return {"given": await request.json()}

    @get("/own", guards=[requires(Permission.ADMINISTER)], sync_to_thread=False)
    def own_headers() -> Response[str]:
        return Response("x", headers={"Cache-Control": "private, max-age=5"})

    return [health, read, change, change_by_api, own_headers]


def problem(_request: AnyRequest, error: Exception) -> Response[Any]:
    assert isinstance(error, LadingError)
    return Response(error.as_dict(), status_code=error.http_status)


def application(accounts: Accounts, settings: ConsoleSettings | None = None) -> Litestar:
    settings = settings or ConsoleSettings()
    entrance = Entrance(accounts, settings, Renderer(StaticFiles(), {}).render)
    app = Litestar(
        [*handlers(), *routes(entrance)],
        middleware=middleware(entrance),
        exception_handlers={LadingError: problem},
        openapi_config=None,
    )
    install_headers(app, secure=settings.secure)
    return app


@contextmanager
def browser(app: Litestar, *, base_url: str = HERE) -> Iterator[TestClient[Litestar]]:
    """A browser that follows no redirects, so that they can be looked at."""
    with TestClient(app, base_url=base_url) as client:
        client.follow_redirects = False
        client.headers["accept"] = "text/html"
        yield client


def sign_in(client: TestClient[Litestar], name: str, password: str = PASSWORD, **extra: str) -> Any:
    return client.post("/sign-in", data={"name": name, "password": password, **extra})


def proof(client: TestClient[Litestar]) -> str:
    """What a page gave this browser to prove that a form is of the console."""
    found = re.search(r'name="_csrf" value="([0-9a-f]{64})"', client.get("/password").text)
    assert found is not None
    return found.group(1)
