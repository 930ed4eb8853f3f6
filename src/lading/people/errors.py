"""What keeps people from being recognised, or settings from being tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lading.base.errors import RequestError, SourceError


class NotPhotos(RequestError):
    """Faces are looked for in a source that is none of photos, or is not configured."""

    code = "not_photos"
    http_status = 409
    next_step = "Name a source of kind `photos`; `lading config show` lists the sources."


class ReferenceUnclear(RequestError):
    """A file that was given as reference image has no face, or several."""

    code = "reference_unclear"
    http_status = 422
    next_step = "Give a picture with one face, or say which face is meant: 1 is the surest."


class UnknownLabRun(RequestError):
    """There is no lab run of that number, or it has no result yet."""

    code = "unknown_lab_run"
    http_status = 404
    next_step = "Try the settings on a file or folder with `lading people try`."


class LabTooLarge(RequestError):
    """A folder has more files than settings are tried on at a time, or none at all."""

    code = "lab_too_large"
    http_status = 422
    next_step = "Choose another folder, or a single file of it."


class NotAsTakenIn(SourceError):
    """A file is not as it was when it was taken in, so that its faces would be somebody else's."""

    code = "not_as_taken_in"
    next_step = "Scan the source, and queue the folder of the file; then try again."


class UnknownFaceSettings(RequestError):
    """There is no version of that number of the settings for faces."""

    code = "unknown_face_settings"
    http_status = 404
    next_step = "`lading people settings` lists the versions."


class SettingsAdoptedMeanwhile(RequestError):
    """Other settings for faces hold than those that a change was decided upon."""

    code = "settings_adopted_meanwhile"
    http_status = 409
    next_step = "Compare both; if yours shall hold, adopt them again from the page as it is now."

    def __init__(
        self,
        message: str,
        *,
        expected: str,
        found: str,
        current: Mapping[str, Any],
        yours: Mapping[str, Any],
    ) -> None:
        super().__init__(message, subject="settings", expected=expected, found=found)
        self.current = dict(current)
        self.yours = dict(yours)

    def as_dict(self) -> dict[str, object]:
        """The facts, with both versions."""
        return super().as_dict() | {"current": self.current, "yours": self.yours}
