"""The requests of an upload in parts: begin, send, list, complete and abort, through botocore.

obstore makes such uploads too, but cannot list what an earlier one has sent.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from lading.storage.botocore_client import connect_botocore, fault_of
from lading.storage.s3 import DEFAULT_MEDIA_TYPE, S3Faults, S3Options

CONNECTIONS_KEPT: Final = 128
PAGE_ENTRIES = 1_000
SEND_BYTES: Final = 256 * 1024
_NEED: Final = "Uploading a large object"
_EXTRA: Final = "catalog"
_GONE: Final = frozenset({"NoSuchUpload", "InvalidPart"})


class UploadGone(Exception):
    """Somebody else completed or aborted the upload, or replaced one of its parts."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part as the service holds it; `etag` has no quotes and is the md5 of its bytes.

    On buckets encrypted with keys of a key service the ETag is something else, so that nothing
    sent there earlier is recognised.
    """

    size_bytes: int
    etag: str
    checksum_sha256: str | None = None  # base64, where the service keeps one


@dataclass(frozen=True, slots=True)
class UnfinishedUpload:
    """An upload that was begun and neither completed nor aborted; `parts` by number from 1."""

    upload_id: str
    parts: Mapping[int, Part]

    @property
    def size_bytes(self) -> int:
        """Bytes that the service holds of it."""
        return sum(part.size_bytes for part in self.parts.values())


class MultipartClient:
    """Uploads in parts to one bucket. Safe to share between threads.

    All methods raise `MissingExtra` without botocore, the errors of the storage port, and
    `UploadGone` where they name an upload. Faults that pass were tried again by then.
    """

    def __init__(self, options: S3Options, *, name: str) -> None:
        self._options = options
        self._faults = S3Faults(options, name)
        self._prefix = f"{options.prefix}/" if options.prefix else ""
        self._client: Any = None
        self._connecting = threading.Lock()

    def unfinished(self, key: str) -> list[UnfinishedUpload]:
        """The unfinished uploads of exactly this key, with the parts they have."""
        uploads = []
        for upload_id in self._upload_ids(key):
            try:
                uploads.append(UnfinishedUpload(upload_id, self._parts(key, upload_id)))
            except UploadGone:
                continue  # it ended since it was listed
        return uploads

    def is_there(self, key: str, upload_id: str) -> bool:
        """Whether parts can still be sent to the upload."""
        try:
            self._parts(key, upload_id)
        except UploadGone:
            return False
        return True

    def begin(self, key: str, *, sha256: str, media_type: str | None) -> str:
        """Begin an upload whose object will carry `sha256` as user metadata; its identifier."""
        algorithm = {"ChecksumAlgorithm": "SHA256"} if self._options.checksum_sha256 else {}
        with self._translated("put", key) as client:
            begun = client.create_multipart_upload(
                **self._where(key),
                **algorithm,
                Metadata={"sha256": sha256},
                ContentType=media_type or DEFAULT_MEDIA_TYPE,
            )
        return str(begun["UploadId"])

    def send(self, key: str, upload_id: str, number: int, pieces: Sequence[memoryview]) -> Part:
        """Send one part; the service refuses it unless its bytes have the hash that was signed."""
        body = _Body(pieces)
        checksum = {}
        if self._options.checksum_sha256:
            digest = digest_of("sha256", pieces).digest()
            checksum = {"ChecksumSHA256": base64.b64encode(digest).decode()}
        with self._translated("put", key) as client:
            sent = client.upload_part(
                **self._where(key), **checksum, UploadId=upload_id, PartNumber=number, Body=body
            )
        return _part(sent, len(body))

    def complete(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        """Make the object of all its parts, in order; it is visible from then on."""
        listed = [
            {"PartNumber": number, "ETag": f'"{part.etag}"'}
            | ({"ChecksumSHA256": part.checksum_sha256} if part.checksum_sha256 else {})
            for number, part in enumerate(parts, start=1)
        ]
        with self._translated("put", key) as client:
            client.complete_multipart_upload(
                **self._where(key), UploadId=upload_id, MultipartUpload={"Parts": listed}
            )

    def abort(self, key: str, upload_id: str) -> None:
        """End the upload and remove its parts; nothing happens when it has ended."""
        try:
            with self._translated("delete", key) as client:
                client.abort_multipart_upload(**self._where(key), UploadId=upload_id)
        except UploadGone:
            return

    def _upload_ids(self, key: str) -> Iterator[str]:
        wanted = self._prefix + key
        page: dict[str, Any] = {}
        while True:
            with self._translated("list", key) as client:
                found = client.list_multipart_uploads(
                    Bucket=self._options.bucket, Prefix=wanted, MaxUploads=PAGE_ENTRIES, **page
                )
            uploads = found.get("Uploads", ())
            yield from (each["UploadId"] for each in uploads if each["Key"] == wanted)
            # Keys come in order: behind the key itself are only others that begin with it.
            if not found.get("IsTruncated") or not uploads or uploads[-1]["Key"] != wanted:
                return
            page = {
                "KeyMarker": found["NextKeyMarker"],
                "UploadIdMarker": found["NextUploadIdMarker"],
            }

    def _parts(self, key: str, upload_id: str) -> dict[int, Part]:
        parts: dict[int, Part] = {}
        page: dict[str, Any] = {}
        while True:
            with self._translated("list", key, gone=_GONE | {"NoSuchKey"}) as client:
                found = client.list_parts(
                    **self._where(key), UploadId=upload_id, MaxParts=PAGE_ENTRIES, **page
                )
            parts |= {
                each["PartNumber"]: _part(each, each["Size"]) for each in found.get("Parts", ())
            }
            if not found.get("IsTruncated"):
                return parts
            page = {"PartNumberMarker": found["NextPartNumberMarker"]}

    def _where(self, key: str) -> dict[str, str]:
        return {"Bucket": self._options.bucket, "Key": self._prefix + key}

    @contextmanager
    def _translated(self, verb: str, key: str, *, gone: frozenset[str] = _GONE) -> Iterator[Any]:
        """The client, whose errors come out as ours, without its secrets."""
        with self._connecting:
            if self._client is None:
                self._client = connect_botocore(
                    self._options, purpose=_NEED, extra=_EXTRA, connections_kept=CONNECTIONS_KEPT
                )
        try:
            yield self._client
        except Exception as error:
            said = fault_of(error)
            if said is None:
                raise
            if said.code in gone:
                raise UploadGone(said.code) from error
            raise self._faults.fault(
                verb, key, text=said.text, status=said.status, code=said.code
            ) from error


class _Body:
    """A part on its way: its pieces as a file, without copying them, in blocks of `SEND_BYTES`.

    The client would read 16 KiB at a time, which costs a turn of the interpreter each. Given the
    whole as bytes, it allows all of it no more time than it allows for connecting.
    """

    def __init__(self, pieces: Sequence[memoryview]) -> None:
        self._pieces = pieces
        self._size_bytes = sum(map(len, pieces))
        self.seek(0)

    def __len__(self) -> int:
        return self._size_bytes

    def tell(self) -> int:
        """The position from which `read` goes on."""
        return self._position

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Go to the start or the end, which is what clients do."""
        self._position = position if whence == os.SEEK_SET else self._size_bytes + position
        self._index, self._offset = 0, self._position
        while self._index < len(self._pieces) and self._offset >= len(self._pieces[self._index]):
            self._offset -= len(self._pieces[self._index])
            self._index += 1
        return self._position

    def read(self, size: int = -1) -> memoryview:
        """The next bytes: at most `size` or `SEND_BYTES` of them, whichever is more."""
        if self._index == len(self._pieces):
            return memoryview(b"")
        block = self._pieces[self._index][self._offset :][: max(size, SEND_BYTES)]
        self._position += len(block)
        self._offset += len(block)
        if self._offset == len(self._pieces[self._index]):
            self._index, self._offset = self._index + 1, 0
        return block


def _part(answer: Mapping[str, Any], size_bytes: int) -> Part:
    return Part(size_bytes, answer["ETag"].strip('"'), answer.get("ChecksumSHA256"))


def digest_of(algorithm: str, pieces: Sequence[memoryview]) -> hashlib._Hash:
    """The digest of a part."""
    # md5 is what services name parts by; it tells them apart, and secures nothing.
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for piece in pieces:
        digest.update(piece)
    return digest
