"""Decides which pictures look alike enough to be judged together, and which of them to keep.

Hashes that differ in few bits agree on one of a few bands of bits; so only pictures that share a
band are compared, and where many share one, they are divided by the remaining bits again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, pairwise
from typing import Final

HASH_BITS: Final = 64
ALIKE_BITS_MAX: Final = 4
"""In how many bits the hashes of copies of one picture may differ."""
BURST_BITS_MAX: Final = 14
"""The same for pictures taken one right after the other with one camera."""
BURST_GAP_S: Final = 3.0
GROUP_MAX: Final = 500
"""So many are decided about at once; of blank frames or scanned pages there may be thousands."""
_FEW: Final = 32
_ALL: Final = (1 << HASH_BITS) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of one picture: sizes in pixels and bytes, `said` counts what it tells."""

    asset_id: int
    content_hash: str
    looks: int
    captured_at: datetime | None = None
    camera: str | None = None
    pixels: int = 0
    size_bytes: int = 0
    said: int = 0


@dataclass(frozen=True, slots=True)
class AlikeGroup:
    """Pictures that look alike, the one to be kept first; `burst` when a camera's speed says so."""

    members: Sequence[Seen]
    burst: bool
    why: str

    @property
    def keep(self) -> Seen:
        """The recommended one."""
        return self.members[0]

    @property
    def newest(self) -> int:
        """The number of the asset that came last."""
        return max(member.asset_id for member in self.members)

    @property
    def hashes(self) -> frozenset[str]:
        """The content hashes of all."""
        return frozenset(member.content_hash for member in self.members)


def bits_apart(first: int, second: int) -> int:
    """In how many bits two hashes differ."""
    return (first ^ second).bit_count()


def find_alike(pictures: Iterable[Seen]) -> list[AlikeGroup]:
    """Groups of two or more that look alike, directly or by way of others; the newest first.

    More than `GROUP_MAX` are several groups, in the order in which they came, so that one more
    makes only the last of them another question.
    """
    known = {one.asset_id: one for one in pictures}
    groups = _Groups()
    by_hash: dict[int, list[int]] = defaultdict(list)
    for one in known.values():
        by_hash[one.looks].append(one.asset_id)
    for ids in by_hash.values():
        for other in ids[1:]:
            groups.join(ids[0], other)
    for first, second in near_pairs(list(by_hash)):
        groups.join(by_hash[first][0], by_hash[second][0])
    bursts = set()
    for before, after in _successive(known.values()):
        if bits_apart(before.looks, after.looks) <= BURST_BITS_MAX:
            groups.join(before.asset_id, after.asset_id)
            bursts |= {before.asset_id, after.asset_id}
    found = [
        judge_group([known[number] for number in ids], burst=not bursts.isdisjoint(ids))
        for every in groups.several()
        for ids in _pieces(every)
    ]
    return sorted(found, key=lambda group: group.newest, reverse=True)


def near_pairs(
    values: Sequence[int], limit: int = ALIKE_BITS_MAX, mask: int = _ALL
) -> Iterator[tuple[int, int]]:
    """Every pair of these different hashes at most `limit` bits apart; some of them repeatedly.

    Bits outside of `mask` are the same in all of them.
    """
    bands = _bands(mask, limit + 1)
    if len(values) <= _FEW or len(bands) <= limit:
        yield from ((a, b) for a, b in combinations(values, 2) if (a ^ b).bit_count() <= limit)
        return
    for band in bands:
        shared: dict[int, list[int]] = defaultdict(list)
        for value in values:
            shared[value & band].append(value)
        for bucket in shared.values():
            if len(bucket) > 1:
                yield from near_pairs(bucket, limit, mask & ~band)


def judge_group(members: Iterable[Seen], *, burst: bool = False) -> AlikeGroup:
    """The members with the one to keep first, and why it is that one."""
    ranked = sorted(members, key=_rank)
    best, second = ranked[0], ranked[1]
    if best.pixels > second.pixels:
        why = "It has the most pixels."
    elif best.said > second.said:
        why = "It is as large as any other, and says the most about itself."
    elif best.size_bytes > second.size_bytes:
        why = "It is as large as any other, and has the most bytes: it lost the least."
    else:
        why = "Nothing tells them apart but that it came first."
    return AlikeGroup(ranked, burst, why)


def _rank(one: Seen) -> tuple[int, int, int, int]:
    return -one.pixels, -one.said, -one.size_bytes, one.asset_id


def _bands(mask: int, count: int) -> list[int]:
    """The bits of `mask` dealt out to `count` bands; fewer when there are fewer bits."""
    bits = [1 << at for at in range(HASH_BITS) if mask >> at & 1]
    return [sum(bits[at::count]) for at in range(min(count, len(bits)))]


def _successive(pictures: Iterable[Seen]) -> Iterator[tuple[Seen, Seen]]:
    """Pairs that one camera took one right after the other."""
    dated: list[tuple[str, datetime, int, Seen]] = [
        (one.camera, one.captured_at, one.asset_id, one)
        for one in pictures
        if one.captured_at is not None and one.camera
    ]
    for before, after in pairwise(sorted(dated, key=lambda each: each[:3])):
        if before[0] == after[0] and (after[1] - before[1]).total_seconds() <= BURST_GAP_S:
            yield before[3], after[3]


def _pieces(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Parts that can be decided about at once; none of one alone."""
    first = 0
    while len(ids) - first > GROUP_MAX + 1:
        yield ids[first : first + GROUP_MAX]
        first += GROUP_MAX
    yield ids[first:]


class _Groups:
    """Disjoint sets of numbers that are joined one pair at a time."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}

    def join(self, first: int, second: int) -> None:
        one, other = self._top(first), self._top(second)
        if one != other:
            self._above[max(one, other)] = min(one, other)

    def several(self) -> Iterable[Sequence[int]]:
        """The sets, each in order."""
        found: Mapping[int, list[int]] = defaultdict(list)
        for number in sorted(self._above.keys() | set(self._above.values())):
            found[self._top(number)].append(number)
        return found.values()

    def _top(self, number: int) -> int:
        while (above := self._above.get(number, number)) != number:
            # Half of the way is kept, so that no way gets long.
            self._above[number] = self._above.get(above, above)
            number = above
        return number
