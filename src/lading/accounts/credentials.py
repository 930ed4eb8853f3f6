"""Makes the secrets that are handed out once, and what is kept of them."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

TOKEN_PREFIX: Final = "lad_"  # noqa: S105 - what all tokens begin with
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
# Without letters and digits that are taken for one another.
_READABLE: Final = "abcdefghijkmnpqrstuvwxyz23456789"


def new_session_secret() -> str:
    """256 random bits for a cookie."""
    return secrets.token_urlsafe(32)


def new_token_secret() -> str:
    """256 random bits for a script, recognisable to whoever looks for leaked secrets."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_password() -> str:
    """A password to be passed on by hand or by telephone, with 100 random bits."""
    return "-".join("".join(secrets.choice(_READABLE) for _ in range(5)) for _ in range(4))


def is_session_secret(text: str) -> bool:
    """Whether `text` could be one at all; anything else is not worth asking the database."""
    return _SECRET.fullmatch(text) is not None


def is_token_secret(text: str) -> bool:
    """Whether `text` could be a token at all."""
    return text.startswith(TOKEN_PREFIX) and is_session_secret(text.removeprefix(TOKEN_PREFIX))


def fingerprint(secret: str) -> str:
    """What is kept of a secret. It is random and long, so that a plain hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def csrf_of(session_secret: str) -> str:
    """What forms of a session carry: made from its secret and of no use to find it."""
    return hmac.new(session_secret.encode(), b"lading csrf", hashlib.sha256).hexdigest()
