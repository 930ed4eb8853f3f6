"""A place has the country that the map has, and none is named where the map cannot tell."""

from __future__ import annotations

import pytest

from lading.geography.countries import country_at, describe
from lading.geography.rules import Box
from lading.geography.world import Detail, read_world


def at(latitude: float, longitude: float) -> str | None:
    return describe(Box(longitude, latitude, longitude, latitude))


@pytest.mark.parametrize(
    ("latitude", "longitude", "said"),
    [
        (46.65, 8.1, "Switzerland"),
        (38.7223, -9.1393, "Portugal"),  # which the map has in the water of the Tagus
        (47.56, 7.59, "France, Germany or Switzerland"),
        (43.735, 7.42, "France or Monaco"),
        (-29.6, 28.2, "Lesotho"),  # a hole in another country
        (0.0, -30.0, None),
        (54.0, -25.0, None),
        (38.5, -9.42, "near Portugal"),
        (90.0, 0.0, None),
        (-90.0, 0.0, "Antarctica"),
        (-90.0, 180.0, "Antarctica"),
        (-16.8, 180.0, "Fiji"),
        (-16.8, -180.0, "Fiji"),
        (68.3, 179.99, "Russia"),
        (68.3, -179.99, "Russia"),
        (4.3, 13.0, "Cameroon"),
        (6.5, 20.5, "Central African Republic"),
    ],
)
def test_a_place_is_said_to_be_where_it_is(
    latitude: float, longitude: float, said: str | None
) -> None:
    assert at(latitude, longitude) == said


def test_an_area_has_the_countries_that_it_touches_and_none_when_they_are_many() -> None:
    assert describe(Box(-8.8, 40.1, -8.1, 40.7)) == "Portugal"
    assert describe(Box(-9.1, 37.5, -4, 40)) == "Portugal or Spain"
    assert describe(Box(5, 45, 17, 52)) is None
    assert describe(Box(177.3, -18.2, -179.8, -16.2)) == "Fiji"
    # All of one country, seen from within: no border passes it, and the middle says which it is.
    assert describe(Box(133, -25, 135, -23)) == "Australia"


def test_sorting_gets_one_country_also_near_a_border_and_off_a_coast() -> None:
    assert country_at(47.56, 7.59) == "Switzerland"
    assert country_at(38.5, -9.42) == "Portugal"
    assert country_at(43.735, 7.42) is None  # on the water before two countries
    assert country_at(0.0, -30.0) is None


def test_no_country_has_an_abbreviated_name() -> None:
    names = {name for name, _ in read_world(Detail.REGION).countries}
    said = set()
    for _, rings in read_world(Detail.REGION).countries:
        box = max(
            (ring.box for ring in rings), key=lambda b: (b.east - b.west) * (b.north - b.south)
        )
        found = country_at((box.south + box.north) / 2, (box.west + box.east) / 2)
        said |= {found} if found else set()
    assert len(names) == 241
    assert len(said) > 150
    assert [name for name in said if "." in name or name.endswith("Is")] == []
