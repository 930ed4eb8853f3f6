"""A small S3 service in this process, for tests of archives: it counts, and fails where it is told.

It keeps objects in memory, knows what reading a bucket takes (ListObjectsV2, GET, HEAD), checks no
signature, and says of each request what it was. `front.fault` decides what goes wrong.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from lading.testing.archive_bucket import ArchiveBucket
from lading.testing.servers_s3 import S3Facts

HELD_AT_MOST_S = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `list`, `get` or `head`; the object's key, or the prefix of a listing.

    `number` counts from 1 among those of the same verb and key. `probes` tells a listing of a
    single key, by which a client asks whether the bucket is there at all.
    """

    verb: str
    key: str
    number: int
    probes: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a request is answered with in place of what is true.

    An error of `status` and `code`; or the body `cut` to that many bytes and the connection closed;
    or a length that is `off` by that many bytes; or nothing until the client gives up (`hangs`).
    """

    status: int = 200
    code: str = ""
    cut: int | None = None
    off: int = 0
    hangs: bool = False


SLOW_DOWN = Trouble(503, "SlowDown")
DENIED = Trouble(403, "AccessDenied")
NO_BUCKET = Trouble(404, "NoSuchBucket")

Fault = Callable[[Request], Trouble | None]


class Front:
    """The objects of one bucket and what was asked of it. Use `running_front`."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.requests: list[Request] = []
        self.remembers = True  # False where what is remembered would count
        self._asked: Counter[tuple[str, str]] = Counter()
        self.fault: Fault = lambda _: None
        self.healed = threading.Event()
        self._lock = threading.Lock()
        self.facts = S3Facts("", "archive", "key", "secret", "us-east-1")

    def put(self, key: str, body: bytes) -> None:
        """Keep an object."""
        self.objects[key] = (body, hashlib.md5(body, usedforsecurity=False).hexdigest())

    def forget(self) -> None:
        """Count from the beginning again."""
        with self._lock:
            self.requests.clear()
            self._asked.clear()

    def counts(self) -> Counter[str]:
        """How many requests of each verb there were."""
        with self._lock:
            return Counter(request.verb for request in self.requests)

    def note(self, verb: str, key: str, *, probes: bool = False) -> Request:
        """Count a request."""
        if not self.remembers:
            return Request(verb, key, 1, probes)
        with self._lock:
            self._asked[verb, key] += 1
            request = Request(verb, key, self._asked[verb, key], probes)
            self.requests.append(request)
            return request

    def page(self, query: dict[str, str]) -> str:
        """The answer to a listing."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("continuation-token") or query.get("start-after", "")
        size = int(query.get("max-keys", 1_000))
        encoded = query.get("encoding-type") == "url"
        shown = (lambda key: quote(key, safe="/~*")) if encoded else escape
        found: dict[str, str] = {}
        last = ""
        more = False
        for key in sorted(self.objects, key=str.encode):
            rest = key[len(prefix) :]
            if not key.startswith(prefix) or key.encode() <= after.encode():
                continue
            folder = rest.partition(delimiter)[0] if delimiter and delimiter in rest else None
            name = key if folder is None else prefix + folder + delimiter
            if folder is not None and (name in found or after.startswith(name)):
                last = key
                continue
            if len(found) == size:
                more = True
                break
            last = key
            if folder is not None:
                found[name] = f"<CommonPrefixes><Prefix>{shown(name)}</Prefix></CommonPrefixes>"
                continue
            body, etag = self.objects[key]
            found[name] = (
                f"<Contents><Key>{shown(key)}</Key><Size>{len(body)}</Size>"
                "<LastModified>2026-01-02T03:04:05.000Z</LastModified>"
                f'<ETag>"{etag}"</ETag><StorageClass>STANDARD</StorageClass></Contents>'
            )
        token = escape(last)
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>archive</Name><Prefix>{shown(prefix)}</Prefix><KeyCount>{len(found)}</KeyCount>"
            f"<MaxKeys>{size}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>"
            + ("<EncodingType>url</EncodingType>" if encoded else "")
            + (f"<NextContinuationToken>{token}</NextContinuationToken>" if more else "")
            + "".join(found.values())
            + "</ListBucketResult>"
        )


class FrontArchive(ArchiveBucket):
    """An archive's bucket behind a front; filled without a request."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.facts = front.facts  # type: ignore[misc] # another server, not another bucket

    def put(self, key: str, body: bytes = b"x") -> None:
        """Put one object under any key, as it is."""
        self.front.put(key, body)

    def delete(self, key: str) -> None:
        """Take one object away."""
        del self.front.objects[key]

    def keys(self) -> list[str]:
        """Every key, in order."""
        return sorted(self.front.objects)


@contextmanager
def running_front() -> Iterator[Front]:
    """A front on a port of its own; whatever hangs is let go at the end."""
    front = Front()

    class Handler(_Handler):
        of = front

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    front.facts = S3Facts(
        f"http://127.0.0.1:{server.server_port}", "archive", "key", "secret", "us-east-1"
    )
    thread = threading.Thread(target=lambda: server.serve_forever(0.05), name="front")
    thread.start()
    try:
        yield front
    finally:
        front.healed.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024
    of: Front

    def log_message(self, *_: Any) -> None:
        """Stay silent."""

    def do_HEAD(self) -> None:
        """Say what an object is."""
        self._object("head")

    def do_GET(self) -> None:
        """List, or give an object."""
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query, True).items()}
        if "list-type" not in query:
            self._object("get")
            return
        request = self.of.note("list", query.get("prefix", ""), probes=query.get("max-keys") == "1")
        trouble = self.of.fault(request)
        if not self._failed(trouble):
            body = self.of.page(query).encode()
            self._answer(200, body, {"Content-Type": "application/xml"}, trouble)

    def _object(self, verb: str) -> None:
        key = unquote(urlsplit(self.path).path).removeprefix("/archive/")
        trouble = self.of.fault(self.of.note(verb, key))
        if self._failed(trouble):
            return
        if key not in self.of.objects:
            self._failed(Trouble(404, "NoSuchKey"))
            return
        body, etag = self.of.objects[key]
        stated = {"ETag": f'"{etag}"', "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"}
        self._answer(200, body, stated, trouble)

    def _failed(self, trouble: Trouble | None) -> bool:
        if trouble is not None and trouble.hangs:
            self.of.healed.wait(HELD_AT_MOST_S)
            self.close_connection = True
            return True
        if trouble is None or trouble.status == 200:
            return False
        said = f"<Error><Code>{trouble.code}</Code><Message>so it is</Message></Error>".encode()
        self._answer(trouble.status, said, {"Content-Type": "application/xml"}, None)
        return True

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str], trouble: Trouble | None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + (trouble.off if trouble else 0)))
        self.end_headers()
        if self.command != "HEAD":
            sent = body if trouble is None or trouble.cut is None else body[: trouble.cut]
            self.wfile.write(sent)
        self.wfile.flush()
        if trouble is not None:
            self.close_connection = True
