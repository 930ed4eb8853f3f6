"""One person: how they are recognised, which faces are theirs, and who was merged into them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from litestar import Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body
from litestar.response import Redirect

from lading.accounts.values import Caller, Permission
from lading.console.actions import people as actions
from lading.console.actions.people import PICTURE_BYTES_MAX
from lading.console.listing import Field, read_query
from lading.console.pages.forms import (
    BadForm,
    Form,
    Number,
    local_path,
    numbers,
    one,
    required,
    see_other,
    with_parameters,
)
from lading.console.pages.people import PEOPLE, VIEWS
from lading.console.parts import Console
from lading.console.readers.asset_choices import photos_url
from lading.console.readers.people import person_url, read_names
from lading.console.readers.people_one import (
    ADVISED,
    FLAW_WORDS,
    read_merge,
    read_person,
    root_person,
)
from lading.console.readers.people_told import done_words, read_told
from lading.console.render import page
from lading.console.security.csrf import PARTS_BYTES_MAX
from lading.console.security.guards import requires
from lading.library.people_tables import FaceState

STATE_WORDS: Final[Mapping[FaceState, str]] = {
    FaceState.SUGGESTED: "Suggested",
    FaceState.CONFIRMED: "Confirmed",
    FaceState.REFUSED: "Refused",
}
_WRITES: Final[Mapping[str, Any]] = {
    "guards": [requires(Permission.OPERATE)],
    "sync_to_thread": True,
    "include_in_schema": False,
}

Parts = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)]


def routes() -> list[HTTPRouteHandler]:
    """One person, and what can be done about them."""
    return [person_page, merge_page, rename, references, give_picture, merge, unmerge]


@get(
    "/people/{person_id:int}",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def person_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    person_id: Number,
) -> Response[str] | Redirect:
    """One person with the faces of one state; for one who was merged, who they turned out to be."""
    db = console.lading.db
    root = root_person(db, person_id)
    if root != person_id:
        return see_other(person_url(root))
    size = int(caller.account.preferences.get("page_size", "50"))
    choices = {each.value: word for each, word in STATE_WORDS.items()}
    query = read_query(
        request,
        [Field("state", "Faces", choices), Field("choose", "Picture", kind="number")],
        page_size=size,
    )
    state = FaceState(query.one("state") or FaceState.SUGGESTED)
    found = read_person(
        db,
        person_id,
        state=state,
        cursor=query.cursor,
        limit=query.limit,
        choose=query.number("choose"),
    )
    operating = caller.may(Permission.OPERATE)
    names = read_names(db) if operating else []
    here = query.url(cursor=query.cursor, choose=None)
    return page(
        console,
        caller,
        "pages/person.html",
        section=PEOPLE,
        live="topics=engine,people",
        crumbs=[(VIEWS[PEOPLE], PEOPLE)],
        query=query,
        here=here,
        found=found,
        photos_url=photos_url(person_id),
        state=state,
        state_word=STATE_WORDS[state],
        tabs=[
            (word, query.url(state=each.value, choose=None), found.counts[each])
            for each, word in STATE_WORDS.items()
        ],
        current=query.url(state=state.value, choose=None),
        advised=ADVISED,
        flaw_words=FLAW_WORDS,
        names=names,
        others=[each for each in names if each.id != person_id],
        waiting=console.faces_waiting.read(),
        picture_bytes_max=PICTURE_BYTES_MAX,
        told=read_told(db, query.done),
    )


@get(
    "/people/{person_id:int}/merge",
    guards=[requires(Permission.READ)],
    sync_to_thread=True,
    include_in_schema=False,
)
def merge_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    person_id: Number,
) -> Response[str] | Redirect:
    """What merging this person into another would come to."""
    into = numbers({"into": str(request.query_params.get("into", ""))}, "into")
    if not into:
        return see_other(person_url(person_id))
    found = read_merge(console.lading.db, person_id, into[0])
    if found.whom.id == found.into.id:
        return see_other(person_url(found.into.id))
    return page(
        console,
        caller,
        "pages/person_merge.html",
        section=PEOPLE,
        crumbs=[(VIEWS[PEOPLE], PEOPLE), (found.whom.name, found.whom.url)],
        found=found,
    )


@post("/people/{person_id:int}/rename", **_WRITES)
def rename(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    person_id: Number,
    data: Form,
) -> Redirect:
    """Give the person another name."""
    done = actions.rename(console, caller, person_id, required(data, "name"))
    return see_other(with_parameters(person_url(person_id), done=done_words(done.event)))


@post("/people/{person_id:int}/references", **_WRITES)
def references(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    person_id: Number,
    data: Form,
) -> Redirect:
    """Recognise the person by a face, or by a reference image no more."""
    back = local_path(one(data, "back"), person_url(person_id))
    if remove := numbers(data, "remove"):
        event = actions.drop_reference(console, caller, person_id, remove[0])
    elif face := numbers(data, "face"):
        event = actions.use_as_reference(console, caller, person_id, face[0]).event
    else:
        raise BadForm("the form names no face and no reference image", subject="face")
    return see_other(with_parameters(back, done=done_words(event)))


@post(
    "/people/{person_id:int}/references/picture",
    opt={PARTS_BYTES_MAX: PICTURE_BYTES_MAX},
    request_max_body_size=PICTURE_BYTES_MAX + 65_536,
    **_WRITES,
)
def give_picture(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    person_id: Number,
    data: Parts,
) -> Redirect:
    """Recognise the person by a picture from somebody's disk; of several faces one is chosen."""
    given = data.get("picture")
    if not isinstance(given, UploadFile) or not given.filename:
        raise BadForm("the form has no picture", subject="picture")
    content = given.file.read(PICTURE_BYTES_MAX + 1)
    done = actions.give_picture(console, caller, person_id, given.filename, content)
    back = person_url(person_id)
    if done.event:
        return see_other(with_parameters(back, done=done_words(done.event)))
    return see_other(with_parameters(back, choose=str(done.faces[0])) + "#h-choose")


@post("/people/{person_id:int}/merge", **_WRITES)
def merge(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    person_id: Number,
    data: Form,
) -> Redirect:
    """Say that the person is another one, and go there."""
    into = numbers({"into": required(data, "into")}, "into")[0]
    done = actions.merge(console, caller, person_id, into)
    target = person_url(done.person.merged_into or into)
    return see_other(with_parameters(target, done=done_words(done.event)))


@post("/people/{person_id:int}/unmerge", **_WRITES)
def unmerge(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    person_id: Number,
) -> Redirect:
    """Make the person somebody of their own again."""
    done = actions.unmerge(console, caller, person_id)
    return see_other(with_parameters(person_url(person_id), done=done_words(done.event)))
