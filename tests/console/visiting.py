"""Visits pages without a browser: reads what stands on them, and sends their forms as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

import httpx

from lading.accounts.values import Role
from tests.console.browser.serving import Served

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
ANSWERS_WITHIN_S = 60.0
_HIDDEN_TEXT = frozenset({"script", "style", "title", "option"})


@dataclass
class Element:
    """One element with its attributes and everything inside it."""

    tag: str
    attrs: dict[str, str]
    parent: Element | None = None
    children: list[Element | str] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        """It and all elements inside it, in their order."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    @property
    def text(self) -> str:
        """What is read there, with single spaces."""
        return re.sub(r"\s+", " ", " ".join(self._texts())).strip()

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            elif child.tag not in _HIDDEN_TEXT:
                yield from child._texts()

    def all(self, tag: str, **attrs: str) -> list[Element]:
        """The elements of this tag inside it, with these attributes (`class_` holds a class)."""
        return [one for one in self.walk() if one.tag == tag and one.fits(attrs)]

    def fits(self, attrs: dict[str, str]) -> bool:
        """Whether it has these attributes."""
        for name, value in attrs.items():
            given = self.attrs.get(name.rstrip("_").replace("_", "-"))
            if given is None or (name == "class_" and value not in given.split()):
                return False
            if name != "class_" and given != value:
                return False
        return True

    def by_id(self, name: str) -> Element:
        """The element of that id."""
        return next(one for one in self.walk() if one.attrs.get("id") == name)

    @property
    def links(self) -> dict[str, str]:
        """Every link by what is read on it; of several alike, the last."""
        return {a.text: a.attrs["href"] for a in self.all("a") if "href" in a.attrs}

    @property
    def rows(self) -> list[Element]:
        """The rows that are about a thing each."""
        return [row for row in self.all("tr") if "data-row" in row.attrs]

    @property
    def buttons(self) -> list[str]:
        """What the buttons say that do something without script."""
        return [b.text for b in self.all("button") if b.attrs.get("type") == "submit"]


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("#document", {})
        self._at = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs}, self._at)
        self._at.children.append(made)
        if tag not in _VOID:
            self._at = made

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs}, self._at)
        self._at.children.append(made)

    def handle_endtag(self, tag: str) -> None:
        at: Element | None = self._at
        while at is not None and at.tag != tag:
            at = at.parent
        if at is not None and at.parent is not None:
            self._at = at.parent

    def handle_data(self, data: str) -> None:
        self._at.children.append(data)


def parse(html: str) -> Element:
    """A page as a tree."""
    builder = _Builder()
    builder.feed(html)
    return builder.root


class Visitor:
    """Someone with a role who reads pages and presses their buttons; scripts are off."""

    def __init__(self, served: Served, role: Role) -> None:
        self.origin = served.origin
        self.client = httpx.Client(
            base_url=served.origin,
            cookies=served.cookies_of(role),
            headers={"origin": served.origin, "accept": "text/html"},
            follow_redirects=True,
            timeout=ANSWERS_WITHIN_S,
        )
        self.url = ""

    def get(self, url: str) -> Element:
        """A page; it must be there."""
        answer = self.client.get(url)
        assert answer.status_code == 200, f"{url}: {answer.status_code} {answer.text[:2000]}"
        self.url = str(answer.url).removeprefix(self.origin)
        return parse(answer.text)

    def press(
        self, page: Element, label: str, *, tick: Sequence[str] = (), **fields: str
    ) -> Element:
        """Press the button of that label, with the form's own fields; leads where it leads.

        `tick` are values of its check boxes, `fields` what else is filled in.
        """
        button = next(b for b in page.all("button") if b.text == label)
        form = button
        while form.tag != "form":
            assert form.parent is not None, f"the button {label!r} is in no form"
            form = form.parent
        given = [
            (i.attrs["name"], i.attrs.get("value", ""))
            for i in form.all("input")
            if i.attrs.get("type") == "hidden" and "name" in i.attrs
        ]
        given += [("id", value) for value in tick]
        given += [(s.attrs["name"], _chosen(s)) for s in form.all("select") if "name" in s.attrs]
        if "name" in button.attrs:
            given.append((button.attrs["name"], button.attrs.get("value", "")))
        given = [(name, value) for name, value in given if name not in fields]
        given += list(fields.items())
        answer = self.client.post(
            button.attrs.get("formaction") or form.attrs["action"],
            content=urlencode(given),
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        assert answer.status_code == 200, f"{label}: {answer.status_code} {answer.text[:2000]}"
        self.url = str(answer.url).removeprefix(self.origin)
        return parse(answer.text)


@contextmanager
def visiting(served: Served, role: Role = Role.OPERATOR) -> Iterator[Visitor]:
    """A visitor for the block."""
    visitor = Visitor(served, role)
    try:
        yield visitor
    finally:
        visitor.client.close()


def _chosen(select: Element) -> str:
    options = select.all("option")
    chosen = next((o for o in options if "selected" in o.attrs), options[0])
    return chosen.attrs.get("value", chosen.text)
