"""Someone who uses the console without a script: reads pages, ticks, presses buttons of forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from lading.accounts.values import Role
from lading.base.stopping import StopSignal
from lading.jobs.worker import Worker
from tests.console.browser.serving import Served

_VOID = frozenset(
    {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)


@dataclass
class Element:
    """One element of a page with what is in it."""

    tag: str
    attributes: dict[str, str]
    parts: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What is to be read in it, with single spaces."""
        return " ".join(self._words())

    def _words(self) -> Iterator[str]:
        for part in self.parts:
            if isinstance(part, str):
                yield from part.split()
            elif part.tag not in {"script", "style"}:
                yield from part._words()

    @property
    def cells(self) -> list[Element]:
        """The elements directly in it."""
        return [part for part in self.parts if isinstance(part, Element)]

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """The elements below it with this tag and these attributes (`class_` holds one class)."""
        wanted = {name.rstrip("_").replace("_", "-"): text for name, text in attributes.items()}
        return [found for found in self._below() if found.tag == tag and found._has(wanted)]

    def one(self, tag: str, **attributes: str) -> Element:
        """The only such element."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag} {attributes}"
        return found[0]

    def _below(self) -> Iterator[Element]:
        for part in self.parts:
            if isinstance(part, Element):
                yield part
                yield from part._below()

    def _has(self, wanted: Mapping[str, str]) -> bool:
        return all(
            text in self.attributes.get(name, "").split()
            if name == "class"
            else self.attributes.get(name) == text
            for name, text in wanted.items()
        )


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("document", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].parts.append(made)
        if tag not in _VOID:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        if tag in {element.tag for element in self.open[1:]}:
            while self.open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.open[-1].parts.append(data)


@dataclass
class Sight:
    """One page as it was answered."""

    status: int
    path: str
    html: str
    root: Element

    @property
    def main(self) -> Element:
        """Its own part."""
        return self.root.one("main")

    @property
    def heading(self) -> str:
        """What the page is; there is one of it."""
        return self.root.one("h1").text

    @property
    def text(self) -> str:
        """Everything its own part says."""
        return self.main.text

    def rows(self, region: str) -> list[dict[str, str]]:
        """The rows of the table in the region of this name, each cell by its column's heading."""
        table = self.root.one("div", role="region", aria_label=region).one("table")
        heads = [cell.text.strip(" ▲▼") for cell in table.one("thead").all("th")]
        return [
            {head: cell.text for head, cell in zip(heads, row.cells, strict=False)}
            for row in table.one("tbody").all("tr")
        ]

    def links(self) -> dict[str, str]:
        """Where the links of its own part lead, by their text; the last of several."""
        return {
            link.text: link.attributes["href"]
            for link in self.main.all(
                "a",
            )
            if "href" in link.attributes
        }

    def buttons(self) -> list[str]:
        """What can be pressed in its own part."""
        return [
            button.text for button in self.main.all("button") if "hidden" not in button.attributes
        ]


class Visitor:
    """One signed-in person."""

    def __init__(self, served: Served, client: httpx.Client, role: Role | None) -> None:
        self.served = served
        self.client = client
        self.role = role

    def get(self, path: str, *, status: int = 200) -> Sight:
        """Look at a page."""
        return self._sight(self.client.get(path), status)

    def post(
        self, path: str, data: Mapping[str, Any] | None = None, *, status: int = 200, **more: Any
    ) -> Sight:
        """Send a form as if it stood on a page of ours, and go where it leads."""
        proof = {} if self.role is None else {"_csrf": self.served.csrf_of(self.role)}
        answer = self.client.post(
            path, data={**proof, **(data or {})}, headers={"origin": self.served.origin}, **more
        )
        return self._sight(answer, status)

    def press(
        self,
        sight: Sight,
        label: str,
        *,
        tick: Sequence[int] = (),
        fill: Mapping[str, str] | None = None,
        status: int = 200,
        index: int = 0,
    ) -> Sight:
        """Press the button of this label, with what its form holds and what is ticked in it."""
        forms = [
            (form, button)
            for form in sight.main.all("form")
            for button in form.all("button")
            if button.text == label
        ]
        assert forms, f"no button {label!r} among {sight.buttons()}"
        form, button = forms[index]
        data = _fields(form, {str(number) for number in tick}) | {
            name: [value] for name, value in (fill or {}).items()
        }
        if "name" in button.attributes:
            data[button.attributes["name"]] = [button.attributes.get("value", "")]
        target = button.attributes.get("formaction") or form.attributes.get("action") or sight.path
        if form.attributes.get("method", "get").lower() == "get":
            answer = self.client.get(
                urljoin(sight.path, target), params={n: ",".join(v) for n, v in data.items()}
            )
        else:
            answer = self.client.post(target, data=data, headers={"origin": self.served.origin})
        return self._sight(answer, status)

    def _sight(self, answer: httpx.Response, status: int) -> Sight:
        assert answer.status_code == status, f"{answer.status_code}: {answer.text[:2000]}"
        tree = _Tree()
        tree.feed(answer.text)
        parts = urlsplit(str(answer.url))
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return Sight(answer.status_code, path, answer.text, tree.open[0])


def _fields(form: Element, ticked: set[str]) -> dict[str, list[str]]:
    data: dict[str, list[str]] = {}
    for control in [e for e in form._below() if e.tag in {"input", "select", "textarea"}]:
        name, kind = control.attributes.get("name"), control.attributes.get("type", "text")
        if not name or "disabled" in control.attributes:
            continue
        if control.tag == "select":
            options = control.all("option")
            chosen = [o for o in options if "selected" in o.attributes] or options[:1]
            values = [o.attributes.get("value", o.text) for o in chosen]
        elif kind in {"checkbox", "radio"}:
            value = control.attributes.get("value", "on")
            held = "checked" in control.attributes or (name == "id" and value in ticked)
            values = [value] if held else []
        else:
            values = [control.attributes.get("value", control.text)]
        data.setdefault(name, []).extend(values)
    return {name: values for name, values in data.items() if values}


def work_on(served: Served, *kinds: str) -> None:
    """Do the jobs of these kinds that are in line, in this thread, and no others."""
    lading = served.lading
    handlers = {kind: lading.handlers[kind] for kind in kinds}
    limits = lading.settings.worker.limits
    Worker(lading.db, lading.queue, handlers, limits, stop=StopSignal()).run(drain=True)


@contextmanager
def visiting(served: Served, role: Role | None = Role.OPERATOR) -> Iterator[Visitor]:
    """Someone at the console as long as the block lasts; with no role, nobody signed in."""
    cookies = {} if role is None else served.cookies_of(role)
    with httpx.Client(
        base_url=served.origin,
        cookies=cookies,
        follow_redirects=True,
        headers={"accept": "text/html"},
        timeout=60,
    ) as client:
        yield Visitor(served, client, role)
