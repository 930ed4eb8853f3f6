"""Decides about keys and about the files of an inventory code, from plain values alone (B2, B3).

A key passes four rules, in the order of the funnel that people are shown: its extension, the
folders left out, its inventory code, and the type its folder stands for. What configuration
leaves out is *left out*; what breaks a rule of the archive is *rejected*, with a fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from string import ascii_uppercase, digits
from typing import Final

from lading.base.errors import printable
from lading.base.units import format_bytes
from lading.sources.archive.values import ArchiveFile, CodeKind, Fault, FileKind

CODE_LENGTH: Final = 12
CODE_PATTERN: Final = r"[VA][OC]-[A-Z0-9]{3}-[0-9]{5}"
"""The inventory code as documents and messages spell it; `first_wrong_character` decides."""
SEPARATORS: Final = frozenset("._- ")
"""What may stand between the code and the rest of a file's name."""
FOLDER_MARKER: Final = "/"
"""The rule value of a key that stands for a folder, not for a file."""

DEFAULT_EXTENSIONS: Final[Mapping[str, FileKind]] = {
    "mp4": FileKind.STREAMING,
    "mp3": FileKind.STREAMING,
    "json": FileKind.METADATA,
    "md5": FileKind.CHECKSUM,
    "pdf": FileKind.REPORT,
}
DEFAULT_EXCLUDED: Final = ("TEST-FOLDER-DEV/", "DOCUMENTAZIONE_FOTOGRAFICA/", "UMT/")
DEFAULT_FOLDER_TYPES: Final[Mapping[str, str]] = {"FILE": "FIL"}
DEFAULT_SIZE_MAX_BYTES: Final[Mapping[FileKind, int]] = {
    FileKind.METADATA: 16 * 1024 * 1024,
    FileKind.CHECKSUM: 64 * 1024,
    FileKind.REPORT: 256 * 1024 * 1024,
}

_UPPER: Final = frozenset(ascii_uppercase + digits)
_DIGIT: Final = frozenset(digits)
_HYPHEN: Final = frozenset("-")
_PLACES: Final = (
    *(frozenset("VA"), frozenset("OC"), _HYPHEN),
    *(_UPPER, _UPPER, _UPPER, _HYPHEN),
    *(_DIGIT, _DIGIT, _DIGIT, _DIGIT, _DIGIT),
)
"""The characters that may stand at each place of an inventory code: ASCII, whatever the locale."""
_STEM_CHARS_MAX: Final = 64
_NAME_CHARS_MAX: Final = 120
_STREAMING_EXTENSION: Final = {CodeKind.VIDEO: "mp4", CodeKind.AUDIO: "mp3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRules:
    """Which keys of a bucket are taken in. Raises `ValueError` for what could never match.

    `extensions` are in lower case and without dot. `excluded` are folders at the top of the
    source's prefix, each with its trailing slash. `folder_types` says which type code a top
    folder stands for; a folder that is named by a type code stands for itself unless mapped.
    """

    extensions: Mapping[str, FileKind] = field(default_factory=lambda: dict(DEFAULT_EXTENSIONS))
    excluded: tuple[str, ...] = DEFAULT_EXCLUDED
    folder_types: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_FOLDER_TYPES))

    def __post_init__(self) -> None:
        for extension in self.extensions:
            if not extension.isalnum() or not extension.isascii() or extension.lower() != extension:
                raise ValueError(f"extension {extension!r}: expected lower case without a dot")
        for folder in self.excluded:
            # Without its slash "UMT" would leave out "UMT-2/" as well.
            if not folder.endswith("/") or folder.startswith("/"):
                raise ValueError(f"excluded folder {folder!r}: expected a name and a slash: UMT/")
        for folder, code in self.folder_types.items():
            if not folder or "/" in folder:
                raise ValueError(f"folder {folder!r}: expected the name of one folder, no slash")
            if not is_type_code(code):
                raise ValueError(f"folder {folder!r}: expected three of A-Z 0-9, found {code!r}")


class KeyStage(StrEnum):
    """The rule at which a key ended, in the order of the funnel."""

    EXTENSION = "extension"
    FOLDER_LEFT_OUT = "folder_left_out"
    CODE = "code"
    TYPE = "type"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class KeyVerdict:
    """What became of a key: accepted, left out (not accepted, no fault) or rejected (a fault).

    `code` is there once it is well-formed, `kind` once the extension is allowed. `rule_value` is
    the extension ("" for none, "/" for the marker of a folder) or the folder ("" for none) at
    which the key ended; it is None for a malformed code and for an accepted key.
    """

    stage: KeyStage
    code: str | None = None
    kind: FileKind | None = None
    fault: Fault | None = None
    rule_value: str | None = None

    @property
    def left_out(self) -> bool:
        """Whether configuration keeps the key out, so that nothing is wrong with it."""
        return self.stage is not KeyStage.ACCEPTED and self.fault is None


def judge_key(key: str, rules: KeyRules) -> KeyVerdict:
    """What becomes of `key`, which is relative to the source's prefix (B3). Raises nothing."""
    name = key.rpartition("/")[2]
    if not name:
        return KeyVerdict(KeyStage.EXTENSION, rule_value=FOLDER_MARKER)
    stem, extension = split_name(name)
    kind = rules.extensions.get(extension)
    if kind is None:
        shown = printable(extension, length_max=_STEM_CHARS_MAX)
        return KeyVerdict(KeyStage.EXTENSION, rule_value=shown)
    for folder in rules.excluded:
        if key.startswith(folder):
            return KeyVerdict(KeyStage.FOLDER_LEFT_OUT, kind=kind, rule_value=folder)
    if first_wrong_character(stem) != -1:
        found = printable(stem, length_max=_STEM_CHARS_MAX)
        fault = Fault("code_malformed", f"{CODE_PATTERN}, such as VO-BRD-14387", found, key)
        return KeyVerdict(KeyStage.CODE, kind=kind, fault=fault)
    code = stem[:CODE_LENGTH]
    first, slash, _ = key.partition("/")
    top = first if slash else None
    mismatch = _judge_folder(top, code, key, rules)
    if mismatch is not None:
        shown = "" if top is None else _shown_folder(top)
        return KeyVerdict(KeyStage.TYPE, code, kind, mismatch, shown)
    return KeyVerdict(KeyStage.ACCEPTED, code, kind)


def split_name(name: str) -> tuple[str, str]:
    """A file's name as stem and extension, the latter in lower case; "" where there is none.

    Only ASCII letters have a lower case here, so that no other letter passes for one of them.
    """
    stem, dot, extension = name.rpartition(".")
    if not dot:
        return name, ""
    return stem, extension.lower() if extension.isascii() else extension


def first_wrong_character(candidate: str) -> int:
    """The index of the first character of `candidate` that breaks the inventory code; -1 if none.

    `candidate` is a file's name without its extension, or the `found` of a `code_malformed`: both
    give the same index. Where the candidate ends too early the index is its length. What follows
    the twelve characters is part of the judgement: nothing, or a separator.
    """
    for index, allowed in enumerate(_PLACES):
        if index >= len(candidate) or candidate[index] not in allowed:
            return index
    if len(candidate) > CODE_LENGTH and candidate[CODE_LENGTH] not in SEPARATORS:
        return CODE_LENGTH
    return -1


def is_type_code(text: str) -> bool:
    """Whether `text` is three of A-Z and 0-9, as in the middle of an inventory code."""
    return len(text) == 3 and _UPPER.issuperset(text)


def code_kind(code: str) -> CodeKind:
    """What a well-formed inventory code says its master is."""
    return CodeKind.VIDEO if code[0] == "V" else CodeKind.AUDIO


def type_code(code: str) -> str:
    """The three characters of a well-formed inventory code that name the type of its carrier."""
    return code[3:6]


def _judge_folder(folder: str | None, code: str, key: str, rules: KeyRules) -> Fault | None:
    """Whether the top folder stands for the type in the code; None is no folder at all (B3)."""
    own = type_code(code)
    if folder is None:
        return Fault("no_folder", f"a folder for the type {own}, such as {own}/", "none", key)
    meant = rules.folder_types.get(folder) or (folder if is_type_code(folder) else None)
    if meant is None:
        expected = f"{own}/, or a folder mapped to {own}"
        return Fault("folder_unknown", expected, _shown_folder(folder), key)
    if meant != own:
        expected = f"{meant}, as {_shown_folder(folder)} says"
        return Fault("type_mismatch", expected, f"{own} in {code}", key)
    return None


def _shown_folder(folder: str) -> str:
    return printable(folder, length_max=_NAME_CHARS_MAX) + "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRules:
    """What must lie beside a streaming copy, and how large a sidecar may be."""

    required: frozenset[FileKind] = frozenset(
        {FileKind.METADATA, FileKind.CHECKSUM, FileKind.REPORT}
    )
    size_max_bytes: Mapping[FileKind, int] = field(
        default_factory=lambda: dict(DEFAULT_SIZE_MAX_BYTES)
    )


def judge_files(code: str, files: Sequence[ArchiveFile], rules: FileRules) -> Fault | None:
    """Whether the files of a well-formed inventory code are complete by their listing (B2, B5).

    Several sidecars of a kind are allowed; several streaming copies are not, because nothing
    would say which of them stands for the master.
    """
    return (
        _judge_streaming(code, [file for file in files if file.kind is FileKind.STREAMING])
        or _judge_required(code, files, rules.required)
        or _judge_sizes(files, rules.size_max_bytes)
    )


def _judge_streaming(code: str, copies: Sequence[ArchiveFile]) -> Fault | None:
    wanted = _STREAMING_EXTENSION[code_kind(code)]
    if not copies:
        return Fault("streaming_missing", f"{code}.{wanted}", "no streaming copy")
    if len(copies) > 1:
        found = f"{len(copies)}: {_shown_names(copies)}"
        return Fault("streaming_several", "one streaming copy", found, copies[0].key)
    (copy,) = copies
    if copy.extension != wanted:
        expected = f".{wanted}, as {code} is {code_kind(code)}"
        found = "." + printable(copy.extension, length_max=_STEM_CHARS_MAX)
        return Fault("streaming_kind_mismatch", expected, found, copy.key)
    return None


def _judge_required(
    code: str, files: Sequence[ArchiveFile], required: frozenset[FileKind]
) -> Fault | None:
    here = {file.kind for file in files}
    missing = [kind for kind in FileKind if kind in required and kind not in here]
    if not missing:
        return None
    wanted = ", ".join(_SIDECAR_WORDS[kind] for kind in FileKind if kind in required & _SIDECARS)
    lacking = " and ".join(f"no {_SIDECAR_WORDS[kind]}" for kind in missing)
    return Fault("sidecar_missing", f"beside {code}: {wanted}", lacking)


_SIDECAR_WORDS: Final = {
    FileKind.METADATA: "metadata (.json)",
    FileKind.CHECKSUM: "checksum (.md5)",
    FileKind.REPORT: "report (.pdf)",
}
_SIDECARS: Final = frozenset(_SIDECAR_WORDS)


def _judge_sizes(
    files: Sequence[ArchiveFile], size_max_bytes: Mapping[FileKind, int]
) -> Fault | None:
    for file in files:
        if file.size_bytes == 0:
            return Fault("file_empty", "a file with content", "0 bytes", file.key)
        size_max = size_max_bytes.get(file.kind)
        if size_max is not None and file.size_bytes > size_max:
            expected, found = format_bytes(size_max), format_bytes(file.size_bytes)
            if expected == found:  # one byte too many is lost in rounding
                expected, found = f"{size_max} bytes", f"{file.size_bytes} bytes"
            return Fault("sidecar_too_large", f"at most {expected}", found, file.key)
    return None


def _shown_names(files: Sequence[ArchiveFile]) -> str:
    shown = ", ".join(printable(file.key, length_max=_NAME_CHARS_MAX) for file in files[:3])
    return shown if len(files) <= 3 else f"{shown} and {len(files) - 3} more"
