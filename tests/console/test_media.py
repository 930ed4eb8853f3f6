"""The bytes of the library over HTTP, asked for by a real client over a real socket."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.console.media_rules import file_url
from lading.db import Database
from lading.library import trash
from lading.library.containers import save_container
from lading.library.values import ContainerFacts, FileFacts
from lading.sources.handover import build
from lading.storage.folder import FolderStore
from lading.storage.memory import MemoryStore
from lading.storage.port import ObjectStore, StoreUnavailable
from lading.storage.s3 import S3Store
from lading.testing.servers_s3 import S3Facts
from tests.console.media_app import Shelf, make_app, served

DATA = bytes(range(256)) * 12_001  # a little more than three chunks, of no round length
PIXELS = b"\x89PNG\r\n\x1a\n" + bytes(500)
PLAYLIST = b"#EXTM3U\n#EXTINF:2,\nsegment_000.ts\n#EXT-X-ENDLIST\n"


class Library:
    """A served library and what is in it."""

    def __init__(self, shelf: Shelf, client: httpx.Client) -> None:
        self.shelf, self.client = shelf, client
        self.film = shelf.put(DATA, "original/day one.mp4", media_type="video/mp4")
        self.hash = shelf.save("film", [self.film], asset_type="video")

    def get(self, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.client.get(self.url(), headers=headers)

    def url(self, facts: FileFacts | None = None, content_hash: str | None = None) -> str:
        facts = facts or self.film
        return file_url(content_hash or self.hash, facts.path, facts.content_version)

    def add(self, data: bytes, path: str, **facts: Any) -> tuple[str, FileFacts]:
        """An asset with this one file: its address and its facts."""
        file = self.shelf.put(data, path, **facts)
        content_hash = self.shelf.save(path + str(facts), [file])
        return self.url(file, content_hash), file


@pytest.fixture
def memory(sqlite_database: Database) -> Iterator[Library]:
    with library_on(sqlite_database, MemoryStore(name="library")) as library:
        yield library


@contextmanager
def library_on(db: Database, store: ObjectStore) -> Iterator[Library]:
    """Serves a library on a store for the block."""
    shelf = Shelf(db, store)
    with (
        served(make_app(shelf.lading)) as address,
        httpx.Client(base_url=address, trust_env=False) as client,
    ):
        yield Library(shelf, client)


def check_store(library: Library) -> None:
    """What every store must answer alike."""
    whole = library.get()
    assert whole.status_code == 200
    assert whole.content == DATA
    assert whole.headers["content-length"] == str(len(DATA))
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["etag"] == f'"{library.film.sha256}"'
    assert whole.headers["accept-ranges"] == "bytes"
    head = library.client.head(library.url())
    assert head.status_code == 200
    assert head.content == b""
    kept = {k: v for k, v in whole.headers.items() if k != "date"}
    assert {k: v for k, v in head.headers.items() if k != "date"} == kept
    for first, last in ((0, 0), (1, 1_048_577), (len(DATA) - 1, len(DATA) + 9), (5_000_000, None)):
        if first >= len(DATA):
            continue
        part = library.get({"Range": f"bytes={first}-{'' if last is None else last}"})
        expected = DATA[first : None if last is None else last + 1]
        assert part.status_code == 206
        assert part.content == expected
        end = first + len(expected) - 1
        assert part.headers["content-range"] == f"bytes {first}-{end}/{len(DATA)}"
        assert part.headers["content-length"] == str(len(expected))
    tail = library.get({"Range": "bytes=-7"})
    assert (tail.status_code, tail.content) == (206, DATA[-7:])
    beyond = library.get({"Range": f"bytes={len(DATA)}-"})
    assert (beyond.status_code, beyond.content) == (416, b"")
    assert beyond.headers["content-range"] == f"bytes */{len(DATA)}"
    known = library.get({"If-None-Match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["etag"] == whole.headers["etag"]
    resumed = library.get({"Range": "bytes=10-", "If-Range": whole.headers["etag"]})
    assert (resumed.status_code, resumed.content) == (206, DATA[10:])
    changed = library.get({"Range": "bytes=10-", "If-Range": '"another"'})
    assert (changed.status_code, changed.content) == (200, DATA)
    empty, _ = library.add(b"", "empty.txt")
    assert library.client.get(empty).content == b""
    library.shelf.store.delete(library.film.location)
    for method in ("GET", "HEAD"):
        gone = library.client.request(method, library.url())
        assert gone.status_code == 404
    assert library.get().json()["code"] == "media_missing"


def test_a_store_in_memory_is_served(memory: Library) -> None:
    check_store(memory)


def test_a_folder_is_served(sqlite_database: Database, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store", name="library", create=True)
    with library_on(sqlite_database, store) as library:
        check_store(library)


def test_a_bucket_is_served(sqlite_database: Database, s3_facts: S3Facts) -> None:
    store = S3Store(s3_facts.options(prefix=f"t/{uuid4().hex}"), name="library")
    with library_on(sqlite_database, store) as library:
        check_store(library)


@pytest.fixture
def in_place(sqlite_database: Database, tmp_path: Path) -> Iterator[tuple[Library, str, Path]]:
    """A file that stays where its upstream has it."""
    (tmp_path / "nas/films").mkdir(parents=True)
    file = tmp_path / "nas/films/day.mp4"
    file.write_bytes(DATA)
    with library_on(sqlite_database, MemoryStore(name="library")) as library:
        source = build("nas", {"root": str(tmp_path / "nas"), "keep": "in_place"})
        library.shelf.sources["nas"] = source
        facts = FileFacts(
            role="original",
            path="day.mp4",
            sha256=hashlib.sha256(DATA).hexdigest(),
            size_bytes=len(DATA),
            store="source:nas",
            location="films/day.mp4",
        )
        content_hash = library.shelf.save("in place", [facts])
        yield library, library.url(facts, content_hash), file


def test_a_file_kept_in_place_is_served(in_place: tuple[Library, str, Path]) -> None:
    library, url, _ = in_place
    assert library.client.get(url).content == DATA
    part = library.client.get(url, headers={"Range": "bytes=2000000-2000009"})
    assert (part.status_code, part.content) == (206, DATA[2_000_000:2_000_010])
    assert library.client.head(url).headers["content-length"] == str(len(DATA))


def test_a_file_changed_in_place_is_not_passed_off_as_the_one_taken_in(
    in_place: tuple[Library, str, Path],
) -> None:
    library, url, file = in_place
    file.write_bytes(DATA + b"more")
    for method in ("GET", "HEAD"):
        assert library.client.request(method, url).status_code == 410
    assert library.client.get(url).json()["code"] == "media_gone"
    file.unlink()
    assert library.client.get(url).status_code == 404
    file.symlink_to("/etc/passwd")
    assert library.client.get(url).status_code == 404
    library.shelf.sources.clear()
    assert library.client.get(url).json()["code"] == "media_away"


def test_a_source_that_is_away_is_not_taken_for_a_file_that_is_missing(
    in_place: tuple[Library, str, Path], tmp_path: Path
) -> None:
    library, url, _ = in_place
    (tmp_path / "nas").rename(tmp_path / "unmounted")
    answer = library.client.get(url)
    assert answer.status_code == 503


@pytest.mark.parametrize(
    "path",
    ["a b#c?d%20e.txt", "tür/日本.txt", "a+b&c=d.txt", "files/files/x.txt", "b\\s.txt", "'\".txt"],
)
def test_any_path_a_bundle_can_have_is_found_again(memory: Library, path: str) -> None:
    url, _ = memory.add(b"found", path)
    answer = memory.client.get(url)
    assert (answer.status_code, answer.content) == (200, b"found")
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    ["../../etc/passwd", "..%2f..%2fetc/passwd", "original", "original/", "/etc/passwd", "%00", ""],
)
def test_a_path_no_bundle_named_is_nothing(memory: Library, path: str) -> None:
    address = httpx.URL(memory.client.base_url, raw_path=b"/")
    target = f"/media/assets/{memory.hash}/files/{path}".encode()
    answer = memory.client.get(address.copy_with(raw_path=target))
    assert answer.status_code == 404


def test_what_nobody_has_is_nothing(memory: Library) -> None:
    other = "0" * 64
    assert memory.client.get(memory.url(content_hash=other)).status_code == 404
    assert memory.client.get(f"/media/assets/{other}/thumbnail").json()["code"] == "unknown_asset"
    assert memory.client.get("/media/assets/nonsense/thumbnail").status_code == 404
    assert memory.client.get("/media/containers/gallery/none/cover").status_code == 404
    assert memory.client.get("/media/containers/shelf/none/cover").status_code == 404


def test_nobody_gets_nothing_without_signing_in(memory: Library) -> None:
    for url in (
        memory.url(),
        f"/media/assets/{memory.hash}/thumbnail",
        "/media/containers/gallery/g/cover",
    ):
        for method in ("GET", "HEAD"):
            answer = memory.client.request(method, url, headers={"x-nobody": "1"})
            assert answer.status_code == 401


@pytest.mark.parametrize(
    ("path", "media_type", "shown_as", "inline"),
    [
        ("a.jpg", "image/jpeg", "image/jpeg", True),
        ("a.txt", "text/plain", "text/plain; charset=utf-8", True),
        ("en.vtt", "text/vtt", "text/vtt; charset=utf-8", True),
        ("a.pdf", None, "application/pdf", True),
        ("a.svg", "image/svg+xml", "application/octet-stream", False),
        ("a.html", "text/html", "application/octet-stream", False),
        ("a.zip", "application/zip", "application/zip", False),
        ("a.json", None, "application/json", False),
    ],
)
def test_nothing_that_a_browser_could_run_is_shown_in_it(
    memory: Library, path: str, media_type: str | None, shown_as: str, inline: bool
) -> None:
    url, _ = memory.add(b"<script>alert(1)</script>", path, media_type=media_type)
    for address, expected in ((url, inline), (url + "&download=1", False)):
        answer = memory.client.get(address)
        assert answer.headers["content-type"] == shown_as
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert policy.startswith("sandbox") == (shown_as != "application/pdf")
        kind = answer.headers["content-disposition"].partition(";")[0]
        assert kind == ("inline" if expected else "attachment")


def test_an_address_is_kept_for_good_only_while_it_names_the_content(memory: Library) -> None:
    named = memory.get()
    assert named.headers["cache-control"] == "private, max-age=31536000, immutable"
    bare = memory.client.get(memory.url().partition("?")[0])
    assert bare.headers["cache-control"] == "private, no-cache"
    newer = memory.shelf.put(DATA[:10], memory.film.path, media_type="video/mp4")
    memory.shelf.save("film", [newer], asset_type="video")
    stale = memory.get()
    assert stale.content == DATA[:10]
    assert stale.headers["cache-control"] == "private, no-cache"
    assert stale.headers["etag"] == f'"{newer.sha256}"'


def test_a_playlist_finds_its_segments_beside_it(memory: Library) -> None:
    playlist = memory.shelf.put(PLAYLIST, "hls/playlist.m3u8", role="hls")
    segment = memory.shelf.put(DATA, "hls/segment_000.ts", role="hls")
    content_hash = memory.shelf.save("streamed", [playlist, segment])
    url = urljoin(str(memory.client.base_url), memory.url(playlist, content_hash))
    answer = memory.client.get(url)
    assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"
    named = next(line for line in answer.text.splitlines() if line.endswith(".ts"))
    part = memory.client.get(urljoin(url, named), headers={"Range": "bytes=0-187"})
    assert (part.status_code, part.content) == (206, DATA[:188])
    assert part.headers["content-type"] == "video/mp2t"


def test_files_of_an_asset_in_the_trash_are_shown_and_say_so(memory: Library) -> None:
    assert "lading-in-trash" not in memory.get().headers
    with memory.shelf.db.write() as conn:
        trash.delete_assets(conn, [memory.hash], actor="ann")
    answer = memory.get()
    assert answer.content == DATA
    assert answer.headers["lading-in-trash"] == "yes"


def test_a_file_its_upstream_no_longer_names_is_gone(memory: Library) -> None:
    memory.shelf.save("film", [memory.shelf.put(b"other", "other.mp4")], asset_type="video")
    answer = memory.get()
    assert answer.status_code == 410
    assert answer.json()["code"] == "media_gone"


def test_a_thumbnail_and_a_cover_lead_to_the_picture(memory: Library) -> None:
    small = memory.shelf.put(PIXELS, "s.png", role="derivative", media_type="image/png")
    pictured = memory.shelf.save("pictured", [memory.film, small])
    target = memory.client.get(f"/media/assets/{pictured}/thumbnail")
    assert target.status_code == 302
    assert target.headers["location"] == memory.url(small, pictured)
    assert memory.client.get(target.headers["location"]).content == PIXELS
    assert memory.client.get(f"/media/assets/{memory.hash}/thumbnail").status_code == 404
    with memory.shelf.db.write() as conn:
        for key, members, cover in (
            ("by cover", [memory.hash], pictured),
            ("by member", [memory.hash, pictured], None),
            ("by none", [memory.hash], None),
        ):
            facts = ContainerFacts(kind="gallery", key=key, members=members, cover_hash=cover)
            save_container(conn, facts)
    for key in ("by cover", "by member"):
        answer = memory.client.get(f"/media/containers/gallery/{key}/cover")
        assert answer.headers["location"] == memory.url(small, pictured), key
    assert memory.client.get("/media/containers/gallery/by none/cover").status_code == 404


@given(first=st.integers(0, 3_100_000), length=st.integers(1, 1_300_000))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_part_is_the_part_that_was_asked_for(
    memory: Library, first: int, length: int
) -> None:
    answer = memory.get({"Range": f"bytes={first}-{first + length - 1}"})
    if first < len(DATA):
        assert answer.status_code == 206
        assert answer.content == DATA[first : first + length]
    else:
        assert answer.status_code == 416


class WatchedStore(MemoryStore):
    """Says when reading began and when it was let go; may break off, and waits to be read."""

    def __init__(self, *, breaks_after: int | None = None, endless: bool = False) -> None:
        super().__init__(name="library")
        self.let_go = threading.Event()
        self.read_bytes = 0
        self._breaks_after = breaks_after
        self._endless = endless

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        try:
            if self._endless:
                while True:
                    self.read_bytes += 65_536
                    yield bytes(65_536)
            for number, chunk in enumerate(super().get(key, offset=offset, length=length)):
                if number == self._breaks_after:
                    raise StoreUnavailable("the store went away")
                yield chunk
        finally:
            self.let_go.set()


def test_when_the_client_goes_away_the_store_is_let_go(sqlite_database: Database) -> None:
    store = WatchedStore(endless=True)
    with library_on(sqlite_database, store) as library:
        huge = FileFacts(
            role="original",
            path="huge.mp4",
            sha256="e" * 64,
            size_bytes=2**40,
            store="library",
            location="files/huge",
        )
        url = library.url(huge, library.shelf.save("huge", [huge]))
        base = urlsplit(str(library.client.base_url))
        with socket.create_connection((base.hostname or "", base.port or 0)) as raw:
            raw.sendall(f"GET {url} HTTP/1.1\r\nHost: {base.netloc}\r\n\r\n".encode())
            assert raw.recv(1024).startswith(b"HTTP/1.1 200")
            assert not store.let_go.is_set()
        assert store.let_go.wait(20)
        # What was read is what the sockets between us held, not what the file had.
        assert store.read_bytes < 100_000_000


def test_when_the_store_breaks_off_the_client_is_not_left_with_a_part_as_the_whole(
    sqlite_database: Database,
) -> None:
    store = WatchedStore(breaks_after=1)
    with library_on(sqlite_database, store) as library:
        with pytest.raises(httpx.RemoteProtocolError):
            library.get()
        assert store.let_go.wait(20)


def test_when_the_store_is_away_the_answer_says_so(sqlite_database: Database) -> None:
    with library_on(sqlite_database, WatchedStore(breaks_after=0)) as library:
        answer = library.get()
        assert answer.status_code == 503
        assert answer.json()["code"] == "store_unavailable"


def test_a_stored_file_that_is_too_short_is_never_passed_off_as_whole(memory: Library) -> None:
    memory.shelf.store.put(memory.film.location, iter([DATA[:-1]]))
    with pytest.raises(httpx.RemoteProtocolError):
        memory.get()
