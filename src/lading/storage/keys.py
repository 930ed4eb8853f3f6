"""Which keys a store takes. One rule for all stores, so that a tree can move between them."""

from __future__ import annotations

from lading.base.errors import RequestError

KEY_LENGTH_MAX = 900
SEGMENT_LENGTH_MAX = 255
INCOMING = ".incoming"


class KeyRefused(RequestError):
    """The key is not a relative path in printable ASCII, or its folder is an object already."""

    code = "key_refused"
    next_step = "Use a relative key in printable ASCII without `.`, `..` or empty segments."


def check_key(key: str) -> str:
    """`key` itself when every store can hold it; raises `KeyRefused` otherwise.

    At most 900 characters, segments of at most 255, the first segment not `.incoming` (folder
    stores keep unfinished files there).
    """
    if not key or len(key) > KEY_LENGTH_MAX:
        raise KeyRefused(f"A key has 1 to {KEY_LENGTH_MAX} characters", subject=key[:100])
    if not (key.isascii() and key.isprintable()):
        raise KeyRefused("A key is printable ASCII", subject=key)
    segments = key.split("/")
    if any(s in ("", ".", "..") or len(s) > SEGMENT_LENGTH_MAX for s in segments):
        raise KeyRefused("A segment of the key is empty, a dot, or too long", subject=key)
    if segments[0] == INCOMING:
        raise KeyRefused(f"Keys under {INCOMING} belong to the store itself", subject=key)
    return key


def check_prefix(prefix: str) -> str:
    """`prefix` itself when it is empty or a folder of keys ending in `/`; raises `KeyRefused`."""
    if prefix:
        if not prefix.endswith("/"):
            raise KeyRefused("A prefix is empty or ends with a slash", subject=prefix)
        check_key(prefix[:-1])
    return prefix
