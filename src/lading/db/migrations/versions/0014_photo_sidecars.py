"""What sidecars say of photos, and which places of photos come from them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0014"
down_revision = "0013"

Instant = (
    sa.DateTime()
    .with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
    .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
)
RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
LongText = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
Code = sa.String(64)


def upgrade() -> None:
    """Create the table, and the column that says where a place comes from."""
    # Statements commit one by one on MariaDB; a migration cut off there is run again.
    again = op.get_context().dialect.name == "mariadb"
    op.add_column("photo", sa.Column("place_from", Code), if_not_exists=again)
    op.create_table(
        "photo_sidecar",
        _of("asset_file", "file_id"),
        _of("asset", "asset_id"),
        sa.Column("kind", Code, nullable=False),
        sa.Column("reader", Code, nullable=False),
        sa.Column("taken_at", Instant),
        sa.Column("taken_offset_min", sa.SmallInteger()),
        sa.Column("doubt", Code),
        sa.Column("latitude", sa.Double()),
        sa.Column("longitude", sa.Double()),
        sa.Column("altitude_m", sa.Double()),
        sa.Column("detail", LongText),
        sa.PrimaryKeyConstraint("file_id", "asset_id", name=op.f("pk_photo_sidecar")),
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_nopad_bin",
        if_not_exists=again,
    )
    op.create_index(
        "ix_photo_sidecar_asset", "photo_sidecar", ["asset_id", "file_id"], if_not_exists=again
    )


def _of(table: str, name: str) -> sa.Column[int]:
    return sa.Column(
        name,
        RowId,
        sa.ForeignKey(f"{table}.id", name=op.f(f"fk_photo_sidecar_{name}")),
        nullable=False,
        autoincrement=False,
    )
