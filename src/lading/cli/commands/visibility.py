"""`lading visibility`: whether a site sees an asset, and by which routes (A18)."""

from __future__ import annotations

from typing import Any

import click

from lading.cli import output
from lading.cli.failures import NEEDS_A_PERSON
from lading.cli.granting import parse_hashes
from lading.cli.session import Session, with_session
from lading.library.sites import list_sites
from lading.library.visibility import HIDDEN_SENTENCES, Explanation, explain, route_sentence


@click.command("visibility")
@click.argument("content_hash", metavar="HASH")
@click.option("--site", "site_key", metavar="KEY", help="Only about this site.")
@with_session
def command(session: Session, content_hash: str, site_key: str | None) -> int:
    """Say which sites see an asset, by every route there is, or why not.

    With --site, the status is 1 when the site does not see it.
    """
    [digest] = parse_hashes([content_hash])
    with session.open_database() as db, db.read() as conn:
        keys = [site.key for site in list_sites(conn)] if site_key is None else [site_key]
        found = {key: explain(conn, key, digest) for key in keys}
        anywhere = explain(conn, None, digest)
    if session.as_json:
        output.emit(
            {
                "content_hash": digest,
                "hidden_because": anywhere.hidden_because,
                "sites": {key: _document(explanation) for key, explanation in found.items()},
            }
        )
    else:
        _tell(found, anywhere)
    hidden = site_key is not None and not found[site_key].visible
    return NEEDS_A_PERSON if hidden else 0


def _document(explanation: Explanation) -> dict[str, Any]:
    because = explanation.hidden_because
    return {
        "visible": explanation.visible,
        "hidden_because": because,
        "sentence": HIDDEN_SENTENCES[because] if because else None,
        "routes": [route_sentence(route) for route in explanation.routes],
        "closed_routes": [route_sentence(route) for route in explanation.closed_routes],
    }


def _tell(found: dict[str, Explanation], anywhere: Explanation) -> None:
    if anywhere.hidden_because is not None:
        output.say(HIDDEN_SENTENCES[anywhere.hidden_because])
    elif not found:
        output.say("It is in the library; there are no sites.")
    for key, explanation in found.items():
        because = explanation.hidden_because
        output.say(f"{key}: {HIDDEN_SENTENCES[because] if because else 'sees it.'}")
        for route in (*explanation.routes, *explanation.closed_routes):
            output.say(f"  {route_sentence(route)}")
