"""The tables of accounts, sessions, tokens, sign-in attempts, saved views and remembered answers.

Secrets are kept as hashes alone: a copy of the database signs nobody in.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
)

from lading.db.schema import row_id, table
from lading.db.types import Code, LongBytes, LongText, Name, Sha256Hex, UtcDateTime

Subject = String(255)
"""As long as OpenID Connect lets the name of a person at their provider be."""

account = table(
    "account",
    row_id(),
    Column("name", Name, nullable=False),  # lower case
    Column("display_name", Name, nullable=False),
    Column("role", Code, nullable=False),
    Column("password_hash", String(255)),  # null: signs in elsewhere only
    Column(
        "must_change_password", Boolean(create_constraint=False), nullable=False, server_default="0"
    ),
    Column("issuer", Name),
    Column("subject", Subject),
    Column("preferences", LongText, nullable=False),  # JSON
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime),
    Column("disabled_at", UtcDateTime),
    UniqueConstraint("name"),
    UniqueConstraint("issuer", "subject"),
)

account_session = table(
    "account_session",
    row_id(),
    Column("account_id", ForeignKey("account.id"), nullable=False),
    Column("token_sha256", Sha256Hex, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),  # however much it is used
    Column("revoked_at", UtcDateTime),
    Column("address", Code),
    Column("user_agent", Name),
    UniqueConstraint("token_sha256"),
    Index("ix_account_session_account", "account_id", "id"),
)

access_token = table(
    "access_token",
    row_id(),
    Column("account_id", ForeignKey("account.id"), nullable=False),
    Column("name", Name, nullable=False),
    Column("token_sha256", Sha256Hex, nullable=False),
    Column("permissions", Name, nullable=False),  # words of `Permission`, with spaces between
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    UniqueConstraint("token_sha256"),
    Index("ix_access_token_account", "account_id", "id"),
)

sign_in_attempt = table(
    "sign_in_attempt",
    row_id(),
    Column("scope", Code, nullable=False),  # name or address
    # A hash: people type their passwords into the wrong field.
    Column("subject_sha256", Sha256Hex, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("begun_at", UtcDateTime, nullable=False),
    UniqueConstraint("scope", "subject_sha256"),
    Index("ix_sign_in_attempt_begun", "begun_at"),
)

saved_view = table(
    "saved_view",
    row_id(),
    Column("account_id", ForeignKey("account.id")),  # null: shared by all
    Column("page", Code, nullable=False),
    Column("name", Name, nullable=False),
    Column("query", LongText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_saved_view_account_page", "account_id", "page", "id"),
)

idempotency_key = table(
    "idempotency_key",
    row_id(),
    Column("account_id", ForeignKey("account.id"), nullable=False),
    Column("key", Name, nullable=False),
    Column("method", Code, nullable=False),
    Column("path", LongText, nullable=False),
    Column("request_sha256", Sha256Hex, nullable=False),
    Column("status", SmallInteger),  # null: not answered yet
    Column("headers", LongText),  # JSON
    Column("body", LongBytes),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("account_id", "key"),
    Index("ix_idempotency_key_created", "created_at"),
)
