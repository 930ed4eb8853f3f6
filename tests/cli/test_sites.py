"""Sites, packages and visibility from the command line, on the real program."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lading.testing.bundles import BundlePublisher, Published
from tests.cli.program import Program

Publish = Callable[..., Published]


@pytest.fixture
def photos(program: Program, upstream: BundlePublisher) -> list[str]:
    """Content hashes of two photos that are in the library, and in a gallery there."""
    bundle = upstream.bundle("gallery")
    hashes = [bundle.photo("one"), bundle.photo("two")]
    bundle.gallery("spring", hashes)
    bundle.publish()
    program.run("scan")
    program.run("queue", "--all-ready")
    program.run("worker", "--drain")
    return [name.removeprefix("sha256:") for name in hashes]


def test_every_route_is_given_shown_and_taken_back(program: Program, photos: list[str]) -> None:
    one, two = photos
    late = "0" * 64
    assert program.json("sites", "create", "north", "The North")["changed"]
    assert not program.json("sites", "create", "north", "The North")["changed"]
    assert program.json("packages", "create", "press", "Press kit")["changed"]
    granted = program.json("sites", "grant", "north", one, "gallery:spring")
    assert granted == {"assets": [one], "containers": ["gallery:spring"], "dry_run": False}
    assert program.json("sites", "allow", "north", f"sha256:{late}", two)["assets"] == [late, two]
    added = program.json("packages", "add", "press", two, "gallery:spring")
    assert (added["assets"], added["containers"]) == ([two], ["gallery:spring"])
    assert program.json("sites", "attach", "north", "press")["changed"]
    shown = program.json("sites", "show", "north")
    assert shown["visible"] == 2
    assert shown["awaited"] == 1
    assert shown["by_route"] == {
        "site_membership": 1,
        "container_membership": 2,
        "allow_list": 1,
        "access_package": 2,
    }
    states = {entry["content_hash"]: entry["state"] for entry in shown["allow_list"]}
    assert states == {late: "awaited", two: "present"}
    package = program.json("packages", "show", "press")
    assert (package["sites"], len(package["assets"])) == (["north"], 1)
    [line] = program.json("packages", "list")["packages"]
    assert (line["assets"], line["containers"], line["sites"]) == (1, 1, 1)
    seen = program.json("visibility", two, "--site", "north")["sites"]["north"]
    assert seen["visible"]
    assert len(seen["routes"]) == 4
    program.run("sites", "detach", "north", "press")
    program.run("sites", "revoke", "north", one, "gallery:spring")
    program.run("sites", "disallow", "north", two)
    program.run("packages", "remove", "press", two, "gallery:spring")
    hidden = program.json("visibility", two, "--site", "north", status=1)
    assert hidden["sites"]["north"]["hidden_because"] == "no_route"
    assert program.json("sites", "rename", "north", "Up North")["changed"]
    assert program.json("packages", "rename", "press", "Kit")["changed"]
    [site] = program.json("sites", "list")["sites"]
    assert (site["key"], site["name"]) == ("north", "Up North")
    events = program.run("events", "--json").stdout.splitlines()
    assert sum('"kind": "site_changed"' in event for event in events) == 10


def test_a_dry_run_says_what_would_change_and_changes_nothing(
    program: Program, photos: list[str]
) -> None:
    program.run("sites", "create", "north", "The North")
    program.run("packages", "create", "press", "Press kit")
    before = program.run("events", "--json").stdout
    for arguments in (
        ["sites", "create", "south", "The South"],
        ["sites", "rename", "north", "Another"],
        ["sites", "grant", "north", photos[0], "gallery:spring"],
        ["sites", "allow", "north", photos[0]],
        ["sites", "attach", "north", "press"],
        ["packages", "create", "kit", "Kit"],
        ["packages", "rename", "press", "Another"],
        ["packages", "add", "press", photos[0]],
    ):
        document = program.json(*arguments, "--dry-run")
        assert document["dry_run"]
        assert document.get("changed", True)
        assert "ould be" in program.run(*arguments, "--dry-run").stdout
    assert program.run("events", "--json").stdout == before
    assert len(program.json("sites", "list")["sites"]) == 1


def test_people_are_told_the_same_in_words(program: Program, photos: list[str]) -> None:
    one, _ = photos
    assert "No sites yet" in program.run("sites", "list").stdout
    assert "No access packages yet" in program.run("packages", "list").stdout
    assert "there are no sites" in program.run("visibility", one).stdout
    program.run("sites", "create", "north", "The North")
    program.run("packages", "create", "press", "Press kit")
    program.run("packages", "add", "press", one)
    program.run("sites", "attach", "north", "press")
    program.run("sites", "allow", "north", "0" * 64)
    assert "Nothing to do" in program.run("sites", "attach", "north", "press").stdout
    assert "The package press is open to the site" in program.run("visibility", one).stdout
    told = program.run("sites", "show", "north").stdout
    assert " 1 asset\n" in told
    assert "1 entry of its allow list" in told
    assert "one" in program.run("packages", "show", "press").stdout
    assert "north" in program.run("sites", "list").stdout
    assert "press" in program.run("packages", "list").stdout
    nobody = program.run("visibility", "1" * 64).stdout
    assert "The library does not have this asset." in nobody


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["sites", "show", "west"], "unknown_site"),
        (["sites", "grant", "north", "1" * 64], "unknown_asset"),
        (["sites", "grant", "north", "gallery:none"], "unknown_container"),
        (["sites", "attach", "north", "none"], "unknown_package"),
        (["sites", "create", "north", "Another"], "key_taken"),
        (["sites", "create", "a b", "Name"], "name_refused"),
        (["packages", "show", "none"], "unknown_package"),
        (["visibility", "1" * 64, "--site", "west"], "unknown_site"),
        (["sites", "allow", "north", "nonsense"], "usage"),
        (["visibility", "nonsense"], "usage"),
    ],
)
def test_what_cannot_be_done_says_why(program: Program, arguments: list[str], code: str) -> None:
    program.run("sites", "create", "north", "The North")
    assert program.run(*arguments, "--json", status=2).error["code"] == code
