"""What can be wrong with a request to the queue, and how a worker learns that its job is gone."""

from __future__ import annotations

from lading.base.errors import LadingError, RequestError


class LeaseLost(LadingError):
    """The job was taken over or ended in the meantime; whoever held it may not write any more."""

    code = "lease_lost"
    http_status = 409
    exit_status = 4
    next_step = "Nothing to do: the job was given to another worker, or has ended."


class JobMissing(RequestError):
    """There is no job of that number."""

    code = "job_missing"
    http_status = 404
    next_step = "List the jobs and pick one of them."


class JobNotCancellable(RequestError):
    """Only a job that is not running and has not ended can be cancelled (A22)."""

    code = "job_not_cancellable"
    http_status = 409
    next_step = "Stop a running job after the item in hand; a job that ended needs nothing."


class JobNotStoppable(RequestError):
    """Only a running job can be asked to stop."""

    code = "job_not_stoppable"
    http_status = 409
    next_step = "Cancel the job if it has not begun; otherwise it needs nothing."


class JobNotResumable(RequestError):
    """Only a paused job can be resumed."""

    code = "job_not_resumable"
    http_status = 409
    next_step = "Retry the job if it failed or was cancelled; otherwise it goes on by itself."


class JobNotRetryable(RequestError):
    """The job cannot be run again as it stands."""

    code = "job_not_retryable"
    http_status = 409
    next_step = "Retry what it waits for first, or wait for the job that does the same work."


class JobNotMovable(RequestError):
    """The priority of a job that has ended means nothing any more."""

    code = "job_not_movable"
    http_status = 409
    next_step = "Retry the job, then set its priority."


class BadJob(RequestError):
    """A job as it was asked for cannot be put in line."""

    code = "bad_job"
    next_step = "Correct the named field."


class BadWorkerSettings(RequestError):
    """Settings of a worker that contradict each other."""

    code = "bad_worker_settings"
    next_step = "Correct the named setting."


class UnknownJobKind(RequestError):
    """A job of a kind that this worker has no handler for."""

    code = "unknown_job_kind"
    next_step = "Start a worker of the version that knows this kind, or cancel the job."


class DependencyFailed(LadingError):
    """What the job waited for did not end well; recorded on the job, never raised."""

    code = "dependency_failed"
    http_status = 409
    next_step = "Mend and retry the job it names, with its dependents."


class WorkerLost(LadingError):
    """The job's worker fell silent once too often; recorded on the job, never raised."""

    code = "worker_lost"
    next_step = "Look at the last lines of that worker's log; a file may be ending the process."
