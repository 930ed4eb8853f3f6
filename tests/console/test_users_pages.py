"""The pages of users: what a new password and a disabled account mean for their tokens."""

from __future__ import annotations

from collections.abc import Callable

from lading.accounts.values import Permission, Role
from lading.testing.console_data import PEOPLE
from tests.console.browser.serving import Served
from tests.console.visiting import visiting


def test_an_admin_is_told_of_the_tokens_of_who_is_disabled_or_gets_a_new_password(
    serve_own: Callable[[str], Served],
) -> None:
    served = serve_own("empty")
    otto = served.accounts.get(PEOPLE[Role.OPERATOR].name)
    before = served.accounts.count_tokens(otto.id)
    token = served.accounts.create_token(
        otto.id, "nightly", {Permission.READ}, expires_in_s=3_600, actor="test"
    )
    with visiting(served, Role.ADMIN) as ada:
        served.accounts.disable(otto.name, actor="test")
        page = ada.get(f"/users/{otto.name}")
        assert f"{before + 1} token" in page.text
        assert "will work again when it is enabled" in page.text
        served.accounts.enable(otto.name, actor="test")
        assert "when it is enabled" not in ada.get(f"/users/{otto.name}").text
        assert served.accounts.caller_of_token(token.secret) is not None
        page = ada.press(ada.get(f"/users/{otto.name}"), "New one-time password")
        assert f"All sessions were ended; {before + 1} token" in page.text
    assert served.accounts.caller_of_token(token.secret) is None
