"""What a profile opens, and what may be written to it: read-only until somebody says otherwise."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path

from lading.base.errors import RequestError
from lading.catalog.catalog import Catalog
from lading.sources.recordings.profiles import ASSETS_RW, LOCAL, ROLES, load_profile
from lading.sources.recordings.repository import Repository


class WritesNotEnabled(RequestError):
    """Something shall be written by an interface that was only opened for reading (D8)."""

    code = "writes_not_enabled"
    http_status = 403
    next_step = 'Call enable_writes(roles=("assets_rw", "raw_rw")) first.'


class LocalProfile(RequestError, ValueError):
    """What is stored elsewhere cannot be registered through a profile of local folders (D10)."""

    code = "local_profile"
    next_step = "Use a profile whose raw store is a bucket; local files are taken in by ingest()."


class Access:
    """A profile, the repository that it opens, and the roles that were enabled (D8)."""

    def __init__(self, profile: str = LOCAL, *, config_path: Path | str | None = None) -> None:
        self.profile = load_profile(profile, config_path)
        self._roles: frozenset[str] = frozenset()
        self._opening = threading.Lock()
        self._opened: Repository | None = None

    def __repr__(self) -> str:
        roles = f", roles={sorted(self._roles)}" if self._roles else ""
        return f"{type(self).__name__}(profile={self.profile.name!r}{roles})"

    def enable_writes(self, roles: Collection[str] = (ASSETS_RW,)) -> None:
        """Allow writing: to the catalog with `assets_rw`, to the raw bytes with `raw_rw` (D8).

        The credentials for it are resolved when they are first needed.
        """
        unknown = set([roles] if isinstance(roles, str) else roles) - set(ROLES)
        if unknown or isinstance(roles, str):
            raise RequestError(
                "There is no such role",
                expected=f"some of {', '.join(ROLES)}, as a tuple",
                found=repr(roles),
            )
        self._roles |= frozenset(roles)
        self._reopen()

    @property
    def repository(self) -> Repository:
        """The raw store and the live catalog, opened with what may be done.

        The pointer is read each time: a daemon does not go on writing to a catalog that another
        one has taken the place of (E1).
        """
        with self._opening:
            if self._opened is None:
                self._opened = self.profile.open(self._roles)
            else:
                self._opened = self._opened.current()
            return self._opened

    @property
    def catalog(self) -> Catalog:
        """The catalog that is live, by the pointer (E1), for what has no method here."""
        return self.repository.catalog

    def _reopen(self) -> None:
        """Open everything anew when it is next used."""
        with self._opening:
            self._opened = None

    def _require(self, *roles: str) -> None:
        missing = [role for role in roles if role not in self._roles]
        if missing:
            raise WritesNotEnabled(
                "This interface may only read",
                expected=" and ".join(roles),
                found=" and ".join(sorted(self._roles)) or "no role",
            )

    def _require_bucket(self) -> None:
        if self.profile.is_local:
            raise LocalProfile(
                "This profile keeps recordings in a folder", subject=self.profile.name
            )
