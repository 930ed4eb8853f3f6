"""Pure decisions about accounts: what a name, password, token or view may be, and who is let try.

Each `check_…` raises the error that says what is wrong.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from lading.accounts.errors import BadAccount, BadPassword, BadSavedView, BadToken
from lading.accounts.limits import AccountLimits
from lading.accounts.values import ROLE_PERMISSIONS, Permission, Role

NAME_LENGTH_MAX: Final = 64
LABEL_LENGTH_MAX: Final = 190
QUERY_LENGTH_MAX: Final = 4_000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}", re.ASCII)
_PAGE: Final = re.compile(r"[a-z][a-z0-9_/-]{0,63}", re.ASCII)
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9._@+-]+", re.ASCII)


def is_name(text: str) -> bool:
    """Whether an account can have this name."""
    return _NAME.fullmatch(text) is not None


def check_name(text: str) -> str:
    """The name of an account as it is kept."""
    name = text.strip().lower()
    if not is_name(name):
        raise BadAccount(
            "an account cannot have this name",
            subject=text,
            expected="1 to 64 letters, digits and . _ @ + -, beginning with a letter or digit",
        )
    return name


def check_label(text: str, *, what: str) -> str:
    """A name for people: one line of any writing."""
    label = text.strip()
    if not label or len(label) > LABEL_LENGTH_MAX or not label.isprintable():
        raise BadAccount(
            f"this cannot be {what}", subject=text, expected="1 to 190 characters in one line"
        )
    return label


def suggest_names(wanted: str) -> Iterable[str]:
    """Names to try for someone a provider vouches for, the nearest to what it says first."""
    plain = unicodedata.normalize("NFKD", wanted).encode("ascii", "ignore").decode().lower()
    base = _NOT_IN_NAMES.sub("-", plain).strip("-._@+")[: NAME_LENGTH_MAX - 6] or "user"
    yield base
    for number in range(2, 10_000):
        yield f"{base}-{number}"


def check_password(password: str, *, name: str, before: str, limits: AccountLimits) -> None:
    """Refuse a new password that is too short or long, or that others know."""
    if not limits.password_min <= len(password) <= limits.password_max:
        raise BadPassword(
            "the new password has a wrong length",
            expected=f"{limits.password_min} to {limits.password_max:,} characters",
        )
    if password == before:
        raise BadPassword("the new password is the old one")
    if password.casefold() in {name, name * 2}:
        raise BadPassword("the new password is the name of the account")


def check_token(
    name: str,
    permissions: AbstractSet[Permission],
    expires_in_s: float,
    *,
    role: Role,
    limits: AccountLimits,
) -> str:
    """The name of a token as it is kept; it may do no more than its owner, and not for ever."""
    label = name.strip()
    if not label or len(label) > NAME_LENGTH_MAX or not label.isprintable() or "/" in label:
        raise BadToken("a token cannot have this name", subject=name, expected="1 to 64 characters")
    if not permissions:
        raise BadToken("a token needs a permission", subject=label)
    beyond = permissions - ROLE_PERMISSIONS[role]
    if beyond:
        raise BadToken(
            "a token may do no more than its owner",
            subject=label,
            expected=" ".join(sorted(ROLE_PERMISSIONS[role])),
            found=" ".join(sorted(permissions)),
        )
    if not 0 < expires_in_s <= limits.token_max_s:
        raise BadToken(
            "a token must expire, within a year",
            subject=label,
            expected=f"at most {limits.token_max_s:,} s",
            found=f"{expires_in_s:,.0f} s",
        )
    return label


def written(permissions: Iterable[Permission]) -> str:
    """Permissions as they are kept."""
    return " ".join(sorted(permission.value for permission in permissions))


def permissions_of(text: str) -> frozenset[Permission]:
    """Permissions as they were kept; a word of a later version means nothing yet."""
    known = {permission.value: permission for permission in Permission}
    return frozenset(known[word] for word in text.split() if word in known)


def check_view(page: str, name: str, query: str) -> tuple[str, str]:
    """The name and query of a view as they are kept; the query is one of addresses."""
    if _PAGE.fullmatch(page) is None:
        raise BadSavedView("there is no such page", subject=page)
    label, query = name.strip(), query.removeprefix("?")
    if not label or len(label) > NAME_LENGTH_MAX or not label.isprintable():
        raise BadSavedView(
            "a view cannot have this name", subject=name, expected="1 to 64 characters"
        )
    if len(query) > QUERY_LENGTH_MAX or not query.isprintable() or not query.isascii():
        raise BadSavedView(
            "this cannot be the query of a view",
            subject=label,
            expected=f"at most {QUERY_LENGTH_MAX:,} characters as an address has them",
        )
    return label, query


def counted_address(address: str) -> str:
    """What attempts are counted under: one household has as many IPv6 addresses as it likes."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


@dataclass(frozen=True, slots=True)
class Tries:
    """What is known of earlier attempts for one name or address. `age_s`: since the first."""

    attempts: int
    age_s: float


def blocked_for_s(tries: Tries, *, attempts_max: int, window_s: float) -> float | None:
    """For how long no further attempt is let through; None when one may be made now."""
    if tries.age_s >= window_s or tries.attempts < attempts_max:
        return None
    return window_s - tries.age_s
