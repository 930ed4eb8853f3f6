"""Faces that people passed over, and the persons that a lab run is about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0011"
down_revision = "0010"

LongText = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
Instant = (
    sa.DateTime()
    .with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
    .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
)


def upgrade() -> None:
    """Add the columns."""
    # Statements commit one by one on MariaDB; a migration cut off there is run again.
    again = op.get_context().dialect.name == "mariadb"
    op.add_column("face", sa.Column("passed_over_by", sa.String(190)), if_not_exists=again)
    op.add_column("face", sa.Column("passed_over_at", Instant), if_not_exists=again)
    op.add_column("face_lab_run", sa.Column("persons", LongText), if_not_exists=again)
