"""What a list of assets can be narrowed to by name, where there are photos: cameras and people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from lading.console.listing import ListQuery
from lading.db import Database
from lading.library.browsing import list_cameras
from lading.library.people_assets import leading_name, list_leading

PERSONS_MAX: Final = 300
"""Among more people nobody is chosen from a list; the page of each leads to their photos."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetChoices:
    """Cameras by name, and the names of people by what the address has for each."""

    cameras: list[str]
    persons: Mapping[str, str]


def read_choices(db: Database, person: str | None = None) -> AssetChoices:
    """What there is to choose; `person` is what the address has, and is always among them."""
    with db.read() as conn:
        found = {str(number): name for number, name in list_leading(conn, PERSONS_MAX).items()}
        if person is not None and person not in found:
            # Somebody who was merged, one of too many, or nobody.
            name = leading_name(conn, int(person))
            found = {number: known for number, known in found.items() if known != name}
            found[person] = name or f"number {int(person)}, who is nobody"
        return AssetChoices(cameras=list_cameras(conn), persons=found)


def with_persons(query: ListQuery, persons: Mapping[str, str]) -> ListQuery:
    """The same list, its chip and choice of a person by name."""
    fields = [
        replace(known, choices=persons or None) if known.name == "person" else known
        for known in query.fields
    ]
    return replace(query, fields=fields)


def photos_url(person_id: int) -> str:
    """The list of all photos of a person, the last captured first."""
    return f"/library/assets?person={person_id}&sort=-captured"
