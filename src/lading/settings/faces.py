"""The settings of faces that are not adopted in the console: whether, and by how many processes."""

from __future__ import annotations

from pydantic import Field

from lading.settings.section import Section


class FacesSettings(Section):
    """Whether faces are looked for in photos that are taken in, and by how many processes."""

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
