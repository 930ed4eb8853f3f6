"""The library's tables. An asset is identified by its content's sha256; paths are locations.

Members and allow-lists name assets by content hash, so that they may name one that is still on
its way; the asset takes its place when it arrives.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)

from lading.db.schema import row_id, table
from lading.db.types import Code, LongBytes, LongText, Md5Hex, Name, Sha256Hex, UtcDateTime


class ContainerKind(StrEnum):
    """The kinds of container; `event` is an `asset_event` in code and tables."""

    GALLERY = "gallery"
    COLLECTION = "collection"
    EVENT = "event"


class FileRole(StrEnum):
    """What a stored file is to its asset."""

    ORIGINAL = "original"
    DERIVATIVE = "derivative"
    HLS = "hls"
    TRANSCRIPT = "transcript"
    CLOUD_PACKAGE = "cloud_package"
    LIBRARY_COVER = "library_cover"
    COVER = "cover"
    STREAMING = "streaming"
    SIDECAR = "sidecar"


asset = table(
    "asset",
    row_id(),
    Column("content_hash", Sha256Hex, nullable=False),
    Column("asset_type", Code, nullable=False),
    Column("asset_subtype", Code),
    Column("title", LongText),
    Column("captured_at", UtcDateTime),
    Column("captured_offset_min", SmallInteger),  # of the wall clock from UTC, in minutes
    Column("width", Integer),
    Column("height", Integer),
    Column("duration_s", Double),
    Column("detail", LongText),  # JSON: what upstream said that has no column
    Column("batch_id", BigInteger),  # the batch that brought it first
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    UniqueConstraint("content_hash"),
    Index("ix_asset_type", "asset_type", "asset_subtype", "id"),
    Index("ix_asset_captured", "captured_at", "id"),
    Index("ix_asset_deleted", "deleted_at", "id"),
    Index("ix_asset_batch", "batch_id", "id"),
)

asset_file = table(
    "asset_file",
    row_id(),
    Column("asset_id", ForeignKey("asset.id"), nullable=False),
    Column("role", Code, nullable=False),
    Column("variant", Code),
    Column("path", LongText, nullable=False),  # as the bundle names it, relative to the item
    Column("path_sha256", Sha256Hex, nullable=False),  # paths are too long for a unique key
    # None for a file kept in place that was checked by another digest and never read whole.
    Column("sha256", Sha256Hex),
    Column("md5", Md5Hex),  # as the upstream states it, where that was compared with the bytes
    Column("etag", Name),  # what the store of a file kept in place called these bytes
    Column("size_bytes", BigInteger, nullable=False),
    Column("media_type", Name),
    Column("store", Name, nullable=False),  # a configured store, or `source:<name>` when in place
    Column("location", LongText, nullable=False),  # key in that store, path below that root
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    UniqueConstraint("asset_id", "path_sha256"),
    Index("ix_asset_file_sha256", "sha256"),
)

photo = table(
    "photo",  # what a picture or video says of itself, beside what its asset has
    Column("asset_id", ForeignKey("asset.id"), primary_key=True, autoincrement=False),
    Column("captured_from", Code),  # where its capture time stands: in the file, or in a sidecar
    Column("capture_doubt", Code),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("altitude_m", Double),
    Column("place_from", Code),  # null where the file itself says it
    Column("camera_make", Name),
    Column("camera_model", Name),
    Column("lens", Name),
    Column("orientation", SmallInteger, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("perceptual_hash", String(16)),
    Column("detail", LongText),  # JSON: streams, and what stands in the file and does not count
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_photo_place", "latitude", "longitude"),
    Index("ix_photo_camera", "camera_model", "camera_make", "asset_id"),
)

photo_file = table(
    "photo_file",  # a file kept in place as a scan saw it last, so that the next can compare
    Column("file_id", ForeignKey("asset_file.id"), primary_key=True, autoincrement=False),
    Column("source", Name, nullable=False),
    Column("folder_sha256", Sha256Hex, nullable=False),  # of the folder's path below the root
    Column("path_sha256", Sha256Hex, nullable=False),  # as in asset_file
    Column("mtime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("replaced_by", BigInteger),  # the file that took its place under the same path
    Index("ix_photo_file_folder", "source", "folder_sha256", "path_sha256"),
)

photo_companion = table(
    "photo_companion",  # a RAW or the film of a live photo, and the picture it was taken with
    Column("file_id", ForeignKey("asset_file.id"), primary_key=True, autoincrement=False),
    Column("of_file_id", ForeignKey("asset_file.id"), nullable=False),  # in the same folder
    Column("kind", Code, nullable=False),
    Index("ix_photo_companion_of", "of_file_id", "file_id"),
)

photo_sidecar = table(
    "photo_sidecar",  # what a sidecar says of a photo; it counts where the photo says nothing
    Column("file_id", ForeignKey("asset_file.id"), primary_key=True, autoincrement=False),
    Column("asset_id", ForeignKey("asset.id"), primary_key=True, autoincrement=False),
    Column("kind", Code, nullable=False),
    Column("reader", Code, nullable=False),  # what read it, so that another one reads it again
    Column("taken_at", UtcDateTime),
    Column("taken_offset_min", SmallInteger),
    Column("doubt", Code),  # what is unsure about the time
    Column("latitude", Double),
    Column("longitude", Double),
    Column("altitude_m", Double),
    Column("detail", LongText),  # JSON: what stands in it and does not count
    Index("ix_photo_sidecar_asset", "asset_id", "file_id"),
)

photo_date_change = table(
    "photo_date_change",  # one time that people gave a photo; kept, so that it can be taken back
    row_id(),
    Column("asset_id", ForeignKey("asset.id"), nullable=False),
    Column("operation", Code, nullable=False),  # by its key
    Column("before_id", BigInteger),  # the change that counted before; null for what the file says
    Column("how", Code, nullable=False),
    Column("shift_s", BigInteger),
    Column("taken_at", UtcDateTime),
    Column("taken_offset_min", SmallInteger),
    Column("actor", Name, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("operation", "asset_id", name="uq_photo_date_change_operation_asset_id"),
    Index("ix_photo_date_change_asset", "asset_id", "id"),
)

photo_date = table(
    "photo_date",  # of photos whose time people changed: what the file says, and what counts
    Column("asset_id", ForeignKey("asset.id"), primary_key=True, autoincrement=False),
    Column("said_at", UtcDateTime),
    Column("said_offset_min", SmallInteger),
    Column("change_id", ForeignKey("photo_date_change.id"), nullable=False),
)

photo_stack = table(
    "photo_stack",  # a photo that is folded under another, which is the top of the stack
    Column("asset_id", ForeignKey("asset.id"), primary_key=True, autoincrement=False),
    Column("top_id", ForeignKey("asset.id"), nullable=False),
    Index("ix_photo_stack_top", "top_id", "asset_id"),
)

derivation = table(
    "derivation",  # what was derived of an asset's content, how, or why that failed
    Column("asset_id", ForeignKey("asset.id"), primary_key=True, autoincrement=False),
    Column("name", Code, primary_key=True),
    Column("variant", Code, primary_key=True),  # empty where there is one of a kind
    Column("key", Code, nullable=False),  # of tool, version and settings together
    Column("tool", Name, nullable=False),
    Column("version", Name, nullable=False),
    Column("settings", LongText, nullable=False),
    Column("file_id", ForeignKey("asset_file.id")),  # what came out, where that is a file
    Column("width", Integer),
    Column("height", Integer),
    Column("error", Code),
    Column("error_text", LongText),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

asset_source = table(
    "asset_source",
    row_id(),
    Column("asset_id", ForeignKey("asset.id"), nullable=False),
    Column("sha256", Sha256Hex, nullable=False),
    Column("body", LongBytes, nullable=False),  # source.json, verbatim (A11)
    Column("batch_id", BigInteger),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("asset_id", "sha256"),
)

asset_ai_run = table(
    "asset_ai_run",
    row_id(),
    Column("asset_id", ForeignKey("asset.id"), nullable=False),
    Column("analysis_kind", Name, nullable=False),  # A12
    Column("sha256", Sha256Hex, nullable=False),
    Column("body", LongBytes, nullable=False),
    Column("batch_id", BigInteger),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("asset_id", "analysis_kind", "sha256"),
)


def _container(name: str) -> tuple[Table, Table]:
    """A kind of container and its members in order; all kinds have one shape."""
    container = table(
        name,
        row_id(),
        Column("key", Name, nullable=False),  # the bundle's container_key
        Column("title", LongText),
        Column("detail", LongText),
        Column("batch_id", BigInteger),
        Column("created_at", UtcDateTime, nullable=False),
        Column("updated_at", UtcDateTime, nullable=False),
        Column("deleted_at", UtcDateTime),
        UniqueConstraint("key"),
        Index(f"ix_{name}_deleted", "deleted_at", "id"),
    )
    item = table(
        f"{name}_item",
        Column("container_id", ForeignKey(f"{name}.id"), primary_key=True),
        Column("position", Integer, primary_key=True, autoincrement=False),
        Column("content_hash", Sha256Hex, nullable=False),
        Index(f"ix_{name}_item_content_hash", "content_hash", "container_id"),
    )
    return container, item


asset_gallery, asset_gallery_item = _container("asset_gallery")
asset_collection, asset_collection_item = _container("asset_collection")
asset_event, asset_event_item = _container("asset_event")

CONTAINERS: dict[ContainerKind, tuple[Table, Table]] = {
    ContainerKind.GALLERY: (asset_gallery, asset_gallery_item),
    ContainerKind.COLLECTION: (asset_collection, asset_collection_item),
    ContainerKind.EVENT: (asset_event, asset_event_item),
}

asset_cover = table(
    "asset_cover",
    row_id(),
    Column("owner_kind", Code, nullable=False),  # asset, gallery, collection, event
    Column("owner_id", BigInteger, nullable=False),
    Column("cover_hash", Sha256Hex, nullable=False),
    Column("file_id", ForeignKey("asset_file.id")),  # the file of role `cover`, or
    Column("cover_asset_id", ForeignKey("asset.id")),  # the asset that serves as cover
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("owner_kind", "owner_id"),
    Index("ix_asset_cover_cover_hash", "cover_hash"),
)

site = table(
    "site",
    row_id(),
    Column("key", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("key"),
)

# The four routes by which a site sees content (A18).
asset_site_membership = table(
    "asset_site_membership",
    Column("site_id", ForeignKey("site.id"), primary_key=True),
    Column("asset_id", ForeignKey("asset.id"), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_asset_site_membership_asset", "asset_id"),
)

container_site_membership = table(
    "container_site_membership",
    Column("site_id", ForeignKey("site.id"), primary_key=True),
    Column("container_kind", Code, primary_key=True),
    Column("container_id", BigInteger, primary_key=True, autoincrement=False),
    Column("created_at", UtcDateTime, nullable=False),
)

site_allow_list = table(
    "site_allow_list",
    Column("site_id", ForeignKey("site.id"), primary_key=True),
    Column("content_hash", Sha256Hex, primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_site_allow_list_content_hash", "content_hash"),
)

access_package = table(
    "access_package",
    row_id(),
    Column("key", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("key"),
)

access_package_asset = table(
    "access_package_asset",
    Column("package_id", ForeignKey("access_package.id"), primary_key=True),
    Column("content_hash", Sha256Hex, primary_key=True),
    Index("ix_access_package_asset_content_hash", "content_hash"),
)

access_package_container = table(
    "access_package_container",
    Column("package_id", ForeignKey("access_package.id"), primary_key=True),
    Column("container_kind", Code, primary_key=True),
    Column("container_id", BigInteger, primary_key=True, autoincrement=False),
)

site_access_package = table(
    "site_access_package",
    Column("site_id", ForeignKey("site.id"), primary_key=True),
    Column("package_id", ForeignKey("access_package.id"), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
)
