"""What can be wrong with sorting: a pattern, a plan that no longer holds, a move, an undo."""

from __future__ import annotations

from lading.base.errors import RequestError, SourceError, StoreError


class BadPattern(RequestError):
    """A pattern for sorted photos makes no sense."""

    code = "bad_sort_pattern"
    next_step = "Correct the pattern, for example {year}/{year}-{month:02}/{name}{ext}."


class NotSortable(RequestError):
    """The source is not a tree of photos that is configured here."""

    code = "not_sortable"
    next_step = "Name a source of the kind `photos` from the settings."


class BadSortFolder(RequestError):
    """The folder that is to be sorted is none of its source."""

    code = "bad_sort_folder"
    next_step = "Name a folder below the root of the source, such as 2019/trip."


class UnknownSort(RequestError):
    """There is no run of sorting of that name."""

    code = "unknown_sort_run"
    http_status = 404
    next_step = "List the runs with `lading photos runs`."


class SortNotUndoable(RequestError):
    """A run of sorting cannot be taken back as it stands."""

    code = "sort_not_undoable"
    http_status = 409
    next_step = "Look at the run with `lading photos runs RUN`."


class SortPlanChanged(RequestError):
    """What would be moved now is not what the preview showed, so nothing was moved (G6)."""

    code = "sort_plan_changed"
    http_status = 409
    next_step = "Preview it again, and accept what is shown then."


class SortRootReplaced(SourceError):
    """The root of a tree is another one than when the plan was made; nothing more is moved."""

    code = "sort_root_replaced"
    http_status = 503
    transient = True
    next_step = "Mount the disk that the plan was made for; the run then goes on."


class MoveRefused(SourceError):
    """A file is not as it was planned, or its place is taken; it stays where it is."""

    code = "move_refused"
    http_status = 409
    next_step = "Scan the source, then sort again."


class MoveFailed(StoreError):
    """The system did not let a file be placed or removed. Nothing is lost; it can be run again."""

    code = "move_failed"
    transient = True
    next_step = "Check the disk, its space and its permissions; the run then goes on."
