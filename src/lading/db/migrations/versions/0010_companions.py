"""Companions of photos: which file belongs to which other of its folder, and as what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Code = sa.String(64)


def upgrade() -> None:
    """Create the table of companions."""
    # Statements commit one by one on MariaDB; a migration cut off there is run again.
    again = op.get_context().dialect.name == "mariadb"
    op.create_table(
        "photo_companion",
        _file("file_id"),
        _file("of_file_id"),
        sa.Column("kind", Code, nullable=False),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_photo_companion")),
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_nopad_bin",
        if_not_exists=again,
    )
    op.create_index(
        "ix_photo_companion_of", "photo_companion", ["of_file_id", "file_id"], if_not_exists=again
    )


def _file(name: str) -> sa.Column[int]:
    return sa.Column(
        name,
        RowId,
        sa.ForeignKey("asset_file.id", name=op.f(f"fk_photo_companion_{name}")),
        nullable=False,
        autoincrement=False,
    )
