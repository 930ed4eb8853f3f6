"""Pure decisions of sorting: what a pattern means, how names are made safe, who gets which.

A pattern is a path of folders and a name, with fields in braces. A field never adds a folder:
what it holds is made a part of one name that every file system takes.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from string import Formatter
from typing import Final

from lading.media.rules import Belongs, Companion, folded
from lading.sorting.errors import BadPattern

NAME_BYTES_MAX: Final = 255
FOLDERS_MAX: Final = 12
EARTH_RADIUS_KM: Final = 6_371.0088
TRIES_MAX: Final = 1_000_000

TIME_FIELDS: Final = ("year", "month", "day", "hour", "minute", "second")
TEXT_FIELDS: Final = ("place", "country", "camera", "folder", "name")
FIELDS: Final = (*TIME_FIELDS, *TEXT_FIELDS, "ext", "counter")

_WIDTH: Final = re.compile(r"0?([1-9])")
_FORBIDDEN: Final = re.compile(r'[/\\<>:"|?*]')
# Names with a meaning of their own on some system, and those that scans of photos pass over.
_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul"}
    | {f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"}
)
_RESERVED_WHOLE: Final = frozenset(
    {"@eadir", "thumbs.db", "desktop.ini", "$recycle.bin", "lost+found", "#recycle"}
)
# Beside the name there has to be room for a number: an underscore and nine digits.
_DIGITS_MAX: Final = 9
_NUMBER_BYTES: Final = _DIGITS_MAX + 1


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a pattern; `width` is the number of digits it has at least."""

    name: str
    width: int = 1


Part = str | Field


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that was understood: the parts of each folder, and of the name without ending."""

    text: str
    folders: tuple[tuple[Part, ...], ...]
    stem: tuple[Part, ...]

    @property
    def counted(self) -> bool:
        """Whether the name has a counter of its own."""
        return any(isinstance(part, Field) and part.name == "counter" for part in self.stem)

    def has(self, name: str) -> bool:
        """Whether a field is anywhere in it."""
        return any(part_is(part, name) for each in (*self.folders, self.stem) for part in each)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What a pattern can say of one picture or video.

    `taken` is the time by the clock of the place, without a zone; `folder` the name of the folder
    it lies in, `name` its own without ending. Words for what is unknown are filled in already.
    """

    taken: datetime | None
    place: str
    country: str
    camera: str
    folder: str
    name: str


@dataclass(frozen=True, slots=True)
class NamedPlace:
    """A place that has a name: degrees north and east, and how far around it counts."""

    name: str
    latitude: float
    longitude: float
    radius_km: float


def parse_pattern(text: str, *, dated: bool = True) -> Pattern:
    """Understand a pattern; not `dated`, it may ask for no time. Raises `BadPattern`."""
    segments: list[list[Part]] = [[]]
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise BadPattern(f"The braces of the pattern do not match: {error}", subject=text) from None
    for literal, name, spec, conversion in parts:
        first, *others = literal.split("/")
        segments[-1].append(first)
        segments += [[other] for other in others]
        if name is not None:
            if conversion:
                raise BadPattern("A field has no conversion", subject=text, found=f"!{conversion}")
            segments[-1].append(_field(text, name, spec or "", dated=dated))
    *folders, last = ([part for part in segment if part != ""] for segment in segments)
    _check(text, folders, last)
    return Pattern(text, tuple(tuple(folder) for folder in folders), tuple(last[:-1]))


def _field(text: str, name: str, spec: str, *, dated: bool) -> Field:
    if name not in FIELDS:
        raise BadPattern(
            "The pattern has a field that does not exist",
            subject=text,
            expected=", ".join(FIELDS),
            found=name or "{}",
        )
    if name in TIME_FIELDS and not dated:
        raise BadPattern("Photos without a date have no such field", subject=text, found=name)
    if not spec:
        return Field(name, 4 if name == "year" else 1)
    width = _WIDTH.fullmatch(spec)
    if width is None or name not in {*TIME_FIELDS, "counter"}:
        raise BadPattern(
            "Only numbers have a width, of one digit",
            subject=text,
            expected="such as {month:02}",
            found=f"{{{name}:{spec}}}",
        )
    return Field(name, int(width[1]))


def _check(text: str, folders: Sequence[Sequence[Part]], last: Sequence[Part]) -> None:
    if len(folders) > FOLDERS_MAX:
        raise BadPattern(
            "The pattern has too many folders", subject=text, expected=f"at most {FOLDERS_MAX}"
        )
    for segment in (*folders, last):
        if not segment or (len(segment) == 1 and segment[0] in (".", "..")):
            raise BadPattern("A part between two slashes is empty or dots", subject=text)
        said = "".join(part for part in segment if isinstance(part, str))
        if _FORBIDDEN.search(said) or not said.isprintable():
            raise BadPattern("The pattern has a character that names may not have", subject=text)
    fields = [part.name for part in last if isinstance(part, Field)]
    inside = {part.name for folder in folders for part in folder if isinstance(part, Field)}
    if last[-1] != Field("ext") or fields.count("ext") > 1 or "ext" in inside:
        raise BadPattern("The pattern has {ext} once, at its end", subject=text)
    if fields.count("counter") > 1 or "counter" in inside:
        raise BadPattern("The pattern has {counter} once at most, in the name", subject=text)
    if len(last) == 1:
        raise BadPattern("The pattern gives files no name before {ext}", subject=text)


def clean_text(text: str) -> str:
    """`text` as a part of a name: composed, without separators and control characters."""
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(
        "_" if unicodedata.category(c) in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"} else c
        for c in composed
    )
    return unicodedata.normalize("NFC", _FORBIDDEN.sub("_", kept))


def clean_name(text: str, bytes_max: int = NAME_BYTES_MAX) -> str:
    """`text` as a name, with or without ending: `bytes_max` bytes at most, and usable anywhere.

    What is clean stays as it is. A name does not begin with a dot, nor end with one or a space.
    """
    name = clean_text(text).strip(" ")
    if name.startswith("."):
        name = "_" + name.lstrip(".")
    name = shortened(name, bytes_max).rstrip(" .") or "_"
    if is_reserved(name):
        name = shortened(f"_{name}", bytes_max).rstrip(" .")
    return name


def is_passed_over(name: str) -> bool:
    """Whether scans of photos never look at what has this name: hidden, or left by a program."""
    return name.startswith(".") or name.casefold() in _RESERVED_WHOLE


def is_reserved(name: str) -> bool:
    """Whether some system takes a name for something else than a file of that name."""
    lower = name.casefold()
    return lower in _RESERVED_WHOLE or lower.split(".")[0].rstrip(" ") in _RESERVED


def shortened(text: str, bytes_max: int) -> str:
    """The beginning of `text` that has `bytes_max` bytes at most."""
    return text.encode("utf-8", "replace")[: max(bytes_max, 0)].decode("utf-8", "ignore")


def split_name(name: str) -> tuple[str, str]:
    """A file's name before its ending, and the ending with its dot."""
    stem, dot, ending = name.rpartition(".")
    return (stem, dot + ending) if stem else (name, "")


@dataclass(frozen=True, slots=True)
class Series:
    """Where a group of files belongs: a folder, and a row of names told apart by a number.

    Without a counter, the first name has no number and the others `_002`, `_003`: they sort in
    the order in which they were given.
    """

    folder: str
    before: str
    after: str
    width: int | None

    def stem(self, number: int) -> str:
        """The name of this number, without an ending; numbers begin at 1."""
        if self.width is not None:
            stem = f"{self.before}{number:0{self.width}d}{self.after}"
        else:
            stem = self.before if number == 1 else f"{self.before}_{number:03d}"
        return clean_name(stem)

    @property
    def row(self) -> str:
        """What tells it from other series."""
        return f"{self.folder}/{self.before}\0{self.after}\0{self.width}"

    def path(self, number: int, tail: str) -> str:
        """The path of this number with that ending."""
        name = self.stem(number) + tail
        return f"{self.folder}/{name}" if self.folder else name

    def number_of(self, stem: str) -> int | None:
        """Which number a name of this series has; None for any other name."""
        stem = unicodedata.normalize("NFC", stem)
        if self.width is None and folded(stem) == folded(self.stem(1)):
            return 1
        before, after = self.before + ("_" if self.width is None else ""), self.after
        # A name that some system reserves has one more underscore before it.
        for plain in (stem, stem.removeprefix("_")):
            digits = plain[len(before) : len(plain) - len(after)]
            if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX:
                number = int(digits)
                if number and folded(self.stem(number)) == folded(stem):
                    return number
        return None


def series_of(pattern: Pattern, shot: Shot, tail_bytes: int) -> Series:
    """Where a shot belongs; the longest ending of its group has `tail_bytes`.

    A shot without a date is for a pattern that asks for none.
    """
    folder = "/".join(
        clean_name("".join(_filled(part, shot) for part in segment)) for segment in pattern.folders
    )
    at = next(
        (i for i, part in enumerate(pattern.stem) if part_is(part, "counter")), len(pattern.stem)
    )
    before = clean_text("".join(_filled(part, shot) for part in pattern.stem[:at]))
    after = clean_text("".join(_filled(part, shot) for part in pattern.stem[at + 1 :]))
    counter = pattern.stem[at] if at < len(pattern.stem) else None
    room = NAME_BYTES_MAX - tail_bytes - _NUMBER_BYTES - 1
    after = shortened(after, room // 2)
    before = shortened(before, room - len(after.encode()))
    if counter is None:
        return Series(folder, clean_name(before, room), "", None)
    width = counter.width if isinstance(counter, Field) else 1
    before = before.lstrip(" ")
    if before.startswith("."):
        before = "_" + before.lstrip(".")
    return Series(folder, before, after.rstrip(" ."), width)


def part_is(part: Part, name: str) -> bool:
    """Whether a part of a pattern is this field."""
    return isinstance(part, Field) and part.name == name


def _filled(part: Part, shot: Shot) -> str:
    if isinstance(part, str):
        return part
    if part.name in TIME_FIELDS:
        if shot.taken is None:
            raise BadPattern("The pattern needs a date", subject=part.name)
        return f"{getattr(shot.taken, part.name):0{part.width}d}"
    return clean_text(getattr(shot, part.name))


@dataclass(frozen=True, slots=True)
class Group:
    """Files that stay together: the main one, and the ending of each by its name."""

    main: str
    tails: Mapping[str, str]

    @property
    def tail_bytes(self) -> int:
        """The length of the longest ending, in bytes."""
        return max(len(tail.encode()) for tail in self.tails.values())


def groups_of(names: Iterable[str], belongs: Iterable[Belongs]) -> list[Group]:
    """Each file with its companions; every name is in one group.

    `a.jpg.xmp` keeps the ending `.jpg.xmp`, and so does what Takeout says of it. One that would get
    the name of another of its group, as `a.MOV` beside `a.mov`, is a group of its own.
    """
    related = list(belongs)
    parents = {one.name: one.to for one in related}
    # These have the name of another one with its ending, though it may be cut short.
    whole = {one.name for one in related if one.companion is Companion.TAKEOUT}
    every = sorted(set(names))
    tails: dict[str, dict[str, str]] = {}
    waiting = sorted(every, key=lambda name: (_depth(name, parents), name))
    root: dict[str, str] = {}
    for name in waiting:
        parent = parents.get(name)
        stem, ending = split_name(name)
        ending = clean_text(ending).rstrip(" .")
        if parent is not None and parent in root:
            group = tails[root[parent]]
            above = group[parent]
            rest = clean_text(name.removeprefix(parent)).rstrip(" .")
            if name.startswith(parent):
                tail = above + rest
            elif name in whole or folded(stem) == folded(parent):
                tail = above + ending
            else:
                tail = ending
            if folded(tail) not in {folded(other) for other in group.values()}:
                group[name] = tail
                root[name] = root[parent]
                continue
        tails[name] = {name: ending}
        root[name] = name
    return [Group(main, tails[main]) for main in sorted(tails)]


def _depth(name: str, parents: Mapping[str, str]) -> int:
    depth = 0
    while name in parents and depth < len(parents) + 1:
        name, depth = parents[name], depth + 1
    return depth


def names_of_stem(series: Series, number: int, group: Group) -> set[str]:
    """The folded names that a group would have, of those that differ in the ending alone."""
    stem = series.stem(number)
    names = {folded(stem + tail) for tail in group.tails.values()}
    return {name for name in names if split_name(name)[0] == folded(stem)}


def crowd_of(series: Series, group: Group) -> str:
    """What tells groups that ask for the same names from others: their series and endings."""
    return "\0".join((series.row, *sorted(map(folded, group.tails.values()))))


class Seat(StrEnum):
    """What is at a place that a file could be given."""

    FREE = "free"
    OWN = "own"
    SAME = "same"
    TAKEN = "taken"


def choose_number(look: Callable[[int], Sequence[Seat]], first: int = 1) -> tuple[int, Seat] | None:
    """The first number under which a whole group finds room: `FREE`, `OWN` or `SAME`.

    `look` says what is at the places of a number. A group is somewhere already only if all of it
    is. None when there is no number left.
    """
    for number in range(first, first + TRIES_MAX):
        seats = set(look(number))
        if seats <= {Seat.OWN}:
            return number, Seat.OWN
        if seats <= {Seat.FREE, Seat.OWN}:
            return number, Seat.FREE
        if seats <= {Seat.SAME}:
            return number, Seat.SAME
    return None


def distance_km(north_a: float, east_a: float, north_b: float, east_b: float) -> float:
    """The distance between two places given in degrees, along the surface."""
    a, b = math.radians(north_a), math.radians(north_b)
    half_north, half_east = (b - a) / 2, math.radians(east_b - east_a) / 2
    h = math.sin(half_north) ** 2 + math.cos(a) * math.cos(b) * math.sin(half_east) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(h)))


def nearest_place(
    north: float, east: float, places: Iterable[NamedPlace]
) -> tuple[NamedPlace, float] | None:
    """The nearest named place within whose radius this is, with the distance in km."""
    found = [(distance_km(north, east, p.latitude, p.longitude), p.name, p) for p in places]
    within = [one for one in found if one[0] <= one[2].radius_km]
    if not within:
        return None
    away, _, place = min(within, key=lambda one: one[:2])
    return place, away


def order_key(taken: datetime | None, name: str) -> tuple[bool, datetime, list[tuple[int, str]]]:
    """How files of a folder are ordered: by time, then by name with numbers as numbers."""
    pieces = [
        (int(piece), "") if piece.isascii() and piece.isdigit() else (-1, piece)
        for piece in re.split(r"([0-9]{1,18})", folded(name))
    ]
    return taken is None, taken or datetime.min, [*pieces, (-2, name)]  # noqa: DTZ901 - no zone
