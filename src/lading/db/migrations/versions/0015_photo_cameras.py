"""An index for cameras: which there are, and the photos of one, without reading every photo."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Index which camera photos were taken with."""
    op.create_index(
        "ix_photo_camera",
        "photo",
        ["camera_model", "camera_make", "asset_id"],
        # Statements commit one by one on MariaDB; a migration cut off there is run again.
        if_not_exists=op.get_context().dialect.name == "mariadb",
    )
