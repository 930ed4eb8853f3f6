"""What Alembic runs for each command; the connection and its lock come from `lading.db.migrate`."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # Only drafting a new migration compares with the models; an upgrade knows none of them.
    target_metadata=context.config.attributes.get("metadata"),
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
