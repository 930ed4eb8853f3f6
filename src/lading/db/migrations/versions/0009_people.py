"""People: who there is, faces in files, whose they are, and settings tried and adopted."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0009"
down_revision = "0008"

Instant = (
    sa.DateTime()
    .with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
    .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
)
RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Sha256Hex = sa.String(64)
Code = sa.String(64)
Name = sa.String(190)
LongText = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
LongBytes = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


def upgrade() -> None:
    """Create the tables of people and faces, and those of settings for them."""
    _people()
    _links()
    _settings()


def _people() -> None:
    _table(
        "person",
        _required("name", Name),
        _reference("person", "merged_into", "person"),
        _required("created_at", Instant),
        _required("updated_at", Instant),
        sa.UniqueConstraint("name", name=op.f("uq_person_name")),
    )
    _index("ix_person_merged_into", "person", "merged_into")
    _table(
        "face_scan",
        _reference("face_scan", "asset_id", "asset"),
        sa.Column("current", sa.SmallInteger()),
        sa.Column("name", LongText),
        sa.Column("sha256", Sha256Hex),
        sa.Column("key", Code),
        _required("engine", Code),
        _required("engine_version", Name),
        _required("settings_digest", Code),
        _required("settings", LongText),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        _required("left_out", sa.Integer()),
        sa.Column("error", Code),
        sa.Column("error_text", LongText),
        _required("scanned_at", Instant),
        sa.UniqueConstraint("asset_id", "current", name=op.f("uq_face_scan_asset_id_current")),
    )
    _table(
        "face",
        _reference("face", "scan_id", "face_scan", nullable=False),
        *(_required(f"box_{side}", sa.Double()) for side in ("left", "top", "width", "height")),
        _required("score", sa.Double()),
        _required("side_px", sa.Integer()),
        _required("sharpness", sa.Double()),
        _required("roll_degrees", sa.Double()),
        _required("turn", sa.Double()),
        _required("embedding_kind", Code),
        _required("embedding", LongBytes),
    )
    _index("ix_face_scan", "face", "scan_id", "id")


def _links() -> None:
    _table(
        "reference_image",
        _reference("reference_image", "person_id", "person", nullable=False),
        _reference("reference_image", "face_id", "face", nullable=False),
        _required("created_by", Name),
        _required("created_at", Instant),
        sa.Column("removed_at", Instant),
        sa.UniqueConstraint(
            "person_id", "face_id", name=op.f("uq_reference_image_person_id_face_id")
        ),
    )
    _index("ix_reference_image_face", "reference_image", "face_id")
    _table(
        "face_person",
        _reference("face_person", "face_id", "face", nullable=False),
        _reference("face_person", "person_id", "person", nullable=False),
        _required("state", Code),
        _reference("face_person", "scan_id", "face_scan"),
        _reference("face_person", "reference_id", "reference_image"),
        sa.Column("distance", sa.Double()),
        sa.Column("margin", sa.Double()),
        sa.Column("rule", Code),
        sa.Column("settings_digest", Code),
        _required("decided_by", Name),
        _required("decided_at", Instant),
        sa.PrimaryKeyConstraint("face_id", "person_id", name=op.f("pk_face_person")),
        numbered=False,
    )
    _index("ix_face_person_person", "face_person", "person_id", "state", "face_id")
    _index("ix_face_person_reference", "face_person", "reference_id")
    _index("ix_face_person_scan", "face_person", "scan_id")


def _settings() -> None:
    _table(
        "face_lab_run",
        _required("source", Name),
        _required("folder", LongText),
        sa.Column("file_name", LongText),
        _required("settings", LongText),
        sa.Column("result", LongText),
        _required("created_by", Name),
        _required("created_at", Instant),
        sa.Column("finished_at", Instant),
    )
    _table(
        "face_settings",
        _required("settings", LongText),
        _required("digest", Code),
        _reference("face_settings", "lab_run_id", "face_lab_run"),
        _required("adopted_by", Name),
        _required("adopted_at", Instant),
    )


def _again() -> bool:
    # Statements commit one by one on MariaDB; a migration cut off there is run again.
    return op.get_context().dialect.name == "mariadb"


def _required(name: str, type_: Any) -> sa.Column[Any]:
    return sa.Column(name, type_, nullable=False)


def _reference(table: str, name: str, to: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(
        name,
        RowId,
        sa.ForeignKey(f"{to}.id", name=op.f(f"fk_{table}_{name}")),
        nullable=nullable,
        autoincrement=False,
    )


def _index(name: str, table: str, *columns: str) -> None:
    op.create_index(name, table, list(columns), if_not_exists=_again())


def _table(name: str, *items: Any, numbered: bool = True) -> None:
    own: list[Any] = []
    if numbered:
        own = [
            sa.Column("id", RowId, autoincrement=True, nullable=False),
            sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        ]
    op.create_table(
        name,
        *own,
        *items,
        sqlite_autoincrement=numbered,
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_nopad_bin",
        if_not_exists=_again(),
    )
