"""Derives all that is wanted of one file in one pass: hash, kind, facts, thumbnails, likeness.

What goes in and comes out can be pickled, so `derive` can run in a process of its own, where a
decoder that crashes takes no worker along.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, BinaryIO, Final

from lading.media.content import Content
from lading.media.errors import MediaEmpty, MediaUnreadable, MediaUnsupported
from lading.media.facts import MediaFacts, Statements
from lading.media.hashes import HASH_SIDE, perceptual_hash
from lading.media.kind import Family, Kind, NamedKind, named_kind
from lading.media.limits import DEFAULT_LIMITS, Limits
from lading.media.packages import tool_version
from lading.media.pictures import open_picture, picture_tool
from lading.media.pixels import PIXELS_VERSION
from lading.media.rules import choose_capture, choose_place
from lading.media.thumbnails import Thumbnail, ThumbnailSpec, encode_thumbnail
from lading.media.videos import Video, open_video
from lading.storage.roots import SafeRoot

# Raised when what is derived from the same bytes changes through code of ours.
_FACTS_VERSION: Final = 1
_RAW_FACTS_VERSION: Final = 2
_THUMBNAIL_VERSION: Final = 1
_LIKENESS_VERSION: Final = 1


class Part(StrEnum):
    """What is derived from a file."""

    CONTENT = "content"
    FACTS = "facts"
    THUMBNAIL = "thumbnail"
    PERCEPTUAL_HASH = "perceptual_hash"


@dataclass(frozen=True, slots=True)
class FileAt:
    """A file: a root, and a path below it, which is walked without following links."""

    root: str
    relative: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be derived. `as_of` is a moment no picture can be later than; None is now."""

    sha256: bool = True
    facts: bool = True
    thumbnails: tuple[ThumbnailSpec, ...] = (ThumbnailSpec(),)
    perceptual_hash: bool = True
    as_of: datetime | None = None
    limits: Limits = DEFAULT_LIMITS

    @property
    def pixels(self) -> bool:
        """Whether pixels have to be decoded."""
        return bool(self.thumbnails) or self.perceptual_hash

    @property
    def inside(self) -> bool:
        """Whether the file has to be looked into, beyond its hash and its kind."""
        return self.facts or self.pixels


@dataclass(frozen=True, slots=True)
class Derivation:
    """How something was derived: while this and the content are the same, so is the result."""

    name: str
    tool: str
    version: str
    settings: str

    @property
    def key(self) -> str:
        """A short name for all of it, to be kept beside what was derived."""
        whole = json.dumps([self.name, self.tool, self.version, self.settings])
        return hashlib.sha256(whole.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Failure:
    """A part that could not be derived, and why."""

    part: Part
    error: MediaUnreadable


@dataclass(frozen=True, slots=True)
class Derived:
    """What one file is and gives. What was not wanted, or failed, is None or not there."""

    size_bytes: int
    kind: NamedKind
    sha256: str | None = None
    facts: MediaFacts | None = None
    thumbnails: tuple[Thumbnail, ...] = ()
    perceptual_hash: str | None = None
    derivations: tuple[Derivation, ...] = ()
    failures: tuple[Failure, ...] = ()


def derive(where: FileAt, wanted: Wanted = Wanted()) -> Derived:
    """What is wanted of the file, in one pass.

    What is wrong inside the file stands in `failures`, and the other parts are there. Raises what
    `SafeRoot.open` does when the file cannot be opened or read, and `MissingExtra`.
    """
    with SafeRoot(where.root) as root, root.open(where.relative) as file:
        return derive_open(file, wanted, name=where.relative)


def derive_open(
    file: BinaryIO | io.RawIOBase | bytes, wanted: Wanted = Wanted(), *, name: str
) -> Derived:
    """The same for a seekable file that is open, or for bytes; `name` is what it is called."""
    content = Content(file, name=name, limits=wanted.limits, hashed=wanted.sha256)
    kind = named_kind(content, name)
    known = _Deriving(content, kind.kind, wanted)
    known.run()
    return Derived(
        content.size_bytes,
        kind,
        content.sha256,
        known.facts,
        tuple(known.thumbnails),
        known.perceptual_hash,
        derivations(kind.kind, wanted),
        tuple(known.failures),
    )


def derivations(kind: Kind, wanted: Wanted) -> tuple[Derivation, ...]:
    """How the wanted parts of a file of this kind are derived by what is installed now.

    Nothing of the file is needed, so what has to be made anew can be counted beforehand.
    """
    if kind.family is Family.OTHER or not wanted.inside:
        return ()
    tool = "av" if kind.family is Family.VIDEO else picture_tool(kind)
    version = tool_version(tool)
    if tool != "pyvips":
        # Whatever decodes it, libvips makes it small.
        version += f"+pyvips {tool_version('pyvips')}"
    found = []

    def add(name: Part, **settings: object) -> None:
        # Limits decide whether something is derived, not what it is.
        found.append(Derivation(name.value, tool, version, json.dumps(settings, sort_keys=True)))

    if wanted.facts:
        raw = kind.family is Family.RAW
        add(Part.FACTS, code=_RAW_FACTS_VERSION if raw else _FACTS_VERSION)
    for spec in wanted.thumbnails:
        add(Part.THUMBNAIL, code=_THUMBNAIL_VERSION, pixels=PIXELS_VERSION, **asdict(spec))
    if wanted.perceptual_hash:
        code = {"code": _LIKENESS_VERSION, "pixels": PIXELS_VERSION}
        add(Part.PERCEPTUAL_HASH, side=HASH_SIDE, **code)
    return tuple(found)


@dataclass(slots=True)
class _Deriving:
    """The parts as they come; each one that fails leaves the others alone."""

    content: Content
    kind: Kind
    wanted: Wanted
    facts: MediaFacts | None = None
    thumbnails: list[Thumbnail] = field(default_factory=list)
    perceptual_hash: str | None = None
    failures: list[Failure] = field(default_factory=list)

    def run(self) -> None:
        """Derive what is wanted."""
        if not self.wanted.inside:
            return
        try:
            self._look_inside()
        except MediaUnreadable as error:
            self.failures.append(Failure(Part.CONTENT, error))

    def _look_inside(self) -> None:
        content, name = self.content, self.content.name
        if content.size_bytes == 0:
            raise MediaEmpty("It has no bytes", subject=name)
        if self.kind.family is Family.OTHER:
            raise MediaUnsupported(
                "It is no picture or video of a known kind",
                subject=name,
                found=self.kind.media_type,
            )
        if self.kind.family is Family.VIDEO:
            with open_video(content, self.kind) as video:
                self._read_facts(lambda: self._video_facts(video))
                self._use_pixels(video.poster)
            return
        picture = open_picture(content, self.kind)

        def facts() -> MediaFacts:
            size = (picture.width, picture.height)
            return self._judged(picture.statements(), size, picture.orientation, picture.frames)

        self._read_facts(facts)
        self._use_pixels(picture.small)

    def _read_facts(self, read: Callable[[], MediaFacts]) -> None:
        if not self.wanted.facts:
            return
        try:
            self.facts = read()
        except MediaUnreadable as error:
            self.failures.append(Failure(Part.FACTS, error))

    def _use_pixels(self, decode: Callable[[int], Any]) -> None:
        if not self.wanted.pixels:
            return
        part = Part.THUMBNAIL if self.wanted.thumbnails else Part.PERCEPTUAL_HASH
        sides = [spec.side for spec in self.wanted.thumbnails]
        if self.wanted.perceptual_hash:
            sides.append(HASH_SIDE)
        try:
            small = decode(max(sides))
            for spec in self.wanted.thumbnails:
                self.thumbnails.append(encode_thumbnail(small, spec))
            if self.wanted.perceptual_hash:
                self.perceptual_hash = perceptual_hash(small)
        except MediaUnreadable as error:
            self.failures.append(Failure(part, error))

    def _video_facts(self, video: Video) -> MediaFacts:
        return self._judged(
            video.statements(),
            (video.width, video.height),
            duration_s=video.duration_s,
            streams=video.streams(),
        )

    def _judged(
        self,
        said: Statements,
        size: tuple[int, int],
        orientation: int = 1,
        frames: int = 1,
        **of_video: Any,
    ) -> MediaFacts:
        capture, refused_times = choose_capture(said.times, self.wanted.as_of or datetime.now(UTC))
        place, refused_places = choose_place(said.places)
        return MediaFacts(
            *size,
            orientation,
            frames,
            said.camera,
            capture,
            refused_times,
            place,
            refused_places,
            said.damaged,
            **of_video,
        )
