"""Events for scripts, by page, as lines and as a stream that outlives its server."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from sqlalchemy import event

from lading.db import Database
from lading.testing.servers_db import free_port
from tests.console.live_app import Pages, make_app, served
from tests.console.streaming import (
    QUICK,
    following,
    reading,
    write_events,
)

PROGRAM = Path(__file__).with_name("live_app.py")


def page_of(base: str, query: str = "") -> dict[str, object]:
    answer = httpx.get(f"{base}/api/v1/events?{query}")
    assert answer.status_code == 200, answer.text
    facts: dict[str, object] = answer.json()
    return facts


def test_events_come_by_page_in_order(base: str, pages: Pages) -> None:
    write_events(pages.db, 5)
    first = page_of(base, "limit=3")
    assert [item["seq"] for item in first["items"]] == [1, 2, 3]  # type: ignore[attr-defined]
    assert (first["next_after"], first["head"]) == (3, 5)
    second = page_of(base, "limit=3&after=3")
    assert [item["seq"] for item in second["items"]] == [4, 5]  # type: ignore[attr-defined]
    assert page_of(base, "after=5") == {"items": [], "next_after": 5, "head": 5}


def test_a_filter_moves_on_over_what_it_leaves_out(base: str, pages: Pages) -> None:
    write_events(pages.db, 5, batch_id=1)
    write_events(pages.db, 1, batch_id=2)
    write_events(pages.db, 5, batch_id=1)
    page = page_of(base, "batch_id=2&limit=2")
    assert [item["seq"] for item in page["items"]] == [6]  # type: ignore[attr-defined]
    assert page["next_after"] == 11
    assert page_of(base, "kinds=queue_paused")["items"] == []


def test_an_unknown_kind_is_refused_rather_than_never_found(base: str) -> None:
    answer = httpx.get(f"{base}/api/v1/events?kinds=batch_moved,batch_mvoed")
    assert answer.status_code == 400
    assert answer.json()["found"] == "batch_mvoed"


def test_all_events_come_as_lines(base: str, pages: Pages) -> None:
    write_events(pages.db, 1_203)
    answer = httpx.get(f"{base}/api/v1/events?format=ndjson&after=3")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["seq"] for line in lines] == list(range(4, 1_204))
    assert lines[0]["payload"]["reason"] == "n3"


def test_a_script_gets_old_events_and_then_new_ones(base: str, pages: Pages) -> None:
    write_events(pages.db, 501, batch_id=1)
    seen = []
    with following(base, "/api/v1/events?after=0") as reader:
        for said in reader:
            seen.append(said.json["seq"])
            if seen[-1] == 501:
                write_events(pages.db, 2)
            if seen[-1] == 503:
                break
            assert said.id == str(seen[-1])
    assert seen == list(range(1, 504))


def test_the_place_of_a_script_moves_on_over_what_it_did_not_ask_for(
    base: str, pages: Pages
) -> None:
    write_events(pages.db, 3, batch_id=2)
    write_events(pages.db, 3, batch_id=1)
    with following(base, "/api/v1/events?batch_id=2") as reader:
        for said in reader:
            if said.json["seq"] == 3:
                write_events(pages.db, 1, batch_id=2)
            if said.json["seq"] == 7:
                break
            last = reader.last_id
    assert last == "3"
    with following(base, "/api/v1/events?batch_id=2", last_event_id="6") as reader:
        assert next(iter(reader)).json["seq"] == 7


@contextmanager
def program(url: str, port: int) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), url, str(port)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROGRAM.parents[2],
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_killed_servers_lose_no_event_and_double_none(
    database: Database, database_url: str
) -> None:
    port = free_port()
    seen: list[int] = []
    last_id, wanted = "0", 0
    for round_ in range(3):
        with program(database_url, port) as process:
            wanted = write_events(database, 20)
            with following(
                f"http://127.0.0.1:{port}", "/api/v1/events", last_event_id=last_id
            ) as reader:
                try:
                    for said in reader:
                        seen.append(int(str(said.json["seq"])))
                        last_id = said.id
                        if len(seen) == 20 * round_ + 7:
                            wanted = write_events(database, 5)
                            process.kill()
                        if seen[-1] == wanted:
                            break
                except httpx.RemoteProtocolError:
                    pass  # killed
    with program(database_url, port):
        address = f"http://127.0.0.1:{port}"
        with following(address, "/api/v1/events", last_event_id=last_id) as reader:
            while seen[-1] < wanted:
                seen.append(int(str(next(iter(reader)).json["seq"])))
    assert seen == list(range(1, wanted + 1))


def test_a_reader_that_stops_reading_is_not_read_ahead_for(pages: Pages) -> None:
    app, live = make_app(pages.db, pages, **QUICK)
    for _ in range(20):
        write_events(pages.db, 2_000)
    pages_read = 0

    def count(*arguments: object) -> None:
        nonlocal pages_read
        pages_read += "FROM ingest_event" in str(arguments[2]) and "LIMIT" in str(arguments[2])

    event.listen(pages.db.engine, "before_cursor_execute", count)
    with served(app, live) as base, socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        host, port = base.removeprefix("http://").split(":")
        stuck.connect((host, int(port)))
        stuck.sendall(
            b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
        )
        # Another reader is served all the while, and its beats are the clock of this test.
        with reading(base, "/live?topics=engine") as reader:
            quiet, seen = 0, 0
            while quiet < 5:
                reader.named("beat")
                quiet, seen = (quiet + 1 if pages_read == seen > 0 else 0), pages_read
        assert pages_read < 40_000 / 500, "all of it was read, for nobody"
        received = bytearray()
        while b"id: 40000\n" not in received[-100_000:]:
            received += stuck.recv(1 << 16)
