"""Reads MD5 sidecars in the spellings that tools write, and says what each line is about (B11).

Nothing is guessed into being: a line that is not wholly understood makes the sidecar unreadable.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lading.base.errors import printable
from lading.sources.archive.rules import CODE_LENGTH, split_name
from lading.sources.archive.values import ArchiveFile, Fault, Faulty, FileKind

LINES_MAX: Final = 1000
MASTER_EXTENSIONS: Final = frozenset(
    {
        *("mov", "mkv", "mxf", "avi", "dv", "mpg", "mpeg", "m2v", "ts", "m2ts", "vob"),
        *("wav", "bwf", "w64", "rf64", "aif", "aiff", "flac", "dsf", "dff", "iso"),
    }
)
"""Extensions of files that stay outside of the bucket; a checksum of one cannot be compared."""

_FILE_EXTENSIONS: Final = MASTER_EXTENSIONS | {"mp4", "mp3", "json", "pdf"}
_DIGEST_LENGTH: Final = 32
_OTHER_DIGESTS: Final = {40: "SHA-1", 56: "SHA-224", 64: "SHA-256", 96: "SHA-384", 128: "SHA-512"}
_EXPECTED: Final = "an MD5 of 32 hexadecimal digits, with or without a file's name"

_LINE_END = re.compile(r"\r\n|\r|\n")
# `MD5 (name) = digest` of BSD and of md5sum --tag, `MD5(name)= digest` of OpenSSL.
_TAGGED = re.compile(r"([A-Za-z0-9/-]{0,20}) ?\((.*)\) ?= ?([0-9A-Fa-f]+)", re.DOTALL)
# `digest  name`, `digest *name`; `digest name` of md5 -r; a digest alone.
_PLAIN = re.compile(r"([0-9A-Fa-f]+)(?: [ *](.+)|[ \t]+(.+))?", re.DOTALL)
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
_ESCAPED: Final = {"\\": "\\", "n": "\n", "r": "\r"}
_ETAG = re.compile(r'"?([0-9A-Fa-f]{32})"?')


@dataclass(frozen=True, slots=True)
class ChecksumLine:
    """One checksum: 32 hexadecimal digits in lower case, and the path as written or None.

    The name may hold line ends, which md5sum escapes; it holds neither NUL nor half characters.
    """

    digest: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """What a line is about: the `key` of one of the code's objects, or the name of an `other`.

    `is_master` is of a bare line that the settings take to be about the master, which it does not
    name.
    """

    key: str | None = None
    other: str | None = None
    is_master: bool = False


def parse_checksums(body: bytes, key: str) -> tuple[ChecksumLine, ...]:
    """The checksums of the sidecar `key`, at least one. Raises `Faulty` (`md5_unreadable`).

    Known are a bare digest, md5sum (text, binary, escaped, --tag), BSD md5 and md5 -r, and
    OpenSSL; in UTF-8 or, with its mark, UTF-16; any line ends; blank and comment lines.
    """
    lines: list[ChecksumLine] = []
    for number, raw in enumerate(_LINE_END.split(_text(body, key)), start=1):
        # Files here never end in blanks, but lines that were edited by hand do.
        line = raw.strip(" \t\f\v\x1a")
        if not line or line[0] in ";#":
            continue
        if len(lines) == LINES_MAX:
            raise _unreadable(key, "more of them", f"at most {LINES_MAX} checksums")
        lines.append(_parse_line(line, f"line {number}: ", key))
    if not lines:
        raise _unreadable(key, "no checksum" if body else "an empty file")
    return tuple(lines)


def _text(body: bytes, key: str) -> str:
    try:
        if body.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            text = body.decode("utf-16")
        else:
            text = body.removeprefix(BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        if body.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            raise _unreadable(key, "broken UTF-16") from None
        # Older Windows tools write names in their own code page; digests are ASCII in any.
        text = body.decode("cp1252", "replace")
    if "\0" in text:
        raise _unreadable(key, "binary data")
    return text


def _parse_line(line: str, where: str, key: str) -> ChecksumLine:
    escaped = line.startswith("\\")
    spelled = line[1:] if escaped else line
    name: str | None
    if tagged := _TAGGED.fullmatch(spelled):
        algorithm, name, digest = tagged.groups()
        if algorithm.upper() not in {"MD5", ""} or (not algorithm and name != "stdin"):
            raise _unreadable(key, where + f"a checksum by {algorithm or 'no named method'}")
        name = None if name in {"stdin", "-"} else name
    elif plain := _PLAIN.fullmatch(spelled):
        digest, name = plain[1], plain[2] or plain[3]
        name = None if name == "-" else name
    else:
        raise _unreadable(key, where + printable(line, length_max=60))
    if len(digest) != _DIGEST_LENGTH:
        other = _OTHER_DIGESTS.get(len(digest))
        length = f"{len(digest)} hexadecimal digits"
        raise _unreadable(key, where + (f"{length}, as a {other} has" if other else length))
    if name == "":
        raise _unreadable(key, where + "a checksum of a file without a name")
    if escaped and name is not None:
        name = _unescaped(name, where, key)
    return ChecksumLine(digest.lower(), name)


def _unescaped(name: str, where: str, key: str) -> str:
    def character(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPED:
            raise _unreadable(key, where + f"the escape {printable(match[0])} in a name")
        return _ESCAPED[match[1]]

    return _ESCAPE.sub(character, name)


def _unreadable(key: str, found: str, expected: str = _EXPECTED) -> Faulty:
    return Faulty(Fault("md5_unreadable", expected, found, key))


def described(
    line: ChecksumLine,
    sidecar_key: str,
    files: Sequence[ArchiveFile],
    *,
    bare_is_master: bool = False,
) -> Described:
    """Which of the code's `files` a line of the sidecar is about.

    A named line is about the file of that name: exactly, else whatever the case, and rather in the
    sidecar's own folder. If there is none, it is about something outside of the bucket, `other`.
    A bare line in `X.mp4.md5` is about `X.mp4`; in `X.mov.md5` about that master. In `X.md5` it is
    about the streaming copy `X`, else, unless X is the code alone, about the one other file `X`;
    else about the only streaming copy. Both are None when nothing is left. With `bare_is_master`,
    the bare line of a sidecar that names no file is about the master instead.
    """
    folder = sidecar_key.rpartition("/")[0]
    others = sorted(
        (file for file in files if file.key != sidecar_key),
        key=lambda file: (file.key.rpartition("/")[0] != folder, file.key),
    )
    if line.name is None:
        sidecar_name = sidecar_key.rpartition("/")[2]
        inner, _ = split_name(sidecar_name)
        if bare_is_master and split_name(inner)[1] not in _FILE_EXTENSIONS:
            return Described(other="the master", is_master=True)
        return _described_by_sidecar(sidecar_name, others)
    posix = line.name.strip(" \t").rpartition("/")[2]
    windows = posix.rpartition("\\")[2]
    found = _named(posix, others) or _named(windows, others)
    return Described(found.key) if found else Described(other=windows or posix or line.name)


def _described_by_sidecar(sidecar_name: str, others: Sequence[ArchiveFile]) -> Described:
    inner, _ = split_name(sidecar_name)
    if file := _named(inner, others):
        return Described(file.key)
    streaming = [file for file in others if file.kind is FileKind.STREAMING]
    inner_stem, inner_extension = split_name(inner)
    if inner_extension not in _FILE_EXTENSIONS:
        inner_stem = inner
    elif all(file.extension != inner_extension for file in streaming):
        return Described(other=inner)
    # A checksum beside another is about what can be compared, not about its neighbour.
    alike = [
        file
        for file in others
        if file.kind is not FileKind.CHECKSUM
        and split_name(file.name)[0].casefold() == inner_stem.casefold()
    ]
    # The code alone is what every file of it is called, so its neighbours mean nothing.
    neighbours = alike if len(inner_stem) > CODE_LENGTH else []
    for candidates in ([file for file in alike if file in streaming], neighbours, streaming):
        if len(candidates) == 1:
            return Described(candidates[0].key)
    return Described()


def _named(name: str, files: Sequence[ArchiveFile]) -> ArchiveFile | None:
    exact = (file for file in files if file.name == name)
    folded = (file for file in files if file.name.casefold() == name.casefold())
    return next(exact, None) or next(folded, None)


def judge_described(found: Sequence[Described], code: str, sidecar_key: str) -> Fault | None:
    """Whether a checksum sidecar, by what its lines are about, speaks of this inventory code.

    It does when one line is about an object in the bucket: that one is compared. It also does when
    it only names a master (the code, and an extension of `MASTER_EXTENSIONS`): masters stay
    outside of the bucket, so there is nothing to compare and nothing wrong; the importer notes
    the `other` names. Anything else is somebody else's checksum: `md5_names_other_file`.
    """
    if any(
        one.key is not None or one.is_master or is_master_name(one.other, code) for one in found
    ):
        return None
    names = [printable(one.other, length_max=80) for one in found if one.other is not None]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    expected = f"the checksum of a file of {code}"
    return Fault("md5_names_other_file", expected, shown or "no file to compare", sidecar_key)


def is_master_name(name: str | None, code: str) -> bool:
    """Whether a file's name, without its path, is that of a master of `code`."""
    if name is None or not name.casefold().startswith(code.casefold()):
        return False
    return split_name(name)[1] in MASTER_EXTENSIONS


def compare(digest_expected: str, digest_found: str, key: str) -> Fault | None:
    """Whether the bytes of `key` are those that its checksum was made of (B11)."""
    if digest_expected.lower() == digest_found.lower():
        return None
    return Fault("md5_mismatch", digest_expected.lower(), digest_found.lower(), key)


def etag_md5(etag: str | None) -> str | None:
    """The MD5 that an ETag can be, in lower case; None for multipart uploads and odd ones.

    An ETag that equals the expected MD5 proves the bytes. One that differs proves nothing, since
    stores with keys of their own give encrypted objects ETags that merely look like an MD5: read
    the bytes before rejecting.
    """
    match = None if etag is None else _ETAG.fullmatch(etag)
    return match[1].lower() if match else None
