"""${message}.

There is no way down but a backup: a migration that forgets data cannot be undone by another.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Apply the change; on MariaDB each statement commits, so it must bear being run again."""
    ${upgrades if upgrades else "pass"}
