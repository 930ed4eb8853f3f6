"""Sites and access packages as people set them up, give to them, and ask about them (A18)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select

from lading.accounts.values import Role
from lading.ledger.tables import ingest_event
from lading.library.sites import allow_hashes
from lading.library.tables import asset
from lading.testing.bundles import BundlePublisher
from lading.testing.console_imported import take_in, upstream_of
from lading.testing.seed_57 import SOURCE
from tests.console.browser.serving import Served
from tests.console.visitor import Sight, visiting

Serve = Callable[[str], Served]


def hash_of(served: Served, title: str) -> str:
    with served.lading.db.read() as conn:
        return str(conn.scalar(select(asset.c.content_hash).where(asset.c.title == title)))


def names(sight: Sight) -> list[str]:
    return [tile.one("b").text for tile in sight.main.one("ul", aria_label="Assets").all("li")]


def recorded(served: Served, count: int) -> list[tuple[str, str]]:
    """The last events, the newest first, with who made them."""
    with served.lading.db.read() as conn:
        rows = conn.execute(
            select(ingest_event.c.kind, ingest_event.c.actor)
            .order_by(ingest_event.c.seq.desc())
            .limit(count)
        )
        return [(row.kind, row.actor) for row in rows]


def test_a_site_is_set_up_given_content_and_loses_it_again(serve_own: Serve) -> None:
    served = serve_own("imported")
    chosen = hash_of(served, "The pass")
    with visiting(served) as otto:
        page = otto.press(
            otto.get("/library/sites"), "Set up", fill={"key": "west", "name": "Western wing"}
        )
        assert page.heading == "Western wing"
        assert "It is set up." in page.text
        page = otto.press(page, "Rename", fill={"name": "West wing"})
        assert page.heading == "West wing"
        given = f"{chosen}\nevent:first-of-may\n"
        page = otto.press(page, "Show on this site", fill={"names": given})
        assert "The site shows 2 entries more." in page.text
        seen = names(otto.get("/library/assets?site=west"))
        assert len(seen) == 5
        assert "The pass" in seen
        assert [r["Title"] for r in page.rows("Galleries, collections and events")] == [
            "The first of May"
        ]
        members = otto.get("/library/sites/west?part=members")
        assert members.rows("Members")[0]["Asset"] == f"The pass {chosen[:8]}"
        page = otto.press(members, "Take off")
        assert "1 entry taken off the site." in page.text
        assert "part=members" in page.path
        page = otto.press(otto.get("/library/sites/west"), "Take off")
        assert "This site shows nothing yet" in otto.get("/library/assets?site=west").text
        assert recorded(served, 2) == [("site_changed", "user:otto")] * 2
        history = otto.get("/library/sites/west?part=history")
        assert history.text.count("Site changed") == 6


def test_an_allow_list_takes_what_is_here_and_what_is_not(serve_own: Serve) -> None:
    served = serve_own("imported")
    here, awaited = hash_of(served, "The pass"), "a" * 64
    with visiting(served) as otto:
        page = otto.press(
            otto.get("/library/sites/north?part=allowed"),
            "Allow",
            fill={"names": f"{here}\nsha256:{awaited}\n{here}"},
        )
        assert "2 entries put on the allow list." in page.text
        states = {row["State"] for row in page.rows("Allow list")}
        assert states == {"Awaited", "In the library"}
        page = otto.press(page, "Allow", fill={"names": here})
        assert "Nothing was changed: it was so already." in page.text
        page = otto.press(page, "Take off the list", fill={"names": f"{here}\n{awaited}"})
        assert "2 entries taken off the allow list." in page.text
        assert "The allow list is empty" in page.text
        wrong = otto.post(
            "/library/sites/north/allowed",
            {"change": "allowed", "names": "event:first-of-may"},
            status=400,
        )
        assert "allow list holds content hashes alone" in wrong.root.text
        wrong = otto.post(
            "/library/sites/north/content", {"change": "granted", "names": "all of it"}, status=400
        )
        assert "this names no content" in wrong.root.text.lower()


def test_a_package_is_put_together_once_and_opened_to_sites(serve_own: Serve) -> None:
    served = serve_own("imported")
    chosen = hash_of(served, "Snow at dusk")
    with visiting(served) as otto:
        page = otto.press(
            otto.get("/library/packages"), "Set up", fill={"key": "press", "name": "Press kit"}
        )
        page = otto.press(page, "Put in", fill={"names": f"{chosen}\ngallery:sketches"})
        assert "2 entries put in the package." in page.text
        page = otto.press(page, "Open to this site", fill={"site": "north"})
        assert "The package is open to the site." in page.text
        seen = names(otto.get("/library/assets?site=north"))
        assert {"Snow at dusk", "Sketch 0"} <= set(seen)
        assert "Press kit" in otto.get("/library/sites/north").text
        page = otto.press(page, "Rename", fill={"name": "Press"})
        assert page.heading == "Press"
        page = otto.press(otto.get("/library/packages/press"), "Close")
        assert "The package is closed to the site." in page.text
        assert "Snow at dusk" not in names(otto.get("/library/assets?site=north"))
        page = otto.press(page, "Take out", fill={"names": chosen}, index=-1)
        assert "1 entry taken out of the package." in page.text
        site = otto.press(
            otto.get("/library/sites/south"), "Open to this site", fill={"package": "press"}
        )
        assert [row["Package"] for row in site.rows("Access packages")] == ["Press"]
        assert "To none yet." not in otto.get("/library/packages/press").text


def test_a_key_that_is_taken_or_cannot_be_one_is_refused_with_what_to_do(
    serve_own: Serve,
) -> None:
    with visiting(serve_own("imported")) as otto:
        taken = otto.post("/library/sites", {"key": "north", "name": "Another"}, status=409)
        assert "Choose another key" in taken.root.text
        otto.post("/library/sites", {"key": "a key", "name": "Another"}, status=422)
        otto.post("/library/packages", {"key": "lake-package", "name": "Another"}, status=409)
        otto.post("/library/sites", {"key": "lonely"}, status=400)
        otto.post("/library/sites/north/packages", {"change": "eaten", "package": "x"}, status=400)
        otto.post(
            "/library/sites/north/packages", {"change": "attached", "package": "x"}, status=404
        )


def test_numbers_on_the_page_of_a_site_are_those_of_its_lists(served: Serve) -> None:
    with visiting(served("imported"), Role.VIEWER) as vera:
        lists = vera.get("/library/sites")
        for row in lists.rows("Sites"):
            page = vera.get(f"/library/sites/{row['Key']}")
            routes = page.main.one("ul", aria_label="What it sees, by route").all("a")
            assert routes[0].one("b").text == row["Assets it sees"]
            listed = vera.get(routes[0].attributes["href"])
            assert len(names(listed)) == int(row["Assets it sees"])
        south = vera.get("/library/sites/south")
    counted = {
        a.one("span").text: a.one("b").text
        for a in south.main.one("ul", aria_label="What it sees, by route").all("a")
    }
    assert counted["Allow list"] == "2"
    assert counted["allowed and awaited"] == "1"


def test_what_a_site_allows_before_it_arrives_is_seen_when_it_does(serve_own: Serve) -> None:
    served = serve_own("imported")
    bundle = BundlePublisher(upstream_of(served.lading), seed=21).bundle()
    to_come = bundle.photo("to-come", title="Long awaited")
    with served.lading.db.write() as conn:
        allow_hashes(conn, "north", [to_come], actor="user:otto")
    with visiting(served, Role.VIEWER) as vera:
        page = vera.get("/library/sites/north?part=allowed&awaited=yes")
        assert [row["State"] for row in page.rows("Allow list")] == ["Awaited"]
        bundle.publish()
        take_in(served.lading, SOURCE)
        assert "Long awaited" in names(vera.get("/library/assets?site=north"))
        assert "Nothing matches" in vera.get(page.path).text


def test_why_a_site_sees_an_asset_is_said_by_each_route(served: Serve) -> None:
    console = served("imported")
    sails, forest = (hash_of(console, name) for name in ("Three sails", "Edge of the forest"))
    with visiting(console, Role.VIEWER) as vera:
        page = vera.get(f"/library/assets/{sails}")
        seen = vera.press(page, "Explain", fill={"site": "north"})
        unseen = vera.get(f"/library/assets/{forest}?site=north")
        on_site = vera.press(vera.get("/library/sites/north"), "Explain", fill={"asset": sails})
        wrong = vera.get("/library/sites/north?asset=not-a-hash")
        stranger = vera.get(f"/library/sites/north?asset={'0' * 64}")
    assert "Northern archive sees it." in seen.text
    assert "It is a member of the site itself." in seen.text
    assert "The package lake-package is open to the site" in seen.text
    assert "Nothing makes the asset visible on this site." in unseen.text
    assert "Northern archive sees it." in on_site.text
    assert "is no content hash" in wrong.text
    assert "The library does not have this asset." in stranger.text


CHANGES: Mapping[str, Mapping[str, Any]] = {
    "/operations": {"verb": "delete", "resource": "assets", "id": "1"},
    "/library/sites": {"key": "west", "name": "West"},
    "/library/sites/north/rename": {"name": "West"},
    "/library/sites/north/content": {"change": "revoked", "names": "event:first-of-may"},
    "/library/sites/north/allowed": {"change": "allowed", "names": "0" * 64},
    "/library/sites/north/packages": {"change": "detached", "package": "lake-package"},
    "/library/packages": {"key": "more", "name": "More"},
    "/library/packages/lake-package/rename": {"name": "More"},
    "/library/packages/lake-package/content": {"change": "added", "names": "0" * 64},
    "/library/packages/lake-package/sites": {"change": "attached", "site": "south"},
    "/library/trash/undos/1": {},
}


def test_a_viewer_sees_all_of_it_and_changes_nothing(served: Serve) -> None:
    console = served("imported")
    one = hash_of(console, "Three sails")
    pages = [
        "/library/assets", "/library/assets?view=list", f"/library/assets/{one}",
        "/library/collections", "/library/collections/lake", "/library/sites",
        "/library/sites/north", "/library/sites/south?part=allowed", "/library/packages",
        "/library/packages/lake-package", "/library/trash", "/library/trash?kind=undos",
    ]  # fmt: skip
    with visiting(console, Role.VIEWER) as vera:
        for path in pages:
            forms = vera.get(path).main.all("form")
            assert {form.attributes.get("method", "get") for form in forms} <= {"get"}, path
        for path, data in CHANGES.items():
            vera.post(path, data, status=403)
    with visiting(console) as otto:
        for path, data in CHANGES.items():
            otto.post(path, {**data, "_csrf": "wrong"}, status=403)
        assert "In the library" in otto.get(f"/library/assets/{one}").text
