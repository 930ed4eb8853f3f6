"""The identifiers that come from outside, parsed strictly: sync ids and content hashes."""

from __future__ import annotations

import re

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def is_sync_id(text: str) -> bool:
    """Whether `text` is a UUID in canonical lower-case form (A1)."""
    return _UUID.fullmatch(text) is not None


def is_sha256(text: str) -> bool:
    """Whether `text` is a sha256 digest in lower-case hex."""
    return _SHA256.fullmatch(text) is not None


def is_md5(text: str) -> bool:
    """Whether `text` is an md5 digest in lower-case hex."""
    return _MD5.fullmatch(text) is not None


def parse_content_hash(text: object) -> str | None:
    """The lower-case hex digest of `sha256:<hex>` (or bare hex), or None when it is neither."""
    if not isinstance(text, str):
        return None
    digest = text.removeprefix("sha256:").lower()
    return digest if is_sha256(digest) else None
