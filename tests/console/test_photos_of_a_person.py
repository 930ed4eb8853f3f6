"""Assets are narrowed to a person: in the list, its selection, the API and its exports."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from lading.accounts.values import Role
from lading.console.pages.library_scope import assets_selection
from lading.console.readers import asset_choices
from lading.library.filters import AssetFilter
from lading.library.people import find_person
from lading.testing.console_people import ANNA, ANNIE, BERT, DORA, ODD
from tests.console.api_client import script
from tests.console.browser.serving import Served
from tests.console.visitor import Sight, visiting

GetServed = Callable[[str], Served]


@pytest.fixture(scope="module")
def looked_at(served: GetServed) -> Served:
    return served("people")


def number_of(served: Served, name: str) -> int:
    with served.lading.db.read() as conn:
        return find_person(conn, name).id


def choices(sight: Sight) -> dict[str, bool]:
    """Who can be chosen, and who is."""
    [choice] = sight.main.all("select", name="person")
    return {one.text: "selected" in one.attributes for one in choice.all("option")}


def chips(sight: Sight) -> str:
    return " ".join(one.text for one in sight.main.all("ul", class_="chips"))


def hashes(sight: Sight) -> set[str]:
    """The assets of a list."""
    found = {urlsplit(one.attributes["href"]).path for one in sight.main.all("a")}
    return {path.rpartition("/")[2] for path in found if path.startswith("/library/assets/")}


def test_who_may_only_read_finds_the_photos_of_a_person(looked_at: Served) -> None:
    anna = number_of(looked_at, ANNA)
    with script(looked_at, name="looking for anna") as api:
        faces = api.all(f"/people/{anna}/faces?state=confirmed")
    of_anna = {one["content_hash"] for one in faces if one["content_hash"]}
    assert of_anna
    with visiting(looked_at, Role.VIEWER) as viewer:
        page = viewer.get(f"/people/{anna}")
        [link] = [one for one in page.main.all("a") if one.text == f"All photos of {ANNA}"]
        listed = viewer.get(link.attributes["href"])
        assert hashes(listed) == of_anna
        assert chips(listed).startswith(f"Person: {ANNA}")
        assert list(choices(listed)) == ["Anybody", ODD, ANNA, BERT, "Cleo", DORA]
        assert choices(listed)[ANNA]
        photo = viewer.get(f"/library/assets/{min(of_anna)}")
        again, *_ = photo.main.all("a", aria_label=f"All photos of {ANNA}")
        assert again.attributes["href"] == link.attributes["href"]
        # By the number of somebody who was merged it is the same list, and Anna stands there once.
        merged = viewer.get(f"/library/assets?person={number_of(looked_at, ANNIE)}")
        assert hashes(merged) == of_anna
        assert chips(merged).startswith(f"Person: {ANNA}")
        assert [name for name, chosen in choices(merged).items() if chosen] == [ANNA]
        nobody = viewer.get("/library/assets?person=999999")
        assert "Nothing matches" in nobody.text
        assert "number 999999, who is nobody" in chips(nobody)
        assert "Ignored in the address" in viewer.get("/library/assets?person=Anna").text


def test_among_very_many_people_only_who_was_asked_for_is_offered(
    looked_at: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asset_choices, "PERSONS_MAX", 2)
    with visiting(looked_at) as visitor:
        assert not visitor.get("/library/assets").main.all("select", name="person")
        bert = visitor.get(f"/library/assets?person={number_of(looked_at, BERT)}")
    assert choices(bert) == {"Anybody": False, BERT: True}
    assert chips(bert).startswith(f"Person: {BERT}")


def test_programs_list_export_and_select_the_photos_of_a_person(looked_at: Served) -> None:
    anna = number_of(looked_at, ANNA)
    with script(looked_at, name="photos of anna") as api:
        listed = api.all(f"/assets?person={anna}")
        of_anna = {one["content_hash"] for one in listed}
        assert 0 < len(of_anna) < len(api.all("/assets"))
        exported = api.client.get(f"/api/v1/assets?person={anna}&format=ndjson").text
        assert {json.loads(line)["content_hash"] for line in exported.splitlines()} == of_anna
        table = api.client.get(f"/api/v1/assets?person={anna}&format=csv").text
        assert len(table.splitlines()) == len(of_anna) + 1
        body = {"resource": "assets", "filter": {"person": str(anna)}}
        made = api.send("POST", "/selections", body, status=201)["result"]
        assert made["count"] == len(of_anna)
        api.get("/assets?person=Anna", status=400)
    # What the page selects all by says the same.
    assert assets_selection(AssetFilter(person=anna)) == f"resource=assets&person={anna}"
