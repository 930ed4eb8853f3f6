"""A tree of photos with drawn faces: persons, reference images, and all that is said of faces.

What an engine would find is written as it writes it, so that none has to run: boxes where the faces
are drawn, and made embeddings, of which those of one person lie near one another.
"""

from __future__ import annotations

import hashlib
import io
import math
import random
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select

from lading.base.stopping import StopSignal
from lading.bootstrap import Lading
from lading.ingest import Ingest
from lading.library.faces import save_given, save_suggestions
from lading.library.passed_over import pass_over_faces
from lading.library.people import (
    add_person,
    add_reference,
    confirm_faces,
    merge_persons,
    refuse_faces,
)
from lading.library.people_queries import (
    asset_faces,
    list_persons,
    refused_persons,
    unidentified_faces,
)
from lading.library.people_values import FaceBox, FaceFacts, ScanFacts
from lading.library.tables import asset_file
from lading.media.derive import FileAt
from lading.media.faces.engine import Box, Detected, Embedding
from lading.media.faces.scanning import Scanned, detection_of
from lading.media.faces.settings import DetectionSettings, FaceSettings, MatchingSettings
from lading.people.adopted import adopt_settings, settings_held
from lading.people.detecting import save_found
from lading.people.lab import run_lab, start_run
from lading.people.matching import Everybody, suggested
from lading.people.people import People
from lading.people.processes import FaceProcesses
from lading.people.references import reference_key
from lading.testing.console_imported import ACTOR, take_in
from lading.testing.console_photos import PHOTOS, PHOTOS_TOML, exif_of, tree_of

PEOPLE_TOML: Final = PHOTOS_TOML + "\n[faces]\nenabled = true\n"
ANNA, BERT, CLEO, DORA, ANNIE = "Anna", "Bert", "Cleo", "Dora", "Annie"
ODD: Final = '<b>Eve</b> & "co"'
PARTY, WINTER, NEW = "2025/party", "2026/winter", "2026/not scanned yet"
STRANGER: Final = "stranger"
"""Nobody knows who it is; six pictures have them."""
GIVEN: Final = "anna-passport.jpg"
GONE: Final = f"{WINTER}/gone.jpg"
UNREADABLE: Final = f"{WINTER}/dark.jpg"
KIND: Final = "dlib-resnet-v1"
_WIDTH, _HEIGHT = 640, 480
_BLURRED: Final = 0.01
_FIRST: Final = datetime(2025, 6, 1, 12, 0)  # noqa: DTZ001 - a camera's clock knows no zone
_SIZE: Final = 128
_SAME: Final = 0.2


@dataclass(frozen=True, slots=True)
class Drawn:
    """A face in a picture: whose it is in truth, how far from usual, and how it was measured.

    `state` is what is to be said of it; nothing is left to the matcher.
    """

    who: str
    state: str = ""
    away: float = _SAME
    like: str = ""
    side: int = 120
    sharpness: float = 0.3
    turn: float = 0.05


def _party(number: int) -> list[Drawn]:
    """A picture of the party; each has Anna or Bert, many the stranger."""
    found = [
        Drawn(ANNA, ("reference", "confirmed", "")[number % 3], 0.2 + number % 5 * 0.05),
        Drawn(BERT, ("", "reference", "reference")[number % 3], 0.2 + number % 4 * 0.05),
    ]
    if number % 2:
        found.append(Drawn(STRANGER, away=0.12, side=90))
    return found


_PICTURES: Final[Mapping[str, Sequence[Drawn]]] = {
    **{f"{PARTY}/party_{number:02}.jpg": _party(number) for number in range(1, 13)},
    f"{PARTY}/cleo.jpg": [Drawn(CLEO, "reference", side=200)],
    f"{PARTY}/cleo and friend.jpg": [Drawn(CLEO, away=0.3), Drawn("friend", side=70)],
    f"{WINTER}/small.jpg": [Drawn(ANNA, "reference", 0.21, side=50)],
    f"{WINTER}/blurred.jpg": [Drawn(ANNA, "reference", 0.22, sharpness=0.002)],
    f"{WINTER}/turned.jpg": [Drawn(ANNA, "reference", 0.23, turn=0.8)],
    f"{WINTER}/again.jpg": [Drawn(ANNA, "reference", like=f"{WINTER}/turned.jpg")],
    f"{WINTER}/outlier.jpg": [Drawn(ANNA, "reference", 0.62)],
    f"{WINTER}/dora.jpg": [Drawn(DORA, "reference", like=f"{PARTY}/cleo.jpg", away=0.25)],
    f"{WINTER}/annie.jpg": [Drawn(ANNIE, "confirmed"), Drawn(BERT, "refused", 0.35)],
    GONE: [Drawn(BERT, "detached")],
    f"{WINTER}/crowd.jpg": [
        Drawn("passer-by", "passed_over", side=40),
        Drawn("statue", "passed_over", side=60),
        Drawn("neighbour", side=80),
        Drawn("guest", side=80),
    ],
    f"{WINTER}/nobody.jpg": [],
    UNREADABLE: [],
    f"{NEW}/one.jpg": [Drawn(ANNA)],
    f"{NEW}/two.jpg": [Drawn(STRANGER)],
}
"""The faces of each picture, from left to right."""


def make_people(lading: Lading) -> None:
    """Draw the tree, take it in, and write what was found and said of faces."""
    root = tree_of(lading)
    for number, (name, drawn) in enumerate(_PICTURES.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_picture(name, drawn, number))
    parts = replace(lading.ingest.parts, on_import_queued=None)
    take_in(replace(lading, ingest=Ingest(parts)), PHOTOS)
    given = _picture(GIVEN, [Drawn(ANNA, side=260)], 0)
    sha256 = hashlib.sha256(given).hexdigest()
    lading.store.put(reference_key(sha256), iter([given]), sha256=sha256, owner="references")
    with lading.db.write() as conn:
        _say(conn, sha256)
    _try_settings(lading)


def faces_in(conn: Connection, name: str) -> list[int]:
    """The numbers of the faces of a picture, from left to right."""
    found = asset_faces(conn, _asset(conn, name))
    return [each.id for each in sorted(found, key=lambda one: one.facts.box.left)]


def _say(conn: Connection, given: str) -> None:
    faces: dict[tuple[str, int], int] = {}
    for name, drawn in _PICTURES.items():
        if name.startswith(NEW):
            continue
        error = "media_damaged" if name == UNREADABLE else None
        ids = save_found(_asset(conn, name), _scan(name, drawn, error), conn)
        faces |= {(name, at): face_id for at, face_id in enumerate(ids)}
    names = (ANNA, BERT, CLEO, DORA, ANNIE, ODD)
    persons = {name: add_person(conn, name, actor=ACTOR) for name in names}
    of = {state: _of_state(state, faces) for state in ("reference", "confirmed", "refused")}
    for name, face_id in of["reference"]:
        add_reference(conn, persons[name], face_id, actor=ACTOR)
    ids = save_given(conn, GIVEN, given, _scan(GIVEN, [Drawn(ANNA, side=260)]))
    add_reference(conn, persons[ANNA], ids[0], actor=ACTOR)
    for name, face_id in [*of["confirmed"], *_of_state("detached", faces)]:
        confirm_faces(conn, persons[name], [face_id], actor=ACTOR)
    for name, face_id in of["refused"]:
        refuse_faces(conn, persons[name], [face_id], actor=ACTOR)
    passed_over = [face_id for _, face_id in _of_state("passed_over", faces)]
    pass_over_faces(conn, passed_over, actor=ACTOR)
    merge_persons(conn, persons[ANNIE], persons[ANNA], actor=ACTOR)
    gone = next(
        name for name, drawn in _PICTURES.items() if any(d.state == "detached" for d in drawn)
    )
    save_found(_asset(conn, gone), _scan(gone, []), conn)
    held = settings_held(conn).settings
    adopt_settings(
        conn, replace(held, matching=replace(held.matching, distance_max=0.52)), actor=ACTOR
    )
    _match(conn)


def _of_state(state: str, faces: Mapping[tuple[str, int], int]) -> list[tuple[str, int]]:
    """Who, and which face, for all that this is to be said of."""
    return [
        (drawn.who, faces[name, at])
        for name, several in _PICTURES.items()
        for at, drawn in enumerate(several)
        if drawn.state == state
    ]


def _match(conn: Connection) -> None:
    """Suggest what the matcher would, for everybody."""
    settings = settings_held(conn).settings.matching
    everybody = Everybody.read(conn)
    waiting = unidentified_faces(conn, limit=1_000)
    ids = [each.id for each in waiting]
    refused = refused_persons(conn, ids)
    for each in list_persons(conn):
        found = suggested(everybody, waiting, refused, settings, each.person.id)
        save_suggestions(conn, ids, found, everybody.group(each.person.id))


def _try_settings(lading: Lading) -> None:
    """A lab run with a result, and one that waits for a worker."""
    stricter = FaceSettings(matching=MatchingSettings(distance_max=0.45))
    opened = lading.people
    people = People(opened.db, opened.queue, opened.store, opened.roots, _DrawnFaces())
    done = start_run(people, PHOTOS, PARTY, stricter, actor=ACTOR, enqueue=False)
    run_lab(people, done, stop=StopSignal())
    file_name = UNREADABLE.rpartition("/")[2]
    start_run(people, PHOTOS, WINTER, stricter, actor=ACTOR, file_name=file_name, enqueue=False)


class _DrawnFaces(FaceProcesses):
    """Stands for the processes that look for faces, and finds those that were drawn."""

    @contextmanager
    def scanner(self, settings: DetectionSettings, *_: Any, **__: Any) -> Iterator[Any]:
        """Looks at no file."""
        yield _Drawings(settings)


@dataclass(frozen=True, slots=True)
class _Drawings:
    settings: DetectionSettings

    def scan(self, files: Iterable[FileAt]) -> Iterator[tuple[FileAt, Scanned]]:
        how = detection_of(self.settings)
        for file in files:
            drawn = enumerate(_PICTURES[file.relative])
            faces = tuple(_detected(_facts(file.relative, at, each)) for at, each in drawn)
            yield file, Scanned(_WIDTH, _HEIGHT, faces, 0, KIND, how)


def _detected(facts: FaceFacts) -> Detected:
    return Detected(
        Box(*facts.box),
        facts.score,
        facts.side_px,
        facts.sharpness,
        facts.roll_degrees,
        facts.turn,
        Embedding(facts.embedding_kind, facts.embedding),
    )


def _asset(conn: Connection, name: str) -> int:
    query = select(asset_file.c.asset_id).where(asset_file.c.location == name)
    return int(conn.execute(query).scalar_one())


def _scan(name: str, drawn: Sequence[Drawn], error: str | None = None) -> ScanFacts:
    settings = DetectionSettings()
    how = detection_of(settings)
    return ScanFacts(
        key=how.key,
        engine=how.tool,
        engine_version=how.version,
        settings_digest=settings.digest,
        settings=how.settings,
        width=_WIDTH,
        height=_HEIGHT,
        faces=[_facts(name, at, each) for at, each in enumerate(drawn)],
        error=error,
        error_text=None if error is None else f"It cannot be decoded [{name}]",
    )


def _facts(name: str, at: int, drawn: Drawn) -> FaceFacts:
    left, top = _place(at, drawn)
    return FaceFacts(
        box=FaceBox(left / _WIDTH, top / _HEIGHT, drawn.side / _WIDTH, drawn.side / _HEIGHT),
        score=round(1.4 - drawn.away, 3),
        side_px=drawn.side,
        sharpness=drawn.sharpness,
        roll_degrees=0.0,
        turn=drawn.turn,
        embedding_kind=KIND,
        embedding=array("f", _numbers(name, at, drawn)).tobytes(),
    )


def _place(at: int, drawn: Drawn) -> tuple[int, int]:
    """The upper left corner of a face in pixels: four fit beside one another."""
    return 15 + at * 155, 110 + (at % 2) * 60 - drawn.side // 4


def _numbers(name: str, at: int, drawn: Drawn) -> list[float]:
    """128 numbers, `away` from those of the person, or near those of the first face elsewhere."""
    if drawn.like:
        first = _PICTURES[drawn.like][0]
        start, away = _numbers(drawn.like, 0, first), 0.05 if first.who == drawn.who else drawn.away
    else:
        start, away = _direction(drawn.who, 0.5), drawn.away
    step = _direction(f"{name} {at}", away)
    return [one + other for one, other in zip(start, step, strict=True)]


def _direction(word: str, length: float) -> list[float]:
    chance = random.Random(word)
    numbers = [chance.gauss(0, 1) for _ in range(_SIZE)]
    whole = math.hypot(*numbers)
    return [each / whole * length for each in numbers]


def _picture(name: str, drawn: Sequence[Drawn], number: int) -> bytes:
    from PIL import Image, ImageDraw, ImageFilter  # noqa: PLC0415 - of an extra

    chance = random.Random(name)
    rough = Image.frombytes("RGB", (4, 3), bytes(chance.randrange(120, 220) for _ in range(36)))
    image = rough.resize((_WIDTH, _HEIGHT), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for at, each in enumerate(drawn):
        _draw(draw, *_place(at, each), each)
    if any(each.sharpness < _BLURRED for each in drawn):
        image = image.filter(ImageFilter.GaussianBlur(6))
    written = io.BytesIO()
    taken = _FIRST + timedelta(days=number, minutes=7 * number)
    image.save(written, "JPEG", quality=85, exif=exif_of(taken=taken, offset="+01:00"))
    return written.getvalue()


def _draw(draw: Any, left: int, top: int, drawn: Drawn) -> None:
    """Hair, a round face, eyes and a mouth, in the colours of the person."""
    colours, side = random.Random(drawn.who), drawn.side
    hair = tuple(colours.randrange(20, 160) for _ in range(3))
    skin = (colours.randrange(170, 250), colours.randrange(130, 200), colours.randrange(100, 160))

    def oval(x: float, y: float, width: float, height: float, fill: Any) -> None:
        at = left + x * side, top + y * side
        draw.ellipse((*at, at[0] + width * side, at[1] + height * side), fill=fill)

    oval(-0.08, -0.22, 1.16, 1.1, hair)
    oval(0.05, 0, 0.9, 1.1, skin)
    shift = drawn.turn * 0.2
    for x in (0.25, 0.62):
        oval(x + shift, 0.36, 0.14, 0.14, (255, 255, 255))
        oval(x + shift + 0.04, 0.39, 0.07, 0.08, (30, 30, 40))
    oval(0.35 + shift, 0.76, 0.3, 0.08 + colours.random() * 0.1, (150, 40, 50))
