"""Finds the settings file, lays the environment over it, and makes `Settings` of both.

Order, the later wins: defaults, the documented names of an archive (`BUCKET_NAME`), the file,
`ACH_*`, the environment (`LADING_DATABASE__URL`); a file `.env` is a part of the environment.
Relative paths are relative to what names them: the file's folder, or the working folder for a
variable.
"""

from __future__ import annotations

import difflib
import functools
import json
import os
import tomllib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, get_args
from urllib.parse import unquote

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lading.base.errors import printable
from lading.settings.archive_environment import BUCKET, Place, documented_settings
from lading.settings.dotenv_file import with_dotenv
from lading.settings.errors import SettingsInvalid, SettingsMissing, SettingsUnreadable
from lading.settings.model import FOLDER, SQLITE, Settings, address_of, default_values
from lading.settings.show import masked

ENVIRONMENT_PREFIX: Final = "LADING_"
CONFIG_VARIABLE: Final = "LADING_CONFIG"
FILE_NAME: Final = "lading.toml"
DATA_FOLDER: Final = "lading-data"
FILE_BYTES_MAX: Final = 1_000_000
_FILE: Final = "file:"
_IN_FILE: Final = "file"
_PATH_OPTIONS: Final[Mapping[object, Collection[str]]] = {
    "recordings": ("path", "config_path", "download_dir"),
    "photos": ("path",),
}


def load_settings(path: str | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this installation.

    `path` is the file to read; without it the file is looked for, and there need not be one.
    A file `.env` beside the settings file, or in the working folder when there is none, gives
    the variables that `environ` does not have.
    Raises `SettingsMissing`, `SettingsUnreadable`, and `SettingsInvalid` with every problem.
    """
    environ = os.environ if environ is None else environ
    file = find_settings_file(path, environ=environ)
    folder = settings_folder(file)
    environ = with_dotenv(folder, environ)
    from_file = _anchored(_read(file), folder) if file else {}
    from_environment = _anchored(read_environment(environ), os.getcwd())
    documented = documented_settings(environ, _merged(from_file, from_environment))
    layers = (documented.below.values, from_file, documented.above.values, from_environment)
    given = functools.reduce(_merged, layers)
    data_dir = given.get("data_dir")
    if not isinstance(data_dir, str):
        data_dir = default_data_dir(file, environ)
    origins = (
        documented.below.origins
        | dict.fromkeys(_places(from_file), _IN_FILE)
        | documented.above.origins
        | {place: variable_of(place) for place in _places(from_environment)}
    )
    try:
        settings = Settings.model_validate(_merged(default_values(data_dir), given))
    except ValidationError as error:
        problems = [_sentence(detail, file, from_environment, origins) for detail in error.errors()]
        raise SettingsInvalid(problems, subject=file or "environment") from None
    return settings.with_origins(origins)


def find_settings_file(
    path: str | None = None, *, environ: Mapping[str, str] | None = None
) -> str | None:
    """The file that is read: `path`, `$LADING_CONFIG`, `./lading.toml`, the user's own; or none.

    Raises `SettingsMissing` when a file that was named is not there.
    """
    environ = os.environ if environ is None else environ
    named = path or environ.get(CONFIG_VARIABLE)
    if named:
        named = os.path.abspath(os.path.expanduser(named))
        if not os.path.exists(named):
            raise SettingsMissing("there is no such settings file", subject=named)
        return named
    home = os.path.expanduser("~")
    user_folder = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    for candidate in (os.path.abspath(FILE_NAME), os.path.join(user_folder, "lading", FILE_NAME)):
        if os.path.isfile(candidate):
            return candidate
    return None


def settings_folder(file: str | None) -> str:
    """Where `.env` is looked for: beside the settings file, or in the working folder."""
    return os.path.dirname(file) if file else os.getcwd()


def default_data_dir(file: str | None, environ: Mapping[str, str]) -> str:
    """Where the data folder is when nothing says so."""
    if file:
        return os.path.join(os.path.dirname(file), DATA_FOLDER)
    if environ.get(BUCKET):
        # An archive that the environment alone describes stays together, as one with a file does.
        return os.path.abspath(DATA_FOLDER)
    home = os.path.expanduser("~")
    user_folder = environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    return os.path.join(user_folder, "lading")


def read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that variables give, nested as in the file.

    A variable with `__` in it always means a setting, so that a misspelt one is found. One
    without counts only if its name is a setting: container platforms make up others.
    """
    values: dict[str, Any] = {}
    for variable, text in sorted(environ.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        keys = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        if len(keys) == 1 and keys[0] not in Settings.model_fields:
            continue
        place = values
        for key in keys[:-1]:
            inner = place.setdefault(key, {})
            if not isinstance(inner, dict):
                raise SettingsInvalid(
                    [f"{variable} contradicts another variable"], subject="environment"
                )
            place = inner
        place[keys[-1]] = _parsed(text)
    return values


def variable_of(place: Place) -> str:
    """The variable that gives the setting at `place`."""
    return f"{ENVIRONMENT_PREFIX}{'__'.join(place).upper()}"


def _parsed(text: str) -> object:
    """Lists and tables are given as JSON; anything else is text that its field converts."""
    if text[:1] in {"[", "{"}:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _read(file: str) -> dict[str, Any]:
    try:
        with open(file, "rb") as stream:
            raw = stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsUnreadable(error.strerror or str(error), subject=file) from error
    if len(raw) > FILE_BYTES_MAX:
        raise SettingsUnreadable(
            "this is too large for a settings file", subject=file, expected="at most 1 MB"
        )
    try:
        # Some editors begin a file with a byte order mark.
        return tomllib.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SettingsUnreadable(f"not valid TOML: {error}", subject=file) from error


def _anchored(values: dict[str, Any], folder: str) -> dict[str, Any]:
    """`values` with its relative paths made absolute, seen from `folder`."""

    def anchor(path: object) -> object:
        if not isinstance(path, str) or not path:
            return path
        return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))

    anchored = dict(values)
    if "data_dir" in values:
        anchored["data_dir"] = anchor(values["data_dir"])
    for section, begin, scheme in (("database", SQLITE, SQLITE), ("store", _FILE, FOLDER)):
        table = values.get(section)
        url = table.get("url") if isinstance(table, dict) else None
        if isinstance(table, dict) and isinstance(url, str) and url.startswith(begin):
            path = url.removeprefix(scheme).removeprefix(begin)
            # What follows the path has no meaning; it is refused where addresses are judged.
            if path and not path.startswith(":memory:") and not {"?", "#"} & set(path):
                there = str(anchor(unquote(path)))
                anchored[section] = {**table, "url": address_of(scheme, there)}
    log = values.get("log")
    if isinstance(log, dict) and "file" in log:
        anchored["log"] = {**log, "file": anchor(log["file"])}
    sources = values.get("sources")
    if isinstance(sources, dict):
        anchored["sources"] = {
            name: {
                option: anchor(value) if option in _path_options(source) else value
                for option, value in source.items()
            }
            if isinstance(source, dict)
            else source
            for name, source in sources.items()
        }
    return anchored


def _path_options(source: Mapping[str, Any]) -> Collection[str]:
    """Which options of a source are paths of this machine."""
    return _PATH_OPTIONS.get(source.get("kind"), ("root",))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[key] = _merged(before, value)
        else:
            merged[key] = value
    return merged


def _places(values: Mapping[str, Any], above: Place = ()) -> Iterator[Place]:
    """Where each value stands; lists are values, tables are not."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _places(value, (*above, key))
        else:
            yield (*above, key)


def _sentence(
    detail: ErrorDetails,
    file: str | None,
    environment: Mapping[str, Any],
    origins: Mapping[Place, str],
) -> str:
    """One problem: where it stands, what was expected, what was found."""
    place = tuple(str(part) for part in detail["loc"])
    key = ".".join(place)
    if _lookup(environment, place) is not _ABSENT:
        where = variable_of(place)
    elif origins.get(place, _IN_FILE) != _IN_FILE:
        where = origins[place]
    else:
        where = f"{key} in {file}" if file else key
    if detail["type"] == "extra_forbidden":
        known = sorted(_keys_of(place[:-1]))
        close = difflib.get_close_matches(place[-1], known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
        return f"{where}: there is no such setting; {hint}"
    if detail["type"] == "missing":
        return f"{where}: this setting is needed"
    # A table is what a rule about several of its keys found; its secrets are not told either.
    shown = printable(str(masked(detail["input"], key=place[-1])), length_max=100)
    if detail["type"] in {"dict_type", "model_type"}:
        return f"{where}: expected a table, found {shown!r}"
    expected = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{where}: expected {expected}, found {shown!r}"


_ABSENT: Final = object()


def _lookup(values: Mapping[str, Any], place: tuple[str, ...]) -> object:
    found: object = values
    for key in place:
        if not isinstance(found, Mapping) or key not in found:
            return _ABSENT
        found = found[key]
    return found


def _keys_of(place: tuple[str, ...]) -> Iterator[str]:
    """The keys that the table at `place` may have."""
    model: type[BaseModel] = Settings
    for key in place:
        field = model.model_fields.get(key)
        annotation = field.annotation if field else None
        candidates = (annotation, *get_args(annotation))
        model = next(
            (c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), model
        )
    yield from model.model_fields
