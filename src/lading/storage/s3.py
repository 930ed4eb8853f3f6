"""A store in a bucket of any S3-compatible service, through obstore.

A stop or a hash mismatch raised while reading aborts the upload and comes out as it is; the
service checks the signed payload hash of every part.
The client's threads do not survive a fork: start processes with `spawn` or `forkserver`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store as Client

from lading.base.errors import LadingError, RequestError, StoreError, printable
from lading.base.steps import Step, reach
from lading.storage.keys import check_key, check_prefix
from lading.storage.port import (
    Abilities,
    ObjectInfo,
    ObjectMissing,
    StoreDenied,
    StoreFull,
    StoreMismatch,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from obstore import Attributes, GetOptions, ObjectMeta
    from obstore.store import ClientConfig, S3Config

PARTS_MAX = 10_000
DEFAULT_MEDIA_TYPE = "application/octet-stream"
READ_BYTES = 4 * 1024 * 1024
_STATUS = re.compile(r"status code: (\d{3})\b")  # the client's errors have no field for it
_CODE = re.compile(r"<Code>(\w+)<")
_FULL = ("QuotaExceeded", "StorageFull", "InsufficientStorage")  # how the codes for it end


class UploadTooLarge(StoreError):
    """The object needs more parts than the service takes in one upload."""

    code = "upload_too_large"
    transient = False
    next_step = "Raise the store's option part_bytes, then retry the job."


@dataclass(frozen=True, slots=True)
class S3Options:
    """Where a bucket is and how to speak to it. Secrets do not appear in the representation.

    `checksum_sha256` adds a checksum to each put and part, beside the hash that every request is
    signed with and that all services check. Of the services tried, the imitation ministack keeps
    it for `HEAD` to show, Ceph 16 drops it, and neither refuses a wrong one.
    """

    bucket: str
    prefix: str = ""  # below which all keys lie; without slashes at its ends
    endpoint: str | None = None  # URL of the service; the region's own when None
    region: str = "us-east-1"
    access_key: str | None = field(default=None, repr=False)  # None: the machine's own role
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    path_style: bool = True  # bucket in the path, not in the host name
    allow_http: bool = False  # take an endpoint without TLS
    anonymous: bool = False  # do not sign; for public buckets
    part_bytes: int = 16 * 1024 * 1024  # size of an upload's parts, at least 5 MiB
    parts_in_flight_max: int = 4  # parts sent at a time, per upload
    timeout_s: float = 300.0  # one request, one part included
    connect_timeout_s: float = 10.0
    retries_max: int = 5  # per request, with exponential back-off
    retry_timeout_s: float = 120.0
    checksum_sha256: bool = False  # send a sha256 for the service to verify and keep, if it can

    def __post_init__(self) -> None:
        if not self.bucket:
            raise RequestError("An S3 store needs the name of its bucket")
        if self.part_bytes < 5 * 1024 * 1024:
            raise RequestError("part_bytes is too small", expected="5 MiB", found=self.part_bytes)
        if (self.access_key is None) != (self.secret_key is None):
            raise RequestError("An access key and a secret key come together or not at all")
        if self.endpoint and self.endpoint.startswith("http://") and not self.allow_http:
            raise RequestError(
                "The endpoint has no TLS",
                subject=self.endpoint,
                next_step="Use https://, or set allow_http when the network is yours.",
            )


class S3Store:
    """Objects of one bucket below one prefix. Listings come in key order and honour `after`.

    With `if_absent` the whole object is held in memory: for manifests and markers. What an upload
    that was killed leaves behind is invisible and cannot be told by owner: give the bucket a
    lifecycle rule that aborts incomplete multipart uploads after some days.
    """

    abilities = Abilities(
        user_metadata=True, atomic_create=True, local_path=False, checksum_sha256=False
    )

    def __init__(self, options: S3Options, *, name: str = "s3") -> None:
        self.name = name
        self.options = options
        self._client = connect(options)
        self._faults = S3Faults(options, name)

    def __repr__(self) -> str:
        return f"S3Store({self.options!r}, name={self.name!r})"

    def put(
        self,
        key: str,
        chunks: Iterator[bytes],
        *,
        sha256: str | None = None,
        media_type: str | None = None,
        owner: str = "",  # noqa: ARG002 - S3 has no place for the writer of an unfinished upload
        if_absent: bool = False,
    ) -> ObjectInfo:
        """Upload in one request when small, in parts otherwise, then ask what arrived."""
        check_key(key)
        if if_absent and (held := self.head(key)) is not None:
            return held
        attributes = _attributes(sha256, media_type)
        counted = _Counted(chunks, self.options.part_bytes * PARTS_MAX, key)
        with self._faults.translated("put", key, counted):
            if if_absent:
                try:
                    body = b"".join(counted)
                    obstore.put(self._client, key, body, attributes=attributes, mode="create")
                except AlreadyExistsError:
                    return self._require(key)
            else:
                self._upload(key, counted, attributes)
        info = self._require(key)
        if info.size_bytes != counted.size_bytes:
            self.delete(key)
            raise StoreMismatch(
                "The bucket holds another number of bytes than were sent; they were removed again",
                subject=key,
                expected=counted.size_bytes,
                found=info.size_bytes,
            )
        reach(Step.FILE_PLACED)
        return info

    def put_whole(
        self, key: str, body: bytes, *, sha256: str | None = None, media_type: str | None = None
    ) -> None:
        """Store `body` by one request, replacing what was there, and do not ask what arrived.

        The service refuses a body without the hash that the request was signed with.
        """
        check_key(key)
        with self._faults.translated("put", key):
            attributes = _attributes(sha256, media_type)
            obstore.put(self._client, key, body, attributes=attributes, use_multipart=False)
        reach(Step.FILE_PLACED)

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Download in chunks of about 4 MiB; see `ObjectStore.get`."""
        yield from map(bytes, self.get_views(key, offset=offset, length=length))

    def get_views(
        self, key: str, *, offset: int = 0, length: int | None = None
    ) -> Iterator[memoryview]:
        """As `get`, in views of what the client received: a copy of each would hold up threads."""
        check_key(key)
        options: GetOptions = {}
        if length is not None:
            if length == 0:
                self._require(key)
                return
            options["range"] = (offset, offset + length)
        elif offset:
            options["range"] = {"offset": offset}
        try:
            with self._faults.translated("get", key):
                stream = iter(obstore.get(self._client, key, options=options).stream(READ_BYTES))
        except RangeRefused:
            self._require(key)
            return
        while True:
            with self._faults.translated("get", key):
                chunk = next(stream, None)
            if chunk is None:
                return
            yield memoryview(chunk)

    def head(self, key: str) -> ObjectInfo | None:
        """Size and user metadata by one HEAD request; see `ObjectStore.head`.

        The services answer the same for a missing object and a missing bucket.
        """
        check_key(key)
        try:
            with self._faults.translated("head", key):
                found = obstore.get(self._client, key, options={"head": True})
                meta, attributes = found.meta, found.attributes
        except ObjectMissing:
            return None
        info = _info(meta)
        return ObjectInfo(
            key,
            info.size_bytes,
            info.modified_at,
            info.etag,
            {str(k): v for k, v in attributes.items()},
        )

    def list(self, prefix: str = "", *, after: str | None = None) -> Iterator[ObjectInfo]:
        """The objects below `prefix` in key order, a page of 1000 at a time."""
        check_prefix(prefix)
        return self._pages(prefix, after)

    def delete(self, key: str) -> None:
        """Remove the object; see `ObjectStore.delete`."""
        check_key(key)
        try:
            with self._faults.translated("delete", key):
                obstore.delete(self._client, key)
        except ObjectMissing:
            return

    def clean(self, owner: str) -> int:  # noqa: ARG002
        """Nothing: unfinished uploads are ended by the bucket's lifecycle rule."""
        return 0

    def _upload(self, key: str, chunks: _Counted, attributes: Attributes) -> None:
        # A writer, not a generator handed over: the chunks are then made on this thread outside
        # of the client, so they may themselves come from a bucket. Leaving it by an exception
        # aborts the upload.
        with obstore.open_writer(
            self._client,
            key,
            attributes=attributes,
            buffer_size=self.options.part_bytes,
            max_concurrency=self.options.parts_in_flight_max,
        ) as writer:
            for chunk in chunks:
                writer.write(chunk)

    def _pages(self, prefix: str, after: str | None) -> Iterator[ObjectInfo]:
        with self._faults.translated("list", prefix):
            pages = obstore.list(self._client, prefix or None, offset=after, chunk_size=1000)
        while True:
            with self._faults.translated("list", prefix):
                page = next(pages, None)
            if page is None:
                return
            yield from map(_info, page)

    def _require(self, key: str) -> ObjectInfo:
        info = self.head(key)
        if info is None:
            raise ObjectMissing("The object is not in the bucket", subject=key)
        return info


class S3Faults:
    """Turns what the client raises into our errors, without the secrets of the options."""

    def __init__(self, options: S3Options, name: str) -> None:
        self.options = options
        self.name = name

    @contextmanager
    def translated(
        self,
        verb: str,
        key: str,
        source: _Counted | None = None,
        *,
        let: tuple[type[Exception], ...] = (),
    ) -> Iterator[None]:
        """Errors of the client come out as ours; those of the source, and of `let`, as they are."""
        try:
            yield
        except let:
            raise
        except (BaseError, OSError, ValueError) as error:
            if source is not None and source.error is not None:
                raise source.error from None
            raise self._fault(error, verb, key) from error

    def _fault(self, error: Exception, verb: str, key: str) -> LadingError:
        text = str(error).partition("\n\nDebug source")[0]
        status, code = _STATUS.search(text), _CODE.search(text)
        return self.fault(
            verb,
            key,
            text=text,
            status=status[1] if status else "",
            code=code[1] if code else "",
            missing=isinstance(error, FileNotFoundError),
        )

    def fault(
        self, verb: str, key: str, *, text: str, status: str, code: str, missing: bool = False
    ) -> LadingError:
        """Our error for a fault of a client: its `text`, the service's `status` and `code`."""
        for secret in (self.options.secret_key, self.options.session_token):
            text = text.replace(secret, "***") if secret else text
        what = f"The store {self.name} could not {verb}: {printable(text, length_max=400)}"
        if status == "507" or code.endswith(_FULL):
            return StoreFull(what, subject=key)
        if status in ("401", "403"):
            return StoreDenied(what, subject=key)
        if code == "NoSuchBucket":
            return StoreUnavailable(
                f"The bucket {self.options.bucket} of the store {self.name} is not there",
                subject=key,
                next_step="Create the bucket or correct its name, then run it again.",
            )
        if missing and verb != "put":
            return ObjectMissing("The object is not in the bucket", subject=key)
        if status == "416" and verb == "get":
            return RangeRefused("The range begins behind the object's end", subject=key)
        return StoreUnavailable(what, subject=key)


class RangeRefused(RequestError):
    """The service has no bytes for the range asked for; `get` gives none."""

    code = "range_refused"
    http_status = 416


class _Counted:
    """An iterator that counts its bytes and keeps the error it ended with."""

    def __init__(self, chunks: Iterator[bytes], size_bytes_max: int, key: str) -> None:
        self._chunks = iter(chunks)
        self._size_bytes_max = size_bytes_max
        self._key = key
        self.size_bytes = 0
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._chunks)
            self.size_bytes += len(chunk)
            if self.size_bytes > self._size_bytes_max:
                raise UploadTooLarge(
                    f"The object has more than {PARTS_MAX} parts",
                    subject=self._key,
                    expected=f"at most {self._size_bytes_max} bytes",
                    found="more",
                )
        except StopIteration:
            raise
        except BaseException as error:
            self.error = error
            raise
        return chunk


def connect(options: S3Options) -> Client:
    """The client for the bucket. Raises `RequestError` for options that make no sense."""
    config: S3Config = {
        "region": options.region,
        "virtual_hosted_style_request": not options.path_style,
        "skip_signature": options.anonymous,
    }
    if options.endpoint:
        config["endpoint"] = options.endpoint
    if options.access_key and options.secret_key:
        config["access_key_id"] = options.access_key
        config["secret_access_key"] = options.secret_key
    if options.checksum_sha256:
        config["checksum_algorithm"] = "SHA256"
    if options.session_token:
        config["session_token"] = options.session_token
    client_options: ClientConfig = {
        "allow_http": options.allow_http,
        "timeout": timedelta(seconds=options.timeout_s),
        "connect_timeout": timedelta(seconds=options.connect_timeout_s),
    }
    try:
        return Client(
            options.bucket,
            prefix=options.prefix or None,
            config=config,
            client_options=client_options,
            retry_config={
                "max_retries": options.retries_max,
                "retry_timeout": timedelta(seconds=options.retry_timeout_s),
            },
        )
    except (BaseError, ValueError) as error:
        raise RequestError(f"The S3 store cannot be set up: {printable(str(error))}") from error


def _attributes(sha256: str | None, media_type: str | None) -> Attributes:
    attributes: Attributes = {"Content-Type": media_type or DEFAULT_MEDIA_TYPE}
    if sha256 is not None:
        attributes["sha256"] = sha256
    return attributes


def _info(meta: ObjectMeta) -> ObjectInfo:
    return ObjectInfo(meta["path"], meta["size"], meta["last_modified"], meta["e_tag"])
