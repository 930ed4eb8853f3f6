"""Whatever is typed leads to what is called so: straight there, or to a short list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select

from lading.ledger.tables import ingest_batch, ingest_event
from lading.library.tables import asset, asset_file, asset_gallery, site
from lading.operations.values import Resource, Targets
from tests.console.browser.serving import Served
from tests.console.visiting import Visitor, visiting

GetServed = Callable[[str], Served]


@pytest.fixture(scope="module")
def busy(served: GetServed) -> Iterator[Visitor]:
    """An operator who looks."""
    with visiting(served("busy")) as visitor:
        yield visitor


@pytest.fixture(scope="module")
def names(served: GetServed) -> dict[str, str]:
    """What things are called, and where they are."""
    with served("busy").lading.db.read() as conn:
        key = str(conn.scalar(select(ingest_batch.c.batch_key).limit(1)))
        content_hash = str(conn.scalar(select(asset.c.content_hash).limit(1)))
        other = conn.execute(
            select(asset_file.c.sha256, asset.c.content_hash)
            .join(asset, asset.c.id == asset_file.c.asset_id)
            .where(asset_file.c.sha256 != asset.c.content_hash, asset_file.c.role == "derivative")
            .limit(1)
        ).one()
        gallery = conn.execute(select(asset_gallery).limit(1)).one()
        started = int(
            conn.execute(
                select(ingest_event.c.seq).where(
                    ingest_event.c.job_id == 12, ingest_event.c.kind == "job_started"
                )
            ).scalar_one()
        )
        site_key = str(conn.scalar(select(site.c.key).limit(1)))
    return {
        key: f"/import/batches/{key}",
        key[:8]: f"/import/batches/{key}",
        f"  {key}\t": f"/import/batches/{key}",
        "job 12": "/jobs/12",
        "12": "/jobs/12",
        "#12": "/jobs/12",
        content_hash: f"/library/assets/{content_hash}",
        content_hash[:12]: f"/library/assets/{content_hash}",
        f"sha256:{content_hash.upper()}": f"/library/assets/{content_hash}",
        other.sha256: f"/library/assets/{other.content_hash}/files",
        gallery.key: f"/library/galleries/{gallery.id}",
        site_key: f"/library/sites/{site_key}",
        "node2": "/sources/node2",
        "ingest-2": "/workers/ingest-2/815/0b9d3a7e64a84a1d9a2f3e4d5c6b7a89",
        f"e{started}": f"/jobs/12/log?from={started}#e{started}",
        "hash_mismatch": "/problems/item.node2.hash_mismatch",
    }


def test_what_means_one_thing_leads_there(busy: Visitor, names: dict[str, str]) -> None:
    for typed, url in names.items():
        answer = busy.client.get("/go", params={"q": typed}, follow_redirects=False)
        assert answer.status_code == 303, typed
        assert answer.headers["location"] == url, typed


def test_an_operation_is_found_by_its_key(serve_own: GetServed) -> None:
    served = serve_own("busy")
    made = served.lading.operations.start(
        "prioritise", _jobs(17), {"priority": 2}, actor="user:otto"
    )
    with visiting(served) as visitor:
        answer = visitor.client.get("/go", params={"q": made.key}, follow_redirects=False)
        assert answer.headers["location"] == f"/operations/{made.key}"


def _jobs(*ids: int) -> Targets:

    return Targets(resource=Resource.JOBS, ids=ids)


def test_what_means_several_things_is_a_list_of_them(served: GetServed, busy: Visitor) -> None:
    with served("busy").lading.db.read() as conn:
        titles = [str(title) for title in conn.scalars(select(asset.c.title)) if title]
    words = Counter(word for title in titles for word in set(title.split()))
    (word, times), *_ = words.most_common()
    assert times > 1
    page = busy.get(f"/go?q={word}")
    (hits,) = page.all("ul", class_="hits")
    assert len(hits.all("li")) > 1
    assert all(word.lower() in hit.text.lower() for hit in hits.all("li"))


@pytest.mark.parametrize("typed", ["no such thing", "%", "_", "'; drop", "\0", "ff" * 40, "日本"])
def test_what_is_called_by_nobody_is_said_to_be(busy: Visitor, typed: str) -> None:
    answer = busy.client.get("/go", params={"q": typed})
    assert answer.status_code == 200
    assert "Nothing is called so" in answer.text or "Type the number" in answer.text


def test_nothing_typed_says_what_can_be(busy: Visitor) -> None:
    assert "Type the number of a job" in busy.get("/go").text
