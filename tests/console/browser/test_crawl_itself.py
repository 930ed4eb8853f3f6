"""The crawl finds dead links, broken pages, jumps to nowhere and links to elsewhere."""

from __future__ import annotations

import httpx
import pytest

from tests.console.browser.crawl import crawl, shape_of

SITE = {
    "/": '<a href="/list#end">list</a> <a href="/sign-out">leave</a> <img src="data:,">',
    "/list": '<p id="end"></p>' + "".join(f'<a href="/jobs/{n}">job</a>' for n in range(9)),
    **{f"/jobs/{n}": "<p>a job</p>" for n in range(9)},
}


def client(pages: dict[str, str | int]) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        page = pages.get(request.url.path, 404)
        if isinstance(page, int):
            return httpx.Response(page)
        return httpx.Response(200, text=page, headers={"content-type": "text/html"})

    return httpx.Client(base_url="http://a.test", transport=httpx.MockTransport(answer))


def test_a_site_in_order_has_no_problem_and_is_seen_in_samples() -> None:
    crawled = crawl(client(dict(SITE)))
    assert crawled.problems == []
    assert list(crawled.statuses) == ["/", "/list", "/jobs/0", "/jobs/1", "/jobs/2"]


@pytest.mark.parametrize(
    ("path", "page", "problem"),
    [
        ("/jobs/1", 500, "500: /jobs/1 (linked from /list)"),
        ("/jobs/1", 404, "404: /jobs/1 (linked from /list)"),
        ("/list", '<p id="start"></p>', "no #end on /list (linked from /)"),
        ("/list", '<p id="end"><a href="//b.test/">b</a>', "leads elsewhere: //b.test/ on /list"),
    ],
)
def test_what_is_wrong_is_named_with_the_page_it_was_found_on(
    path: str, page: str | int, problem: str
) -> None:
    assert crawl(client({**SITE, path: page})).problems == [problem]


def test_things_of_one_kind_have_one_shape() -> None:
    assert shape_of("/jobs/12?b=2&a=1") == shape_of("/jobs/7?a=&b=") == "/jobs/*?a,b"
    assert shape_of(f"/library/assets/{'a' * 64}/files") == "/library/assets/*/files?"
    assert shape_of("/import?state=x") != shape_of("/import?type=x")
