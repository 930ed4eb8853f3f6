"""Fills a bucket the way an archive does: streaming copies with their sidecars, and odd keys.

What is put without further words passes every rule; each argument breaks one of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from lading.testing.servers_s3 import S3Facts

PDF: Final = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\nxref\n0 1\n0000000000 65535 f \n"
    b"trailer<</Root 1 0 R>>\nstartxref\n44\n%%EOF\n"
)
PUT_THREADS: Final = 8


class ArchiveBucket:
    """One bucket of its own on a server of ours; use `drop` only where the server outlives it.

    `facts` names the new bucket, so `facts.endpoint` and the rest are those of the server.
    """

    def __init__(self, server: S3Facts, *, name: str | None = None) -> None:
        self.facts: Final = replace(server, bucket=name or f"archive-{uuid4().hex[:12]}")
        self._client: Any = self.facts.admin()
        self._client.create_bucket(Bucket=self.facts.bucket)

    @property
    def environment(self) -> dict[str, str]:
        """The documented names (B8) that make this bucket an archive; nothing of a database."""
        return {
            "BUCKET_NAME": self.facts.bucket,
            "AWS_ENDPOINT_URL": self.facts.endpoint,
            "AWS_REGION": self.facts.region,
            "AWS_ACCESS_KEY_ID": self.facts.access_key,
            "AWS_SECRET_ACCESS_KEY": self.facts.secret_key,
        }

    def source_table(self, name: str = "archive", **options: Any) -> str:
        """The table of `lading.toml` that makes this bucket the source `name`."""
        values = {
            "kind": "archive",
            "bucket": self.facts.bucket,
            "endpoint": self.facts.endpoint,
            "region": self.facts.region,
            "access_key": self.facts.access_key,
            "secret_key": self.facts.secret_key,
            "allow_http": True,
            **options,
        }
        # JSON's plain values and lists are TOML's.
        lines = (f"{key} = {json.dumps(value)}" for key, value in values.items())
        return "\n".join([f"[sources.{name}]", *lines, ""])

    def put(self, key: str, body: bytes = b"x") -> None:
        """Put one object under any key, as it is."""
        self._client.put_object(Bucket=self.facts.bucket, Key=key, Body=body)

    def delete(self, key: str) -> None:
        """Take one object away."""
        self._client.delete_object(Bucket=self.facts.bucket, Key=key)

    def keys(self) -> list[str]:
        """Every key, in order."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.facts.bucket)
        return sorted(found["Key"] for page in pages for found in page.get("Contents", ()))

    def put_code(
        self,
        code: str,
        *,
        folder: str | None = None,
        body: bytes | None = None,
        without: Collection[str] = (),
        metadata: Mapping[str, Any] | bytes | None = None,
        md5_of: bytes | None = None,
        bare_md5: bool = False,
        report: bytes = PDF,
    ) -> list[str]:
        """Put the streaming copy of a code and its three sidecars; returns their keys.

        `folder` is otherwise the type in the code. `without` names extensions to leave out.
        `metadata` is the JSON sidecar, else that of a QuickTime (V) or WAVE (A) master. The
        checksum is of `md5_of`, else of `body`; a bare one names no file.
        """
        copy_extension = "mp4" if code[0] == "V" else "mp3"
        content = f"streaming copy of {code}".encode() if body is None else body
        top = code[3:6] if folder is None else folder
        stem = f"{top}/{code}" if top else code
        digest = hashlib.md5(content if md5_of is None else md5_of, usedforsecurity=False)
        named = "" if bare_md5 else f"  {code}.{copy_extension}"
        chosen = master_metadata(code) if metadata is None else metadata
        bodies = {
            copy_extension: content,
            "json": chosen if isinstance(chosen, bytes) else json.dumps(chosen).encode(),
            "md5": f"{digest.hexdigest()}{named}\n".encode(),
            "pdf": report,
        }
        put = {f"{stem}.{ext}": one for ext, one in bodies.items() if ext not in without}
        for key, one in put.items():
            self.put(key, one)
        return list(put)

    def put_codes(self, count: int, *, type_code: str = "BRD", first: int = 1) -> list[str]:
        """Put `count` flawless video codes, side by side; returns the codes."""
        codes = [f"VO-{type_code}-{number:05d}" for number in range(first, first + count)]
        with ThreadPoolExecutor(PUT_THREADS) as pool:
            list(pool.map(self.put_code, codes))
        return codes

    def drop(self) -> None:
        """Delete every object and the bucket."""
        for key in self.keys():
            self.delete(key)
        self._client.delete_bucket(Bucket=self.facts.bucket)


def master_metadata(code: str) -> dict[str, Any]:
    """What ffprobe says of a master, cut down to what matters: ProRes, or PCM for sound."""
    sound = {
        "index": 1,
        "codec_name": "pcm_s24le",
        "codec_type": "audio",
        "sample_rate": "48000",
        "channels": 2,
        "duration": "120.000000",
    }
    picture = {
        "index": 0,
        "codec_name": "prores",
        "codec_type": "video",
        "width": 1920,
        "height": 1080,
        "avg_frame_rate": "25/1",
        "duration": "120.000000",
        "disposition": {"attached_pic": 0},
    }
    is_video = code[0] == "V"
    extension, names = ("mov", "mov,mp4,m4a,3gp,3g2,mj2") if is_video else ("wav", "wav")
    tags = {"major_brand": "qt  ", "encoder": "Lavf59.27.100"} if is_video else {}
    return {
        "streams": [picture, sound] if is_video else [{**sound, "index": 0}],
        "format": {
            "filename": f"{code}.{extension}",
            "nb_streams": 2 if is_video else 1,
            "format_name": names,
            "format_long_name": "QuickTime / MOV" if is_video else "WAV / WAVE (Waveform Audio)",
            "start_time": "0.000000",
            "duration": "120.000000",
            "size": "1150000000",
            "bit_rate": "76666666",
            "tags": tags,
        },
    }
