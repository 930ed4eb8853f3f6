"""What every resource of the API has in common: parameters, errors, dry runs, and its description.

An address with a parameter that its resource does not have is refused: a filter that nobody looks
at would be worse than none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Generic, TypeAlias, TypeVar

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from lading.accounts.values import Permission
from lading.base.errors import RequestError
from lading.console.answers import MEDIA_TYPES, ListFormat, Many
from lading.console.listing import Field, ListQuery, fitting
from lading.console.security.guards import requires
from lading.db import rehearsal
from lading.db.counting import Count

T = TypeVar("T")

BASE: Final = "/api/v1"
LIMIT_MAX: Final = 200
NUMBER_MAX: Final = 2**63 - 1
PROBLEM: Final = "application/problem+json"

Number: TypeAlias = Annotated[int, PathParameter(ge=1, le=NUMBER_MAX)]
Limit: TypeAlias = Annotated[
    int, QueryParameter(ge=1, le=LIMIT_MAX, description="How many at most.")
]
Cursor: TypeAlias = Annotated[
    str | None, QueryParameter(description="`next` or `prev` of another page of the same list.")
]
DryRun: TypeAlias = Annotated[
    bool, QueryParameter(description="Check and say everything, and change nothing.")
]
IfMatch: TypeAlias = Annotated[
    str | None,
    HeaderParameter(name="If-Match", description="The ETag of the state that is to be changed."),
]
Word: TypeAlias = Annotated[str | None, QueryParameter()]
Words: TypeAlias = Annotated[
    str | None, QueryParameter(description="One or several, with commas between them.")
]
States: TypeAlias = Annotated[  # Litestar keeps the name `state` for itself
    str | None,
    QueryParameter(name="state", description="One or several, with commas between them."),
]
Instant: TypeAlias = Annotated[
    str | None, QueryParameter(description="A time with its offset; without one it is UTC.")
]
Whole: TypeAlias = Annotated[int | None, QueryParameter(ge=1, le=NUMBER_MAX)]
Form: TypeAlias = Annotated[
    ListFormat, QueryParameter(name="format", description="csv and ndjson give the whole list.")
]
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=2_000, pattern="^[^\\x00]*$")]
Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=190, pattern="^[^\\x00]*$")]
Id: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=NUMBER_MAX)]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The body of a request. A field that is not known is refused, as a parameter is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What went wrong (RFC 9457), with what was expected and found, and what to do about it."""

    type: str
    title: str
    status: int
    detail: str
    hint: str
    code: str
    message: str
    next_step: str
    request_id: str | None
    subject: str | None = None
    expected: str | None = None
    found: str | None = None
    current: Mapping[str, Any] | None = None
    yours: Mapping[str, Any] | None = None


_PROBLEM_WORDS: Final = {
    400: "The request does not fit.",
    401: "Nobody is signed in.",
    403: "Who asks may not do this.",
    404: "There is no such thing.",
    409: "It is not as the request takes it to be.",
    413: "The request is too large.",
    422: "The request is understood, and cannot be done so.",
    429: "Too much was asked in too short a time.",
    503: "The database, the store or a source does not answer.",
}
PROBLEMS: Final[Mapping[int, ResponseSpec]] = {
    status: ResponseSpec(Problem, generate_examples=False, description=words, media_type=PROBLEM)
    for status, words in _PROBLEM_WORDS.items()
}
"""The errors that any resource can answer with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Generic[T]):
    """What a change made of something; with `dry_run`, what it would have made of it."""

    dry_run: bool
    result: T


class BadParameter(RequestError):
    """A parameter in the address of a request that is not known there, or does not fit."""

    code = "bad_parameter"
    next_step = "Correct the named parameter, or leave it out."


class ChangedMeanwhile(RequestError):
    """What was to be changed is no longer as it was when it was read."""

    code = "changed_meanwhile"
    http_status = 409
    next_step = "Compare both versions; then send the change again with the new ETag."

    def __init__(
        self, message: str, *, subject: str, expected: str, found: str, current: Any, yours: Any
    ) -> None:
        super().__init__(message, subject=subject, expected=expected, found=found)
        self.current = msgspec.to_builtins(current)
        self.yours = msgspec.to_builtins(yours)

    def as_dict(self) -> dict[str, object]:
        """The facts, with both versions."""
        return super().as_dict() | {"current": self.current, "yours": self.yours}


@dataclass
class Change(Operation):
    """The description of what changes something: it can be repeated without harm."""

    def __post_init__(self) -> None:
        """Add the header of the middleware, of which handlers know nothing."""
        header = Parameter(
            name="Idempotency-Key",
            param_in="header",
            description="A request that is repeated with the same key acts once.",
            schema=Schema(type=OpenAPIType.STRING, pattern="^[!-~]{1,190}$"),
        )
        self.parameters = [*(self.parameters or ()), header]


@dataclass
class Export(Operation):
    """The description of a list that is also to be had whole, as CSV or lines of JSON."""

    forms: ClassVar[Sequence[str]] = tuple(MEDIA_TYPES.values())

    def __post_init__(self) -> None:
        """Add the other forms of the answer, which are told as text."""
        found = (self.responses or {}).get("200")
        if isinstance(found, OpenAPIResponse) and found.content is not None:
            for name in self.forms:
                found.content[name] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


def reads(
    path: str, summary: str, *, tag: str, permission: Permission = Permission.READ, **more: Any
) -> get:
    """The decorator of what only reads."""
    return get(BASE + path, **_common(summary, tag, permission, more))


def creates(path: str, summary: str, *, tag: str, permission: Permission, **more: Any) -> post:
    """The decorator of what changes something; answers 200 unless the handler says otherwise."""
    more = {"status_code": 200, "operation_class": Change} | more
    return post(BASE + path, **_common(summary, tag, permission, more))


def edits(path: str, summary: str, *, tag: str, permission: Permission, **more: Any) -> patch:
    """The decorator of what changes some fields of something."""
    more = {"operation_class": Change} | more
    return patch(BASE + path, **_common(summary, tag, permission, more))


def removes(path: str, summary: str, *, tag: str, permission: Permission, **more: Any) -> delete:
    """The decorator of what ends something; it answers with what that was."""
    more = {"status_code": 200, "operation_class": Change} | more
    return delete(BASE + path, **_common(summary, tag, permission, more))


def also(status: int, answer: Any, words: str) -> Mapping[int, ResponseSpec]:
    """A further answer of a resource, beside its usual one and the errors."""
    return {status: ResponseSpec(answer, generate_examples=False, description=words)}


def _common(
    summary: str, tag: str, permission: Permission, more: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "summary": summary,
        "tags": [tag],
        "guards": [requires(permission), refuse_unknown_parameters],
        "sync_to_thread": True,
        **more,
        "responses": {**PROBLEMS, **more.get("responses", {})},
    }


async def refuse_unknown_parameters(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Raise `BadParameter` for what the handler does not declare."""
    known = _parameters_of(handler)
    given = list(connection.query_params.multi_items())
    for name, value in given:
        if name not in known:
            raise BadParameter(
                "there is no such parameter here",
                subject=name[:100],
                expected=", ".join(sorted(known)) or "none",
                found=value[:100],
            )
        if "\0" in value:
            raise BadParameter("no parameter has such a character", subject=name, found="NUL")
    names = [name for name, _ in given]
    if len(names) != len(set(names)):
        raise BadParameter(
            "a parameter is given several times",
            subject=next(name for name in names if names.count(name) > 1),
            expected="once, several values with commas between them",
        )
    if "\0" in connection.url.path or any("\0" in str(v) for v in connection.path_params.values()):
        raise BadParameter("no address has such a character", subject="path", found="NUL")


def _parameters_of(handler: BaseRouteHandler) -> frozenset[str]:
    return frozenset(
        parameter.kwarg_definition.name or name
        for name, parameter in handler.parsed_fn_signature.parameters.items()
        if isinstance(parameter.kwarg_definition, QueryParameter)
    )


def asked(
    fields: Sequence[Field],
    values: Mapping[str, str | None],
    *,
    cursor: str | None = None,
    limit: int = 50,
    sort: str | None = None,
    sorts: Sequence[str] = (),
    extra: Mapping[str, tuple[str | None, Sequence[str]]] | None = None,
) -> ListQuery:
    """What readers of lists take, from parameters. Raises `BadParameter` for what does not fit.

    The first of `sorts` is the usual order. `extra` gives further parameters with what each may
    be.
    """
    found: dict[str, list[str]] = {}
    for known in fields:
        text = values.get(known.name)
        if text is None or text == "":
            continue
        fits, refused = fitting(known, text)
        if refused or not fits:
            raise BadParameter(
                "the parameter cannot have this value",
                subject=known.name,
                expected=_expected(known),
                found=", ".join(refused)[:200] or text[:200],
            )
        found[known.name] = fits
    kept = {}
    for name, (text, allowed) in (extra or {}).items():
        if text:
            kept[name] = one_of(name, text, allowed)
    usual = sorts[0] if sorts else ""
    return ListQuery(
        path="",
        fields=fields,
        values=found,
        ignored=(),
        sort=one_of("sort", sort, sorts) if sort else usual,
        default_sort=usual,
        limit=limit,
        default_limit=limit,
        cursor=cursor or None,
        selection=None,
        done=None,
        extra=kept,
    )


def require_beginning(cursor: str | None) -> None:
    """Raise `BadParameter` for a page of what is only given whole."""
    if cursor:
        raise BadParameter(
            "the whole list has no pages", subject="cursor", expected="none", found=cursor[:100]
        )


def one_of(name: str, text: str, allowed: Sequence[str]) -> str:
    """`text` if it is one of these. Raises `BadParameter`."""
    if text not in allowed:
        raise BadParameter(
            "the parameter cannot have this value",
            subject=name,
            expected=", ".join(allowed),
            found=text[:200],
        )
    return text


def _expected(known: Field) -> str:
    if known.choices is not None:
        return ", ".join(known.choices)
    return {
        "instant": "a time such as 2026-06-29T18:00:00Z",
        "number": "a whole number",
    }.get(known.kind, "some text")


@contextmanager
def rehearsed(dry_run: bool) -> Iterator[None]:
    """With `dry_run`, whatever is done within is checked in full and then undone."""
    if not dry_run:
        yield
        return
    with rehearsal():
        yield


def etag_of(state: Any) -> str:
    """The name of a state: another one for any other state."""
    digest = hashlib.sha256(msgspec.json.encode(state, order="sorted")).hexdigest()
    return f'"{digest[:32]}"'


def with_etag(answer: T, state: Any, *, status_code: int = 200) -> Response[T]:
    """An answer that names the state it tells of."""
    return Response(answer, status_code=status_code, headers={"ETag": etag_of(state)})


def unchanged_check(if_match: str | None, yours: Any, *, subject: str) -> Callable[[Any], None]:
    """What raises `ChangedMeanwhile` for any other state than the one that was named."""

    def check(state: Any) -> None:
        if not if_match or if_match.strip() == "*":
            return
        named = {part.strip().removeprefix("W/") for part in if_match.split(",")}
        current = etag_of(state)
        if current not in named:
            raise ChangedMeanwhile(
                "it was changed in the meantime",
                subject=subject,
                expected=if_match[:200],
                found=current,
                current=state,
                yours=yours,
            )

    return check


def whole(items: Sequence[T]) -> Many[T]:
    """A list that is short enough to be one page."""
    return Many(items, None, None, Count(len(items)), datetime.now(UTC))
