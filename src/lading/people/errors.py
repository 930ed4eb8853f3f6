"""What keeps people from being recognised, or settings from being tried."""

from __future__ import annotations

from lading.base.errors import RequestError


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
