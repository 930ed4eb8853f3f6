"""Where content lies in a store: under its own hash, so that the same bytes are kept once."""

from __future__ import annotations

from lading.base.errors import InternalError
from lading.base.identifiers import is_sha256

CONTENT_PREFIX = "files/"


def content_key(sha256: str) -> str:
    """The key of the content with this digest: `files/ab/cd/<sha256>`.

    Two levels of 256 folders keep every folder small up to tens of millions of files.
    """
    if not is_sha256(sha256):
        raise InternalError("not a sha256 digest in lower-case hex", subject=sha256)
    return f"{CONTENT_PREFIX}{sha256[:2]}/{sha256[2:4]}/{sha256}"


def content_hash_of(key: str) -> str | None:
    """The digest that `key` promises, or None when `key` is not a content key."""
    digest = key.rpartition("/")[2]
    return digest if is_sha256(digest) and content_key(digest) == key else None
