"""What all tables of the settings file have in common."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

SECONDS_MAX: Final = 86_400


class Section(BaseModel):
    """A table of the settings file; a key it does not have is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)
