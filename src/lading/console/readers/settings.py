"""The settings as they stand: each with its value, without secrets, its meaning and its origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from lading.settings import Settings, masked

Origins = Mapping[tuple[str, ...], str]


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


def read_settings(settings: Settings) -> list[SettingsSection]:
    """All settings of an installation, by section; secrets are shown as ***."""
    given = settings.origins
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
                        _origin(given, "sources", source, key),
                    )
                    for key, value in shown["sources"][source].items()
                ],
            )
        )
    return sections


def _lines(
    part: BaseModel, shown: Mapping[str, Any], given: Origins, *path: str
) -> Iterator[SettingLine]:
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            for line in _lines(value, shown[name], given, *path, name):
                yield SettingLine(f"{name}.{line.name}", line.value, line.meaning, line.origin)
        else:
            yield _line(part, name, shown[name], given, path)


def _line(
    part: BaseModel, name: str, value: object, given: Origins, path: Sequence[str]
) -> SettingLine:
    field = type(part).model_fields[name]
    return SettingLine(name, _text(value), field.description or "", _origin(given, *path, name))


def _origin(given: Origins, *place: str) -> str:
    """Where a setting was given; a table that a source has counts by what is in it."""
    inner = (origin for below, origin in given.items() if below[: len(place)] == place)
    return given.get(place) or next(inner, "default")


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
