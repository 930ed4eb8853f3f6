"""The pages of problems: each reason with what was found, and what can be done about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from lading.accounts.values import Role
from lading.console.app import open_console
from lading.console.readers.problems import read_problems
from lading.jobs.states import JobState
from lading.jobs.values import JobFilter
from lading.operations.problems import ProblemKind
from lading.testing.console_failing import AWAY
from tests.console.browser.serving import Served
from tests.console.visiting import Element, Visitor, visiting

GetServed = Callable[[str], Served]


@pytest.fixture(scope="module")
def failing(served: GetServed) -> Iterator[Visitor]:
    """An operator who looks at an installation where all goes wrong, and changes nothing."""
    with visiting(served("failing")) as visitor:
        yield visitor


def cards(page: Element) -> dict[str, Element]:
    """The groups of the page by their fingerprint."""
    return {
        card.attrs["aria-labelledby"].removeprefix("p-"): card
        for card in page.all("article", class_="group-card")
    }


def problems_told(page: Element) -> int:
    found = re.match(r"([\d,]+) problems?", page.by_id("problem-count").text)
    return int(found.group(1).replace(",", "")) if found else 0


def test_the_badge_the_strip_and_the_lists_count_the_same(failing: Visitor) -> None:
    page = failing.get("/problems")
    listed = 0
    for card in cards(page).values():
        (title,) = card.all("h2")
        (url,) = title.links.values()
        rows = failing.get(url).rows
        assert title.text.startswith(f"{len(rows)} × "), url  # noqa: RUF001 - as it is shown
        listed += len(rows)
    assert problems_told(page) == listed > 15
    assert page.by_id("nav-problems").text == str(listed)
    assert f"{listed} problems" in page.by_id("engine").links


def test_every_problem_says_what_happened_to_what_and_what_to_do(
    served: GetServed, failing: Visitor
) -> None:
    console = open_console(served("failing").lading)
    page = failing.get("/problems")
    found = read_problems(console)
    assert {card.group.fingerprint for card in found.cards} == set(cards(page))
    for fingerprint, card in cards(page).items():
        group = console.operations.problems.get(fingerprint)
        assert group.sentence[1:] in card.text, fingerprint
        assert f"Next: {group.next_step}" in card.text, fingerprint
        detail = failing.get(f"/problems/{fingerprint}")
        assert group.code in detail.text
        if group.kind is ProblemKind.ITEM:
            facts = detail.rows[0].all("dt")
            assert "Which" in [fact.text for fact in facts], fingerprint


def test_expected_and_found_stand_beside_the_path(failing: Visitor) -> None:
    (fingerprint,) = (one for one in cards(failing.get("/problems")) if "hash_mismatch" in one)
    row = failing.get(f"/problems/{fingerprint}").rows[0]
    (name, url), *_ = row.links.items()
    assert failing.get(url).all("h1")[0].text == name
    facts = dict(
        zip((dt.text for dt in row.all("dt")), (dd.text for dd in row.all("dd")), strict=True)
    )
    assert re.fullmatch(r"assets/.*\.jpg", facts["Which"])
    assert re.search(r"[0-9a-f]{64}", facts["Expected"])
    assert re.search(r"[0-9a-f]{64}", facts["Found"])
    assert facts["Expected"] != facts["Found"]


def test_retrying_a_job_puts_it_in_line_and_takes_it_off_the_list(serve_own: GetServed) -> None:
    served = serve_own("failing")
    with visiting(served) as visitor:
        page = visitor.get("/problems")
        (fingerprint,) = (one for one in cards(page) if one.endswith(".worker_lost"))
        page = visitor.press(cards(page)[fingerprint], "Retry this one")
        assert "1 job back in line" in page.by_id("told").text
        assert fingerprint not in cards(page)
    (job,) = served.lading.queue.list(JobFilter(states=[JobState.QUEUED])).jobs
    assert job.attempt == 0


def test_retrying_items_queues_their_batches(serve_own: GetServed) -> None:
    served = serve_own("failing")
    with visiting(served) as visitor:
        page = visitor.get("/problems")
        (fingerprint,) = (one for one in cards(page) if one.endswith(".missing_file"))
        page = visitor.press(cards(page)[fingerprint], "Retry this one")
        assert visitor.url.startswith("/problems?done=op_")
        assert "1 batch" in page.by_id("told").text


def test_retrying_a_source_scans_it(serve_own: GetServed) -> None:
    served = serve_own("failing")
    with visiting(served) as visitor:
        card = cards(visitor.get("/problems"))[f"source.{AWAY}.source_missing"]
        page = visitor.press(card, "Scan again")
        assert re.fullmatch(r"/jobs/\d+", visitor.url)
        assert AWAY in page.text
        assert page.all("h1")[0].text.startswith("Scan ")


def test_a_group_that_is_not_as_it_was_seen_is_shown_again_first(serve_own: GetServed) -> None:
    served = serve_own("failing")
    with visiting(served) as visitor:
        page = visitor.get("/problems")
        (fingerprint,) = (one for one in cards(page) if one.endswith(".worker_lost"))
        page = visitor.press(cards(page)[fingerprint], "Retry this one", expected="2")
        assert "nothing was done" in page.text
        assert "Ignored" not in page.text
    assert not served.lading.queue.list(JobFilter(states=[JobState.QUEUED])).jobs


@pytest.mark.parametrize("kind", ["job", "item", "source"])
def test_what_is_acknowledged_is_hidden_and_can_be_shown_again(
    serve_own: GetServed, kind: str
) -> None:
    served = serve_own("failing")
    with visiting(served) as visitor:
        page = visitor.get("/problems")
        before = problems_told(page)
        fingerprint = next(one for one in cards(page) if one.startswith(f"{kind}."))
        # What is noted of one item is noted of its batch, with all that is wrong in it.
        page = visitor.press(cards(page)[fingerprint], "Acknowledge")
        assert fingerprint not in cards(page)
        hidden = before - problems_told(page)
        assert hidden >= 1
        page = visitor.get("/problems?acknowledged=shown")
        assert problems_told(page) == before
        card = cards(page)[fingerprint]
        assert "acknowledged" in card.text
        assert "Acknowledge" not in card.buttons
        page = visitor.press(card, "Unacknowledge")
        assert visitor.url.startswith("/problems?acknowledged=shown")
        assert problems_told(visitor.get("/problems")) == before


def test_a_snooze_is_an_acknowledgement_with_an_end(serve_own: GetServed) -> None:
    served = serve_own("failing")
    with visiting(served) as visitor:
        page = visitor.get("/problems")
        (fingerprint,) = (one for one in cards(page) if one.endswith(".store_error"))
        assert {"Snooze 1 day", "Snooze 7 days"} <= set(cards(page)[fingerprint].buttons)
        page = visitor.press(cards(page)[fingerprint], "Snooze 7 days")
        assert fingerprint not in cards(page)
        key = re.search(r"op_\w+", visitor.url)
        assert key is not None
        params = served.lading.operations.get(key.group()).params
        assert params["snooze_s"] == 7 * 86_400


def test_what_trying_again_cannot_mend_has_no_such_button(failing: Visitor) -> None:
    (fingerprint,) = (one for one in cards(failing.get("/problems")) if "internal_error" in one)
    card = cards(failing.get("/problems"))[fingerprint]
    assert not any(label.startswith("Retry") for label in card.buttons)
    assert "Trying again as it is does not help" in card.text


def test_nothing_wrong_is_said_with_when_it_was_checked(served: GetServed) -> None:
    with visiting(served("empty"), Role.VIEWER) as visitor:
        page = visitor.get("/problems")
        assert "Nothing is wrong" in page.text
        assert page.by_id("problem-count").all("time")
        assert "hidden" in page.by_id("nav-problems").attrs


@pytest.mark.parametrize("name", ["job.import_batch.nothing", "nonsense", "item..x"])
def test_a_group_that_is_not_there_is_not_found(failing: Visitor, name: str) -> None:
    assert failing.client.get(f"/problems/{name}").status_code == 404
