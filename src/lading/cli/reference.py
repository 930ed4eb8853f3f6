"""Writes the reference pages of the command line and of the settings from the code itself.

`tools/generate_docs.py` puts what `cli_page` and `settings_page` return into `docs/`.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator
from typing import Final, get_args

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from lading.cli.failures import EXIT_STATUSES
from lading.cli.main import SECTIONS, lading
from lading.settings.archive_environment import MEANINGS
from lading.settings.model import Settings

NOTE: Final = "<!-- Written by tools/generate_docs.py (`make docs`); do not edit. -->\n"


def cli_page() -> str:
    """The text of `docs/cli.md`."""
    context = click.Context(lading, info_name="lading")
    parts = [
        "# Command line\n",
        NOTE,
        "`lading [OPTIONS] COMMAND [ARGS]…`\n",
        _options(lading),
        _CONVENTIONS,
        "## Exit statuses\n",
        _table(("status", "meaning"), ((str(k), v) for k, v in EXIT_STATUSES.items())),
    ]
    for title, commands in SECTIONS.items():
        parts.append(f"## {title}\n")
        for name in commands:
            command = lading.get_command(context, name)
            if command is not None:
                parts += _command(command, f"lading {name}", level=3)
    return "\n".join(parts)


def settings_page() -> str:
    """The text of `docs/settings.md`."""
    names = ((", ".join(f"`{name}`" for name in group), text) for group, text in MEANINGS.items())
    parts = ["# Settings\n", NOTE, _SETTINGS_HEAD, _table(("variable", "meaning"), names)]
    plain = {n: f for n, f in Settings.model_fields.items() if _section_of(f) is None}
    parts += ["## At the top of the file\n", _settings_table(plain)]
    for name, field in Settings.model_fields.items():
        model = _section_of(field)
        if model is None:
            continue
        title = f"[{name}.<name>]" if name == "sources" else f"[{name}]"
        parts += [f"## `{title}`\n", f"{_first_paragraph(model)}\n"]
        if name == "sources":
            parts += [f"{field.description}\n", _SOURCES_NOTE]
        inner = {n: m for n, f in model.model_fields.items() if (m := _section_of(f))}
        parts.append(
            _settings_table({n: f for n, f in model.model_fields.items() if n not in inner})
        )
        for key, part in inner.items():
            parts += [f"## `[{name}.{key}]`\n", f"{_first_paragraph(part)}\n"]
            parts.append(_settings_table(part.model_fields))
    return "\n".join(parts)


_CONVENTIONS: Final = """\
Every command has `--json`: then standard output is one JSON document (for `events` one line per
event), its keys are stable, times are in UTC, sizes in bytes. An error is told on standard error;
with `--json` as `{"error": {"code", "message", "subject", "expected", "found", "next_step"},
"exit_status"}`. Codes are listed in [errors.md](errors.md).

Progress is shown on a terminal and never in a pipe. Skipped bytes count as progress, never as
speed; an estimate of the time left appears once it is earned.

BATCH is a batch's key (for a hand-over its `sync_id`), a beginning of it of at least four
characters that no other batch shares, or its number. Where digits are the key of one batch, such
as a folder `2019`, and the number of another, both are named and nothing is done; `number:2019` is
always a number. JOB is a job's number. What changes anything has a `--dry-run`, or is a dry run of
what follows it: `preflight` and `plan` write no library row.
"""

_SETTINGS_HEAD: Final = """\
The settings file is TOML. The first of these is read: the one named with `--config`, the one that
`LADING_CONFIG` names, `./lading.toml`, `lading/lading.toml` in the user's configuration folder.
There need not be one. `lading config check` tries everything the settings point to.

Each setting can be given, or overridden, by a variable: `LADING_`, then its place with `__`
between the parts, in capitals: `LADING_DATABASE__URL`, `LADING_SOURCES__NODE2__ROOT`. Keep secrets
there. A misspelt setting is refused, in the file and in a variable whose name has `__` in it.

A file `.env` beside the settings file, or in the working folder when there is none, is a part of
the environment: `NAME=value` on each line, `#` before a comment, quotes around a value with blanks,
nothing filled in. Real variables come before it. `LADING_CONFIG` cannot be given there.

Relative paths are relative to the file, or to the working folder for a variable. Passwords, keys
and tokens are never shown.

Of two values the one further up counts:

1. `LADING_*`,
2. `ACH_DRY_RUN` and `ACH_SAFE_RUN`,
3. the settings file,
4. the other names of the next section,
5. the default.

## An archive by the names of its environment

An archive needs no settings file: `BUCKET_NAME` alone makes a source named `archive`, and without
a file the data folder is then `lading-data` in the working folder. Where the settings file has
sources of kind `archive`, the names complete what these do not say, and none is made.
A name without a value counts as not given, but for `ACH_*`, where it is refused.
"""

_SOURCES_NOTE: Final = """\
Keys besides `kind` are those of the kind. A `handover` source has `root` (the folder that has
`sync/` in it), `keep` (`copy` stores the bytes, `in_place` leaves them where they are and refers
to them), and `manifest_bytes_max` (a larger manifest is refused). An `archive` source has `bucket`,
`endpoint`, `region`, `access_key`, `secret_key`, `session_token`, `allow_http`, `dry_run` and
`safe_run`, each also by a name of the environment above, and others of its own. A `recordings`
source has `path` (the folder that has the recordings in it), `profile` and `config_path` (where
they go), `stable_for_s`, `max_concurrent_files`, `augment`, `active_marker` and `download_dir`,
which [the page about recordings](how-to/recordings-from-a-nas.md) explains.
"""


def _command(command: click.Command, path: str, *, level: int) -> Iterator[str]:
    yield f"{'#' * level} {path}\n"
    arguments = [p.make_metavar(click.Context(command)) for p in command.params if _positional(p)]
    if isinstance(command, click.Group):
        yield f"{_help(command)}\n"
        if any(isinstance(option, click.Option) for option in command.params):
            yield _options(command)
        for name, inner in command.commands.items():
            yield from _command(inner, f"{path} {name}", level=level + 1)
        return
    yield f"`{' '.join([path, '[OPTIONS]', *arguments])}`\n"
    yield f"{_help(command)}\n"
    yield _options(command)


def _positional(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Argument)


def _help(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "")


def _options(command: click.Command) -> str:
    rows = []
    for option in command.params:
        if not isinstance(option, click.Option) or option.hidden:
            continue
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        metavar = "" if option.is_flag else _metavar(option, command)
        default = (
            "" if option.is_flag or not option.show_default else f" Default: {option.default}."
        )
        rows.append((f"{names}{metavar}", f"{option.help or ''}{default}"))
    return _table(("option", "meaning"), rows)


def _metavar(option: click.Option, command: click.Command) -> str:
    if isinstance(option.type, click.Choice):
        return " " + ", ".join(f"`{choice}`" for choice in option.type.choices)
    return f" `{option.make_metavar(click.Context(command))}`"


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _settings_table(fields: dict[str, FieldInfo]) -> str:
    rows = [
        (f"`{name}`", field.description or "", _limits(field), _default(field))
        for name, field in fields.items()
    ]
    return _table(("setting", "meaning", "values", "default"), rows)


def _limits(field: FieldInfo) -> str:
    words = [f"`{value}`" for value in get_args(field.annotation) if isinstance(value, str)]
    if words:
        return ", ".join(words)
    signs = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    found = [
        f"{sign} {_number(getattr(rule, name))}"
        for rule in field.metadata
        for name, sign in signs.items()
        if getattr(rule, name, None) is not None
    ]
    return ", ".join(found)


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined or field.default is None:
        return ""
    value = field.default
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{json.dumps(value)}`"
    return f"`{_number(value)}`"


def _number(value: object) -> str:
    """15.0 as people write it: 15. A whole number stays one, however large."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _first_paragraph(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").strip().split("\n\n")[0].split())


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *([_cell(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
