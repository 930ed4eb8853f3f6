"""The package deltalake, as the rest of the catalog sees it: found when used, its errors ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

from lading.base.errors import MissingExtra, StoreError, printable
from lading.catalog.location import CatalogLocation
from lading.storage.port import StoreDenied, StoreFull, StoreUnavailable

# The package's errors have no field for the service's answer, only its words.
_DENIED: Final = re.compile(r"\b40[13] (Unauthorized|Forbidden)|PermissionDenied|[Pp]ermission den")
_FULL: Final = re.compile(r"\b507 |No space left|QuotaExceeded|StorageFull")
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


def deltalake() -> Any:
    """The package. Raises `MissingExtra` where it is not installed."""
    try:
        return import_module("deltalake")
    except ImportError as error:
        raise MissingExtra(
            "The recordings catalog needs the package deltalake",
            next_step="Install it with `pip install 'lading[catalog]'`, then run it again.",
        ) from error


@contextmanager
def faults(location: CatalogLocation, verb: str, table: str) -> Iterator[None]:
    """Errors of the package come out as ours, without the secrets of the location."""
    known = (import_module("deltalake.exceptions").DeltaError, OSError)
    try:
        yield
    except Exception as error:
        # What fails while rows are read, such as a damaged file, comes as a bare Exception.
        if not isinstance(error, known) and type(error) is not Exception:
            raise
        text = " ".join(_COLOURS.sub("", location.without_secrets(str(error))).split())
        fault: type[StoreError] = StoreUnavailable
        if _DENIED.search(text):
            fault = StoreDenied
        elif _FULL.search(text):
            fault = StoreFull
        raise fault(
            f"The catalog could not {verb} {table}: {printable(text, length_max=400)}",
            subject=str(location),
        ) from error
