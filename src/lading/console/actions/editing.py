"""Edits of accounts, sites and packages that must not undo what someone else did meanwhile.

`check` is shown the state as it is, within the transaction of the edit, and may refuse.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from lading.accounts.values import Account, Caller, Permission, Role
from lading.console.parts import Console
from lading.ledger import chain
from lading.library import packages, sites
from lading.library.named import Named


def edit_account(
    console: Console,
    caller: Caller,
    name: str,
    *,
    role: Role | None = None,
    display_name: str | None = None,
    enabled: bool | None = None,
    check: Callable[[Account], None],
) -> Account:
    """Change an account, all that is given or nothing. Raises `LastAdmin` and `BadAccount`."""
    caller.require(Permission.ADMINISTER)
    return console.accounts.edit(
        name,
        role=role,
        display_name=display_name,
        enabled=enabled,
        check=check,
        actor=caller.actor,
    )


def edit_site(
    console: Console, caller: Caller, key: str, name: str, *, check: Callable[[Named], None]
) -> Named:
    """Give a site another name. Raises `UnknownSite` and `NameRefused`."""
    caller.require(Permission.OPERATE)

    def work(conn: Connection) -> Named:
        chain.lock(conn)
        check(sites.require_site(conn, key))
        return sites.rename_site(conn, key, name, actor=caller.actor)

    return console.lading.db.run(work)


def edit_package(
    console: Console, caller: Caller, key: str, name: str, *, check: Callable[[Named], None]
) -> Named:
    """Give an access package another name. Raises `UnknownPackage` and `NameRefused`."""
    caller.require(Permission.OPERATE)

    def work(conn: Connection) -> Named:
        chain.lock(conn)
        check(packages.require_package(conn, key))
        return packages.rename_package(conn, key, name, actor=caller.actor)

    return console.lading.db.run(work)
