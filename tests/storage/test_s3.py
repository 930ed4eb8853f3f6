from __future__ import annotations

import dataclasses
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest

from lading.base.errors import RequestError, StoreError
from lading.base.stopping import Interrupted, StopReason
from lading.storage.port import StoreDenied, StoreFull, StoreUnavailable
from lading.storage.s3 import S3Options, S3Store, UploadTooLarge
from lading.testing.servers_s3 import S3Facts
from lading.testing.store_suite import chunks_of, large_bytes, read_all


def calls(store: S3Store) -> dict[str, Callable[[], object]]:
    return {
        "put": lambda: store.put("a", iter([b"x"])),
        "put large": lambda: store.put("a", chunks_of(large_bytes())),
        "put if absent": lambda: store.put("a", iter([b"x"]), if_absent=True),
        "get": lambda: list(store.get("a")),
        "list": lambda: list(store.list()),
        "delete": lambda: store.delete("a"),
    }


def pending_uploads(facts: S3Facts) -> list[Any]:
    listed: list[Any] = facts.admin().list_multipart_uploads(Bucket=facts.bucket).get("Uploads", [])
    return listed


def test_an_upload_that_is_stopped_leaves_no_pending_parts(
    s3_store: S3Store, s3_facts: S3Facts
) -> None:
    def stopped() -> Iterator[bytes]:
        yield from chunks_of(large_bytes())
        assert pending_uploads(s3_facts) != []  # else this test would show nothing
        raise Interrupted(StopReason.OPERATOR)

    with pytest.raises(Interrupted):
        s3_store.put("a", stopped())
    assert pending_uploads(s3_facts) == []
    assert s3_store.head("a") is None


def test_a_prefix_keeps_stores_of_one_bucket_apart(s3_facts: S3Facts) -> None:
    one, other = (S3Store(s3_facts.options(prefix=p)) for p in ("apart/one", "apart/on"))
    one.put("a", iter([b"1"]))
    other.put("a", iter([b"2"]))
    assert read_all(one, "a") == b"1"
    assert [info.key for info in other.list()] == ["a"]
    whole = S3Store(s3_facts.options())
    assert [i.key for i in whole.list("apart/")] == ["apart/on/a", "apart/one/a"]


def test_an_upload_of_too_many_parts_is_refused_before_the_service_does(
    s3_store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lading.storage.s3.PARTS_MAX", 3)
    with pytest.raises(UploadTooLarge):
        s3_store.put("a", chunks_of(large_bytes()))
    assert s3_store.head("a") is None


def test_wrong_credentials_are_denied(s3_server_of: Callable[[str], S3Facts]) -> None:
    facts = s3_server_of("radosgw")  # the imitation lets everybody in
    wrong = dataclasses.replace(facts, secret_key="not-the-secret-key")
    for name, call in calls(S3Store(wrong.options())).items():
        with pytest.raises(StoreDenied) as raised:
            call()
        assert not raised.value.transient, name
        assert "not-the-secret-key" not in str(raised.value)


def test_a_missing_bucket_is_an_unavailable_store_not_a_missing_object(s3_facts: S3Facts) -> None:
    store = S3Store(dataclasses.replace(s3_facts, bucket="no-such-bucket").options())
    for name in ("put", "put large", "put if absent", "get", "list"):
        with pytest.raises(StoreUnavailable) as raised:
            calls(store)[name]()
        assert "no-such-bucket" in str(raised.value)


def test_a_service_that_is_away_is_unavailable(s3_facts: S3Facts) -> None:
    with socket.socket() as closed:  # bound and not listening: connections are refused
        closed.bind(("127.0.0.1", 0))
        away = dataclasses.replace(s3_facts, endpoint=f"http://127.0.0.1:{closed.getsockname()[1]}")
        store = S3Store(away.options(retries_max=0))
        for name, call in (calls(store) | {"head": lambda: store.head("a")}).items():
            with pytest.raises(StoreUnavailable) as raised:
                call()
            assert raised.value.transient, name
            assert "\n" not in str(raised.value)


def test_a_stop_is_still_a_stop_when_the_service_went_away_too(
    s3_store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The abort of the upload fails then; what the caller asked for must not be hidden by that."""
    broken = S3Store(dataclasses.replace(s3_store.options, retries_max=0, prefix="gone"))

    def stopped() -> Iterator[bytes]:
        yield b"x" * (6 << 20)
        raise Interrupted(StopReason.SHUTDOWN)

    def failing_exit(*_: object) -> None:
        raise OSError("the abort did not reach the service")

    class Writer:
        def __enter__(self) -> Self:
            return self

        __exit__ = failing_exit

        def write(self, data: bytes) -> None:
            assert data

    monkeypatch.setattr("obstore.open_writer", lambda *_, **__: Writer())
    with pytest.raises(Interrupted):
        broken.put("a", stopped())


def test_secrets_are_not_shown(s3_facts: S3Facts) -> None:
    options = dataclasses.replace(s3_facts.options(), session_token="the-session-token")
    for text in (repr(options), str(options), repr(S3Store(options))):
        assert s3_facts.secret_key not in text
        assert "the-session-token" not in text
        assert s3_facts.access_key not in text


def test_options_travel_to_spawned_processes(s3_facts: S3Facts) -> None:
    assert pickle.loads(pickle.dumps(s3_facts.options())) == s3_facts.options()


@pytest.mark.parametrize(
    "wrong",
    [
        {"bucket": ""},
        {"bucket": "b", "part_bytes": 1024},
        {"bucket": "b", "access_key": "only half"},
        {"bucket": "b", "endpoint": "http://127.0.0.1:9"},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        S3Options(**wrong)


@contextmanager
def service_that_answers(status: int, code: str) -> Iterator[str]:
    """A service that gives every request this answer."""

    class Answer(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = f"<Error><Code>{code}</Code></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    for method in ("GET", "PUT", "POST", "DELETE", "HEAD"):
        setattr(Answer, f"do_{method}", Answer.answer)
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "QuotaExceeded", StoreFull),
        (507, "XMinioStorageFull", StoreFull),
        (403, "AccessDenied", StoreDenied),
        (401, "Unauthorized", StoreDenied),
        (400, "InvalidRequest", StoreUnavailable),
        (500, "InternalError", StoreUnavailable),
        (503, "SlowDown", StoreUnavailable),
    ],
)
def test_answers_of_a_service_have_names(status: int, code: str, kind: type[StoreError]) -> None:
    with service_that_answers(status, code) as endpoint:
        store = S3Store(
            S3Options(
                "bucket", endpoint=endpoint, access_key="a", secret_key="b", allow_http=True,
                retries_max=0,
            )
        )  # fmt: skip
        for name, call in calls(store).items():
            if name == "put if absent":
                continue  # begins with a HEAD, whose answer has no code in it
            with pytest.raises(kind) as raised:
                call()
            assert type(raised.value) is kind, name


def test_a_secret_that_a_service_repeats_is_not_passed_on() -> None:
    with service_that_answers(403, "you sent hunter2 and token-of-mine") as endpoint:
        store = S3Store(
            S3Options(
                "bucket", endpoint=endpoint, access_key="a", secret_key="hunter2",
                session_token="token-of-mine", allow_http=True, retries_max=0,
            )
        )  # fmt: skip
        with pytest.raises(StoreDenied) as raised:
            store.put("a", iter([b"x"]))
    assert "you sent" in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert "token-of-mine" not in str(raised.value)
