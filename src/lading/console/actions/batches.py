"""What is done to one batch; many at once are in `operations`, and this is that with one."""

from __future__ import annotations

from lading.accounts.values import Caller, Permission
from lading.console.actions.operations import start_operation
from lading.console.parts import Console
from lading.operations.values import Operation, Resource, Targets, Verb


def preflight_batch(
    console: Console, caller: Caller, batch_id: int, *, check_bytes: bool = False
) -> Operation:
    """Have a worker decide about every item of a batch (A5). Raises `TargetMissing`."""
    caller.require(Permission.OPERATE)
    params = {"check_bytes": True} if check_bytes else {}
    return start_operation(console, caller, Verb.PREFLIGHT, _one(batch_id), params)


def queue_batch(
    console: Console, caller: Caller, batch_id: int, *, priority: int | None = None
) -> Operation:
    """Give a batch to the workers (A7), its failed items included. Raises `TargetMissing`."""
    caller.require(Permission.OPERATE)
    params = {} if priority is None else {"priority": priority}
    return start_operation(console, caller, Verb.QUEUE, _one(batch_id), params)


def _one(batch_id: int) -> Targets:
    return Targets(resource=Resource.BATCHES, ids=[batch_id])
