"""A listing sorted out: the funnel, what is left out, the order, and what makes a run another."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterable, Iterator

import pytest

from lading.sources.archive.inventory import (
    EXAMPLES_MAX,
    LEFT_OUT_MAX,
    Inventory,
    build_inventory,
)
from lading.sources.archive.open_batch import LEFT_OUT_SHOWN, bounded, describe
from lading.sources.archive.rules import KeyRules, KeyStage
from lading.storage.bucket import ListedObject

RULES = KeyRules()


def one(key: str, size_bytes: int = 10, etag: str = "e") -> ListedObject:
    return ListedObject(key, size_bytes, etag)


def inventory_of(*keys: str | ListedObject) -> Inventory:
    page = [key if isinstance(key, ListedObject) else one(key) for key in keys]
    return build_inventory([page], RULES)


def digest_of(*keys: str | ListedObject) -> str:
    return inventory_of(*keys).finish()


SOUND = ("BRD/VO-BRD-00001.mp4", "BRD/VO-BRD-00001.json", "DVD/AO-DVD-00002.mp3")
LEFT_OUT = ("BRD/notes.txt", "BRD/", "UMT/VO-UMT-14387.mp4", "BRD/noextension", "x.mov")
REJECTED = ("BRD/VO-BRD-123456.mp4", "DVD/VO-BRD-00001.mp4", "VO-BRD-00003.mp4")


def test_every_key_is_counted_up_to_the_rule_it_ends_at() -> None:
    inventory = inventory_of(*SOUND, *LEFT_OUT, *REJECTED)
    inventory.finish()
    assert inventory.counts.as_dict() == {
        "pages": 1,
        "listed": 11,
        "extension": 7,  # without notes.txt, the marker, noextension, x.mov
        "folder": 6,  # without UMT/
        "code": 5,  # without 123456
        "accepted": 3,
        "rejected": 3,
        "codes": 2,
        "bytes": 30,
    }


def test_nothing_is_lost_between_the_counts() -> None:
    inventory = inventory_of(*SOUND, *LEFT_OUT, *REJECTED)
    left_out = sum(each.keys for each in inventory.left_out())
    counts = inventory.counts
    assert counts.listed == counts.accepted + counts.rejected + left_out
    assert len(list(inventory.rejected())) == counts.rejected
    assert sum(len(files) for _, files in inventory.codes()) == counts.accepted


def test_what_is_left_out_is_told_by_its_rule_and_value_the_largest_first() -> None:
    inventory = inventory_of("UMT/a.pdf", "a.tif", "b.tif", "c.TIF", "BRD/", "n")
    told = [(each.stage, each.value, each.keys, each.examples) for each in inventory.left_out()]
    assert told == [
        ("extension", "tif", 3, ["a.tif", "b.tif", "c.TIF"]),
        ("extension", "", 1, ["n"]),
        ("extension", "/", 1, ["BRD/"]),
        ("folder_left_out", "UMT/", 1, ["UMT/a.pdf"]),
    ]


def test_many_values_and_many_keys_of_one_value_stay_bounded() -> None:
    keys = [f"{number}.x{number}" for number in range(LEFT_OUT_MAX + 300)]
    inventory = inventory_of(*keys, *(f"{number}.x0" for number in range(50)))
    told = {(each.stage, each.value): each for each in inventory.left_out()}
    assert len(told) == LEFT_OUT_MAX + 1
    assert told["extension", "\u2026"].keys == 300
    assert told["extension", "x0"].keys == 51
    assert max(len(each.examples) for each in told.values()) == EXAMPLES_MAX
    assert sum(each.keys for each in told.values()) == len(keys) + 50
    assert len(describe(inventory)["left_out"]) == LEFT_OUT_SHOWN


def test_codes_and_rejections_come_in_order_whatever_the_order_of_pages() -> None:
    pages = [[one("DVD/AO-DVD-00002.mp3"), one("x/VO-BRD-1.mp4")], [one(key) for key in SOUND[:2]]]
    there, back = build_inventory(pages, RULES), build_inventory(reversed(pages), RULES)
    assert there.finish() == back.finish()
    for inventory in (there, back):
        assert [(code, [f.key for f in files]) for code, files in inventory.codes()] == [
            ("AO-DVD-00002", ["DVD/AO-DVD-00002.mp3"]),
            ("VO-BRD-00001", ["BRD/VO-BRD-00001.json", "BRD/VO-BRD-00001.mp4"]),
        ]
        assert list(inventory.codes()) == list(inventory.codes())


def test_a_rejected_key_keeps_its_rule_and_what_was_found() -> None:
    inventory = inventory_of("DVD/VO-BRD-00001.mp4", "BRD/VO-BRD-00001.mp4\n", "BRD//VO-BRD-1.mp4")
    told = {key: (stage, fault.code, size) for key, size, stage, fault in inventory.rejected()}
    assert told == {
        "BRD//VO-BRD-1.mp4": (KeyStage.CODE, "code_malformed", 10),
        "DVD/VO-BRD-00001.mp4": (KeyStage.TYPE, "type_mismatch", 10),
    }
    # The newline is part of an extension that nobody allows.
    assert [(e.stage, e.value) for e in inventory.left_out()] == [("extension", "mp4\\n")]


@pytest.mark.parametrize("key", ["BRD//VO-BRD-00001.mp4", "BRD/\n/VO-BRD-00001.mp4"])
def test_a_key_of_a_good_name_that_cannot_be_asked_for_is_rejected(key: str) -> None:
    inventory = inventory_of(key, "BRD/VO-BRD-00001.mp4")
    ((found, _, _, fault),) = inventory.rejected()
    assert (found, fault.code) == (key, "key_unreadable")
    assert [len(files) for _, files in inventory.codes()] == [1]


def test_a_run_is_another_one_when_anything_it_would_act_on_or_report_is_another() -> None:
    key = SOUND[0]
    digests = [
        digest_of(),
        digest_of(key),
        digest_of(one(key, etag="other")),
        digest_of(one(key, size_bytes=11)),
        digest_of(*SOUND),
        digest_of(key, *REJECTED),
        digest_of(key, *REJECTED[1:]),
    ]
    assert len(set(digests)) == len(digests)


def test_keys_that_configuration_leaves_out_make_no_other_run() -> None:
    assert digest_of(*SOUND, *LEFT_OUT) == digest_of(*SOUND)
    assert digest_of(*SOUND, "BRD/notes2.txt") == digest_of(*SOUND, one("BRD/notes.txt", 99, "f"))


def test_a_rejected_key_makes_no_other_run_by_its_bytes() -> None:
    """They are not looked at, so there is nothing new to say of them."""
    key = REJECTED[0]
    assert digest_of(one(key, 1, "a")) == digest_of(one(key, 2, "b"))


def test_files_cannot_pass_for_others_by_where_their_names_end() -> None:
    apart = digest_of(one("BRD/VO-BRD-00001.a.mp4", 1, "2"), one("BRD/VO-BRD-00001.b.mp4", 1, "2"))
    assert apart != digest_of(one("BRD/VO-BRD-00001.a.mp4", 12, ""), "BRD/VO-BRD-00001.b.mp4")


def test_a_key_that_is_listed_twice_is_one_file_as_it_was_listed_last() -> None:
    inventory = inventory_of(one(SOUND[0], 1, "old"), one(SOUND[0], 2, "new"))
    ((_, (file,)),) = inventory.codes()
    assert (file.size_bytes, file.etag) == (2, "new")


def test_names_of_items_are_readable_bounded_and_never_the_same_for_two_keys() -> None:
    keys = [
        "BRD/VO-BRD-123456.mp4",
        "BRD/a\nb.mp4",
        "BRD/a\\nb.mp4",
        "BRD/a\\\nb.mp4",
        "BRD/" + "x" * 500 + ".mp4",
        "BRD/" + "x" * 501 + ".mp4",
        "BRD/" + "\x01" * 300 + ".mp4",
    ]
    names = [bounded(key) for key in keys]
    assert len(set(names)) == len(keys)
    assert max(map(len, names)) <= 190
    assert all(name.isprintable() for name in names)
    assert names[:2] == ["BRD/VO-BRD-123456.mp4", "BRD/a\\nb.mp4"]


def test_a_listing_that_breaks_off_leaves_nothing_behind() -> None:
    def pages() -> Iterator[list[ListedObject]]:
        yield [one(SOUND[0])]
        raise OSError("the line is cut")

    with pytest.raises(OSError, match="the line is cut"):
        build_inventory(pages(), RULES)


def test_a_closed_inventory_says_nothing_any_more() -> None:
    inventory = inventory_of(*SOUND)
    inventory.close()
    inventory.close()
    with pytest.raises(Exception, match="closed"):
        list(inventory.codes())


def test_memory_does_not_follow_the_number_of_objects() -> None:
    def peak(codes: int) -> int:
        gc.collect()
        tracemalloc.start()
        inventory = build_inventory(pages_of(codes), RULES)
        inventory.finish()
        assert sum(1 for _ in inventory.codes()) == codes
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        inventory.close()
        return found

    peak(500)  # what is imported once
    small, large = peak(1_000), peak(8_000)
    assert large < 1.3 * small


def pages_of(codes: int) -> Iterable[list[ListedObject]]:
    """Pages as a bucket gives them, with something to reject and to leave out in each."""
    for first in range(0, codes, 500):
        page = []
        for number in range(first, first + 500):
            stem = f"BRD/VO-BRD-{number:05}"
            page += [one(f"{stem}.mp4"), one(f"{stem}.json"), one(f"{stem}.tif")]
            page.append(one(f"DVD/VO-BRD-{number:05}.pdf"))
        yield page
