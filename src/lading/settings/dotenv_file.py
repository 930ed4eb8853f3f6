"""Reads the file `.env`: variables for this installation, which the real environment overrides.

The file is taken as it is written: no `${NAME}` is filled in, so that a password may hold any
character. What is wrong with a line is told by its number, never by its content (B8).
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import Final

from dotenv.parser import parse_stream

from lading.settings.errors import SettingsUnreadable

NAME: Final = ".env"
BYTES_MAX: Final = 1_000_000
_SELF: Final = "LADING_CONFIG"


def with_dotenv(folder: str, environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` over the variables of the file `.env` in `folder`, which need not be there.

    Raises `SettingsUnreadable` for a file or a line of it that cannot be read.
    """
    path = find_dotenv_file(folder)
    variables = read_dotenv(path) if path else {}
    if _SELF in variables and _SELF not in environ:
        raise SettingsUnreadable(
            f"{_SELF} cannot be given here, since this file is looked for beside the settings file",
            subject=path,
            next_step=f"Give {_SELF} in the environment itself, or use --config.",
        )
    return {**variables, **environ}


def find_dotenv_file(folder: str) -> str | None:
    """The file `.env` in `folder`, if there is one."""
    path = os.path.join(folder, NAME)
    return path if os.path.isfile(path) else None


def read_dotenv(path: str) -> dict[str, str]:
    """The variables of one file. Raises `SettingsUnreadable`, naming a line that is no variable."""
    try:
        with open(path, "rb") as stream:
            raw = stream.read(BYTES_MAX + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise SettingsUnreadable(error.strerror or str(error), subject=path) from error
    except UnicodeDecodeError as error:
        # Not chained: the error holds the bytes, which are secrets.
        line = raw[: error.start].count(b"\n") + 1
        raise SettingsUnreadable(f"line {line} is not text in UTF-8", subject=path) from None
    if len(raw) > BYTES_MAX:
        raise SettingsUnreadable("this is too large", subject=path, expected="at most 1 MB")
    variables: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.key is None and not binding.error:
            continue
        if binding.key is None or binding.value is None or "\0" in binding.value:
            skipped = len(binding.original.string) - len(binding.original.string.lstrip())
            line = binding.original.line + binding.original.string[:skipped].count("\n")
            raise SettingsUnreadable(
                f"line {line} is not a variable",
                subject=path,
                expected="NAME=value, or # before a comment",
                next_step="Correct that line; put a value with blanks or # between quotes.",
            )
        variables[binding.key] = binding.value
    return variables
