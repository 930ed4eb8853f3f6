"""Reads posted forms and addresses to come back to, for every page that changes something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from litestar.enums import RequestEncodingType
from litestar.params import Body, PathParameter
from litestar.response import Redirect

from lading.base.errors import RequestError
from lading.console.security.rules import is_local

Form: TypeAlias = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
"""A posted form: each field with its text, or with several where it was given several times."""

NUMBERS_MAX: Final = 1_000

Number: TypeAlias = Annotated[int, PathParameter(ge=0, le=2**63 - 1)]
"""The number of a row in an address; no database knows of larger ones."""


class BadForm(RequestError):
    """A posted form lacks a field, or has something in one that cannot be there."""

    code = "bad_form"
    next_step = "Load the page again and repeat what you did there."


def one(form: Mapping[str, Any], name: str) -> str:
    """The text of a field; of one that was given several times, the last; empty without it."""
    value = form.get(name, "")
    if isinstance(value, list | tuple):
        value = value[-1] if value else ""
    return value.strip() if isinstance(value, str) else ""


def required(form: Mapping[str, Any], name: str) -> str:
    """The text of a field that must be there. Raises `BadForm`."""
    value = one(form, name)
    if not value:
        raise BadForm("the form lacks a field", subject=name)
    return value


def many(form: Mapping[str, Any], name: str) -> list[str]:
    """All texts of a field, also those written `a,b`."""
    value = form.get(name, [])
    texts = value if isinstance(value, list | tuple) else [value]
    return [part for text in texts if isinstance(text, str) for part in text.split(",") if part]


def numbers(form: Mapping[str, Any], name: str) -> list[int]:
    """All numbers of a field. Raises `BadForm`."""
    texts = many(form, name)
    if len(texts) > NUMBERS_MAX:
        raise BadForm("so many cannot be named at once", subject=name, expected=NUMBERS_MAX)
    for text in texts:
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise BadForm("this is a list of numbers", subject=name, found=text)
    return [int(text) for text in texts]


def local_path(text: str, otherwise: str) -> str:
    """An address of this console to go to; never one of another host."""
    return text if is_local(text) else otherwise


def with_parameters(path: str, **changes: str | None) -> str:
    """A local address with some parameters set; None takes one away."""
    parts = urlsplit(path)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in changes]
    kept += [(name, value) for name, value in changes.items() if value is not None]
    return urlunsplit(("", "", parts.path, urlencode(kept, safe=",:"), parts.fragment))


def see_other(path: str) -> Redirect:
    """The answer to a form that was done: look there (303), so that a reload repeats nothing."""
    return Redirect(path, status_code=303)
