"""Finds the kinds of source that are installed, through the entry points `lading.sources`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoints, entry_points
from typing import Any, Final

from lading.base.errors import LadingError, RequestError
from lading.ingest.source import Source, SourceDefinition

GROUP: Final = "lading.sources"


class UnknownSourceKind(RequestError):
    """The settings name a kind of source that no installed package offers."""

    code = "unknown_source_kind"
    next_step = "Correct the kind, or install the package that brings it."


class BrokenSourceKind(RequestError):
    """An installed package offers a kind of source but cannot be loaded."""

    code = "broken_source_kind"
    next_step = "Repair or remove the package that brings it."


def source_kinds() -> dict[str, SourceDefinition]:
    """All installed kinds of source, by kind. Raises `BrokenSourceKind`."""
    return {name: _load(name) for name in sorted(_names())}


def build_source(kind: str, name: str, options: Mapping[str, Any]) -> Source:
    """One configured source. Raises `RequestError` for a kind or options that make no sense."""
    names = _names()
    if kind not in names:
        raise UnknownSourceKind(
            "no such kind of source is installed",
            subject=name,
            expected=f"one of: {', '.join(sorted(names))}",
            found=kind,
        )
    definition = _load(kind)
    try:
        return definition.build(name, options)
    except LadingError:
        raise
    except Exception as error:
        raise BrokenSourceKind(
            f"it cannot be built: {type(error).__name__}: {error}", subject=f"{name} ({kind})"
        ) from error


def _points() -> EntryPoints:
    return _points_on(tuple(sys.path))


@lru_cache(maxsize=1)
def _points_on(_path: tuple[str, ...]) -> EntryPoints:
    """The entry points of all that is installed there; to find them, each package is opened."""
    return entry_points(group=GROUP)


def _names() -> set[str]:
    return {point.name for point in _points()}


def _load(kind: str) -> SourceDefinition:
    points = _points().select(name=kind)
    point = next(iter(points))
    if len({p.value for p in points}) > 1:
        raise BrokenSourceKind(
            "two packages offer this kind of source",
            subject=kind,
            found=", ".join(sorted(p.value for p in points)),
        )
    try:
        definition = point.load()
    except Exception as error:
        raise BrokenSourceKind(
            f"{type(error).__name__}: {error}", subject=f"{kind} ({point.value})"
        ) from error
    if not isinstance(definition, SourceDefinition):
        raise BrokenSourceKind(
            "the entry point does not name a SourceDefinition",
            subject=f"{kind} ({point.value})",
            found=type(definition).__name__,
        )
    return definition
