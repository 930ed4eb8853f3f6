"""Looks for faces in files, in processes of their own, so that a crash or a hang costs one file.

`detect_in` is what runs there. `FaceScanner` feeds the processes and says what came of each file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from json import dumps
from typing import Any

from lading.base.errors import LadingError, SourceError, printable
from lading.media.content import Content
from lading.media.derive import Derivation, FileAt
from lading.media.errors import MediaEmpty, MediaUnsupported
from lading.media.faces.engine import (
    Detected,
    Detections,
    FaceEngine,
    Pixels,
    face_engine,
    require_sound,
)
from lading.media.faces.errors import BrokenFaceEngine, FaceEngineFailed, UnknownFaceEngine
from lading.media.faces.settings import DetectionSettings
from lading.media.kind import Family, kind_of
from lading.media.limits import DEFAULT_LIMITS, Limits
from lading.media.packages import tool_version
from lading.media.pictures import open_picture
from lading.media.pixels import PIXELS_VERSION, opaque
from lading.media.spawned import (
    NotPrepared,
    ProcessEnded,
    SpawnedProcesses,
    Task,
    TimeLimitReached,
)
from lading.media.videos import open_video
from lading.storage.roots import SafeRoot


@dataclass(frozen=True, slots=True)
class Scanned:
    """The faces of one file, the surest first, and how many more there are.

    `width` and `height` are those of the picture in which they were looked for, in pixels: upright,
    and made smaller if the settings say so. Of a video it is its poster.
    """

    width: int
    height: int
    faces: tuple[Detected, ...]
    left_out: int
    embedding_kind: str
    derivation: Derivation


def detect_in(
    where: FileAt, settings: DetectionSettings, limits: Limits = DEFAULT_LIMITS
) -> Scanned:
    """The faces of a picture or video; what goes in and comes out can be pickled.

    The engine's models are loaded once in a process. Raises `FaceEngineFailed` and the other
    `MediaUnreadable`, what `SafeRoot.open` does when the file cannot be opened or read, and
    `UnknownFaceEngine`, `BrokenFaceEngine` and `MissingExtra`, which are not the file's fault.
    """
    engine = _chosen(settings)
    pixels = pixels_of(where, settings.side_max, limits)
    try:
        found = engine.detect(pixels, settings)
    except LadingError:
        raise
    # Each engine has errors of its own, and what it takes too much memory for is one as well.
    except Exception as error:
        raise FaceEngineFailed(
            "The face engine failed",
            subject=where.relative,
            found=printable(f"{type(error).__name__}: {error}", length_max=200),
        ) from error
    require_sound(found, engine)
    return Scanned(
        pixels.width,
        pixels.height,
        found.faces,
        found.left_out,
        engine.embedding_kind,
        detection_of(settings),
    )


def detection_of(settings: DetectionSettings) -> Derivation:
    """How faces are found with these settings by what is installed now.

    While its `key` is the one that is kept with a file's faces, the file need not be scanned again.
    """
    engine = _chosen(settings)
    version = f"{engine.version}+pyvips {tool_version('pyvips')}"
    words = {**asdict(settings), "digest": settings.digest, "pixels": PIXELS_VERSION}
    return Derivation("faces", engine.name, version, dumps(words, sort_keys=True))


def _chosen(settings: DetectionSettings) -> FaceEngine:
    engine = face_engine(settings.engine)
    if settings.model not in engine.models:
        raise UnknownFaceEngine(
            "The engine has no such model",
            subject=engine.name,
            expected=f"one of: {', '.join(engine.models)}",
            found=settings.model,
        )
    return engine


def pixels_of(where: FileAt, side_max: int, limits: Limits = DEFAULT_LIMITS) -> Pixels:
    """A picture, or the poster of a video, upright and no side longer than `side_max` pixels.

    Raises `MediaUnreadable`, and what `SafeRoot.open` does.
    """
    with SafeRoot(where.root) as root, root.open(where.relative) as file:
        small = small_of(Content(file, name=where.relative, limits=limits), side_max)
    return Pixels(small.width, small.height, bytes(small.write_to_memory()))


def small_of(content: Content, side_max: int) -> Any:
    """The same of a file that is open, as a picture of libvips without transparency.

    Raises `MediaUnreadable`, and `MissingExtra`.
    """
    name = content.name
    kind = kind_of(content)
    if content.size_bytes == 0:
        raise MediaEmpty("It has no bytes", subject=name)
    if kind.family is Family.OTHER:
        raise MediaUnsupported(
            "It is no picture or video of a known kind", subject=name, found=kind.media_type
        )
    if kind.family is Family.VIDEO:
        with open_video(content, kind) as video:
            return opaque(video.poster(side_max))
    return opaque(open_picture(content, kind).small(side_max))


class FaceScanner:
    """Scans files in spawned processes, which are the caller's and last longer than this.

    No more than `ahead` files are under way beyond the one that is waited for. `beat` is called
    every second of waiting, and may raise, which ends what is under way. A file that takes longer
    than the processes' limit is ended.
    """

    def __init__(
        self,
        settings: DetectionSettings,
        processes: SpawnedProcesses,
        *,
        ahead: int = 4,
        limits: Limits = DEFAULT_LIMITS,
        beat: Callable[[], object] = lambda: None,
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._processes = processes
        self._ahead = ahead
        self._beat = beat

    def scan(self, files: Iterable[FileAt]) -> Iterator[tuple[FileAt, Scanned | SourceError]]:
        """Each file, in order, with its faces or with what is wrong with it.

        Raises what is no file's fault: `BrokenFaceEngine` when the engine ends processes without
        any file, or hangs so, `UnknownFaceEngine`, `MissingExtra`; and what `beat` raises.
        """
        # So an engine that cannot start is never blamed on a file.
        self._processes.prepare(try_engine, self._settings)
        waiting: deque[tuple[FileAt, Task[Scanned]]] = deque()
        try:
            for file in files:
                waiting.append((file, self._ask(file)))
                if len(waiting) > self._ahead:
                    yield waiting[0][0], self._outcome(waiting)
            while waiting:
                yield waiting[0][0], self._outcome(waiting)
        finally:
            for _, task in waiting:
                self._processes.drop(task)

    def _ask(self, file: FileAt) -> Task[Scanned]:
        return self._processes.ask(detect_in, file, self._settings, self._limits)

    def _outcome(self, waiting: deque[tuple[FileAt, Task[Scanned]]]) -> Scanned | SourceError:
        """What came of the first that waits, which waits no longer then."""
        file, task = waiting[0]
        try:
            try:
                return self._answer(task)
            except ProcessEnded:
                # What ran beside it may have left it no memory; the second time it is alone.
                for _, other in waiting:
                    self._processes.settle(other, self._beat)
                again = self._ask(file)
                waiting[0] = (file, again)
                return self._answer(again)
        except ProcessEnded as ended:
            return FaceEngineFailed(
                "It ended the process that looked for faces in it",
                subject=file.relative,
                found=str(ended),
            )
        except TimeLimitReached:
            return FaceEngineFailed(
                "The search for faces in it took too long and was ended",
                subject=file.relative,
                expected=f"at most {self._processes.limit_s:g} s (seconds_max)",
            )
        finally:
            if waiting[0][1].over:
                waiting.popleft()

    def _answer(self, task: Task[Scanned]) -> Scanned | SourceError:
        try:
            return self._processes.result(task, self._beat)
        except SourceError as error:
            return error
        except NotPrepared as failed:
            if isinstance(failed.__cause__, LadingError):
                raise failed.__cause__ from None
            raise BrokenFaceEngine(
                "It ended its process, or hung, before it was given a file",
                subject=self._settings.engine,
                found=str(failed),
            ) from failed


def try_engine(settings: DetectionSettings) -> None:
    """Load the engine's models and use them on a picture of nothing."""
    side = 64
    grey = Pixels(side, side, bytes([128]) * (3 * side * side))
    engine = _chosen(settings)
    try:
        found: Detections = engine.detect(grey, settings)
    except LadingError:
        raise
    # As in `detect_in`; but here no file is to blame.
    except Exception as error:
        raise BrokenFaceEngine(
            f"It cannot look at any picture: {type(error).__name__}: {error}", subject=engine.name
        ) from error
    require_sound(found, engine)
