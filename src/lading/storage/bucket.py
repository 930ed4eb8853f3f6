"""A bucket that others write to: listed as it is, odd keys included, and read, never written.

obstore lists and reads, since it is ten times as fast. It refuses a listing at a key that is no
plain path, and takes the slash off the marker of a folder, which is empty; such a page is listed by
botocore, which gives every key exactly as it is. Keys that are not plain paths cannot be read;
`is_plain_key` tells them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import obstore
from obstore.exceptions import InvalidPathError

from lading.base.errors import StoreError, printable
from lading.storage.botocore_client import connect_botocore, fault_of
from lading.storage.port import ObjectMissing, StoreDenied, StoreUnavailable
from lading.storage.s3 import READ_BYTES, S3Faults, S3Options, connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from obstore import ObjectMeta

PAGES_AHEAD: Final = 4
PAGE_OBJECTS: Final = 1_000
_PURPOSE: Final = "Listing a bucket of others"
_EXTRA: Final = "archive"
_DENIED: Final = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403", "401", "ExpiredToken"}
)
_NO_BUCKET: Final = frozenset({"NoSuchBucket", "404"})


class BucketMissing(StoreUnavailable):
    """There is no bucket of this name, for these credentials at this address."""

    code = "bucket_missing"
    http_status = 404
    transient = False
    next_step = "Create the bucket or correct its name and address, then run it again."


class ObjectChanged(StoreError):
    """The object under this key is not the one that was listed."""

    code = "object_changed"
    http_status = 409
    transient = False
    next_step = "Run it again; the new object is listed then."


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One object as a listing shows it. `key` is relative to the prefix, `etag` without quotes."""

    key: str
    size_bytes: int
    etag: str


def is_plain_key(key: str) -> bool:
    """Whether an object of this key can be read: a relative path of plain segments."""
    segments = key.split("/")
    return key.isprintable() and not any(part in {"", ".", ".."} for part in segments)


class Bucket:
    """One bucket below one prefix. All calls are safe from several threads.

    Raises `BucketMissing`, `StoreDenied` and `StoreUnavailable`; transient faults have been tried
    again by then, as often as the options say.
    """

    def __init__(self, options: S3Options, *, name: str) -> None:
        self.name = name
        self.options = options
        self._faults = S3Faults(options, name)
        self._reader = connect(options)
        self._prefix = f"{options.prefix}/" if options.prefix else ""
        self._lister: Any = None
        self._connecting = threading.Lock()

    def pages(self, within: str = "", *, threads: int = 4) -> Iterator[Sequence[ListedObject]]:
        """Every object below `within` (a prefix relative to ours), a page of up to 1,000 at a time.

        The folders at the top are listed side by side, so that pages come in no promised order;
        at most `threads * PAGES_AHEAD` of them wait to be taken.
        """
        waiting: queue.Queue[Sequence[ListedObject] | BaseException | None] = queue.Queue(
            threads * PAGES_AHEAD
        )
        ended = threading.Event()

        def put(page: Sequence[ListedObject] | BaseException | None) -> bool:
            while not ended.is_set():
                try:
                    waiting.put(page, timeout=0.1)
                except queue.Full:
                    continue
                return True
            return False

        lister = threading.Thread(
            target=self._list_into, args=(put, within, threads), name=f"list-{self.name}"
        )
        lister.start()
        try:
            while (page := waiting.get()) is not None:
                if isinstance(page, BaseException):
                    raise page
                yield page
        finally:
            ended.set()
            lister.join()

    def read(
        self, key: str, *, bytes_max: int, etag: str | None = None, size_bytes: int | None = None
    ) -> bytes:
        """A small object whole, at most `bytes_max` bytes of it, in one request.

        With `etag`, raises `ObjectChanged` when another object lies there by now; with
        `size_bytes` too, `StoreUnavailable` when the same one comes with another number of bytes.
        Raises `ObjectMissing`.
        """
        with self._faults.translated("get", key):
            found = obstore.get(self._reader, key)
            self._require_same(key, etag, size_bytes, found.meta)
            if found.meta["size"] > bytes_max:
                raise ObjectChanged(
                    "The object is larger than it was listed",
                    subject=key,
                    expected=f"at most {bytes_max} bytes",
                    found=f"{found.meta['size']} bytes",
                )
            body = bytes(found.bytes())
        self._require_whole(key, found.meta["size"], len(body))
        return body

    def stream(
        self, key: str, *, offset: int = 0, etag: str | None = None, size_bytes: int | None = None
    ) -> Iterator[bytes]:
        """The object's bytes from `offset` on, in chunks of about 4 MiB; see `read`."""
        size = offset
        with self._faults.translated("get", key):
            options: Any = {"range": {"offset": offset}} if offset else None
            found = obstore.get(self._reader, key, options=options)
            self._require_same(key, etag, size_bytes, found.meta)
            chunks = iter(found.stream(READ_BYTES))
        while True:
            with self._faults.translated("get", key):
                chunk = next(chunks, None)
            if chunk is None:
                break
            size += len(chunk)
            yield bytes(chunk)
        self._require_whole(key, found.meta["size"], size)

    def head(self, key: str) -> ListedObject:
        """Size and ETag of an object. Raises `ObjectMissing`."""
        with self._faults.translated("head", key):
            meta = obstore.get(self._reader, key, options={"head": True}).meta
        return ListedObject(key, meta["size"], _bare(meta["e_tag"]))

    def require(self) -> None:
        """Raise `BucketMissing`, `StoreDenied` or `StoreUnavailable` unless it can be listed."""
        with self._translated(""):
            self._client().list_objects_v2(
                Bucket=self.options.bucket, Prefix=self._prefix, MaxKeys=1
            )

    def _list_into(self, put: Callable[[Any], bool], within: str, threads: int) -> None:
        try:
            folders = self._list_top(put, within)
            with ThreadPoolExecutor(threads, thread_name_prefix=f"list-{self.name}") as pool:
                for wanted in pool.map(lambda folder: self._list_folder(put, folder), folders):
                    if not wanted:
                        pool.shutdown(wait=False, cancel_futures=True)
                        break
            put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised where the pages are taken
            put(error)

    def _list_top(self, put: Callable[[Any], bool], within: str) -> list[str]:
        """List what lies in no folder; the folders there are."""
        folders: list[str] = []
        for page, found in self._listed(within, delimiter="/"):
            folders += found
            if page and not put(page):
                return []
        return folders

    def _list_folder(self, put: Callable[[Any], bool], folder: str) -> bool:
        """List a folder: fast where keys are plain paths, exactly where they are not.

        False when nobody wants the pages any more.
        """
        last = ""
        while True:
            try:
                for page in self._plain_pages(folder, last):
                    if not put(page):
                        return False
                    last = page[-1].key
            except InvalidPathError:
                for page, _ in self._listed(folder, after=last):
                    if page and not put(page):
                        return False
                    last = page[-1].key if page else last
                    if is_plain_key(last):
                        break
                else:
                    return True
            else:
                return True

    def _plain_pages(self, folder: str, after: str) -> Iterator[list[ListedObject]]:
        """Pages of a folder; raises `InvalidPathError` where a key is, or may be, no plain path."""
        if not is_plain_key(folder.removesuffix("/")):
            raise InvalidPathError(folder)
        pages = obstore.list(
            self._reader,
            folder.removesuffix("/"),
            offset=after or None,
            chunk_size=PAGE_OBJECTS,
        )
        while True:
            with self._faults.translated("list", folder, let=(InvalidPathError,)):
                page = next(pages, None)
            if not page:
                return
            if not all(found["size"] and len(found["path"]) > len(folder) for found in page):
                raise InvalidPathError(folder)  # an empty object may be the marker of a folder
            yield [
                ListedObject(found["path"], found["size"], _bare(found["e_tag"])) for found in page
            ]

    def _listed(
        self, within: str, *, delimiter: str = "", after: str = ""
    ) -> Iterator[tuple[list[ListedObject], list[str]]]:
        """Pages of objects, each with the folders it names when there is a delimiter."""
        request = {"Bucket": self.options.bucket, "Prefix": self._prefix + within}
        if after:
            request["StartAfter"] = self._prefix + after
        if delimiter:
            request["Delimiter"] = delimiter
        cut = len(self._prefix)
        while True:
            with self._translated(within):
                page = self._client().list_objects_v2(**request)
            objects = [
                ListedObject(found["Key"][cut:], found["Size"], _bare(found.get("ETag")))
                for found in page.get("Contents", ())
            ]
            yield objects, [each["Prefix"][cut:] for each in page.get("CommonPrefixes", ())]
            if not page.get("IsTruncated"):
                return
            request.pop("StartAfter", None)
            request["ContinuationToken"] = page["NextContinuationToken"]

    def _client(self) -> Any:
        with self._connecting:
            if self._lister is None:
                self._lister = connect_botocore(self.options, purpose=_PURPOSE, extra=_EXTRA)
            return self._lister

    @contextmanager
    def _translated(self, subject: str) -> Iterator[None]:
        """Errors of botocore come out as ours, without its secrets."""
        try:
            yield
        except Exception as error:
            said = fault_of(error)
            if said is None:
                raise
            what = printable(said.text, length_max=400)
            if said.code in _NO_BUCKET:
                raise BucketMissing(
                    "There is no such bucket", subject=self.options.bucket, found=what
                ) from error
            denied = said.code in _DENIED or said.status == "401"
            fault = StoreDenied if denied else StoreUnavailable
            raise fault(
                f"The bucket of {self.name} could not be listed",
                subject=subject or self.options.bucket,
                found=what,
                next_step="Check the credentials and their permission to list the bucket."
                if denied
                else None,
            ) from error

    def _require_same(
        self, key: str, etag: str | None, size_bytes: int | None, meta: ObjectMeta
    ) -> None:
        found = _bare(meta["e_tag"])
        if etag and found != etag:
            raise ObjectChanged(
                "Another object lies there than was listed", subject=key, expected=etag, found=found
            )
        if etag and size_bytes is not None:
            self._require_whole(key, size_bytes, meta["size"])

    def _require_whole(self, key: str, expected: int, found: int) -> None:
        if found != expected:
            raise StoreUnavailable(
                "The object's bytes are fewer or more than there shall be",
                subject=key,
                expected=f"{expected} bytes",
                found=f"{found} bytes",
            )


def _bare(etag: str | None) -> str:
    """An ETag without its quotes; empty where there is none."""
    return (etag or "").strip('"')


__all__ = [
    "Bucket",
    "BucketMissing",
    "ListedObject",
    "ObjectChanged",
    "ObjectMissing",
    "is_plain_key",
]
