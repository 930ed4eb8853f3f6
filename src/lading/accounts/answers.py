"""Remembers what was answered under an idempotency key, so that a repeated request acts once.

The key is taken before the work and the answer added after it; a second request in between is told
to wait. Every function works in the caller's transaction.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, exc, insert, select, update

from lading.accounts.errors import BadIdempotencyKey, IdempotencyKeyInUse, IdempotencyKeyReused
from lading.accounts.limits import AccountLimits
from lading.accounts.tables import idempotency_key
from lading.accounts.values import Answer
from lading.db.clock import now

_KEY: Final = re.compile(r"[\x21-\x7e]{1,190}", re.ASCII)
_K = idempotency_key.c


def recall(
    conn: Connection,
    account_id: int,
    key: str,
    *,
    method: str,
    path: str,
    request_sha256: str,
    limits: AccountLimits,
) -> Answer | None:
    """The answer given under this key; without one the key is taken and the work is the caller's.

    Raises `IdempotencyKeyReused` for another request, `IdempotencyKeyInUse` while it is worked on.
    """
    if _KEY.fullmatch(key) is None:
        raise BadIdempotencyKey("this cannot be an idempotency key")
    conn.execute(
        delete(idempotency_key).where(
            _K.account_id == account_id, _K.created_at < now(-limits.answer_kept_s)
        )
    )
    row = _find(conn, account_id, key, limits)
    if row is None:
        try:
            with conn.begin_nested():
                conn.execute(
                    insert(idempotency_key).values(
                        account_id=account_id,
                        key=key,
                        method=method,
                        path=path,
                        request_sha256=request_sha256,
                        created_at=now(),
                    )
                )
        except exc.IntegrityError as error:
            raise IdempotencyKeyInUse(
                "the request with this key is being worked on", subject=key
            ) from error
        return None
    if (row.method, row.path, row.request_sha256) != (method, path, request_sha256):
        raise IdempotencyKeyReused(
            "this key came with another request",
            subject=key,
            expected=f"{row.method} {row.path} with the same body",
            found=f"{method} {path}",
        )
    if row.status is not None:
        return Answer(status=row.status, headers=json.loads(row.headers), body=bytes(row.body))
    if not row.overdue:
        raise IdempotencyKeyInUse("the request with this key is being worked on", subject=key)
    # Whoever took it did not live to answer. Only one of those who see that goes on.
    taken = conn.execute(
        update(idempotency_key)
        .where(_K.id == row.id, _K.created_at == row.created_at, _K.status.is_(None))
        .values(created_at=now())
    )
    if not taken.rowcount:
        raise IdempotencyKeyInUse("the request with this key is being worked on", subject=key)
    return None


def remember(
    conn: Connection, account_id: int, key: str, answer: Answer, limits: AccountLimits
) -> bool:
    """Keep what was answered; False when it is too large, and the key is given back."""
    if len(answer.body) > limits.answer_bytes_max:
        forget(conn, account_id, key)
        return False
    conn.execute(
        update(idempotency_key)
        .where(_K.account_id == account_id, _K.key == key, _K.status.is_(None))
        .values(
            status=answer.status,
            headers=json.dumps(dict(answer.headers), sort_keys=True),
            body=answer.body,
        )
    )
    return True


def forget(conn: Connection, account_id: int, key: str) -> None:
    """Give the key back: the work was not done, and may be tried again with it."""
    conn.execute(
        delete(idempotency_key).where(
            _K.account_id == account_id, _K.key == key, _K.status.is_(None)
        )
    )


def _find(conn: Connection, account_id: int, key: str, limits: AccountLimits) -> Row[Any] | None:
    overdue = _K.created_at < now(-limits.answer_awaited_s)
    return conn.execute(
        select(idempotency_key, overdue.label("overdue")).where(
            _K.account_id == account_id, _K.key == key
        )
    ).one_or_none()
