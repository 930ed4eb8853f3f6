"""An archive whose bucket is in memory, and an installation that took it in by several runs.

Nothing of it needs a server: pages read the ledger and the library, and runs that tests start read
the bucket that lies here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from lading.bootstrap import Lading
from lading.ingest.source import Source
from lading.sources.archive.options import ArchiveOptions
from lading.sources.archive.run_jobs import enqueue_run
from lading.sources.archive.source import ArchiveSource
from lading.storage.bucket import Bucket, ListedObject, ObjectChanged
from lading.storage.port import ObjectMissing
from lading.testing.console_imported import ACTOR, drain

ARCHIVE: Final = "archive"
BUCKET_TOML: Final = """
[sources.archive]
kind = "archive"
bucket = "ach"
endpoint = "http://127.0.0.1:9"
access_key = "nobody"
secret_key = "of-no-worth"
allow_http = true
required = ["json", "md5"]
"""
"""Its address answers nobody: whatever a test reads comes from memory."""

PAGE_OBJECTS: Final = 1_000
COMPLETE: Final = "VO-BRD-14387"
"""A code with all of its files."""
WITHOUT_REPORT: Final = "VO-BRD-14391"
ONLY_REJECTED: Final = "VO-BRD-14395"
"""A code that was rejected by every run."""
ODD: Final = "VO-FIL-00002"
"""A code with a checksum of its master, which is not there: a safe run does not let that pass."""

_PDF: Final = b"%PDF-1.4\n1 0 obj<<>>endobj\nxref\n0 1\ntrailer<<>>\nstartxref\n9\n%%EOF\n"


class MemoryBucket(Bucket):
    """A bucket of objects in memory, as `Bucket` reads one."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self.name = ARCHIVE
        self.objects = dict(objects)

    def pages(self, within: str = "", *, threads: int = 4) -> Iterator[Sequence[ListedObject]]:
        """The keys that begin so, in order."""
        del threads
        keys = sorted(key for key in self.objects if key.startswith(within))
        for first in range(0, len(keys), PAGE_OBJECTS):
            yield [self.head(key) for key in keys[first : first + PAGE_OBJECTS]]

    def read(
        self, key: str, *, bytes_max: int, etag: str | None = None, size_bytes: int | None = None
    ) -> bytes:
        """An object whole."""
        body = b"".join(self.stream(key, etag=etag, size_bytes=size_bytes))
        if len(body) > bytes_max:
            raise ObjectChanged("the object is larger than it was listed", subject=key)
        return body

    def stream(
        self, key: str, *, offset: int = 0, etag: str | None = None, size_bytes: int | None = None
    ) -> Iterator[bytes]:
        """An object from `offset` on, in one piece."""
        del size_bytes  # what an ETag is of has one size
        if etag and self.head(key).etag != etag:
            raise ObjectChanged("another object lies there", subject=key)
        yield self.objects[key][offset:]

    def head(self, key: str) -> ListedObject:
        """Size and ETag."""
        if key not in self.objects:
            raise ObjectMissing("there is no such object", subject=key)
        body = self.objects[key]
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return ListedObject(key, len(body), digest)

    def require(self) -> None:
        """It is always there."""


class MemoryArchive(ArchiveSource):
    """An archive source on such a bucket."""

    def __init__(self, name: str, options: ArchiveOptions, bucket: MemoryBucket) -> None:
        super().__init__(name, options)
        self.bucket = bucket

    def narrowed(self, within: str) -> ArchiveSource:
        """The same, of which only keys that begin so are listed."""
        source = super().narrowed(within)
        source.bucket = self.bucket
        return source


def put_in_memory(lading: Lading, objects: Mapping[str, bytes]) -> MemoryBucket:
    """Let the archive of an open installation read these objects from now on."""
    sources = cast("dict[str, Source]", lading.ingest.parts.sources)
    configured = sources[ARCHIVE]
    if not isinstance(configured, ArchiveSource):
        raise TypeError(f"{ARCHIVE} is no archive")
    bucket = MemoryBucket(objects)
    sources[ARCHIVE] = MemoryArchive(ARCHIVE, configured.options, bucket)
    return bucket


def make_archive(lading: Lading) -> None:
    """A dry run, a safe run that stopped, a run that took most of it in, and one that waits."""
    bucket = put_in_memory(lading, archive_objects())
    _run(lading, dry_run=True)
    _run(lading, safe_run=True, prefix="FILE/")
    _run(lading)
    bucket.objects.update(code_objects("AUD", "AO-AUD-00077"))
    _run(lading, dry_run=True, safe_run=True, prefix="AUD/")
    parts = lading.ingest.parts
    enqueue_run(parts, ARCHIVE, actor=ACTOR, dry_run=True, safe_run=False, prefix="BRD/")


def _run(
    lading: Lading, *, dry_run: bool = False, safe_run: bool = False, prefix: str = ""
) -> None:
    enqueue_run(
        lading.ingest.parts,
        ARCHIVE,
        actor=ACTOR,
        dry_run=dry_run,
        safe_run=safe_run,
        prefix=prefix,
    )
    drain(lading)


def archive_objects() -> dict[str, bytes]:
    """A bucket with some of everything that a run has to say something about."""
    found: dict[str, bytes] = {}
    for number in range(14380, 14390):
        found |= code_objects("BRD", f"VO-BRD-{number}")
    for number in range(1, 6):
        found |= code_objects("AUD", f"AO-AUD-{number:05d}")
    for number in range(1, 4):
        found |= code_objects("FILE", f"VO-FIL-{number:05d}")
    found |= _odd()
    found |= _rejected_codes()
    found |= dict.fromkeys(_LEFT_OUT, b"left out")
    found |= dict.fromkeys(_REJECTED, b"rejected")
    return found


def code_objects(folder: str, code: str, *, master: str | None = None) -> dict[str, bytes]:
    """The four files of an inventory code."""
    base = f"{folder}/{code}"
    extension = "mp4" if code.startswith("V") else "mp3"
    body = f"the streaming copy of {code}".encode()
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return {
        f"{base}.{extension}": body,
        f"{base}.json": json.dumps(master_document(code)).encode(),
        f"{base}.md5": f"{digest}  {master or f'{code}.{extension}'}\n".encode(),
        f"{base}.pdf": _PDF,
    }


def master_document(code: str) -> dict[str, Any]:
    """What ffprobe says of a master."""
    sound = {
        "index": 1,
        "codec_type": "audio",
        "codec_name": "pcm_s24le",
        "sample_rate": "48000",
        "channels": 2,
        "duration": "1834.520000",
    }
    picture = {
        "index": 0,
        "codec_type": "video",
        "codec_name": "prores",
        "width": 720,
        "height": 576,
        "duration": "1834.520000",
    }
    film = code.startswith("V")
    return {
        "streams": [picture, sound] if film else [{**sound, "index": 0}],
        "format": {
            "filename": f"{code}.{'mov' if film else 'wav'}",
            "nb_streams": 2 if film else 1,
            "format_name": "mov,mp4,m4a,3gp,3g2,mj2" if film else "wav",
            "format_long_name": "QuickTime / MOV" if film else "WAV / WAVE (Waveform Audio)",
            "duration": "1834.520000",
            "size": "11274289152" if film else "528341760",
            "tags": {"major_brand": "qt  "} if film else {},
        },
    }


def _odd() -> dict[str, bytes]:
    """Taken in, though something about them is to be said."""
    files = code_objects("BRD", WITHOUT_REPORT)
    del files[f"BRD/{WITHOUT_REPORT}.pdf"]
    files |= code_objects("FILE", ODD)
    files[f"FILE/{ODD}.md5"] += f"{'0' * 32}  {ODD}.mov\n".encode()
    return files


def _rejected_codes() -> dict[str, bytes]:
    """Codes that are well-formed, and not taken in for what their files are."""
    files = code_objects("BRD", ONLY_REJECTED)
    files[f"BRD/{ONLY_REJECTED}.md5"] = f"{'f' * 32}  {ONLY_REJECTED}.mp4\n".encode()
    lacking = code_objects("BRD", "VO-BRD-14396")
    del lacking["BRD/VO-BRD-14396.json"], lacking["BRD/VO-BRD-14396.md5"]
    broken = code_objects("BRD", "VO-BRD-14397")
    broken["BRD/VO-BRD-14397.json"] = b'{"format": {"filename": '
    alone = {"BRD/VO-BRD-14398.md5": b"d41d8cd98f00b204e9800998ecf8427e\n"}
    empty = code_objects("AUD", "AO-AUD-00009")
    empty["AUD/AO-AUD-00009.mp3"] = b""
    return {**files, **lacking, **broken, **alone, **empty}


_LEFT_OUT: Final = (
    *(f"UMT/VO-UMT-{number:05d}.mp4" for number in range(1, 8)),
    "TEST-FOLDER-DEV/VO-BRD-14387.mp4",
    *(f"BRD/VO-BRD-{number}.mov" for number in range(14380, 14383)),
    "BRD/Thumbs.db",
    "BRD/",
)
_REJECTED: Final = (
    "BRD/vo-brd-14399.mp4",
    "BRD/V0-BRD-14400.mp4",
    "BRD/VO_BRD_14401.mp4",
    "BRD/VO-BRD-1440.mp4",
    "BRD/VO-BRD-144021.json",
    "BRD/=VO-BRD-14403.pdf",
    "DVD/VO-BRD-14404.mp4",
    "DVD/VO-BRD-14404.json",
    "BETACAM SP/VO-BRD-14405.mp4",
    "VO-BRD-14406.mp4",
)
