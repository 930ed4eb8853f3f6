"""The API keeps to its own description whatever it is sent: it never breaks, nor answers oddly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lading.accounts.values import Permission, Role
from lading.testing.console_data import PEOPLE
from tests.console.browser.serving import Served, copy_of, serving

EXAMPLES, EXAMPLES_WHEN_SLOW = 5, 25
"""Requests for each operation; always the same ones."""

SPARE_TOKENS = 40
"""Made before ours, so that a small number that is made up does not revoke it."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
NOT_SENT = ("/ready",)
"""One source is away, and this says so with 503."""


@pytest.fixture(scope="module")
def fuzzed(
    template: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A console of its own: nobody else looks at data that was fuzzed."""
    folder = copy_of(template("failing"), tmp_path_factory.mktemp("fuzzed") / "failing")
    with serving(folder) as console:
        yield console


@pytest.fixture(scope="module")
def token(fuzzed: Served) -> str:
    """A token that may do everything."""
    admin = fuzzed.accounts.get(PEOPLE[Role.ADMIN].name)
    made = [
        fuzzed.accounts.create_token(
            admin.id, f"token {number}", set(Permission), expires_in_s=3600, actor="user:ada"
        )
        for number in range(SPARE_TOKENS)
    ]
    return made[-1].secret


@pytest.fixture(scope="module")
def api(fuzzed: Served, token: str) -> schemathesis.BaseSchema:
    """The API as it describes itself."""
    headers = {"authorization": f"Bearer {token}"}
    address = f"{fuzzed.origin}/api/v1/openapi.json"
    return schemathesis.openapi.from_url(address, headers=headers)


def operations(api: schemathesis.BaseSchema) -> Iterator[Any]:
    """Every operation; one that is described in a way that makes no sense is an error."""
    for found in api.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path not in NOT_SENT:
            yield operation


@pytest.mark.parametrize(
    "examples", [EXAMPLES, pytest.param(EXAMPLES_WHEN_SLOW, marks=pytest.mark.slow)]
)
def test_no_request_breaks_it_and_every_answer_is_as_described(
    api: schemathesis.BaseSchema, token: str, examples: int
) -> None:
    headers = {"authorization": f"Bearer {token}"}
    problems: list[str] = []
    tried = 0
    for operation in operations(api):
        sent = 0

        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def run(case: Any) -> None:
            nonlocal sent
            sent += 1
            answer = case.call(headers=headers)
            assert answer.status_code != 401, f"{case.method} {case.path}: the token was refused"
            case.validate_response(answer, checks=CHECKS)

        try:
            run()
        except (AssertionError, FailureGroup) as error:
            problems.append(f"{operation.label}: {error}")
        tried += bool(sent)
    assert not problems, "\n\n".join(problems)
    assert tried > 30


def test_afterwards_it_is_still_well(fuzzed: Served, token: str) -> None:
    headers = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{fuzzed.origin}/api/v1/me", headers=headers).status_code == 200
