"""What keeps faces from being found, measured or compared."""

from __future__ import annotations

from lading.base.errors import RequestError
from lading.media.errors import MediaUnreadable


class FaceEngineFailed(MediaUnreadable):
    """The face engine raised an error, ended its process or took too long over this file."""

    code = "face_engine_failed"
    next_step = "Set the file aside and scan the others; try it with another model or engine."


class UnknownFaceEngine(RequestError):
    """The settings name a face engine, or a model of it, that is not installed."""

    code = "unknown_face_engine"
    next_step = "Correct the name, or install the package that brings it."


class BrokenFaceEngine(RequestError):
    """An installed face engine cannot be loaded, or breaks what is agreed with engines."""

    code = "broken_face_engine"
    next_step = "Repair or remove the package that brings it."


class FaceSettingsRefused(RequestError):
    """A setting for faces is outside of what is possible."""

    code = "face_settings_refused"
    next_step = "Choose a value within the stated range."


class EmbeddingsDiffer(RequestError):
    """Embeddings of two kinds were to be compared; the distance between them means nothing."""

    code = "embeddings_differ"
    next_step = "Scan the reference images anew with the engine that scanned the faces."
