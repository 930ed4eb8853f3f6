"""What a worker needs to run the jobs about faces."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from lading.jobs.context import Handler, JobContext, JobResult
from lading.people.detecting import find_faces
from lading.people.jobs import FACES_JOB_KIND, MATCH_JOB_KIND, REFERENCES_JOB_KIND
from lading.people.lab import LAB_JOB_KIND, run_lab_job
from lading.people.matching import match_folder
from lading.people.people import People
from lading.people.references import renew_reference_files


def handlers(people: People) -> Mapping[str, Handler]:
    """By kind of job."""
    return {
        FACES_JOB_KIND: partial(_find_faces, people),
        MATCH_JOB_KIND: partial(match_folder, people.db),
        REFERENCES_JOB_KIND: partial(renew_reference_files, people),
        LAB_JOB_KIND: partial(run_lab_job, people),
    }


def _find_faces(people: People, context: JobContext) -> JobResult:
    root = people.root(str(context.claim.params["source"]))
    return find_faces(people.db, root, people.processes, context)
