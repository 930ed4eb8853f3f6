"""Photos: what files say of themselves, where they were seen, and what was derived of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0007"
down_revision = "0006"

Instant = (
    sa.DateTime()
    .with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
    .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
)
Sha256Hex = sa.String(64)
Code = sa.String(64)
Name = sa.String(190)
LongText = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    """Create the three tables."""
    _table(
        "photo",
        _owner("asset_id", "photo", "asset"),
        sa.Column("captured_from", Code),
        sa.Column("capture_doubt", Code),
        sa.Column("latitude", sa.Double()),
        sa.Column("longitude", sa.Double()),
        sa.Column("altitude_m", sa.Double()),
        sa.Column("camera_make", Name),
        sa.Column("camera_model", Name),
        sa.Column("lens", Name),
        _required("orientation", sa.SmallInteger()),
        _required("frames", sa.Integer()),
        sa.Column("perceptual_hash", sa.String(16)),
        sa.Column("detail", LongText),
        _required("created_at", Instant),
        _required("updated_at", Instant),
        sa.PrimaryKeyConstraint("asset_id", name=op.f("pk_photo")),
    )
    _table(
        "photo_file",
        _owner("file_id", "photo_file", "asset_file"),
        _required("source", Name),
        _required("folder_sha256", Sha256Hex),
        _required("path_sha256", Sha256Hex),
        _required("mtime_ns", sa.BigInteger()),
        _required("inode", sa.BigInteger()),
        sa.Column("replaced_by", sa.BigInteger()),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_photo_file")),
    )
    op.create_index(
        "ix_photo_file_folder",
        "photo_file",
        ["source", "folder_sha256", "path_sha256"],
        if_not_exists=_again(),
    )
    _table(
        "derivation",
        _owner("asset_id", "derivation", "asset"),
        _required("name", Code),
        _required("variant", Code),
        _required("key", Code),
        _required("tool", Name),
        _required("version", Name),
        _required("settings", LongText),
        sa.Column(
            "file_id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            sa.ForeignKey("asset_file.id", name=op.f("fk_derivation_file_id")),
        ),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("error", Code),
        sa.Column("error_text", LongText),
        _required("created_at", Instant),
        _required("updated_at", Instant),
        sa.PrimaryKeyConstraint("asset_id", "name", "variant", name=op.f("pk_derivation")),
    )


def _again() -> bool:
    # Statements commit one by one on MariaDB; a migration cut off there is run again.
    return op.get_context().dialect.name == "mariadb"


def _required(name: str, type_: Any) -> sa.Column[Any]:
    return sa.Column(name, type_, nullable=False)


def _owner(name: str, table: str, owner: str) -> sa.Column[Any]:
    """A reference to the row that this one is about."""
    return sa.Column(
        name,
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        sa.ForeignKey(f"{owner}.id", name=op.f(f"fk_{table}_{name}")),
        nullable=False,
        autoincrement=False,
    )


def _table(name: str, *items: Any) -> None:
    op.create_table(
        name,
        *items,
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_nopad_bin",
        if_not_exists=_again(),
    )
