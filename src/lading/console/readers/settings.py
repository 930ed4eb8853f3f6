"""The settings as they stand: each with its value, without secrets, its meaning and its origin."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from lading.settings import Settings, masked
from lading.settings.load import ENVIRONMENT_PREFIX, read_environment


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One setting. `origin` is `default`, `file`, or the variable that gives it."""

    name: str
    value: str
    meaning: str
    origin: str


@dataclass(frozen=True, slots=True)
class SettingsSection:
    """A table of the settings file."""

    name: str
    meaning: str
    lines: Sequence[SettingLine]


def read_settings(
    settings: Settings, *, environ: Mapping[str, str] | None = None
) -> list[SettingsSection]:
    """All settings of an installation, by section; secrets are shown as ***."""
    given = read_environment(os.environ if environ is None else environ)
    shown: Mapping[str, Any] = masked(settings)
    whole = SettingsSection(
        "general",
        "Where Lading keeps its own things.",
        [_line(settings, "data_dir", shown["data_dir"], given, ())],
    )
    sections = [whole]
    for name in type(settings).model_fields:
        part = getattr(settings, name)
        if isinstance(part, BaseModel):
            sections.append(
                SettingsSection(name, _meaning(part), list(_lines(part, shown[name], given, name)))
            )
    for source, part in sorted(settings.sources.items()):
        sections.append(
            SettingsSection(
                f"sources.{source}",
                f"A source of the kind {part.kind}.",
                [
                    SettingLine(
                        key,
                        _text(value),
                        "",
                        _origin(given, ("sources", source), key, given_somewhere=True),
                    )
                    for key, value in shown["sources"][source].items()
                ],
            )
        )
    return sections


def _lines(
    part: BaseModel, shown: Mapping[str, Any], given: Mapping[str, Any], *path: str
) -> Iterator[SettingLine]:
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            for line in _lines(value, shown[name], given, *path, name):
                yield SettingLine(f"{name}.{line.name}", line.value, line.meaning, line.origin)
        else:
            yield _line(part, name, shown[name], given, path)


def _line(
    part: BaseModel, name: str, value: object, given: Mapping[str, Any], path: Sequence[str]
) -> SettingLine:
    field = type(part).model_fields[name]
    explicit = name in part.model_fields_set
    return SettingLine(
        name,
        _text(value),
        field.description or "",
        _origin(given, path, name, given_somewhere=explicit),
    )


def _origin(
    given: Mapping[str, Any], path: Sequence[str], name: str, *, given_somewhere: bool
) -> str:
    place: Any = given
    for key in (*path, name):
        place = place.get(key) if isinstance(place, Mapping) else None
    if place is not None:
        return ENVIRONMENT_PREFIX + "__".join((*path, name)).upper()
    return "file" if given_somewhere else "default"


def _meaning(part: BaseModel) -> str:
    return " ".join((type(part).__doc__ or "").split("\n\n")[0].split())


def _text(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)
