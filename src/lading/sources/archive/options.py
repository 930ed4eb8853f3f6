"""The settings of an archive source: where the bucket is, and which rules its keys follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from lading.base.errors import RequestError
from lading.sources.archive.formats import CONTAINERS, DEFAULT_CONTAINERS
from lading.sources.archive.rules import (
    DEFAULT_EXCLUDED,
    DEFAULT_EXTENSIONS,
    DEFAULT_FOLDER_TYPES,
    FileRules,
    KeyRules,
)
from lading.sources.archive.values import CodeKind, FileKind
from lading.storage.s3 import S3Options

SIDECARS: Final = {
    "json": FileKind.METADATA,
    "md5": FileKind.CHECKSUM,
    "pdf": FileKind.REPORT,
}
THREADS_MAX: Final = 64
BARE_CHECKSUMS: Final = ("streaming", "master")
"""What an .md5 file may be about that names no file."""

_BUCKET_OPTIONS: Final = frozenset(field.name for field in fields(S3Options))
_OWN_OPTIONS: Final = frozenset(
    {
        "extensions",
        "excluded",
        "folder_types",
        "required",
        "containers",
        "bare_checksum",
        "dry_run",
        "safe_run",
        "list_threads",
        "fetch_threads",
    }
)


class BadArchiveOptions(RequestError):
    """The settings of an archive source make no sense."""

    code = "bad_archive_options"
    next_step = "Correct the source's table in the settings."


@dataclass(frozen=True, slots=True)
class ArchiveOptions:
    """What a configured archive is. `dry_run` and `safe_run` are what a run does unless told."""

    bucket: S3Options
    key_rules: KeyRules
    file_rules: FileRules
    containers: Mapping[CodeKind, frozenset[str]]
    dry_run: bool = False
    safe_run: bool = False
    bare_checksum: str = BARE_CHECKSUMS[0]
    list_threads: int = 4
    fetch_threads: int = 16


def parse_options(name: str, options: Mapping[str, Any]) -> ArchiveOptions:
    """The options of the source `name`. Raises `BadArchiveOptions`, never repeating a secret."""
    reader = _Reader(name, options)
    unknown = sorted(set(options) - _BUCKET_OPTIONS - _OWN_OPTIONS)
    if unknown:
        known = ", ".join(sorted(_BUCKET_OPTIONS | _OWN_OPTIONS))
        raise reader.bad(unknown[0], "an archive source has no such option", known, unknown[0])
    if not options.get("bucket"):
        raise reader.bad("bucket", "an archive source needs the name of its bucket")
    given = {key: options[key] for key in _BUCKET_OPTIONS & set(options)}
    for key, as_given in given.items():
        wanted = _kind_of_bucket_option(key)
        value = given[key] = _spelled(as_given, wanted)
        if type(value) is not wanted and (wanted, type(value)) != (float, int):
            raise reader.bad(key, f"{key} is {_IN_WORDS[wanted]}", found=type(value).__name__)
    prefix = str(given.pop("prefix", "")).strip("/")
    try:
        bucket = S3Options(prefix=prefix, **given)
    except RequestError as error:
        raise reader.bad("bucket", str(error), error.expected, error.found) from error
    return ArchiveOptions(
        bucket=bucket,
        key_rules=reader.key_rules(),
        file_rules=FileRules(required=reader.required()),
        containers=reader.containers(),
        dry_run=reader.flag("dry_run"),
        safe_run=reader.flag("safe_run"),
        bare_checksum=reader.bare_checksum(),
        list_threads=reader.threads("list_threads", 4),
        fetch_threads=reader.threads("fetch_threads", 16),
    )


_IN_WORDS: Final[Mapping[type, str]] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


def _kind_of_bucket_option(key: str) -> type:
    if key in {"path_style", "allow_http", "anonymous"}:
        return bool
    if key in {"part_bytes", "parts_in_flight_max", "retries_max"}:
        return int
    return float if key.endswith("_s") else str


def _spelled(value: Any, wanted: type) -> Any:
    """What an environment variable means by its text; anything else as it is."""
    if not isinstance(value, str) or wanted is str:
        return value
    if wanted is bool:
        return {"true": True, "false": False, "1": True, "0": False}.get(value.lower(), value)
    try:
        return wanted(value)
    except ValueError:
        return value


class _Reader:
    """Reads options one by one, each with an error that names it."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self._name = name
        self._options = options

    def bad(
        self, key: str, what: str, expected: object = None, found: object = None
    ) -> BadArchiveOptions:
        return BadArchiveOptions(
            what, subject=f"sources.{self._name}.{key}", expected=expected, found=found
        )

    def flag(self, key: str) -> bool:
        value = _spelled(self._options.get(key, False), bool)
        if not isinstance(value, bool):
            raise self.bad(key, f"{key} is true or false", found=value)
        return value

    def threads(self, key: str, default: int) -> int:
        value = _spelled(self._options.get(key, default), int)
        if type(value) is not int or not 1 <= value <= THREADS_MAX:
            raise self.bad(key, f"{key} is a number of threads", f"1 to {THREADS_MAX}", value)
        return value

    def key_rules(self) -> KeyRules:
        extensions = self._words("extensions", DEFAULT_EXTENSIONS)
        unknown = sorted(set(extensions) - set(DEFAULT_EXTENSIONS))
        if unknown:
            known = ", ".join(DEFAULT_EXTENSIONS)
            raise self.bad("extensions", "no file of this extension is known", known, unknown[0])
        excluded = self._words("excluded", DEFAULT_EXCLUDED)
        folder_types = self._options.get("folder_types", DEFAULT_FOLDER_TYPES)
        if not isinstance(folder_types, Mapping) or not all(
            isinstance(code, str) for code in folder_types.values()
        ):
            what = "folder_types says which type code each folder stands for"
            raise self.bad("folder_types", what, '{ FILE = "FIL" }', folder_types)
        try:
            return KeyRules(
                extensions={one: DEFAULT_EXTENSIONS[one] for one in extensions},
                excluded=tuple(folder.rstrip("/") + "/" for folder in excluded),
                folder_types=dict(folder_types),
            )
        except ValueError as error:
            raise self.bad("folder_types", str(error)) from error

    def required(self) -> frozenset[FileKind]:
        words = self._words("required", tuple(SIDECARS))
        unknown = sorted(set(words) - set(SIDECARS))
        if unknown:
            what = "a required sidecar is one of three"
            raise self.bad("required", what, ", ".join(SIDECARS), unknown[0])
        return frozenset(SIDECARS[word] for word in words)

    def bare_checksum(self) -> str:
        value = self._options.get("bare_checksum", BARE_CHECKSUMS[0])
        if value not in BARE_CHECKSUMS:
            what = "bare_checksum says what an .md5 file is about that names no file"
            raise self.bad("bare_checksum", what, " or ".join(BARE_CHECKSUMS), value)
        return str(value)

    def containers(self) -> Mapping[CodeKind, frozenset[str]]:
        given = self._options.get("containers", {})
        if not isinstance(given, Mapping) or set(given) - set(CodeKind):
            what = "containers lists what masters may be in, for video and for audio"
            raise self.bad("containers", what, '{ video = ["QuickTime"] }', given)
        chosen = dict(DEFAULT_CONTAINERS)
        for kind, names in given.items():
            if not isinstance(names, list) or set(names) - set(CONTAINERS):
                what = "there is no such container"
                raise self.bad(f"containers.{kind}", what, ", ".join(sorted(CONTAINERS)), names)
            chosen[CodeKind(kind)] = frozenset(names)
        return chosen

    def _words(self, key: str, default: Mapping[str, Any] | tuple[str, ...]) -> tuple[str, ...]:
        value = self._options.get(key, list(default))
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise self.bad(key, f"{key} is a list of words", found=value)
        return tuple(value)
