"""Scans that people ask for, by a page or the API; a worker does them."""

from __future__ import annotations

from lading.accounts.values import Caller, Permission
from lading.console.parts import Console


def request_scan(
    console: Console,
    caller: Caller,
    source: str,
    *,
    accept_root: bool = False,
    folder: str | None = None,
) -> int:
    """Have a source scanned, or a folder of it with what is below; the number of the job.

    Raises `UnknownSource`, `NoFolderScans`, and `RequestError` for what is no folder.

    `accept_root` lets the missing-mount guard pass (G1): what is gone then counts as withdrawn.
    """
    caller.require(Permission.OPERATE)
    return console.operations.request_scan(
        source, actor=caller.actor, accept_root=accept_root, folder=folder
    )
