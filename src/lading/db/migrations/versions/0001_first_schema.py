"""The first schema: ledger, queue and library.

There is no way down but a backup: a migration that forgets data cannot be undone by another.
Names and types are spelled out here, so that this file means the same when the models have moved
on.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0001"
down_revision = None

GENESIS_HASH = "0" * 64

RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Instant = (
    sa.DateTime()
    .with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
    .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
)
Sha256Hex = sa.String(64)
Code = sa.String(64)
Name = sa.String(190)
LongText = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
LongBytes = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


def upgrade() -> None:
    """Create all tables, the head of the event chain and the pause switch."""
    _create_ledger()
    _create_events()
    _create_queue()
    _create_queue_indexes()
    _create_assets()
    for kind in ("asset_gallery", "asset_collection", "asset_event"):
        _create_container(kind)
    _create_sites()
    _create_access_packages()
    _insert_once("ledger_head", {"id": 1, "seq": 0, "hash": GENESIS_HASH})
    _insert_once("queue_control", {"lane": "default", "paused": False})


def _create_ledger() -> None:
    _table(
        "ingest_batch",
        _row_id(),
        _required("source", Name),
        _required("batch_key", Name),
        _required("revision", sa.Integer()),
        sa.Column("queued_revision", sa.Integer()),
        _required("type", Code),
        _required("action", Code),
        _required("state", Code),
        sa.Column("reason", Code),
        sa.Column("detail", LongText),
        _required("fingerprint", Name),
        sa.Column("manifest_sha256", Sha256Hex),
        sa.Column("preflight_sha256", Sha256Hex),
        sa.Column("plan_digest", Sha256Hex),
        _required("items_total", sa.Integer()),
        _required("bytes_total", sa.BigInteger()),
        _required("found_at", Instant),
        _required("updated_at", Instant),
        sa.Column("preflighted_at", Instant),
        sa.Column("queued_at", Instant),
        sa.Column("finished_at", Instant),
        _unique("ingest_batch", "source", "batch_key"),
    )
    _index("ix_ingest_batch_state_updated", "ingest_batch", "state", "updated_at", "id")
    _index("ix_ingest_batch_updated", "ingest_batch", "updated_at", "id")
    _table(
        "ingest_batch_item",
        _row_id(),
        _reference("ingest_batch_item", "batch_id", "ingest_batch"),
        _required("revision", sa.Integer()),
        _required("seq", sa.Integer()),
        _required("item_key", Name),
        _required("kind", Code),
        sa.Column("title", Name),
        sa.Column("content_hash", Sha256Hex),
        _required("bytes", sa.BigInteger()),
        _required("decision", Code),
        _required("planned", Code),
        _required("outcome", Code),
        sa.Column("reason", Code),
        sa.Column("detail", LongText),
        sa.Column("last_error", LongText),
        _required("attempts", sa.SmallInteger()),
        sa.Column("job_id", sa.BigInteger()),
        sa.Column("lease", sa.BigInteger()),
        _required("updated_at", Instant),
        _unique("ingest_batch_item", "batch_id", "revision", "seq"),
    )
    item, of_batch = "ingest_batch_item", ("batch_id", "revision")
    _index("ix_ingest_batch_item_key", item, *of_batch, "item_key")
    _index("ix_ingest_batch_item_hash", item, *of_batch, "content_hash")
    _index("ix_ingest_batch_item_outcome", item, *of_batch, "outcome", "seq")
    _index("ix_ingest_batch_item_reason", item, "reason", "id")


def _create_events() -> None:
    _table(
        "ingest_event",
        _required("seq", sa.BigInteger(), autoincrement=False),
        _required("at", Instant),
        _required("kind", Code),
        _required("actor", Name),
        sa.Column("source", Name),
        sa.Column("batch_id", sa.BigInteger()),
        sa.Column("job_id", sa.BigInteger()),
        _required("payload", LongText),
        _required("hash", Sha256Hex),
        primary_key=("seq",),
    )
    _index("ix_ingest_event_batch", "ingest_event", "batch_id", "seq")
    _index("ix_ingest_event_job", "ingest_event", "job_id", "seq")
    _index("ix_ingest_event_source_kind", "ingest_event", "source", "kind", "seq")
    _index("ix_ingest_event_kind", "ingest_event", "kind", "seq")
    _table(
        "ledger_head",
        _required("id", sa.SmallInteger(), autoincrement=False),
        _required("seq", sa.BigInteger()),
        _required("hash", Sha256Hex),
        numbered=False,
        # Rewritten with every event: room beside it keeps the new version on the same page.
        postgresql_with={"fillfactor": 50},
    )


def _create_queue() -> None:
    _table(
        "import_job",
        _row_id(),
        _required("kind", Code),
        _required("params", LongText),
        sa.Column("batch_id", sa.BigInteger()),
        _required("status", Code),
        _required("priority", sa.SmallInteger(), server_default="5"),
        sa.Column("not_before", Instant),
        _required("pending_deps", sa.Integer(), server_default="0"),
        _required("attempt", sa.Integer(), server_default="0"),
        _required("attempts_max", sa.Integer(), server_default="5"),
        _required("lease", sa.BigInteger(), server_default="0"),
        sa.Column("worker", Name),
        _required("created_at", Instant),
        sa.Column("queued_at", Instant),
        sa.Column("started_at", Instant),
        sa.Column("heartbeat_at", Instant),
        sa.Column("finished_at", Instant),
        _required("stop_requested", sa.Boolean(), server_default="0"),
        _required("items_done", sa.Integer(), server_default="0"),
        _required("items_skipped", sa.Integer(), server_default="0"),
        _required("items_failed", sa.Integer(), server_default="0"),
        sa.Column("items_total", sa.Integer()),
        _required("bytes_moved", sa.BigInteger(), server_default="0"),
        _required("bytes_skipped", sa.BigInteger(), server_default="0"),
        sa.Column("bytes_total", sa.BigInteger()),
        sa.Column("current_item", Name),
        sa.Column("error", LongText),
        sa.Column("error_code", Code),
        sa.Column("failed_by", sa.BigInteger()),
        sa.Column("active_key", Name),
        sa.Column("own_key", Name),
        _unique("import_job", "active_key"),
        postgresql_with={"fillfactor": 75, "autovacuum_vacuum_scale_factor": 0.01},
    )
    _table(
        "import_job_dep",
        _reference("import_job_dep", "job_id", "import_job"),
        _reference("import_job_dep", "wait_for_id", "import_job"),
        primary_key=("job_id", "wait_for_id"),
    )
    _index("ix_import_job_dep_wait_for", "import_job_dep", "wait_for_id")
    _table(
        "queue_control",
        _required("lane", sa.String(32)),
        _required("paused", sa.Boolean(), server_default="0"),
        sa.Column("paused_by", Name),
        sa.Column("paused_at", Instant),
        sa.Column("why", Name),
        primary_key=("lane",),
    )
    _table(
        "worker",
        _required("id", Name),
        _required("host", Name),
        _required("pid", sa.Integer()),
        _required("version", Code),
        _required("slots", sa.SmallInteger()),
        _required("started_at", Instant),
        _required("seen_at", Instant),
        sa.Column("stopped_at", Instant),
        numbered=False,
    )


def _create_queue_indexes() -> None:
    _index("ix_import_job_batch", "import_job", "batch_id", "id")
    _index("ix_import_job_finished", "import_job", "finished_at")
    if _on_mariadb():
        # No partial indexes here; the state leads instead.
        _index("ix_import_job_status_priority", "import_job", "status", "priority", "id")
        _index("ix_import_job_status_due", "import_job", "status", "not_before")
        return
    _index("ix_import_job_claim", "import_job", "priority", "id", where="status = 'queued'")
    _index("ix_import_job_running", "import_job", "id", where="status = 'running'")
    due = "status = 'waiting' AND not_before IS NOT NULL"
    _index("ix_import_job_due", "import_job", "not_before", where=due)


def _create_assets() -> None:
    _table(
        "asset",
        _row_id(),
        _required("content_hash", Sha256Hex),
        _required("asset_type", Code),
        sa.Column("asset_subtype", Code),
        sa.Column("title", LongText),
        sa.Column("captured_at", Instant),
        sa.Column("captured_offset_min", sa.SmallInteger()),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("duration_s", sa.Double()),
        sa.Column("detail", LongText),
        sa.Column("batch_id", sa.BigInteger()),
        *_dated("created_at", "updated_at"),
        sa.Column("deleted_at", Instant),
        _unique("asset", "content_hash"),
    )
    _index("ix_asset_type", "asset", "asset_type", "asset_subtype", "id")
    _index("ix_asset_captured", "asset", "captured_at", "id")
    _index("ix_asset_deleted", "asset", "deleted_at", "id")
    _index("ix_asset_batch", "asset", "batch_id", "id")
    _table(
        "asset_file",
        _row_id(),
        _reference("asset_file", "asset_id", "asset"),
        _required("role", Code),
        sa.Column("variant", Code),
        _required("path", LongText),
        _required("path_sha256", Sha256Hex),
        _required("sha256", Sha256Hex),
        _required("size_bytes", sa.BigInteger()),
        sa.Column("media_type", Name),
        _required("store", Name),
        _required("location", LongText),
        *_dated("created_at", "updated_at"),
        sa.Column("deleted_at", Instant),
        _unique("asset_file", "asset_id", "path_sha256"),
    )
    _index("ix_asset_file_sha256", "asset_file", "sha256")
    for name, keys in (("asset_source", ()), ("asset_ai_run", ("analysis_kind",))):
        _table(
            name,
            _row_id(),
            _reference(name, "asset_id", "asset"),
            *(_required(key, Name) for key in keys),
            _required("sha256", Sha256Hex),
            _required("body", LongBytes),
            sa.Column("batch_id", sa.BigInteger()),
            *_dated("created_at"),
            _unique(name, "asset_id", *keys, "sha256"),
        )
    _table(
        "asset_cover",
        _row_id(),
        _required("owner_kind", Code),
        _required("owner_id", sa.BigInteger()),
        _required("cover_hash", Sha256Hex),
        _reference("asset_cover", "file_id", "asset_file", nullable=True),
        _reference("asset_cover", "cover_asset_id", "asset", nullable=True),
        *_dated("created_at", "updated_at"),
        _unique("asset_cover", "owner_kind", "owner_id"),
    )
    _index("ix_asset_cover_cover_hash", "asset_cover", "cover_hash")


def _create_container(name: str) -> None:
    _table(
        name,
        _row_id(),
        _required("key", Name),
        sa.Column("title", LongText),
        sa.Column("detail", LongText),
        sa.Column("batch_id", sa.BigInteger()),
        *_dated("created_at", "updated_at"),
        sa.Column("deleted_at", Instant),
        _unique(name, "key"),
    )
    _index(f"ix_{name}_deleted", name, "deleted_at", "id")
    _table(
        f"{name}_item",
        _reference(f"{name}_item", "container_id", name),
        _required("position", sa.Integer()),
        _required("content_hash", Sha256Hex),
        primary_key=("container_id", "position"),
    )
    _index(f"ix_{name}_item_content_hash", f"{name}_item", "content_hash", "container_id")


def _create_sites() -> None:
    for name in ("site", "access_package"):
        _table(
            name,
            _row_id(),
            _required("key", Name),
            _required("name", Name),
            *_dated("created_at"),
            _unique(name, "key"),
        )
    _table(
        "asset_site_membership",
        _reference("asset_site_membership", "site_id", "site"),
        _reference("asset_site_membership", "asset_id", "asset"),
        *_dated("created_at"),
        primary_key=("site_id", "asset_id"),
    )
    _index("ix_asset_site_membership_asset", "asset_site_membership", "asset_id")
    _table(
        "container_site_membership",
        _reference("container_site_membership", "site_id", "site"),
        _required("container_kind", Code),
        _required("container_id", sa.BigInteger()),
        *_dated("created_at"),
        primary_key=("site_id", "container_kind", "container_id"),
    )
    _table(
        "site_allow_list",
        _reference("site_allow_list", "site_id", "site"),
        _required("content_hash", Sha256Hex),
        *_dated("created_at"),
        primary_key=("site_id", "content_hash"),
    )
    _index("ix_site_allow_list_content_hash", "site_allow_list", "content_hash")


def _create_access_packages() -> None:
    _table(
        "access_package_asset",
        _reference("access_package_asset", "package_id", "access_package"),
        _required("content_hash", Sha256Hex),
        primary_key=("package_id", "content_hash"),
    )
    _index("ix_access_package_asset_content_hash", "access_package_asset", "content_hash")
    _table(
        "access_package_container",
        _reference("access_package_container", "package_id", "access_package"),
        _required("container_kind", Code),
        _required("container_id", sa.BigInteger()),
        primary_key=("package_id", "container_kind", "container_id"),
    )
    _table(
        "site_access_package",
        _reference("site_access_package", "site_id", "site"),
        _reference("site_access_package", "package_id", "access_package"),
        *_dated("created_at"),
        primary_key=("site_id", "package_id"),
    )


def _on_mariadb() -> bool:
    return op.get_context().dialect.name == "mariadb"


def _table(
    name: str,
    *items: sa.schema.SchemaItem,
    primary_key: tuple[str, ...] = ("id",),
    numbered: bool = True,
    **options: Any,
) -> None:
    op.create_table(
        name,
        *items,
        sa.PrimaryKeyConstraint(*primary_key, name=f"pk_{name}"),
        sqlite_autoincrement=numbered and primary_key == ("id",),
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_nopad_bin",
        # Statements commit one by one on MariaDB; a migration cut off there is run again.
        if_not_exists=_on_mariadb(),
        **options,
    )


def _index(name: str, table: str, *columns: str, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(
        name,
        table,
        columns,
        postgresql_where=condition,
        sqlite_where=condition,
        if_not_exists=_on_mariadb(),
    )


def _insert_once(name: str, row: dict[str, object]) -> None:
    table = sa.table(name, *(sa.column(key) for key in row))
    if op.get_bind().scalar(sa.select(sa.func.count()).select_from(table)) == 0:
        op.bulk_insert(table, [row])


def _row_id() -> sa.Column[int]:
    return sa.Column("id", RowId, nullable=False, autoincrement=True)


def _required(name: str, kind: sa.types.TypeEngine[Any], **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **options)


def _dated(*names: str) -> list[sa.Column[Any]]:
    return [_required(name, Instant) for name in names]


def _reference(table: str, column: str, to: str, *, nullable: bool = False) -> sa.Column[Any]:
    key = sa.ForeignKey(f"{to}.id", name=f"fk_{table}_{column}")
    return sa.Column(column, RowId, key, nullable=nullable)


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")
