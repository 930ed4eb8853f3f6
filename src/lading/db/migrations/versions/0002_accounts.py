"""Accounts: who may sign in, their sessions, tokens and saved views, and answers to repeat.

Names and types are spelled out here, so that this file means the same when the models have moved
on.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0002"
down_revision = "0001"

RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Instant = (
    sa.DateTime()
    .with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
    .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
)
Sha256Hex = sa.String(64)
Code = sa.String(64)
Name = sa.String(190)
LongText = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
LongBytes = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


def upgrade() -> None:
    """Create the tables of accounts, all empty."""
    _create_accounts()
    _create_secrets()
    _create_conveniences()


def _create_accounts() -> None:
    _table(
        "account",
        _required("name", Name),
        _required("display_name", Name),
        _required("role", Code),
        sa.Column("password_hash", sa.String(255)),
        _required("must_change_password", sa.Boolean(), server_default="0"),
        sa.Column("issuer", Name),
        sa.Column("subject", sa.String(255)),
        _required("preferences", LongText),
        _required("created_at", Instant),
        sa.Column("last_seen_at", Instant),
        sa.Column("disabled_at", Instant),
        _unique("account", "name"),
        _unique("account", "issuer", "subject"),
    )
    _table(
        "sign_in_attempt",
        _required("scope", Code),
        _required("subject_sha256", Sha256Hex),
        _required("attempts", sa.Integer()),
        _required("begun_at", Instant),
        _unique("sign_in_attempt", "scope", "subject_sha256"),
    )
    _index("ix_sign_in_attempt_begun", "sign_in_attempt", "begun_at")


def _create_secrets() -> None:
    _table(
        "account_session",
        _account("account_session"),
        _required("token_sha256", Sha256Hex),
        _required("created_at", Instant),
        _required("seen_at", Instant),
        _required("expires_at", Instant),
        sa.Column("revoked_at", Instant),
        sa.Column("address", Code),
        sa.Column("user_agent", Name),
        _unique("account_session", "token_sha256"),
    )
    _index("ix_account_session_account", "account_session", "account_id", "id")
    _table(
        "access_token",
        _account("access_token"),
        _required("name", Name),
        _required("token_sha256", Sha256Hex),
        _required("permissions", Name),
        _required("created_at", Instant),
        sa.Column("last_used_at", Instant),
        _required("expires_at", Instant),
        sa.Column("revoked_at", Instant),
        _unique("access_token", "token_sha256"),
    )
    _index("ix_access_token_account", "access_token", "account_id", "id")


def _create_conveniences() -> None:
    _table(
        "saved_view",
        _account("saved_view", nullable=True),
        _required("page", Code),
        _required("name", Name),
        _required("query", LongText),
        _required("created_at", Instant),
    )
    _index("ix_saved_view_account_page", "saved_view", "account_id", "page", "id")
    _table(
        "idempotency_key",
        _account("idempotency_key"),
        _required("key", Name),
        _required("method", Code),
        _required("path", LongText),
        _required("request_sha256", Sha256Hex),
        sa.Column("status", sa.SmallInteger()),
        sa.Column("headers", LongText),
        sa.Column("body", LongBytes),
        _required("created_at", Instant),
        _unique("idempotency_key", "account_id", "key"),
    )
    _index("ix_idempotency_key_created", "idempotency_key", "created_at")


def _on_mariadb() -> bool:
    return op.get_context().dialect.name == "mariadb"


def _table(name: str, *items: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("id", RowId, nullable=False, autoincrement=True),
        *items,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sqlite_autoincrement=True,
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_nopad_bin",
        # Statements commit one by one on MariaDB; a migration cut off there is run again.
        if_not_exists=_on_mariadb(),
    )


def _index(name: str, table: str, *columns: str) -> None:
    op.create_index(name, table, columns, if_not_exists=_on_mariadb())


def _required(name: str, kind: sa.types.TypeEngine[Any], **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **options)


def _account(table: str, *, nullable: bool = False) -> sa.Column[Any]:
    key = sa.ForeignKey("account.id", name=f"fk_{table}_account_id")
    return sa.Column("account_id", RowId, key, nullable=nullable)


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")
