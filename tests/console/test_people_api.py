"""Programs ask for people and faces what the pages show, and say of them what people say."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from PIL import Image

from lading.accounts.values import Permission, Role
from lading.base.errors import SourceError
from lading.console.actions import people as actions
from lading.media.derive import FileAt
from lading.media.faces.engine import Box, Detected, Embedding
from lading.media.faces.scanning import Scanned, detection_of, pixels_of
from lading.media.faces.settings import DetectionSettings
from lading.people.processes import FaceProcesses
from lading.testing.console_people import ANNA, ANNIE, BERT, KIND, PARTY, faces_in
from tests.console.api_client import Script, differences, picture, script
from tests.console.browser.serving import Served
from tests.console.visitor import visiting

GetServed = Callable[[str], Served]


class FacesOf(FaceProcesses):
    """Finds so many faces in every picture that can be decoded, side by side."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    @contextmanager
    def scanner(self, settings: DetectionSettings, *_: Any, **__: Any) -> Iterator[Any]:
        yield Looking(self.count, settings)


class Looking:
    def __init__(self, count: int, settings: DetectionSettings) -> None:
        self.count = count
        self.settings = settings

    def scan(self, files: Any) -> Iterator[tuple[FileAt, Scanned | SourceError]]:
        for file in files:
            try:
                pixels = pixels_of(file, 400)
            except SourceError as error:
                yield file, error
                continue
            faces = tuple(
                Detected(
                    Box(0.05 + 0.3 * at, 0.2, 0.25, 0.4), 1.0, 120, 0.3, 0.0, 0.0,
                    Embedding.of(KIND, [float(at)] * 128),
                )
                for at in range(self.count)
            )  # fmt: skip
            how = detection_of(self.settings)
            yield file, Scanned(pixels.width, pixels.height, faces, 0, KIND, how)


def jpeg(side: int = 300) -> bytes:
    written = io.BytesIO()
    Image.effect_noise((side, side), 60).convert("RGB").save(written, "JPEG")
    return written.getvalue()


@pytest.fixture(scope="module")
def looked_at(served: GetServed) -> Served:
    return served("people")


@pytest.fixture(scope="module")
def api(looked_at: Served) -> Iterator[Script]:
    with script(looked_at, name="people") as one:
        yield one


def numbers(api: Script) -> dict[str, int]:
    """Everybody's number, by name."""
    return {one["name"]: one["id"] for one in api.all("/people")}


def face_of(served: Served, name: str, at: int = 0) -> int:
    with served.lading.db.read() as conn:
        return faces_in(conn, name)[at]


def test_people_and_faces_are_told_as_the_pages_show_them(api: Script) -> None:
    [anna] = api.get("/people?q=annie")["items"]
    assert (anna["name"], anna["merged"], anna["references"]) == (ANNA, [ANNIE], 10)
    one = api.get(f"/people/{anna['id']}")
    assert one["person"] == anna
    assert {flaw["flaw"] for each in one["references"] for flaw in each["flaws"]} == {
        "outlier",
        "too_small",
        "blurred",
        "turned",
        "too_alike",
    }
    assert [each["name"] for each in one["merged"]] == [ANNIE]
    faces = api.all(f"/people/{anna['id']}/faces")
    assert [each["state"] for each in faces] == ["suggested"] * 4
    assert faces[0]["distance"] > faces[-1]["distance"]
    assert faces[0]["why"].startswith("The nearest person is")
    confirmed = api.get(f"/people/{anna['id']}/faces?state=confirmed")
    assert confirmed["count"]["value"] == anna["confirmed"] == 14
    assert api.get(f"/people/{anna['id']}/faces?state=odd", status=400)["code"] == "bad_parameter"
    assert api.get("/people/999", status=404)["code"] == "unknown_person"
    waiting = api.get("/faces/unassigned")
    groups = [each["group"] for each in waiting["items"]]
    assert (waiting["count"]["value"], groups.count(1)) == (10, 6)
    assert len(api.all("/faces/unassigned")) == 10
    assert api.get("/faces/unassigned?passed_over=true")["count"]["value"] == 2
    assert api.client.get(waiting["items"][0]["picture_url"]).status_code in {200, 401, 403}


def test_everything_can_be_rehearsed_and_leaves_no_trace(api: Script, looked_at: Served) -> None:
    who = numbers(api)
    anna, bert = who[ANNA], who[BERT]
    stranger = face_of(looked_at, f"{PARTY}/party_01.jpg", 2)
    reference = api.get(f"/people/{anna}")["references"][0]["id"]
    merged = api.get(f"/people/{anna}")["merged"][0]["id"]
    seen = {"data": base64.b64encode(jpeg()).decode(), "name": "me.jpg"}
    looked_at.lading.people.processes = FacesOf(1)
    before = picture(looked_at.lading.db)
    for method, path, body in (
        ("POST", "/people", {"name": "Eva"}),
        ("PATCH", f"/people/{anna}", {"name": "Anne"}),
        ("POST", f"/people/{anna}/references", {"face": stranger}),
        ("POST", f"/people/{anna}/references", {"picture": seen}),
        ("DELETE", f"/people/{anna}/references/{reference}", None),
        ("POST", "/people/merge", {"person": bert, "into": anna}),
        ("POST", f"/people/{merged}/unmerge", None),
        ("POST", "/people/scan", {}),
        ("POST", "/people/match", {"person": anna}),
        ("POST", "/faces/decisions", {"decision": "pass_over", "faces": [stranger]}),
        ("POST", f"/faces/{stranger}/assign", {"name": "Eva", "add": True}),
    ):
        done = api.send(method, f"{path}?dry_run=true", body)
        assert done["dry_run"] is True, path
        assert differences(before, picture(looked_at.lading.db)) == [], path


def test_programs_decide_undo_and_merge(serve_own: GetServed) -> None:
    served = serve_own("people")
    with script(served) as api:
        eva = api.send("POST", "/people", {"name": "Eva"}, status=201)["result"]["id"]
        strangers = [face_of(served, f"{PARTY}/party_{n:02}.jpg", 2) for n in (1, 3, 5)]
        body = {"decision": "confirm", "faces": [*strangers, 99_999], "person": eva}
        done = api.send("POST", "/faces/decisions", body)["result"]
        assert (done["faces"], done["gone"]) == (strangers, [99_999])
        assert api.get(f"/people/{eva}")["person"]["confirmed"] == 3
        undone = api.send("POST", f"/faces/decisions/{done['event']}/undo")["result"]
        assert undone["faces"] == strangers
        again = api.send("POST", f"/faces/decisions/{undone['event']}/undo", status=409)
        assert again["code"] == "nothing_to_undo"
        api.send("POST", f"/faces/{strangers[0]}/assign", {"name": "Nobody"}, status=404)
        api.send("POST", f"/faces/{strangers[0]}/assign", {"person": eva})
        made = api.send("POST", f"/people/{eva}/references", {"face": strangers[1]})["result"]
        assert made["reference"]
        api.send("POST", f"/people/{eva}/references", {}, status=400)
        lined = api.send("POST", "/people/match", {"person": eva})["result"]
        assert lined["matches"] == 2
        api.send("POST", "/people/match", {"source": "nowhere"}, status=409)
        wrong = api.send(
            "POST", "/faces/decisions", {"decision": "confirm", "faces": [1]}, status=400
        )
        assert wrong["code"] == "bad_face_decision"
        etag = api.client.get(f"/api/v1/people/{eva}").headers["etag"]
        renamed = api.raw("PATCH", f"/people/{eva}", {"name": "Ev"}, headers={"If-Match": etag})
        assert renamed.json()["result"]["name"] == "Ev"
        late = api.raw("PATCH", f"/people/{eva}", {"name": "E"}, headers={"If-Match": etag})
        assert (late.status_code, late.json()["code"]) == (409, "changed_meanwhile")
        bert = numbers(api)[BERT]
        api.send("POST", "/people/merge", {"person": eva, "into": bert})
        assert api.get(f"/people/{eva}")["merged_into"] == bert
        api.send("POST", f"/people/{eva}/unmerge")
        assert api.get(f"/people/{eva}")["person"]["confirmed"] == 2
    with script(served, Role.VIEWER, [Permission.READ]) as reading:
        assert reading.get("/people")["count"]["value"] == 6
        reading.send("POST", "/people", {"name": "Gil"}, status=403)
        reading.send("POST", "/faces/decisions", {"decision": "refuse", "faces": [1]}, status=403)


def test_undo_leaves_alone_what_somebody_else_said_since(serve_own: GetServed) -> None:
    served = serve_own("people")
    with script(served, name="one") as one, script(served, name="two") as two:
        eva = one.send("POST", "/people", {"name": "Eva"}, status=201)["result"]["id"]
        first, second = (face_of(served, f"{PARTY}/party_{n:02}.jpg", 2) for n in (1, 3))
        said = {"decision": "confirm", "faces": [first, second], "person": eva}
        event = one.send("POST", "/faces/decisions", said)["result"]["event"]
        two.send("POST", "/faces/decisions", {**said, "decision": "refuse", "faces": [first]})
        undone = one.send("POST", f"/faces/decisions/{event}/undo")["result"]
        assert undone["faces"] == [second]
        refused = one.get(f"/people/{eva}/faces?state=refused")["items"]
        assert [face["id"] for face in refused] == [first]
        passed = {"decision": "pass_over", "faces": [second]}
        event = one.send("POST", "/faces/decisions", passed)["result"]["event"]
        one.send("POST", f"/faces/decisions/{event}/undo")
        two.send("POST", "/faces/decisions", passed)
        assert one.send("POST", f"/faces/decisions/{event}/undo")["result"]["faces"] == []


@pytest.mark.parametrize(
    ("boundary", "body"),
    [
        ("; boundary=x", b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a"'),
        ("; boundary=x", b""),
        ("; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--'),
        ("", b"no part at all"),
    ],
)
def test_a_form_in_parts_that_breaks_off_is_answered(
    looked_at: Served, boundary: str, body: bytes
) -> None:
    headers = {
        "content-type": f"multipart/form-data{boundary}",
        "x-csrf-token": looked_at.csrf_of(Role.OPERATOR),
    }
    cookies = looked_at.cookies_of(Role.OPERATOR)
    with httpx.Client(base_url=looked_at.origin, cookies=cookies, headers=headers) as client:
        assert client.post("/people/1/references/picture", content=body).status_code == 400
        del client.headers["x-csrf-token"]
        answer = client.post("/people/1/references/picture", content=body)
        assert answer.status_code in {400, 403}


def test_a_picture_is_given_looked_into_and_told_of_with_what_is_wrong_with_it(
    serve_own: GetServed, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve_own("people")
    served.lading.people.processes = FacesOf(1)
    with script(served) as api:
        anna = numbers(api)[ANNA]
        before = len(api.get(f"/people/{anna}")["references"])
    page = f"/people/{anna}"
    with visiting(served) as visitor:
        proof = {"_csrf": served.csrf_of(Role.OPERATOR)}

        def give(
            data: bytes, name: str = "me.jpg", form: dict[str, str] = proof, **more: Any
        ) -> httpx.Response:
            return visitor.client.post(
                f"{page}/references/picture",
                data=form,
                files={"picture": (name, data, "image/jpeg")},
                headers={"origin": served.origin, "accept": "application/json"},
                **more,
            )

        answer = give(jpeg(), name="../../<b>me</b>.jpg", follow_redirects=False)
        assert answer.status_code == 303
        sight = visitor.get(answer.headers["location"])
        assert f"{ANNA} is recognised by one more image." in sight.text
        assert "<b>me< Reference" in sight.text or "b>.jpg Reference" in sight.text
        references = sight.main.one("ul", aria_label="Reference images")
        assert len(references.all("li")) == before + 1
        shown = visitor.client.get(references.all("img")[-1].attributes["src"])
        assert shown.headers["content-type"] == "image/jpeg"
        served.lading.people.processes = FacesOf(2)
        several = visitor.get(give(jpeg(), follow_redirects=False).headers["location"])
        assert f"Which face is {ANNA}'s?" in several.text
        chosen = visitor.press(several, "Use this one", index=0)
        assert len(chosen.main.one("ul", aria_label="Reference images").all("li")) == before + 2
        assert "Which face" not in chosen.text
        for data, code in (
            (jpeg()[:200], "media_damaged"),
            (b"<html>no picture</html>", "media_unsupported"),
            (b"", "media_empty"),
        ):
            refused = give(data)
            assert (refused.status_code, refused.json()["code"]) == (422, code)
        served.lading.people.processes = FacesOf(0)
        assert give(jpeg()).json()["code"] == "reference_unclear"
        monkeypatch.setattr(actions, "PICTURE_BYTES_MAX", 1_000)
        assert (give(jpeg()).status_code, give(jpeg()).json()["code"]) == (413, "picture_too_large")
        # A body beyond any bound is not even read, and one without proof not looked at.
        assert give(bytes(40 << 20)).status_code == 413
        assert give(jpeg(), form={"_csrf": "guessed"}).status_code == 403
        elsewhere = visitor.client.post(
            "/people", data=proof, files={"name": ("a", b"b")}, headers={"origin": served.origin}
        )
        assert elsewhere.status_code in {400, 415}
    with visiting(served, Role.VIEWER) as viewer:
        refused = viewer.client.post(
            f"{page}/references/picture",
            data={"_csrf": served.csrf_of(Role.VIEWER)},
            files={"picture": ("me.jpg", jpeg(), "image/jpeg")},
            headers={"origin": served.origin},
        )
        assert refused.status_code == 403
