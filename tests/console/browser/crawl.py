"""Follows every link of the console as one person, without a browser."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

PAGES_PER_SHAPE_MAX = 3
PAGES_MAX = 900
_THING = re.compile(r"^([0-9a-f]{8,64}|[0-9a-f-]{36}|\d+|(op|sel)_\w+)$")
_FOLLOWED = {"a": "href", "link": "href", "script": "src", "img": "src", "source": "src"}
# Reading these ends the session, or never ends.
_LEFT_OUT = ("/sign-out", "/live", "/api/v1/events/stream")


class Links(HTMLParser):
    """The addresses that a page leads to, and the ids that may be jumped to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.forms: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.add(given["id"])
        if tag in _FOLLOWED and given.get(_FOLLOWED[tag]):
            self.addresses.append(given[_FOLLOWED[tag]])
        if tag == "form":
            self.forms.append((given.get("method", "get").lower(), given.get("action", "")))


@dataclass
class Crawl:
    """What a crawl saw: each address with its status, what may be posted to, and what was wrong."""

    client: httpx.Client
    statuses: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    posts: set[str] = field(default_factory=set)
    _ids: dict[str, set[str]] = field(default_factory=dict)
    _jumps: list[tuple[str, str, str]] = field(default_factory=list)
    _shapes: Counter[str] = field(default_factory=Counter)
    _met: set[str] = field(default_factory=set)
    _waiting: deque[tuple[str, str]] = field(default_factory=deque)

    def run(self, start: str = "/") -> None:
        """Follow all links from `start` on; of addresses of one shape only the first few."""
        self._meet(start, "the start")
        while self._waiting and len(self.statuses) < PAGES_MAX:
            address, found_on = self._waiting.popleft()
            for target in self._targets(address, found_on):
                self._follow(target, address)
        self.problems += [
            f"no #{fragment} on {there} (linked from {page})"
            for page, there, fragment in self._jumps
            if there in self._ids and fragment not in self._ids[there]
        ]

    def _targets(self, address: str, found_on: str) -> Sequence[str]:
        answer = self.client.get(address)
        self.statuses[address] = answer.status_code
        if answer.status_code >= 400:
            self.problems.append(f"{answer.status_code}: {address} (linked from {found_on})")
            return []
        if answer.is_redirect:
            return [answer.headers["location"]]
        if not answer.headers.get("content-type", "").startswith("text/html"):
            return []
        links = Links()
        links.feed(answer.text)
        self._ids[address] = links.ids
        self.posts |= {urljoin(address, to) for method, to in links.forms if method == "post"}
        return links.addresses

    def _follow(self, target: str, page: str) -> None:
        base = self.client.base_url
        parts = urlsplit(urljoin(str(base.join(page)), target))
        if parts.scheme == "data":
            return
        if parts.netloc != base.netloc.decode():
            self.problems.append(f"leads elsewhere: {target} on {page}")
            return
        there = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        if parts.fragment:
            self._jumps.append((page, there, parts.fragment))
        if not there.startswith(_LEFT_OUT):
            self._meet(there, page)

    def _meet(self, address: str, page: str) -> None:
        if address in self._met:
            return
        self._met.add(address)
        shape = shape_of(address)
        self._shapes[shape] += 1
        if self._shapes[shape] <= PAGES_PER_SHAPE_MAX:
            self._waiting.append((address, page))


def crawl(client: httpx.Client, start: str = "/") -> Crawl:
    """Follow every link from `start` on, as whoever the client is signed in as."""
    crawled = Crawl(client)
    crawled.run(start)
    return crawled


def shape_of(address: str) -> str:
    """An address without what tells things of one kind apart."""
    parts = urlsplit(address)
    path = "/".join("*" if _THING.match(part) else part for part in parts.path.split("/"))
    names = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)})
    return f"{path}?{','.join(names)}"
