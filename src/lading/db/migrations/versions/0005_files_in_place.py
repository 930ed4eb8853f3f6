"""Files kept in place may be known by md5 and ETag, without a sha256 that nobody has computed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Let `sha256` be unknown, and add what else tells the content of a file."""
    dialect = op.get_context().dialect.name
    # Statements commit one by one on MariaDB; a migration cut off there is run again.
    again = dialect == "mariadb"
    for name, length in (("md5", 32), ("etag", 190)):
        op.add_column("asset_file", sa.Column(name, sa.String(length)), if_not_exists=again)
    if dialect != "sqlite":
        op.alter_column("asset_file", "sha256", existing_type=sa.String(64), nullable=True)
        return
    # SQLite cannot take a NOT NULL away, and other tables refer to this one, so that it cannot be
    # made anew either: the column is replaced.
    op.drop_index("ix_asset_file_sha256", "asset_file")
    op.execute("ALTER TABLE asset_file RENAME COLUMN sha256 TO sha256_before")
    op.add_column("asset_file", sa.Column("sha256", sa.String(64)))
    op.execute("UPDATE asset_file SET sha256 = sha256_before")
    op.execute("ALTER TABLE asset_file DROP COLUMN sha256_before")
    op.create_index("ix_asset_file_sha256", "asset_file", ["sha256"])
