"""What finding pictures that look alike costs, beside comparing each with each.

    python benchmarks/bench_alike.py [--pictures 100000] [--few 4000]

One run, one machine, no database: `find_alike` over made-up hashes, evenly spread and with bits
that lean to one side as those of real pictures do; a tenth of them are copies. Prints seconds,
how much longer ten times as many take, and how many times as long a plain loop over the pairs of
few takes as `find_alike` over the same.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from itertools import combinations

from lading.library.likeness import ALIKE_BITS_MAX, Seen, bits_apart, find_alike

COPIES = 0.1
LEANING = tuple(0.2 if at % 2 else 0.7 for at in range(64))


def pictures(count: int, look: Callable[[random.Random], int]) -> list[Seen]:
    """So many, a tenth of them one bit from the one before."""
    chance = random.Random(count)
    found: list[Seen] = []
    for number in range(count):
        copied = found and chance.random() < COPIES
        looks = found[-1].looks ^ 1 << chance.randrange(64) if copied else look(chance)
        found.append(Seen(asset_id=number, content_hash=f"{number:064x}", looks=looks))
    return found


def even(chance: random.Random) -> int:
    """All bits by chance."""
    return chance.getrandbits(64)


def leaning(chance: random.Random) -> int:
    """Each bit more often one way than the other."""
    return sum((chance.random() < share) << at for at, share in enumerate(LEANING))


def timed(work: Callable[[], object]) -> float:
    """Seconds that the work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def each_with_each(some: list[Seen]) -> int:
    """How many pairs are near, by looking at every pair."""
    return sum(bits_apart(a.looks, b.looks) <= ALIKE_BITS_MAX for a, b in combinations(some, 2))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--few", type=int, default=4_000)
    given = parser.parse_args()
    for name, look in (("even", even), ("leaning", leaning)):
        many, tenth = pictures(given.pictures, look), pictures(given.pictures // 10, look)
        few = pictures(given.few, look)
        all_s = timed(lambda some=many: find_alike(some))  # type: ignore[misc]
        tenth_s = timed(lambda some=tenth: find_alike(some))  # type: ignore[misc]
        few_s = timed(lambda some=few: find_alike(some))  # type: ignore[misc]
        plain_s = timed(lambda some=few: each_with_each(some))  # type: ignore[misc]
        print(
            f"{name:8} {given.pictures:,}: {all_s:.2f} s; "
            f"{all_s / tenth_s:.1f} times a tenth of them (pairs: 100 times); "
            f"{given.few:,}: each with each {plain_s / few_s:.0f} times as long"
        )


if __name__ == "__main__":
    main()
