"""The table of the engine's states: each row with its words, and which row comes before which."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lading.base.counts import Count
from lading.console.rules import (
    EngineFacts,
    EngineState,
    EngineVerdict,
    Pause,
    RunningScan,
    Shortage,
    Work,
    judge_engine,
)

ALIVE = EngineFacts(silences_s=[3.0, 400.0], sign_every_s=60.0)
IMPORTING = replace(
    ALIVE,
    running=3,
    queued=Count(12),
    work=Work(jobs=3, share=0.419, rate_bytes_s=214e6, eta_s=5_400),
    problems=Count(2),
)
LINE = "Importing 3 jobs - 41 % - 214.0 MB/s - about 1 h 30 min - 12 queued - 2 problems."
PAUSE = Pause("ana", 720, "disk swap")


def test_each_row_of_the_table_has_its_state_words_title_and_favicon() -> None:
    assert judge_engine(EngineFacts(starting=True)) == EngineVerdict(
        EngineState.STARTING, "Starting - checking settings.", (), "Starting", "busy"
    )
    assert judge_engine(EngineFacts(missing_settings=["sources"])) == EngineVerdict(
        EngineState.NEEDS_CONFIGURATION,
        "Configuration needed: sources.",
        (),
        "Configuration needed",
        "attention",
    )
    assert judge_engine(EngineFacts(queued=Count(12), silences_s=[240])) == EngineVerdict(
        EngineState.DEGRADED,
        "12 jobs waiting, no worker alive for 4 min.",
        [],
        "Degraded",
        "failed",
    )
    assert judge_engine(replace(ALIVE, pause=PAUSE, queued=Count(18))) == EngineVerdict(
        EngineState.PAUSED,
        "Paused by ana 12 min ago - disk swap - 18 queued.",
        [],
        "Paused",
        "attention",
    )
    scanning = replace(ALIVE, running=1, scans=[RunningScan("node2", 12_431)])
    assert judge_engine(scanning) == EngineVerdict(
        EngineState.SCANNING, "Scanning node2 - 12,431 found so far.", (), "Scanning", "busy"
    )
    assert judge_engine(IMPORTING) == EngineVerdict(
        EngineState.WORKING, LINE, (), "41 % - Importing", "busy"
    )
    assert judge_engine(replace(ALIVE, last_job_s=720, next_scan_s=3_600)) == EngineVerdict(
        EngineState.IDLE, "Awaiting jobs - last job 12 min ago - next scan in 1 h.", (), "", "idle"
    )


EVERYTHING = replace(
    IMPORTING,
    starting=True,
    missing_settings=["sources"],
    sources_missing=["nas"],
    pause=PAUSE,
    scans=[RunningScan("nas", 5)],
    running=4,
)
TAKE_AWAY = [
    (EngineState.STARTING, {"starting": False}),
    (EngineState.NEEDS_CONFIGURATION, {"missing_settings": ()}),
    (EngineState.DEGRADED, {"sources_missing": ()}),
    (EngineState.PAUSED, {"pause": None}),
    (EngineState.WORKING, {"work": None, "queued": Count(0), "running": 1}),
    (EngineState.SCANNING, {"scans": (), "running": 0}),
    (EngineState.IDLE, {}),
]


def test_the_first_row_that_fits_is_said_and_taking_it_away_leaves_the_next() -> None:
    facts = EVERYTHING
    for state, without in TAKE_AWAY:
        assert judge_engine(facts).state is state
        facts = replace(facts, **without)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"silences_s": []}, "1 job waiting for 4 min, no worker is running."),
        ({"silences_s": [180]}, "1 job waiting, no worker alive for 3 min."),
        (
            {"sources_missing": ["nas", "rig"]},
            "Source nas is missing: mount it or correct its address.",
        ),
        (
            {"shortages": [Shortage("Store", 400_000_000, 1_000_000_000)]},
            "Store has 400.0 MB left, less than the 1.0 GB kept in reserve.",
        ),
    ],
)
def test_every_hindrance_is_a_sentence_with_numbers(
    changes: dict[str, object], sentence: str
) -> None:
    facts = replace(ALIVE, queued=Count(1), oldest_queued_s=240)
    verdict = judge_engine(replace(facts, **changes))  # type: ignore[arg-type]
    assert (verdict.state, verdict.headline) == (EngineState.DEGRADED, sentence)


def test_no_worker_is_no_hindrance_while_nothing_waits() -> None:
    verdict = judge_engine(EngineFacts(sources_missing=()))
    assert verdict.state is EngineState.IDLE
    assert verdict.headline == "Awaiting jobs - no worker is running."


def test_a_problem_never_hides_the_progress() -> None:
    assert judge_engine(replace(IMPORTING, pause=PAUSE)).details == [LINE]
    broken = replace(IMPORTING, pause=PAUSE, sources_missing=["nas", "rig"])
    assert judge_engine(broken).details == [
        "Source rig is missing: mount it or correct its address.",
        "Paused by ana 12 min ago - disk swap - 12 queued.",
        LINE,
    ]


def test_the_working_line_says_what_is_known_and_no_more() -> None:
    def line(**facts: object) -> str:
        return judge_engine(replace(ALIVE, **facts)).headline  # type: ignore[arg-type]

    assert line(queued=Count(1)) == "1 job queued, about to start."
    assert line(queued=Count(10_000, exact=False), running=1, work=Work(jobs=1)) == (
        "Importing 1 job - 10,000+ queued."
    )
    assert line(running=2) == "2 jobs running."
    stalled = Work(jobs=1, share=0.5, rate_bytes_s=9e6, eta_s=60, stalled_s=120)
    assert line(running=1, work=stalled) == "Importing 1 job - 50 % - stalled 2 min."
    fell = Work(jobs=1, share=0.2, fell=True)
    assert line(running=1, work=fell) == "Importing 1 job - 20 % (work was added or begun anew)."
    assert line(running=3, work=Work(jobs=1), scans=[RunningScan("nas", 7)]) == (
        "Importing 1 job - Scanning nas - 7 found so far - 1 other job running."
    )


def test_a_scan_with_other_work_waiting_is_working() -> None:
    facts = replace(ALIVE, running=1, scans=[RunningScan("nas", 7)], queued=Count(2))
    assert judge_engine(facts).state is EngineState.WORKING


def test_idle_with_problems_is_quiet_in_words_and_not_in_the_icon() -> None:
    verdict = judge_engine(replace(ALIVE, problems=Count(3)))
    assert (verdict.state, verdict.favicon) == (EngineState.IDLE, "attention")
