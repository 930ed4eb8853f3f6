"""The face engine dlib, with the data files of the package `face_recognition_models`.

Faces are found by gradients (`hog`) or by a network (`cnn`), turned upright by the corners of
their eyes, and measured by a network as 128 numbers.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from lading.base.errors import MissingExtra
from lading.media.faces.engine import Box, Detected, Detections, Embedding, Pixels, Point
from lading.media.faces.errors import FaceSettingsRefused
from lading.media.faces.settings import DetectionSettings
from lading.media.packages import dlib, numpy

# Raised when the same picture gives other results through code of ours.
_CODE_VERSION: Final = 1
_DATA_PACKAGE: Final = "face_recognition_models"
_LANDMARKS: Final = "shape_predictor_5_face_landmarks.dat"
_EMBEDDING: Final = "dlib_face_recognition_resnet_model_v1.dat"
_CNN: Final = "mmod_human_face_detector.dat"
# What the embedding was trained with: faces of 150 pixels with a quarter of their size around.
_CHIP_PX: Final = 150
_CHIP_PADDING: Final = 0.25
# The network for finding faces takes some 1,000 bytes for each pixel it looks at.
_CNN_SIDE_MAX: Final = 1600


class DlibEngine:
    """dlib on the processor. It holds the interpreter while it works: one process for each core."""

    name: Final = "dlib"
    models: Final = ("hog", "cnn")
    embedding_kind: Final = "dlib-resnet-v1"

    @property
    def version(self) -> str:
        """Of our code, the library and its data."""
        return f"{_CODE_VERSION}+dlib {dlib().__version__}/{_data_version()}"

    def detect(self, pixels: Pixels, settings: DetectionSettings) -> Detections:
        """The faces of a picture, as `FaceEngine` says."""
        rows = numpy().frombuffer(pixels.data, numpy().uint8)
        rows = rows.reshape(pixels.height, pixels.width, 3)
        found = _find(rows, settings)
        found.sort(key=lambda one: one[0].width() * one[0].height(), reverse=True)
        kept = sorted(found[: settings.faces_max], key=lambda one: one[1], reverse=True)
        faces = tuple(_measure(rows, rectangle, score) for rectangle, score in kept)
        return Detections(faces, len(found) - len(kept))


def _find(rows: Any, settings: DetectionSettings) -> list[tuple[Any, float]]:
    """Rectangles that lie in the picture at least in part, with their scores."""
    if settings.model == "cnn":
        found = [(one.rect, float(one.confidence)) for one in _found_by_cnn(rows, settings)]
    else:
        rectangles, scores, _ = _hog().run(rows, settings.upsample, 0.0)
        found = list(zip(rectangles, map(float, scores), strict=True))
    height, width = rows.shape[:2]
    whole = dlib().rectangle(0, 0, width - 1, height - 1)
    return [one for one in found if not one[0].intersect(whole).is_empty() and one[1] >= 0.0]


def _found_by_cnn(rows: Any, settings: DetectionSettings) -> Any:
    looked_at = settings.side_max << settings.upsample
    if looked_at > _CNN_SIDE_MAX:
        raise FaceSettingsRefused(
            "The model cnn would need more than 2.6 GB for a picture of this size",
            subject="side_max",
            expected=f"at most {_CNN_SIDE_MAX} for cnn, doubled as often as upsample says",
            found=looked_at,
        )
    return _cnn()(rows, settings.upsample)


def _measure(rows: Any, rectangle: Any, score: float) -> Detected:
    height, width = rows.shape[:2]
    shape = _landmarks()(rows, rectangle)
    chip = dlib().get_face_chip(rows, shape, _CHIP_PX, _CHIP_PADDING)
    numbers = numpy().asarray(_embedder().compute_face_descriptor(chip), numpy().float32)
    points = [(point.x, point.y) for point in shape.parts()]
    roll, turn = pose(points)
    left, right = (min(max(x / width, 0.0), 1.0) for x in (rectangle.left(), rectangle.right() + 1))
    top, bottom = (
        min(max(y / height, 0.0), 1.0) for y in (rectangle.top(), rectangle.bottom() + 1)
    )
    return Detected(
        Box(left, top, right - left, bottom - top),
        score,
        max(rectangle.width(), rectangle.height()),
        sharpness(chip),
        roll,
        turn,
        Embedding.of(DlibEngine.embedding_kind, numbers.tolist()),
        tuple(Point(x / width, y / height) for x, y in points),
    )


def pose(points: list[tuple[int, int]]) -> tuple[float, float]:
    """By how many degrees a head leans, clockwise, and how far it is turned aside.

    `points` are the corners of one eye, those of the other, and the base of the nose. The base of
    the nose stands out of the face: in a head that turns, it leaves the middle between the eyes.
    """
    eyes = sorted(
        ((points[at][0] + points[at + 1][0]) / 2, (points[at][1] + points[at + 1][1]) / 2)
        for at in (0, 2)
    )
    (left_x, left_y), (right_x, right_y) = eyes
    across, down = right_x - left_x, right_y - left_y
    apart = across * across + down * down
    if not apart:
        return 0.0, 0.0
    nose_x, nose_y = points[4][0] - (left_x + right_x) / 2, points[4][1] - (left_y + right_y) / 2
    turn = 2 * (nose_x * across + nose_y * down) / apart
    return math.degrees(math.atan2(down, across)), turn


def sharpness(chip: Any) -> float:
    """How much of a face's contrast lies between neighbouring pixels: 0 when wholly blurred.

    It is the variance of the Laplacian by the variance of the brightness, so that light and
    exposure do not count.
    """
    grey = chip.astype(numpy().float64) @ (0.299, 0.587, 0.114)
    edges = (
        grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    )
    contrast = float(grey.var())
    return float(edges.var()) / contrast if contrast > 1.0 else 0.0


@cache
def _data_version() -> str:
    _data_folder()
    return version(_DATA_PACKAGE)


@cache
def _data_folder() -> Path:
    # Imported, the package asks for a part of setuptools that newer ones have no longer.
    found = find_spec(_DATA_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise MissingExtra(
            f"Finding faces needs the package {_DATA_PACKAGE}",
            next_step="Install it with `pip install 'lading[faces]'`, then run it again.",
        )
    return Path(next(iter(found.submodule_search_locations))) / "models"


def _data(name: str) -> str:
    return str(_data_folder() / name)


@cache
def _hog() -> Any:
    return dlib().get_frontal_face_detector()


@cache
def _cnn() -> Any:
    return dlib().cnn_face_detection_model_v1(_data(_CNN))


@cache
def _landmarks() -> Any:
    return dlib().shape_predictor(_data(_LANDMARKS))


@cache
def _embedder() -> Any:
    return dlib().face_recognition_model_v1(_data(_EMBEDDING))
