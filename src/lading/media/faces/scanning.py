"""Looks for faces in files, each in a process of its own, so that a crash costs one file.

`detect_in` is what runs there. `FaceScanner` feeds processes, starts them again when one dies, and
finds out over which file it died.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from json import dumps
from types import TracebackType
from typing import Self

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
from lading.media.pixels import opaque
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
    words = {**asdict(settings), "digest": settings.digest}
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
    name = where.relative
    with SafeRoot(where.root) as root, root.open(name) as file:
        content = Content(file, name=name, limits=limits)
        kind = kind_of(content)
        if content.size_bytes == 0:
            raise MediaEmpty("It has no bytes", subject=name)
        if kind.family is Family.OTHER:
            raise MediaUnsupported(
                "It is no picture or video of a known kind", subject=name, found=kind.media_type
            )
        if kind.family is Family.VIDEO:
            with open_video(content, kind) as video:
                small = video.poster(side_max)
        else:
            small = open_picture(content, kind).small(side_max)
    rows = opaque(small)
    return Pixels(rows.width, rows.height, bytes(rows.write_to_memory()))


def spawned(processes: int) -> Callable[[], Executor]:
    """Starts executors of so many spawned processes, for `FaceScanner`."""

    def start() -> Executor:
        return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))

    return start


class FaceScanner:
    """Scans files in the processes of executors that `start` gives; a context manager.

    No more than `ahead` files are under way beyond the one that is waited for.
    """

    def __init__(
        self,
        settings: DetectionSettings,
        start: Callable[[], Executor],
        *,
        ahead: int = 4,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._start = start
        self._ahead = ahead
        self._executor: Executor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def scan(self, files: Iterable[FileAt]) -> Iterator[tuple[FileAt, Scanned | SourceError]]:
        """Each file, in order, with its faces or with what is wrong with it.

        Raises what is no file's fault: `BrokenFaceEngine` when the engine ends processes without
        any file, `UnknownFaceEngine`, `MissingExtra`.
        """
        waiting: deque[tuple[FileAt, Future[Scanned]]] = deque()
        try:
            for file in files:
                waiting.append((file, self._submit(file)))
                if len(waiting) > self._ahead:
                    yield from self._next(waiting)
            while waiting:
                yield from self._next(waiting)
        finally:
            for _, future in waiting:
                future.cancel()

    def _next(
        self, waiting: deque[tuple[FileAt, Future[Scanned]]]
    ) -> Iterator[tuple[FileAt, Scanned | SourceError]]:
        file, future = waiting.popleft()
        try:
            outcome = _outcome(future)
        except BrokenExecutor:
            # Each file under way is a suspect; alone in a process, one convicts itself.
            self._stop()
            suspects = [(file, future), *waiting]
            waiting.clear()
            for suspect, under_way in suspects:
                yield suspect, self._retried(suspect, under_way)
        else:
            yield file, outcome

    def _retried(self, file: FileAt, under_way: Future[Scanned]) -> Scanned | SourceError:
        try:
            return _outcome(under_way)
        except BrokenExecutor:
            return self._alone(file)

    def _alone(self, file: FileAt) -> Scanned | SourceError:
        try:
            return _outcome(self._submit(file))
        except BrokenExecutor as error:
            self._stop()
            return FaceEngineFailed(
                "It ended the process that looked for faces in it",
                subject=file.relative,
                found=type(error).__name__,
            )

    def _submit(self, file: FileAt) -> Future[Scanned]:
        executor = self._executor or self._started()
        try:
            return executor.submit(detect_in, file, self._settings, self._limits)
        except BrokenExecutor as error:
            broken: Future[Scanned] = Future()
            broken.set_exception(error)
            return broken

    def _started(self) -> Executor:
        """A new executor, which has shown that its processes can load the engine."""
        executor = self._start()
        self._executor = executor
        try:
            executor.submit(try_engine, self._settings).result()
        except BrokenExecutor as error:
            self._stop()
            raise BrokenFaceEngine(
                "It ended its process before it was given a file", subject=self._settings.engine
            ) from error
        return executor

    def _stop(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(cancel_futures=True)


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


def _outcome(future: Future[Scanned]) -> Scanned | SourceError:
    try:
        return future.result()
    except SourceError as error:
        return error
