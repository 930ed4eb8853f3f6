"""Settings as they may be shown: without passwords, keys and tokens, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, SecretStr

MASK: Final = "***"
_USER_AND_PASSWORD: Final = re.compile(
    r"(?P<scheme>[a-z0-9+.-]+://)(?P<user>[^:/@?#\s]*):.*@", re.IGNORECASE
)
_SECRET_PARAMETER: Final = re.compile(
    r"(?P<name>[?&][^=&#\s]*(?:password|secret|token|key|signature)[^=&#\s]*=)[^&#\s]+",
    re.IGNORECASE,
)
_SECRET_WORDS: Final = (
    "password",
    "secret",
    "token",
    "access_key",
    "credential",
    "private_key",
    "api_key",
)


def is_secret(key: str) -> bool:
    """Whether a setting of this name is never shown; sources of plug-ins have such keys too."""
    return any(word in key.lower() for word in _SECRET_WORDS)


def masked_url(text: str) -> str:
    """`text` with the password of an address, and secret parameters of it, replaced by `***`."""
    text = _USER_AND_PASSWORD.sub(rf"\g<scheme>\g<user>:{MASK}@", text)
    return _SECRET_PARAMETER.sub(rf"\g<name>{MASK}", text)


def wrapped(value: object, *, key: str = "") -> Any:
    """`value` with every text below a secret key as `SecretStr`, so that no `repr` tells it."""
    if isinstance(value, Mapping):
        return {name: wrapped(inner, key=_deeper(key, str(name))) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [wrapped(inner, key=key) for inner in value]
    return SecretStr(value) if isinstance(value, str) and is_secret(key) else value


def unwrapped(value: object) -> Any:
    """`value` as it was before `wrapped`."""
    if isinstance(value, Mapping):
        return {name: unwrapped(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [unwrapped(inner) for inner in value]
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def masked(value: object, *, key: str = "") -> Any:
    """`value` (a model, mapping, list or plain value) as plain values without secrets."""
    if isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        return masked({**fields, **(value.model_extra or {})})
    if isinstance(value, Mapping):
        return {
            str(name): masked(inner, key=_deeper(key, str(name))) for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(inner, key=key) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value if value is None or not is_secret(key) else MASK
    if isinstance(value, SecretStr) or is_secret(key):
        return MASK
    return masked_url(str(value))


def _deeper(key: str, name: str) -> str:
    """The key that judges what stands below `name`: all that is in a secret table is secret."""
    return key if is_secret(key) else name
