"""Lays out what waits for what, from left to right, and the same as a nested list.

Jobs wait for lower numbers only, so there are no cycles. Pure: it knows numbers, not jobs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

DRAWN_MAX: Final = 60
NODE_WIDTH: Final = 196
NODE_HEIGHT: Final = 40
_GAP_X: Final = 52
_GAP_Y: Final = 12
_MARGIN: Final = 6


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node is drawn: its upper left corner."""

    node: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line from one that is waited for to one that waits, as the path of a curve."""

    before: int
    after: int
    path: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything placed, with the size of the whole."""

    places: Sequence[Place]
    lines: Sequence[Line]
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Branch:
    """One node of the nested list. `others` it waits for too, besides the one it stands under."""

    node: int
    others: Sequence[int]
    children: Sequence[Branch]


Edges = Collection[tuple[int, int]]
"""(the one waited for, the one that waits)."""


def draw(nodes: Collection[int], edges: Edges) -> Drawing:
    """Nodes in columns, each to the right of everything it waits for."""
    parents = _parents(nodes, edges)
    columns = _columns(parents)
    tallest = max((len(column) for column in columns), default=0)
    height = 2 * _MARGIN + tallest * (NODE_HEIGHT + _GAP_Y) - (_GAP_Y if tallest else 0)
    places: dict[int, Place] = {}
    for index, column in enumerate(columns):
        # Beside what it waits for, so that few lines cross.
        column.sort(key=lambda node: (_mean_y(parents[node], places), node))
        used = len(column) * (NODE_HEIGHT + _GAP_Y) - _GAP_Y
        top = (height - used) // 2
        for row, node in enumerate(column):
            places[node] = Place(
                node,
                _MARGIN + index * (NODE_WIDTH + _GAP_X),
                top + row * (NODE_HEIGHT + _GAP_Y),
            )
    lines = [
        Line(before, after, _curve(places[before], places[after]))
        for before, after in sorted(edges)
        if before in places and after in places
    ]
    width = 2 * _MARGIN + len(columns) * (NODE_WIDTH + _GAP_X) - (_GAP_X if columns else 0)
    return Drawing(list(places.values()), lines, width, height)


def nest(nodes: Collection[int], edges: Edges) -> list[Branch]:
    """Every node once: under the last of those it waits for, or at the top."""
    parents = _parents(nodes, edges)
    below: dict[int | None, list[int]] = defaultdict(list)
    for node in sorted(parents):
        below[max(parents[node], default=None)].append(node)
    made: dict[int, Branch] = {}
    for node in sorted(parents, reverse=True):
        # Those that wait have higher numbers, so they are made already.
        made[node] = Branch(
            node, sorted(parents[node])[:-1], [made[child] for child in below.get(node, ())]
        )
    return [made[node] for node in below.get(None, ())]


def _parents(nodes: Collection[int], edges: Edges) -> dict[int, set[int]]:
    parents: dict[int, set[int]] = {node: set() for node in sorted(nodes)}
    for before, after in edges:
        if before in parents and after in parents:
            parents[after].add(before)
    return parents


def _columns(parents: Mapping[int, Collection[int]]) -> list[list[int]]:
    depth: dict[int, int] = {}
    columns: defaultdict[int, list[int]] = defaultdict(list)
    for node in sorted(parents):
        depth[node] = 1 + max((depth[parent] for parent in parents[node]), default=-1)
        columns[depth[node]].append(node)
    return [columns[index] for index in range(len(columns))]


def _mean_y(parents: Collection[int], places: Mapping[int, Place]) -> float:
    found = [places[parent].y for parent in parents if parent in places]
    return sum(found) / len(found) if found else 0.0


def _curve(before: Place, after: Place) -> str:
    x1, y1 = before.x + NODE_WIDTH, before.y + NODE_HEIGHT // 2
    x2, y2 = after.x, after.y + NODE_HEIGHT // 2
    bend = (x2 - x1) // 2
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
