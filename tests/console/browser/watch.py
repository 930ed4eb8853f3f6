"""Records what goes wrong on pages while something else is looked at."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

_CSP = "[content security policy]"
_LOCAL_SCHEMES = {"about", "blob", "data"}
# The browser's own pages and its wish for an icon are not ours.
_SAY_VIOLATIONS = f"""
document.addEventListener('securitypolicyviolation', event => console.error(
    '{_CSP} ' + event.effectiveDirective + ' refused ' + (event.blockedURI || 'inline') +
    ' at ' + event.sourceFile + ':' + event.lineNumber + ' ' + event.sample));
"""


class Watch:
    """What one context's pages did that no page shall: errors, violations, calls to elsewhere."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.problems: list[str] = []
        self._origin = origin
        self._allowed: list[Callable[[str], bool]] = []
        context.add_init_script(_SAY_VIOLATIONS)
        context.on("console", self._said)
        context.on("weberror", self._broke)
        context.on("request", self._asked)
        context.on("response", self._answered)

    def allow(self, *words: str) -> None:
        """Do not count a problem that has all of `words` in it: the test brings it about."""
        self._allowed.append(lambda problem: all(word in problem for word in words))

    def found(self) -> list[str]:
        """All problems but the allowed ones, in order, each once."""
        kept = (p for p in self.problems if not any(allowed(p) for allowed in self._allowed))
        return list(dict.fromkeys(kept))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "assert"}:
            where = message.location.get("url", "")
            self.problems.append(f"console: {message.text} ({where})")

    def _broke(self, error: WebError) -> None:
        page = error.page
        self.problems.append(f"error on the page {page.url if page else '?'}: {error.error}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in _LOCAL_SCHEMES or f"{parts.scheme}://{parts.netloc}" == self._origin:
            return
        self.problems.append(f"request to elsewhere: {request.method} {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 500:
            self.problems.append(f"answered {response.status}: {response.url}")
