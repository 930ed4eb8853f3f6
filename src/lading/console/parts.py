"""What every page and every API handler is given: the parts of one console process."""

from __future__ import annotations

from dataclasses import dataclass

from lading.accounts.accounts import Accounts
from lading.bootstrap import Lading
from lading.console.kept_pictures import KeptPictures
from lading.console.readers.alike_watch import AlikeWatch
from lading.console.readers.engine import EngineReader
from lading.console.readers.faces_waiting import FacesWaiting
from lading.console.readers.metrics import MetricsReader
from lading.console.readers.overview import OverviewReader
from lading.console.readers.problem_watch import ProblemWatch
from lading.console.readers.series import SeriesReader
from lading.console.render import Renderer
from lading.console.status import StatusReader
from lading.operations.operations import Operations
from lading.sorting.previews import Previews


@dataclass(frozen=True, slots=True)
class Console:
    """The parts of one console process; safe to share between threads."""

    lading: Lading
    accounts: Accounts
    operations: Operations
    engine: EngineReader
    overview: OverviewReader
    problems: ProblemWatch
    metrics: MetricsReader
    series: SeriesReader
    status: StatusReader
    alike: AlikeWatch
    face_pictures: KeptPictures
    faces_waiting: FacesWaiting
    sort_previews: Previews
    renderer: Renderer
