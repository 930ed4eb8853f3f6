"""The settings for finding and recognising faces: what they may be, and what follows from each.

Those of detection decide what is found and measured; to change one means to look into files
again. Those of matching judge distances that are kept, and are free to try.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from lading.media.faces.errors import FaceSettingsRefused

# Raised when the same settings give other results through code of ours.
_DETECTION_VERSION: Final = 1
_MATCHING_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Range:
    """What a number may be (`least` to `most`), and within which part of that it is safe.

    `too_low` and `too_high` say what follows outside of the safe part, for people.
    """

    least: float
    most: float
    safe_least: float
    safe_most: float
    too_low: str
    too_high: str

    def consequence(self, value: float) -> str | None:
        """What follows from a value that is not safe."""
        if value < self.safe_least:
            return self.too_low
        return self.too_high if value > self.safe_most else None


RANGES: Final[Mapping[str, Range]] = {
    "side_max": Range(
        400,
        4000,
        1000,
        2400,
        "Faces in groups and in the background are missed.",
        "Each picture takes much longer and more memory, and more of what is found is no face.",
    ),
    "upsample": Range(
        0,
        2,
        0,
        1,
        "",
        "Each picture takes sixteen times as long, and more of what is found is no face.",
    ),
    "faces_max": Range(
        1,
        1000,
        20,
        200,
        "Of pictures of groups, the smallest faces are left out.",
        "A picture of a crowd can keep a process busy for a minute.",
    ),
    "distance_max": Range(
        0.2,
        0.9,
        0.4,
        0.55,
        "Too strict: the same person is often not recognised, and duplicate people have to be"
        " merged.",
        "Too loose: different people are taken for one, which is hard to repair.",
    ),
    "margin_min": Range(
        0.0,
        0.4,
        0.03,
        0.12,
        "Between two people who look alike, the nearer one is taken by a hair.",
        "Relatives who look alike are seldom told apart, and many faces wait for a decision.",
    ),
    "side_min_px": Range(
        20,
        1000,
        40,
        160,
        "Faces of a few pixels are compared, and mostly with the wrong result.",
        "Faces in groups and in the background are never recognised.",
    ),
    "score_min": Range(
        0.0,
        3.0,
        0.1,
        0.8,
        "Patterns that look a little like a face are taken for one.",
        "Faces that lean, look aside or lie in shadow are passed over.",
    ),
}
"""The ranges of the numbers, by the names of the settings."""


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """How faces are found. `model` is the engine's way of finding them.

    `side_max` is the longest side of the picture in which they are looked for, in pixels; it is
    doubled in size `upsample` times before, which finds smaller faces. Of more than `faces_max`
    faces, the largest are kept. Raises `FaceSettingsRefused` for a number out of its range.
    """

    engine: str = "dlib"
    model: str = "hog"
    side_max: int = 1600
    upsample: int = 0
    faces_max: int = 100

    def __post_init__(self) -> None:
        _require_ranges(self)
        if self.side_max << self.upsample > RANGES["side_max"].most * 2:
            raise FaceSettingsRefused(
                "A picture of this size cannot be doubled so often",
                subject="upsample",
                expected=f"side_max, doubled, of at most {RANGES['side_max'].most * 2:.0f} pixels",
                found=self.side_max << self.upsample,
            )

    @property
    def digest(self) -> str:
        """A short name: while it is the same, and the engine is, so are the faces found."""
        return _digest("detection", _DETECTION_VERSION, asdict(self))


@dataclass(frozen=True, slots=True)
class MatchingSettings:
    """How faces are recognised; the numbers fit embeddings of the engine dlib.

    A face is taken for the nearest person if it is no farther than `distance_max`, and the next
    person at least `margin_min` farther. Faces smaller than `side_min_px`, or of a detection score
    below `score_min`, are not taken for anybody. Raises `FaceSettingsRefused`.
    """

    distance_max: float = 0.5
    margin_min: float = 0.05
    side_min_px: int = 60
    score_min: float = 0.3

    def __post_init__(self) -> None:
        _require_ranges(self)

    @property
    def digest(self) -> str:
        """A short name: while it is the same, the same distances get the same verdicts."""
        return _digest("matching", _MATCHING_VERSION, asdict(self))


@dataclass(frozen=True, slots=True)
class FaceSettings:
    """All settings for faces."""

    detection: DetectionSettings = field(default_factory=DetectionSettings)
    matching: MatchingSettings = field(default_factory=MatchingSettings)

    @property
    def digest(self) -> str:
        """A short name for all of them together, to be kept with each scan."""
        return _digest("faces", self.detection.digest, self.matching.digest)

    def as_dict(self) -> dict[str, Any]:
        """As plain values, one level deep; `from_dict` takes it back."""
        return {**asdict(self.detection), **asdict(self.matching)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FaceSettings:
        """From plain values; what is not named is as by default. Raises `FaceSettingsRefused`."""
        known = {one.name for one in (*fields(DetectionSettings), *fields(MatchingSettings))}
        if unknown := sorted(set(values) - known):
            raise FaceSettingsRefused(
                "There is no such setting",
                subject=unknown[0],
                expected=f"one of: {', '.join(sorted(known))}",
            )

        def part(names: set[str]) -> dict[str, Any]:
            return {name: value for name, value in values.items() if name in names}

        return cls(
            DetectionSettings(**part({one.name for one in fields(DetectionSettings)})),
            MatchingSettings(**part({one.name for one in fields(MatchingSettings)})),
        )

    def consequences(self) -> dict[str, str]:
        """What follows from each setting that is not within its safe range, by its name."""
        values = self.as_dict()
        found = {name: each.consequence(values[name]) for name, each in RANGES.items()}
        return {name: words for name, words in found.items() if words}


def _require_ranges(settings: DetectionSettings | MatchingSettings) -> None:
    for each in fields(settings):
        value = getattr(settings, each.name)
        limits = RANGES.get(each.name)
        if limits is None:
            expected, right = "a name", type(value) is str and value != ""
        else:
            whole = type(each.default) is int
            number = "a whole number" if whole else "a number"
            expected = f"{number} from {limits.least:g} to {limits.most:g}"
            right = type(value) in ((int,) if whole else (int, float))
            right = right and limits.least <= value <= limits.most
        if not right:
            raise FaceSettingsRefused(
                "This value is not possible", subject=each.name, expected=expected, found=value
            )


def _digest(*parts: object) -> str:
    # 1 and 1.0 are one setting.
    def plain(value: object) -> object:
        return float(value) if type(value) is int else value

    whole = [
        {name: plain(value) for name, value in part.items()} if isinstance(part, dict) else part
        for part in parts
    ]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]
