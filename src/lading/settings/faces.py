"""The settings of faces that are not adopted in the console: whether, and at what expense."""

from __future__ import annotations

from pydantic import Field

from lading.media.limits import DEFAULT_LIMITS
from lading.settings.section import SECONDS_MAX, Section


class FacesSettings(Section):
    """Whether faces are looked for in photos, by how many processes, and for how long in each."""

    enabled: bool = Field(
        default=False,
        description=(
            "Look for faces in each folder after its import, and match them; needs the extra"
            " `faces`."
        ),
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that look for faces at a time, for each job that does.",
    )
    seconds_max: float = Field(
        default=DEFAULT_LIMITS.engine_seconds_max,
        ge=1,
        le=SECONDS_MAX,
        description=(
            "Seconds after which the search for faces in one file is ended; the file is recorded"
            " as `face_engine_failed`."
        ),
    )
