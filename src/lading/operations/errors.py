"""What can be wrong with a request for a selection, an operation or its undo."""

from __future__ import annotations

from lading.base.errors import RequestError


class UnknownSelection(RequestError):
    """There is no selection of that name; what no operation uses is forgotten after a week."""

    code = "unknown_selection"
    http_status = 404
    next_step = "Select again."


class SelectionClosed(RequestError):
    """The selection belongs to an operation that was started with it, and stays as it is."""

    code = "selection_closed"
    http_status = 409
    next_step = "Make a selection of your own; the operation keeps the one it was started with."


class TargetMissing(RequestError):
    """Something named by its number is not there."""

    code = "target_missing"
    http_status = 404
    next_step = "List what there is, and name one of those."


class BadFilter(RequestError):
    """A filter that this list does not have, or a value that it cannot take."""

    code = "bad_filter"
    next_step = "Correct the named filter, or leave it out."


class BadOperation(RequestError):
    """The verb does not fit what it is to be done to, or lacks what it needs to know."""

    code = "bad_operation"
    next_step = "Correct the named parameter."


class UnknownOperation(RequestError):
    """There is no operation of that name."""

    code = "unknown_operation"
    http_status = 404
    next_step = "List the operations and pick one of them."


class NotUndoable(RequestError):
    """The operation cannot be taken back: by its nature, because it is late, or because it was."""

    code = "not_undoable"
    http_status = 409
    next_step = "Do by hand what you want changed; what the operation did is in its results."


class UnknownProblem(RequestError):
    """There is no group of problems of that name."""

    code = "unknown_problem"
    http_status = 404
    next_step = "List the problems and pick one of them; it may be solved by now."
