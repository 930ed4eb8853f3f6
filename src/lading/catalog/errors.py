"""What can be wrong with the catalog, or with what is asked of it."""

from __future__ import annotations

from lading.base.errors import RequestError, StoreError


class CatalogRowRefused(RequestError):
    """A value cannot stand in the catalog: a hash that is none, a time without a zone."""

    code = "catalog_row_refused"
    http_status = 422
    next_step = "Correct the named value, then register it again."


class CatalogFilterRefused(RequestError):
    """A filter names a column there is not, or compares it with what it never holds."""

    code = "catalog_filter_refused"
    next_step = "Use a column of the table and a value of its type."


class CatalogConflict(RequestError):
    """The catalog holds another row under the same key, and no policy says which shall stand."""

    code = "catalog_conflict"
    http_status = 409
    next_step = (
        "Compare the two; then register again with the policy that fits: extend,"
        " merge_participants, or overwrite once you know that the row held is wrong."
    )


class RecordingMissing(RequestError):
    """The catalog has no recording of this hash."""

    code = "recording_missing"
    http_status = 404
    next_step = "Check the hash and the prefix in use; register the recording if it is not there."


class CatalogVersionMissing(RequestError):
    """A table has no such version."""

    code = "catalog_version_missing"
    http_status = 404
    next_step = "List the versions and pick one of them."


class CatalogMoved(RequestError):
    """A table or the pointer was changed by somebody else since it was looked at."""

    code = "catalog_moved"
    http_status = 409
    next_step = "Look at what it is now, then decide again."


class CatalogBusy(StoreError):
    """Others kept changing the same part of the catalog; nothing was written."""

    code = "catalog_busy"
    next_step = "Run it again; what was registered meanwhile is skipped."


class CatalogIncompatible(StoreError):
    """A table has other columns than this version of Lading knows."""

    code = "catalog_incompatible"
    transient = False
    next_step = "Use the version of Lading that wrote it, or name another prefix."


class PointerMissing(RequestError):
    """There is no pointer object, so no catalog is live here."""

    code = "pointer_missing"
    http_status = 404
    next_step = "Check bucket and name; for a new catalog, create it with the prefix it shall have."


class PointerGarbled(StoreError):
    """The pointer object is not one, or of a later format."""

    code = "pointer_garbled"
    transient = False
    next_step = "Look at the object; put back the last good one, or name the prefix yourself."
