"""Streams over real sockets: nothing is lost, doubled or piled up, and every one of them ends."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import pytest
from sqlalchemy import update

from lading.base.errors import StoreError
from lading.console.live.feed import Feed
from lading.console.live.fragments import Fragment, Notice
from lading.console.live.ticks import IDS_MAX, Tick
from lading.console.live.wire import message
from lading.db import Database
from lading.jobs.tables import import_job
from lading.ledger import chain
from lading.ledger.events import QueuePaused
from tests.console.live_app import Pages, make_app, served
from tests.console.streaming import (
    QUICK,
    WITHIN_S,
    Reader,
    add_batch,
    add_running_job,
    eventually,
    head_of,
    ledger_away,
    move_batch,
    reading,
    write_events,
)

T = TypeVar("T")


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run it in a thread of its own: browsers of other tests keep a loop in the main one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


AT = datetime(2026, 6, 29, 18, 30, tzinfo=UTC)


# What is written on the wire


def test_text_of_several_lines_stays_one_message() -> None:
    assert message("a\nb\r\nc\rd", event="x", seq=5) == (
        b"event: x\nid: 5\ndata: a\ndata: b\ndata: c\ndata: d\n\n"
    )


def test_a_fragment_cannot_name_a_target_that_is_no_id() -> None:
    for wrong in ("", "a b", '"><script>', "1a", "#a"):
        with pytest.raises(ValueError, match="not an id"):
            Fragment(wrong, "")
    with pytest.raises(ValueError, match="not a name"):
        Notice("a\nid: 7", {})


# How changes add up


def tick(since: int, seq: int, **more: object) -> Tick:
    return Tick(since=since, seq=seq, at=AT, **more)  # type: ignore[arg-type]


def test_two_changes_add_up_to_one() -> None:
    both = tick(0, 3, batch_ids=frozenset({1})).then(
        tick(3, 5, batch_ids=frozenset({2}), kinds=frozenset({"x"}), clock=True)
    )
    assert (both.since, both.seq, both.batch_ids) == (0, 5, frozenset({1, 2}))
    assert both.complete
    assert both.clock
    assert both.kinds == {"x"}


def test_changes_with_a_gap_between_them_are_not_complete() -> None:
    assert not tick(0, 3).then(tick(4, 5)).complete
    assert tick(0, 3).then(tick(2, 5)).complete


def test_however_much_changes_a_tick_stays_small() -> None:
    both = tick(0, 1, batch_ids=frozenset(range(IDS_MAX))).then(tick(1, 2, job_ids=frozenset({1})))
    assert not both.complete
    assert not both.batch_ids | both.job_ids


# The follower


async def _ticks_of(feed: Feed, act: Callable[[], object], enough: Callable[[Tick], bool]) -> Tick:
    """All that a listener is told after `act`, added up until it is enough."""
    with feed.listening() as listener:
        first = await listener.next(WITHIN_S)
        assert first.tick is not None
        await asyncio.to_thread(act)
        total = first.tick
        async with asyncio.timeout(WITHIN_S):
            while not enough(total):
                news = await listener.next(WITHIN_S)
                if news.tick is not None:
                    total = total.then(news.tick)
    return total


@pytest.fixture
def feed(database: Database) -> Iterator[Feed]:
    made = Feed(database, look_every_s=0.02, clock_every_s=0.1)
    yield made
    made.close()


def test_a_listener_is_told_what_changed_in_the_ledger(feed: Feed, database: Database) -> None:
    write_events(database, 3, batch_id=1)
    before = head_of(database)

    def act() -> None:
        write_events(database, 2, batch_id=5)
        with database.write() as conn:
            chain.append(conn, QueuePaused(paused=True), actor="cli:ana", job_id=9)

    total = run_apart(_ticks_of(feed, act, lambda tick: tick.seq == before + 3))
    assert total.batch_ids == {5}
    assert total.job_ids == {9}
    assert total.kinds == {"batch_moved", "queue_paused"}
    assert total.complete
    assert total.at.tzinfo is not None


def test_a_listener_is_told_of_progress_that_is_not_in_the_ledger(
    feed: Feed, database: Database
) -> None:
    job = add_running_job(database)

    def act() -> None:
        with database.write() as conn:
            conn.execute(update(import_job).where(import_job.c.id == job).values(bytes_moved=1_000))

    total = run_apart(_ticks_of(feed, act, lambda tick: bool(tick.job_ids)))
    assert total.job_ids == {job}
    assert total.batch_ids == {7}
    assert total.seq == total.since


def test_more_than_can_be_named_is_said_to_be_incomplete(
    feed: Feed, sqlite_database: Database
) -> None:
    del feed
    followed = Feed(sqlite_database)
    assert followed.glance(0).complete
    write_events(sqlite_database, 2_001)
    assert not followed.glance(0).complete
    assert followed.glance(1).complete
    assert not followed.glance(2_002).complete, "ahead of a ledger that was restored"


def test_nobody_is_looked_for_while_nobody_listens(sqlite_database: Database) -> None:
    feed = Feed(sqlite_database, look_every_s=0.01)
    assert feed._thread is None

    async def listen_once() -> None:
        with feed.listening() as listener:
            assert (await listener.next(WITHIN_S)).tick is not None

    run_apart(listen_once())
    assert feed.listeners == 0
    # The follower forgets where it was as soon as it waits for the next listener.
    eventually(lambda: feed._seq is None)
    feed.close()
    feed.close()
    assert feed._thread is not None
    assert not feed._thread.is_alive()


def test_a_listener_that_does_not_read_is_told_once_of_everything(
    sqlite_database: Database,
) -> None:
    feed = Feed(sqlite_database, look_every_s=0.001, clock_every_s=60)

    async def listen() -> tuple[int, list[Tick]]:
        ticks: list[Tick] = []
        with feed.listening() as slow, feed.listening() as quick:
            await slow.next(WITHIN_S)
            seen = 0
            for number in range(30):
                last = await asyncio.to_thread(write_events, sqlite_database, 1, batch_id=number)
                while seen < last:
                    news = await quick.next(WITHIN_S)
                    seen = news.tick.seq if news.tick else seen
            news = await slow.next(WITHIN_S)
            assert news.tick is not None
            ticks.append(news.tick)
            assert (await slow.next(0.0)).tick is None
        return last, ticks

    last, ticks = run_apart(listen())
    assert [tick.seq for tick in ticks] == [last]
    assert ticks[0].batch_ids == set(range(30))
    assert ticks[0].complete
    feed.close()


def test_listeners_are_told_when_the_database_is_away_and_when_it_is_back(
    sqlite_database: Database,
) -> None:
    feed = Feed(sqlite_database, look_every_s=0.01, clock_every_s=0.01)

    async def listen() -> None:
        with feed.listening() as listener:
            assert (await listener.next(WITHIN_S)).stale is False
            with ledger_away(sqlite_database):
                async with asyncio.timeout(WITHIN_S):
                    while not (await listener.next(WITHIN_S)).stale:
                        pass
            last = write_events(sqlite_database, 1, batch_id=3)
            async with asyncio.timeout(WITHIN_S):
                news = await listener.next(WITHIN_S)
                while news.stale or news.tick is None or news.tick.seq < last:
                    news = await listener.next(WITHIN_S)
            assert news.tick.batch_ids == {3}

    run_apart(listen())
    feed.close()


def test_however_fast_events_come_there_are_two_ticks_a_second(
    sqlite_database: Database,
) -> None:
    feed = Feed(sqlite_database)

    def write() -> int:
        return max(write_events(sqlite_database, 20, batch_id=number) for number in range(50))

    async def listen() -> tuple[list[Tick], int]:
        ticks: list[Tick] = []
        with feed.listening() as listener:
            writing = asyncio.create_task(asyncio.to_thread(write))
            while not writing.done() or ticks[-1].seq < writing.result():
                news = await listener.next(WITHIN_S)
                if news.tick is not None:
                    ticks.append(news.tick)
        return ticks, writing.result()

    ticks, last = run_apart(listen())
    feed.close()
    assert ticks[-1].seq == last
    # By the clock of the database, which the follower asked at each look.
    gaps_s = [(b.at - a.at).total_seconds() for a, b in itertools.pairwise(ticks)]
    assert all(gap_s > 0.45 for gap_s in gaps_s), gaps_s
    assert len(ticks) >= 2


# The stream of a page


def test_a_page_is_sent_the_rows_it_shows_and_no_others(base: str, pages: Pages) -> None:
    shown, other = add_batch(pages.db, "shown"), add_batch(pages.db, "other")
    after = head_of(pages.db)
    with reading(base, f"/live?topics=batches,engine&batch={shown}&after={after}") as reader:
        reader.named("beat")
        move_batch(pages.db, other, "queued")
        move_batch(pages.db, shown, "importing")
        said = reader.until(lambda s: s.event == "message" and "b-" in s.data)
    assert said.data == (
        f'<hx-partial hx-target="#b-{shown}" hx-swap="outerMorph">'
        f'<tr id="b-{shown}"><td>importing</td></tr></hx-partial>'
    )
    assert said.id == str(after + 2)
    assert all(visible.batches == {shown} for topic, visible, _ in pages.asked if topic != "engine")


def test_what_was_sent_already_is_not_sent_again(base: str, pages: Pages) -> None:
    number = add_batch(pages.db, "one")
    after = head_of(pages.db)
    with reading(base, f"/live?topics=batches&batch={number}&after={after}") as reader:
        said = []
        for state in ("queued", "queued", "importing"):
            reader.named("beat")
            move_batch(pages.db, number, state)
            last = head_of(pages.db)
            for one in reader:
                said.append(one)
                if one.id == str(last) and one.event == "beat":
                    break
    texts = [one.data for one in said if one.event == "message"]
    assert [text.count("queued") for text in texts] == [1, 0]


def test_a_page_that_returns_is_sent_at_once_what_changed_meanwhile(
    base: str, pages: Pages
) -> None:
    number = add_batch(pages.db, "one")
    after = head_of(pages.db)
    move_batch(pages.db, number, "queued")
    path = f"/live?topics=batches&batch={number}"
    with reading(base, f"{path}&after={after}") as reader:
        assert "queued" in next(iter(reader)).data
    with reading(base, f"{path}&after=0", last_event_id=str(after)) as reader:
        assert "queued" in next(iter(reader)).data
    with reading(base, path, last_event_id=str(after + 1)) as reader:
        assert next(iter(reader)).event == "beat"


def test_a_page_that_was_away_too_long_is_told_to_read_itself_again(
    base: str, pages: Pages
) -> None:
    last = write_events(pages.db, 2_500)
    with reading(base, "/live?topics=engine&after=1") as reader:
        said = next(iter(reader))
    assert (said.event, said.id) == ("resync", str(last))
    with reading(base, f"/live?topics=engine&after={last + 5}") as reader:
        assert next(iter(reader)).event == "resync", "the ledger was restored from before"


def test_new_batches_are_announced_and_not_put_in(base: str, pages: Pages) -> None:
    add_batch(pages.db, "old")
    after = head_of(pages.db)
    with reading(base, f"/live?topics=batches&after={after}") as reader:
        reader.named("beat")
        add_batch(pages.db, "new")
        assert reader.named("batches:changed").json == {"new": 1}
    add_batch(pages.db, "newer")
    with reading(base, f"/live?topics=batches&after={after + 1}&since={after}") as reader:
        assert reader.named("batches:changed").json == {"new": 2}, "counted from the page's reading"


def test_the_answer_is_neither_stored_nor_held_back(base: str, pages: Pages) -> None:
    with reading(base, "/live?topics=engine", accept_encoding="gzip") as reader:
        headers = reader.response.headers
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["x-accel-buffering"] == "no"
        assert "no-store" in headers["cache-control"]
        assert "content-encoding" not in headers
        assert "idle" in reader.until(lambda s: s.event == "message").data.lower()


def test_a_quiet_stream_shows_that_it_lives(pages: Pages) -> None:
    app, live = make_app(pages.db, pages, clock_every_s=60.0, ping_every_s=0.02)
    with served(app, live) as base, reading(base, "/live?topics=engine&after=0") as reader:
        for _ in reader:
            if reader.pings:
                break
            write_events(pages.db, 1)
        assert reader.pings


@pytest.mark.parametrize("query", ["batch=1,x", "job=-1", "batch=" + ",".join(["1"] * 501)])
def test_a_stream_follows_numbers_and_not_too_many(base: str, query: str) -> None:
    answer = httpx.get(f"{base}/live?topics=engine&{query}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_stream_request"


def test_the_fifth_stream_of_an_account_replaces_its_first(base: str) -> None:
    with reading(base, "/live?topics=engine", account=2) as other:
        with reading(base, "/live?topics=engine") as oldest:
            oldest.named("beat")
            with reading(base, "/live?topics=engine") as second:
                second.named("beat")
                for _ in range(2):
                    threading.Thread(target=_hold_until, args=(base, second), daemon=True).start()
                with reading(base, "/live?topics=engine") as third:
                    third.named("beat")
                    oldest_said = list(oldest)
                    assert oldest_said[-1].event == "replaced"
                    second.named("beat")
        other.named("beat")


def _hold_until(base: str, _second: Reader) -> None:
    with reading(base, "/live?topics=engine") as reader:
        for _ in reader:
            pass


def test_a_stream_ends_when_its_session_does(pages: Pages) -> None:
    app, live = make_app(pages.db, pages, recheck_every_s=0.05, **QUICK)
    with served(app, live) as base, reading(base, "/live?topics=engine") as reader:
        reader.named("beat")
        pages.signed_out.add(1)
        said = list(reader)
    assert said[-1].event == "signed-out"


def test_a_stream_says_when_the_database_is_away_and_goes_on_when_it_is_back(
    base: str, pages: Pages
) -> None:
    number = add_batch(pages.db, "one")
    after = head_of(pages.db)
    with reading(base, f"/live?topics=batches&batch={number}&after={after}") as reader:
        reader.named("beat")
        with ledger_away(pages.db):
            reader.named("stale")
        move_batch(pages.db, number, "importing")
        assert "importing" in reader.until(lambda s: s.event == "message").data


def test_a_page_whose_renderer_cannot_reach_the_store_is_told_so(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> list[Fragment]:
        raise StoreError("away")

    monkeypatch.setattr(pages, "engine", away)
    app, live = make_app(pages.db, pages, **QUICK)
    with served(app, live) as base, reading(base, "/live?topics=engine") as reader:
        reader.named("stale")


def test_asking_the_process_to_stop_ends_every_stream(pages: Pages) -> None:
    app, live = make_app(pages.db, pages, **QUICK)
    with served(app, live) as base, reading(base, "/live?topics=engine") as reader:
        reader.named("beat")
        live.end_streams()
        assert list(reader)[-1].event == "closed"


@pytest.mark.parametrize(
    ("path", "accept"), [("/live?topics=engine", "*/*"), ("/api/v1/events", "text/event-stream")]
)
def test_a_stream_that_is_opened_while_the_process_stops_ends_as_the_others_do(
    pages: Pages, path: str, accept: str
) -> None:
    app, live = make_app(pages.db, pages, **QUICK)
    with served(app, live) as base:
        live.end_streams()
        with reading(base, path, accept=accept) as reader:
            assert list(reader)[-1].event == "closed"


def test_who_leaves_is_forgotten(pages: Pages) -> None:
    app, live = make_app(pages.db, pages, **QUICK)
    with served(app, live) as base:
        with reading(base, "/live?topics=engine") as reader:
            reader.named("beat")
            assert live.feed.listeners == 1
        eventually(lambda: live.feed.listeners == 0)
        assert live.pages.count(1) == 0
