"""Charts and graphs as numbers: nothing is hidden, and nothing stands left of what it waits for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from lading.console.charts import HEIGHT, WIDTH, Column, bar_chart, part, spans
from lading.console.graph import NODE_HEIGHT, NODE_WIDTH, Branch, draw, nest


def columns(values: Iterable[float]) -> list[Column]:
    return [Column(f"{n}", value, f"{value:g} B", f"/x?{n}") for n, value in enumerate(values)]


def test_the_highest_column_fills_the_chart_and_names_the_peak() -> None:
    chart = bar_chart(columns([1, 4, 2]))
    assert [bar.height for bar in chart.bars] == [HEIGHT / 4, HEIGHT, HEIGHT / 2]
    assert all(bar.y + bar.height == HEIGHT for bar in chart.bars)
    assert chart.peak == "4 B"


def test_a_little_beside_a_lot_is_still_seen_and_nothing_is_not() -> None:
    little, nothing, _ = bar_chart(columns([1, 0, 1_000_000])).bars
    assert little.height > 1
    assert nothing.height == 0


def test_columns_share_the_width_without_touching() -> None:
    bars = bar_chart(columns(range(30))).bars
    assert all(a.x + a.width < b.x for a, b in pairwise(bars))
    assert abs(bars[-1].slot_x + bars[-1].slot_width - WIDTH) < 0.5


def test_a_chart_of_nothing_is_a_chart_without_a_peak() -> None:
    assert bar_chart([]).bars == ()
    assert bar_chart(columns([0, 0])).peak == ""


def test_spans_share_one_scale() -> None:
    short, long = spans([(1, 2), (5, 10)])
    assert (short.typical, short.long) == (WIDTH / 10, WIDTH / 5)
    assert (long.typical, long.long) == (WIDTH / 2, WIDTH)
    assert spans([(0, 0)])[0].long == 0


def test_a_part_is_never_more_than_the_whole() -> None:
    assert part(3, 2) == WIDTH
    assert part(1, 0) == 0
    assert part(-1, 2) == 0


DIAMOND = ({1, 2, 3, 4}, {(1, 2), (1, 3), (2, 4), (3, 4)})


def test_everything_stands_right_of_what_it_waits_for_and_on_nothing_else() -> None:
    drawing = draw(*DIAMOND)
    places = {place.node: place for place in drawing.places}
    assert set(places) == DIAMOND[0]
    for before, after in DIAMOND[1]:
        assert places[before].x + NODE_WIDTH < places[after].x
    corners = [(place.x, place.y) for place in drawing.places]
    assert len(set(corners)) == len(corners)
    assert places[2].x == places[3].x
    assert abs(places[2].y - places[3].y) >= NODE_HEIGHT
    assert max(x for x, _ in corners) + NODE_WIDTH <= drawing.width
    assert max(y for _, y in corners) + NODE_HEIGHT <= drawing.height
    assert [(line.before, line.after) for line in drawing.lines] == sorted(DIAMOND[1])


def nodes_of(branches: Sequence[Branch]) -> list[int]:
    return [n for b in branches for n in (b.node, *nodes_of(b.children))]


def test_the_nested_list_has_every_node_once_and_every_edge() -> None:
    branches = nest(*DIAMOND)
    assert sorted(nodes_of(branches)) == [1, 2, 3, 4]
    (root,) = branches
    two, three = root.children
    assert (two.node, three.node) == (2, 3)
    assert not two.children
    assert [(child.node, list(child.others)) for child in three.children] == [(4, [2])]


def test_what_is_not_in_the_picture_draws_no_line() -> None:
    drawing = draw({5, 6}, {(1, 5), (5, 6)})
    assert [(line.before, line.after) for line in drawing.lines] == [(5, 6)]
    assert [branch.node for branch in nest({5, 6}, {(1, 5), (5, 6)})] == [5]


def test_a_single_job_is_a_picture_too() -> None:
    drawing = draw({7}, set())
    assert (len(drawing.places), drawing.lines) == (1, [])
    assert drawing.width > NODE_WIDTH
