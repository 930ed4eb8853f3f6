"""The settings of sorting: by which patterns, and which places have names."""

from __future__ import annotations

from pydantic import Field

from lading.settings.section import Section


class NamedPlaceSettings(Section):
    """A place that photos can be sorted by."""

    latitude: float = Field(ge=-90, le=90, description="Degrees north of the equator.")
    longitude: float = Field(ge=-180, le=180, description="Degrees east of Greenwich.")
    radius_km: float = Field(
        default=1.0, gt=0, le=20_100, description="Kilometres around it that count as this place."
    )


class SortingSettings(Section):
    """Where photos are moved when they are sorted, by patterns of folders and names."""

    pattern: str = Field(
        default="{year}/{year}-{month:02}-{day:02}/{name}{ext}",
        description=(
            "Pattern for photos with a date; of `{year}`, `{month}`, `{day}`, `{hour}`,"
            " `{minute}`, `{second}`, `{place}`, `{country}`, `{camera}`, `{folder}`, `{name}`,"
            " `{counter}` and `{ext}`, which ends it."
        ),
    )
    undated: str = Field(
        default="undated/{folder}/{name}{ext}",
        description="Pattern for photos without a date; it has no field of time.",
    )
    duplicates: str = Field(
        default="duplicates/{folder}/{name}{ext}",
        description="Pattern for copies of what is at its place already, when they are set aside.",
    )
    elsewhere: str = Field(
        default="elsewhere",
        min_length=1,
        max_length=100,
        description=(
            "What `{place}` is for photos that were taken at no named place, and `{country}` for"
            " those of which no country is known."
        ),
    )
    places: dict[str, NamedPlaceSettings] = Field(
        default_factory=dict,
        description="The named places; the nearest counts within whose radius it was.",
    )
