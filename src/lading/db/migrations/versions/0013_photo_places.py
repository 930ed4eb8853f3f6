"""An index for the map: what lies in an area is found without reading every photo."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Index where photos were taken."""
    op.create_index(
        "ix_photo_place",
        "photo",
        ["latitude", "longitude"],
        # Statements commit one by one on MariaDB; a migration cut off there is run again.
        if_not_exists=op.get_context().dialect.name == "mariadb",
    )
