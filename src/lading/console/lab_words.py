"""The settings of the lab as fields of a form: their words, values, safe ranges, and what is wrong.

Pure: it is given texts and the settings that hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lading.media.faces.errors import FaceSettingsRefused
from lading.media.faces.settings import RANGES, FaceSettings, Range

SETTING_WORDS: Final[Mapping[str, str]] = {
    "score_min": "Detection score, at least",
    "distance_max": "Match distance, at most",
    "margin_min": "Margin to the second best, at least",
    "side_min_px": "Face size in pixels, at least",
    "model": "Model",
    "side_max": "Longest side looked at, in pixels",
    "upsample": "Doublings of the picture before",
}
THRESHOLDS: Final = ("distance_max", "margin_min", "side_min_px", "score_min")
"""Those that are judged anew by distances that are kept; the others need another run."""
_STEPS: Final = {"score_min": 0.05, "distance_max": 0.01, "margin_min": 0.01, "side_min_px": 5}
_MODEL: Final = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingField:
    """One setting in a form. `text` is what stands in the field, `error` what is wrong with it.

    `consequence` is what follows from a draft that is not safe. `step` is that of its slider.
    """

    name: str
    word: str
    held: Any
    text: str
    error: str | None
    range: Range | None
    choices: Sequence[str] = ()
    consequence: str | None = None
    step: float = 1

    @property
    def changed(self) -> bool:
        """Whether the draft is another value than the one that holds."""
        return self.text != shown(self.held)

    @property
    def safe(self) -> str:
        """The part of its range that is safe, in words."""
        if self.range is None:
            return ""
        return f"{shown(self.range.safe_least)} to {shown(self.range.safe_most)}"

    @property
    def whole(self) -> bool:
        """Whether it is a whole number."""
        return isinstance(self.held, int)


@dataclass(frozen=True, slots=True)
class Draft:
    """Settings as they were typed: as fields and, if nothing is wrong with them, as settings."""

    fields: Sequence[SettingField]
    settings: FaceSettings | None

    @property
    def errors(self) -> list[SettingField]:
        """The fields with which something is wrong."""
        return [each for each in self.fields if each.error]


def read_draft(
    given: Mapping[str, str],
    base: FaceSettings,
    held: FaceSettings,
    *,
    names: Sequence[str] = tuple(SETTING_WORDS),
    models: Sequence[str] = (),
) -> Draft:
    """What was typed, by names; a setting that is not given is as in `base`.

    `held` is what holds now, `models` what the engine offers.
    """
    values, now = base.as_dict(), held.as_dict()
    texts: dict[str, str] = {}
    errors: dict[str, str] = {}
    for name in names:
        texts[name] = given.get(name, "").strip()[:50] or shown(values[name])
        try:
            values[name] = _parsed(name, texts[name], values[name], models)
        except ValueError as error:
            errors[name] = str(error)
    settings = None
    if not errors:
        try:
            settings = FaceSettings.from_dict(values)
        except FaceSettingsRefused as refused:
            errors[refused.subject or ""] = f"{refused.message}: {refused.expected}."
    fields = [
        SettingField(
            name=name,
            word=SETTING_WORDS[name],
            held=now[name],
            text=texts[name] if name in errors else shown(values[name]),
            error=errors.get(name),
            range=RANGES.get(name),
            choices=models if name == _MODEL else (),
            consequence=_consequence(name, values[name]) if name not in errors else None,
            step=_STEPS.get(name, 1),
        )
        for name in names
    ]
    return Draft(fields, settings)


def shown(value: object) -> str:
    """A value as it is written."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def changes_in_words(changed: Mapping[str, tuple[Any, Any]]) -> list[str]:
    """What differs between two settings, one sentence each."""
    return [
        f"{SETTING_WORDS.get(name, name)}: {shown(old)} → {shown(new)}"
        for name, (old, new) in changed.items()
    ]


def _parsed(name: str, text: str, before: object, models: Sequence[str]) -> Any:
    """The value. Raises `ValueError` with what is expected."""
    if name == _MODEL:
        if models and text not in models:
            raise ValueError(f"Choose one of: {', '.join(models)}.")
        return text
    limits = RANGES[name]
    number = "a whole number" if isinstance(before, int) else "a number"
    wrong = f"It has to be {number} from {limits.least:g} to {limits.most:g}."
    try:
        value = int(text) if isinstance(before, int) else float(text.replace(",", "."))
    except ValueError:
        raise ValueError(wrong) from None
    # What is not a number at all lies within no limits.
    if not limits.least <= value <= limits.most:
        raise ValueError(wrong)
    return value


def _consequence(name: str, value: Any) -> str | None:
    limits = RANGES.get(name)
    return None if limits is None else limits.consequence(value)
