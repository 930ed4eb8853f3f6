"""A script that uses the API of a served console, and pictures of all that the database holds."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx
from sqlalchemy import select

from lading.accounts.values import Permission, Role
from lading.db import Database
from lading.db.schema import metadata
from lading.testing.console_data import PEOPLE
from tests.console.browser.serving import Served

_BEATS: Final = frozenset({"worker"})
_SEEN: Final = frozenset({"last_used_at", "last_seen_at", "seen_at", "heartbeat_at"})
"""What changes by itself: signs of life of workers and of those who ask."""

Picture = Mapping[str, list[tuple[Any, ...]]]


class Script:
    """A client with a token of the person of a role."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def get(self, path: str, *, status: int = 200, **more: Any) -> Any:
        """The JSON of an answer, which must have this status."""
        return self._json(self.client.get(f"/api/v1{path}", **more), status)

    def send(
        self, method: str, path: str, body: Any = None, *, status: int = 200, **more: Any
    ) -> Any:
        """Change something, and the JSON of the answer."""
        return self._json(self.raw(method, path, body, **more), status)

    def raw(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Change something."""
        content = {} if body is None else {"json": body}
        return self.client.request(method, f"/api/v1{path}", **content, **more)

    def all(self, path: str, *, limit: int = 3) -> list[Any]:
        """The items of all pages of a list."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            params: dict[str, Any] = {"limit": limit} | ({"cursor": cursor} if cursor else {})
            page = self.get(path, params=httpx.URL(f"http://x{path}").params.merge(params))
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                return found

    def _json(self, answer: httpx.Response, status: int) -> Any:
        assert answer.status_code == status, f"{answer.status_code}: {answer.text[:2000]}"
        return answer.json()


@contextmanager
def script(
    served: Served,
    role: Role = Role.ADMIN,
    permissions: Collection[Permission] = tuple(Permission),
    *,
    name: str = "script",
) -> Iterator[Script]:
    """A script with a token of the person of this role."""
    account = served.accounts.get(PEOPLE[role].name)
    # Whose worker takes tests over from another sets the same script up a second time.
    unique = f"{name} {secrets.token_hex(4)}"
    made = served.accounts.create_token(
        account.id, unique, set(permissions), expires_in_s=3_600, actor=f"user:{account.name}"
    )
    headers = {"authorization": f"Bearer {made.secret}"}
    with httpx.Client(base_url=served.origin, headers=headers, timeout=60) as client:
        yield Script(client)


def picture(db: Database) -> Picture:
    """Every row of every table, but for signs of life."""
    with db.read() as conn:
        return {
            table.name: sorted(
                (
                    tuple(value for name, value in row._mapping.items() if name not in _SEEN)
                    for row in conn.execute(select(table))
                ),
                key=repr,
            )
            for table in metadata.sorted_tables
            if table.name not in _BEATS
        }


def differences(before: Picture, after: Picture) -> list[str]:
    """The tables that are no longer as they were."""
    return [name for name in before if before[name] != after[name]]
