"""Looks at an open page for barriers; each look answers with sentences, none when all is well."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from tests.console.browser.contrast import Painted, contrast_of, ground_of, ratio

TARGET_PX_MIN: Final = 24
RING_PX_MIN: Final = 2
RING_CONTRAST_MIN: Final = 3.0
STOPS_MAX: Final = 80
PARTS_MAX: Final = 20
"""A player has buttons of the browser's own, each of which is a stop."""

PLAYER_STOPS_MAX: Final = 12
PLAYERS: Final = ("<video>", "<audio>")
TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_PROBES: Final = (Path(__file__).parent / "probes.js").read_text()
_AXE: Final = (Path(__file__).parents[1] / "vendor/axe-4.14.1.min.js").read_text()
# The next stop of the keyboard is counted from where the focus was last, also when it is gone.
_FROM_THE_TOP: Final = """
() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute('tabindex');
  scrollTo(0, 0);
}
"""
# Without `preload: false` it writes style elements of its own, which the page's policy refuses.
_RUN_AXE: Final = """
async only => {
  const found = await axe.run(document, {runOnly: only, preload: false,
    resultTypes: ['violations', 'incomplete'], elementRef: false});
  const short = results => results.map(({id, help, nodes}) => ({id, help,
    nodes: nodes.map(node => ({target: node.target.at(-1), html: node.html.slice(0, 160),
      why: node.failureSummary ?? ''}))}));
  return {violations: short(found.violations), incomplete: short(found.incomplete)};
}
"""


def probe(page: Page, name: str, *arguments: object) -> Any:
    """The answer of one probe of `probes.js`."""
    call = f"([name, given]) => {{ {_PROBES}; return ladingProbes[name](...given); }}"
    return page.evaluate(call, [name, list(arguments)])


def axe_problems(page: Page, *, rules: Sequence[str] = ()) -> list[str]:
    """What axe-core finds, and contrast that it cannot decide and we find too low.

    All of its rules for WCAG 2.2 AA and for good practice, or these `rules` alone.
    """
    probe(page, "settle")
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_AXE)
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS}
    found = page.evaluate(_RUN_AXE, only)
    problems = [
        f"{rule['id']}: {rule['help']}: {node['html']} ({' '.join(node['why'].split())})"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
    undecided = [
        node["target"]
        for rule in found["incomplete"]
        if rule["id"] == "color-contrast"
        for node in rule["nodes"]
    ]
    return problems + text_problems(page, undecided)


def text_problems(page: Page, selectors: Sequence[str] | None = None) -> list[str]:
    """Texts with too little contrast, computed from their colours; all texts without selectors."""
    texts = probe(page, "allTexts") if selectors is None else probe(page, "texts", selectors)
    problems = []
    for text in texts:
        if text is None:
            continue
        if text["layers"] is None:
            problems.append(f"contrast: {text['words']} stands on a picture")
            continue
        painted = Painted(**text)
        contrast = contrast_of(painted)
        if contrast < painted.needed:
            problems.append(f"contrast: {painted.words} has {contrast:.2f}, needs {painted.needed}")
    return problems


def structure_problems(page: Page, *, plain: bool = False) -> list[str]:
    """Whether a page says what it is to those who do not see it.

    A `plain` one, such as the door, stands alone: it has no menu, and nothing to skip.
    """
    facts = probe(page, "structure")
    levels = [level for level, _ in facts["headings"]]
    problems = [
        sentence
        for wrong, sentence in (
            (not facts["lang"], "the page names no language"),
            (not facts["title"], "the page has no title"),
            (facts["mains"] != 1, f"the page has {facts['mains']} main landmarks"),
            (facts["banners"] != 1 and not plain, f"the page has {facts['banners']} banners"),
            (not facts["navs"] and not plain, "the page has no navigation"),
            (levels.count(1) != 1, f"the page has {levels.count(1)} h1"),
            (levels[:1] != [1], "the first heading is no h1"),
            (not facts["skips_to"] and not plain, "the first stop of the keyboard skips nothing"),
        )
        if wrong
    ]
    problems += [
        f"the heading {words!r} leaves out a level"
        for before, (level, words) in zip(levels, facts["headings"][1:], strict=False)
        if level > before + 1
    ]
    navs = facts["navs"]
    if len(navs) > 1 and (len(set(navs)) < len(navs) or "" in navs):
        problems.append(f"navigations cannot be told apart: {navs}")
    return problems + [f"the id {twice} occurs twice" for twice in dict.fromkeys(facts["twice"])]


def skip_problems(page: Page) -> list[str]:
    """Whether the skip link, used by keyboard, brings the focus behind what it skips."""
    page.evaluate(_FROM_THE_TOP)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    inside = page.evaluate(
        "() => document.querySelector('main')?.contains(document.activeElement)"
        " || !document.querySelector('main')?.querySelector('a[href], button, input, summary')"
    )
    return [] if inside else ["after the skip link, the next stop is not in the main part"]


def overflow_problems(page: Page) -> list[str]:
    """Whether the page as a whole must be scrolled sideways, and what makes it so wide."""
    return list(probe(page, "overflow"))


def target_problems(page: Page, least_px: int = TARGET_PX_MIN) -> list[str]:
    """What is to be hit with a finger or a pointer, and is too small for it."""
    return [f"too small to hit: {found}" for found in probe(page, "smallTargets", least_px)]


def animation_problems(page: Page) -> list[str]:
    """What moves; for pages that were asked not to."""
    return [f"it moves: {found}" for found in probe(page, "animations")]


def focus_problems(page: Page, *, stops_max: int = STOPS_MAX) -> list[str]:
    """Walks a page by keyboard, there and back: order, whether the focus shows, and its ring.

    Of a long page only so many stops; the rows of a table are alike.
    """
    page.evaluate(_FROM_THE_TOP)
    problems: list[str] = []
    there = _walk(page, "Tab", problems, stops_max)
    places = [stop["place"] for stop in there]
    if places != sorted(places):
        problems.append("the keyboard walks in another order than the page is written in")
    problems += [f"{name} puts itself into another order" for name in probe(page, "reordered")]
    if not there:
        problems.append("the keyboard reaches nothing")
    back = [stop["place"] for stop in _walk(page, "Shift+Tab", problems, stops_max)]
    # Cut off in the middle, the walk back begins one before where it stands.
    expected = places[-2::-1] if len(there) == stops_max else places[::-1]
    if back != expected:
        problems.append("the keyboard walks another way back")
    return list(dict.fromkeys(problems))


def _walk(page: Page, key: str, problems: list[str], stops_max: int) -> list[dict[str, Any]]:
    """Press `key` until the focus leaves the page; what is wrong is added to `problems`."""
    stops: list[dict[str, Any]] = []
    within = 0
    # Beyond the end of the page there may be a stop that is the browser's.
    stop = _step(page, key) or _step(page, key)
    while stop is not None and (not stops or stop["place"] != stops[0]["place"]):
        if stops and stop["place"] == stops[-1]["place"]:
            within += 1
            if stop["has_parts"] and within <= PARTS_MAX:
                stop = _step(page, key)
                continue
            problems.append(f"the keyboard does not get past {stop['name']}")
            break
        within = 0
        stops.append(stop)
        if not stop["shows"]:
            problems.append(f"the focus is covered at {stop['name']} ({key})")
        problems.extend(_ring_problems(stop))
        if len(stops) == stops_max:
            break
        stop = _next(page, key, stop)
    return stops


def _next(page: Page, key: str, last: dict[str, Any]) -> dict[str, Any] | None:
    """The stop after `last`. A player has several of its own behind its one element."""
    stop = _step(page, key)
    for _ in range(PLAYER_STOPS_MAX):
        if stop is None or stop["place"] != last["place"] or not stop["name"].startswith(PLAYERS):
            break
        stop = _step(page, key)
    return stop


def _step(page: Page, key: str) -> dict[str, Any] | None:
    """Where the focus is after `key`; None when it is on nothing of the page."""
    page.keyboard.press(key)
    found: dict[str, Any] | None = probe(page, "focus")
    return found


def _ring_problems(stop: dict[str, Any]) -> list[str]:
    if stop["own"]:
        return []  # the browser's own ring has two colours, for any ground
    if stop["ring_px"] < RING_PX_MIN:
        return [f"the ring around {stop['name']} is {stop['ring_px']} px wide"]
    if stop["ground"] is None:
        return []
    ring = tuple(stop["ring"])
    least = min(
        ratio(ground_of([[ring], [ground]])[0], ground) for ground in ground_of(stop["ground"])
    )
    if least < RING_CONTRAST_MIN:
        return [f"the ring around {stop['name']} has a contrast of {least:.2f}"]
    return []
