"""Pictures that look alike are found without comparing each with each, and none is missed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from lading.console.actions.photos import MEMBERS_MAX
from lading.library.likeness import (
    ALIKE_BITS_MAX,
    BURST_BITS_MAX,
    BURST_GAP_S,
    GROUP_MAX,
    Seen,
    bits_apart,
    find_alike,
    near_pairs,
)

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def picture(number: int, looks: int, **facts: object) -> Seen:
    return Seen(asset_id=number, content_hash=f"{number:064x}", looks=looks, **facts)  # type: ignore[arg-type]


def flipped(looks: int, bits: int, chance: random.Random) -> int:
    for at in chance.sample(range(64), bits):
        looks ^= 1 << at
    return looks


def found(pictures: list[Seen]) -> list[list[int]]:
    return [sorted(one.asset_id for one in group.members) for group in find_alike(pictures)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([2**64 - 1, 0xFFFF, 0x0F0F_0F0F_0F0F]))
def test_every_pair_that_is_near_is_found_and_no_other(seed: int, varying: int) -> None:
    chance = random.Random(seed)
    values = {chance.getrandbits(64) & varying for _ in range(120)}
    values |= {flipped(value, chance.randrange(1, 7), chance) for value in list(values)[:60]}
    near = {
        frozenset(pair) for pair in combinations(values, 2) if bits_apart(*pair) <= ALIKE_BITS_MAX
    }
    assert {frozenset(pair) for pair in near_pairs(list(values))} == near


def test_a_crowd_that_shares_most_bits_is_divided_by_the_others() -> None:
    chance = random.Random(4)
    # All agree on the upper half, as pictures of one kind do; compared each with each, these
    # would be some two hundred million pairs.
    crowd = [picture(number, chance.getrandbits(32)) for number in range(20_000)]
    crowd.append(picture(20_000, crowd[0].looks ^ 0b101))
    assert any({0, 20_000} <= set(group) for group in found(crowd))


def test_copies_are_one_group_also_by_way_of_others_and_the_newest_group_is_first() -> None:
    chain = [picture(1, 0), picture(2, 0b1111), picture(3, 0b1111_1111)]
    same = [picture(number, 0xABCD_EF01 << 32) for number in (4, 5)]
    alone = picture(6, 2**64 - 1)
    assert found([*chain, *same, alone]) == [[4, 5], [1, 2, 3]]


def test_thousands_that_look_alike_are_groups_that_can_be_decided_about() -> None:
    blank = [picture(number, 0) for number in range(2 * GROUP_MAX + 1)]
    assert [len(group) for group in found(blank)] == [GROUP_MAX + 1, GROUP_MAX]
    first, last = found(blank)[::-1]
    assert (first, last) == (list(range(GROUP_MAX)), list(range(GROUP_MAX, 2 * GROUP_MAX + 1)))
    more = found([*blank, picture(2 * GROUP_MAX + 1, 0)])
    assert [len(group) for group in more] == [2, GROUP_MAX, GROUP_MAX]
    assert GROUP_MAX < MEMBERS_MAX


def test_a_burst_is_of_one_camera_in_one_breath_and_may_differ_more() -> None:
    chance = random.Random(9)
    apart = flipped(0, BURST_BITS_MAX, chance)

    def pair(gap_s: float, camera: str | None = "X100", looks: int = apart) -> list[list[int]]:
        later = NOON + timedelta(seconds=gap_s)
        first = picture(1, 0, captured_at=NOON, camera="X100")
        return found([first, picture(2, looks, captured_at=later, camera=camera)])

    assert pair(BURST_GAP_S) == [[1, 2]]
    assert pair(BURST_GAP_S + 0.1) == []
    assert pair(1, camera="M10") == []
    assert pair(1, camera=None) == []
    assert pair(1, looks=flipped(0, BURST_BITS_MAX + 1, chance)) == []


def test_pixels_then_facts_then_bytes_then_age_say_which_to_keep() -> None:
    facts: list[dict[str, int]] = [
        {"pixels": 200, "said": 0, "size_bytes": 1},
        {"pixels": 100, "said": 3, "size_bytes": 1},
        {"pixels": 100, "said": 2, "size_bytes": 9},
        {"pixels": 100, "said": 2, "size_bytes": 8},
        {"pixels": 100, "said": 2, "size_bytes": 8},
    ]
    pictures = [picture(number, 7, **each) for number, each in enumerate(facts)]
    words = ("most pixels", "says the most", "most bytes", "came first")
    for start, expected in enumerate(words):
        [group] = find_alike(reversed(pictures[start:]))
        assert [one.asset_id for one in group.members] == list(range(start, 5))
        assert expected in group.why
