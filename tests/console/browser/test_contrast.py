"""The sums of contrast are those of WCAG."""

from __future__ import annotations

import pytest

from tests.console.browser.contrast import (
    WHITE,
    Colour,
    Painted,
    blend,
    contrast_of,
    ground_of,
    ratio,
)

BLACK: Colour = (0, 0, 0, 1)
GREY: Colour = (0x76, 0x76, 0x76, 1)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (BLACK, WHITE, 21.0),
        (WHITE, WHITE, 1.0),
        (GREY, WHITE, 4.54),
        ((0x77, 0x77, 0x77, 1), WHITE, 4.48),
        ((255, 0, 0, 1), WHITE, 4.0),
        ((0, 0, 255, 1), BLACK, 2.44),
    ],
)
def test_the_ratio_is_the_one_of_published_tables_and_has_no_direction(
    one: Colour, other: Colour, expected: float
) -> None:
    assert ratio(one, other) == pytest.approx(expected, abs=0.005)
    assert ratio(other, one) == ratio(one, other)


def test_what_shines_through_is_mixed() -> None:
    assert blend((0, 0, 0, 0.5), WHITE) == (127.5, 127.5, 127.5, 1)
    assert blend((10, 20, 30, 1), WHITE) == (10, 20, 30, 1)


def test_layers_are_laid_from_below_and_a_gradient_is_all_of_its_colours() -> None:
    assert ground_of([[(0, 0, 0, 0)], [(40, 40, 40, 1)]]) == [(40, 40, 40, 1)]
    assert ground_of([]) == [WHITE]
    assert ground_of([[BLACK, WHITE]]) == [BLACK, WHITE]


def test_the_worst_place_of_a_gradient_counts() -> None:
    text = Painted("words", BLACK, [[WHITE, GREY]], 16, 400)
    assert contrast_of(text) == pytest.approx(ratio(BLACK, GREY))


@pytest.mark.parametrize(
    ("size_px", "weight", "needed"),
    [(16, 400, 4.5), (16, 700, 4.5), (18.7, 700, 3.0), (18.7, 400, 4.5), (24, 400, 3.0)],
)
def test_large_text_needs_less(size_px: float, weight: int, needed: float) -> None:
    assert Painted("words", BLACK, [], size_px, weight).needed == needed
