"""One run of the lab under thresholds that are tried: verdicts, what changes, and the distances.

Nothing is looked into: all follows from the distances that the run kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from lading.console.distance_chart import DistanceChart, distance_chart
from lading.console.media_bytes import MediaGone
from lading.console.parts import Console
from lading.console.readers.face_files import face_picture_url, picture_version
from lading.console.readers.library import AssetCard, asset_cards
from lading.console.readers.people_lab import RunLine, number_of, run_lines
from lading.db.counting import Count
from lading.library.known import asset_row, file_row
from lading.library.people import all_persons, root_of
from lading.library.people_tables import face, reference_image
from lading.library.people_values import FaceBox
from lading.library.statements import chunked
from lading.library.tables import asset, asset_file
from lading.library.values import FileFacts
from lading.media.faces.rules import Change, ChangeKind, Distances, Id, Match, Verdict, explain
from lading.media.faces.settings import FaceSettings, MatchingSettings
from lading.people.adopted import Adopted, settings_held
from lading.people.errors import UnknownLabRun
from lading.people.lab import lab_run, list_runs
from lading.people.lab_values import LabFace, LabFile, LabRun

FACES_SHOWN: Final = 30
FILES_SHOWN: Final = 50
DRAWN_WIDE: Final = 1_000.0
"""Boxes are drawn on a sheet as wide as this, and as high as the picture asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateLine:
    """A person that a face may be of, and the reference image that is nearest."""

    person: str
    person_id: int
    distance: float
    behind: float
    picture_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceLine:
    """A face of a run, what is said of it, why, and what the draft changes.

    `number` counts through the whole run. `confirmed` is who people said it is.
    """

    number: int
    face: LabFace
    match: Match
    why: str
    change: ChangeKind | None
    person: str | None
    confirmed: str | None
    picture_url: str
    candidates: Sequence[CandidateLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnBox:
    """The box of a face on the drawing of its picture."""

    number: int
    verdict: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCard:
    """A file with those of its faces that are on this page."""

    file: LabFile
    name: str
    card: AssetCard | None
    faces: Sequence[FaceLine]
    boxes: Sequence[DrawnBox]
    wide: float = DRAWN_WIDE
    high: float = DRAWN_WIDE

    @property
    def shown(self) -> int:
        """How many of its faces are on this page."""
        return len(self.faces)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLine:
    """A file of a run, how many faces were found in it, or why it was not looked at."""

    file: LabFile
    card: AssetCard | None
    faces: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A run under a draft. `verdicts` and `changes` count all its faces, whatever is listed."""

    line: RunLine
    held: Adopted
    draft: MatchingSettings
    verdicts: Mapping[str, int]
    changes: Mapping[str, int]
    persons: Sequence[tuple[int, str]]
    failed: int
    own: DistanceChart | None
    library: DistanceChart | None
    cards: Sequence[FileCard] = ()
    files: Sequence[FileLine] = ()
    count: Count
    next_cursor: str | None
    prev_cursor: str | None

    @property
    def run(self) -> LabRun:
        """The run."""
        return self.line.run

    @property
    def settings(self) -> FaceSettings:
        """All settings as they would be adopted."""
        return FaceSettings(self.run.settings.detection, self.draft)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Which faces of a run are listed: by verdict or kind of change, by person, by file."""

    show: str = ""
    person: int | None = None
    file: str | None = None


FILES, ERRORS = "files", "errors"
VERDICTS_AND_CHANGES: Final = (*(each.value for each in ChangeKind), *(v.value for v in Verdict))
"""What faces can be listed by."""


def read_run_line(console: Console, run_id: int) -> tuple[RunLine, Adopted]:
    """A run with its job, and what holds now. Raises `UnknownLabRun`."""
    run = lab_run(console.lading.people, run_id)
    with console.lading.db.read() as conn:
        held = settings_held(conn)
        (line,) = run_lines(conn, [run], held.settings)
    return line, held


def read_run_head(console: Console, run_id: int) -> LabRun:
    """A run without its result. Raises `UnknownLabRun`."""
    with console.lading.db.read() as conn:
        found = list_runs(conn, before=run_id + 1, limit=1)
    if not found or found[0].id != run_id:
        raise UnknownLabRun("there is no such lab run", subject=f"run {run_id}")
    return found[0]


def judge_run(
    console: Console,
    line: RunLine,
    held: Adopted,
    draft: MatchingSettings,
    listed: Listed,
    *,
    cursor: str | None = None,
) -> Judged:
    """A finished run under thresholds that are tried. Raises `BadCursor`."""
    run = line.run
    matches = run.verdicts(draft)
    kinds = {each.after.measured.face: each.kind for each in _changes(run, held, draft)}
    with console.lading.db.read() as conn:
        people = all_persons(conn)
        names = {each: people[root_of(people, each)].name for each in people}
        found = zip(run.faces, matches, strict=True)
        rows = sorted(found, key=lambda row: (row[0].file, row[0].measured.face))
        chosen = [row for row in rows if _fits(row, kinds, listed)]
        cards: list[FileCard] = []
        files: list[FileLine] = []
        if listed.show in (FILES, ERRORS):
            known = [file for file in run.files if listed.show == FILES or file.error]
            known.sort(key=lambda file: file.name)
            start, end, before, after = _slice(len(known), cursor, FILES_SHOWN)
            files = _file_lines(conn, run, known[start:end])
            total = len(known)
        else:
            start, end, before, after = _slice(len(chosen), cursor, FACES_SHOWN)
            telling = _Telling(run, draft, kinds, names)
            cards = telling.file_cards(conn, chosen[start:end])
            total = len(chosen)
    return Judged(
        line=line,
        held=held,
        draft=draft,
        verdicts=Counter(match.verdict.value for match in matches),
        changes=Counter(kind.value for kind in kinds.values()),
        persons=_nearest_persons(matches, names),
        failed=sum(file.error is not None for file in run.files),
        own=_own_chart(run, held, draft),
        library=distance_chart(
            run.result.pairs.distances,
            draft=draft.distance_max,
            held=held.settings.matching.distance_max,
        ),
        cards=cards,
        files=files,
        count=Count(total),
        next_cursor=after,
        prev_cursor=before,
    )


def lab_face(console: Console, run_id: int, number: int) -> tuple[LabRun, LabFace | None]:
    """A face of a run by its number. Raises `UnknownLabRun`."""
    run = lab_run(console.lading.people, run_id)
    return run, next((one for one in run.faces if one.measured.face == number), None)


def lab_file(console: Console, run: LabRun, found: LabFace) -> FileFacts | None:
    """The file of a face as the library has it, if it is still the one that the run looked into.

    None for a run that did not note which file it was. Raises `MediaGone`.
    """
    asset_id = next((one.asset_id for one in run.files if one.name == found.file), None)
    if asset_id is None:
        return None
    query = select(asset_file).where(
        asset_file.c.asset_id == asset_id,
        asset_file.c.location == found.file,
        asset_file.c.deleted_at.is_(None),
    )
    with console.lading.db.read() as conn:
        row = conn.execute(query.limit(1)).one_or_none()
    if row is None:
        raise MediaGone("it is not there, or another picture since the run", subject=found.file)
    return file_row(row).facts


def lab_face_version(run: LabRun, number: int) -> str:
    """What the address of the picture of a run's face says of it; a run's faces never change."""
    return picture_version(
        f"lab/{run.id}/{run.created_at.isoformat()}/{number}", FaceBox(0, 0, 1, 1)
    )


def _changes(run: LabRun, held: Adopted, draft: MatchingSettings) -> list[Change]:
    return run.changes(held.settings.matching, draft)


def _fits(row: tuple[LabFace, Match], kinds: Mapping[Id, ChangeKind], listed: Listed) -> bool:
    one, match = row
    if listed.file is not None and one.file != listed.file:
        return False
    if listed.person is not None:
        nearest = match.nearest.person if match.nearest else None
        if listed.person not in (nearest, one.confirmed):
            return False
    kind = kinds.get(one.measured.face)
    return listed.show in ("", match.verdict.value, kind.value if kind else "")


def _slice(total: int, cursor: str | None, size: int) -> tuple[int, int, str | None, str | None]:
    """Where a page begins and ends, and the cursors before and after it."""
    start = min(number_of(cursor) or 0, total)
    end = min(start + size, total)
    before = str(max(0, start - size)) if start else None
    return start, end, before, str(end) if end < total else None


def _nearest_persons(matches: Sequence[Match], names: Mapping[int, str]) -> list[tuple[int, str]]:
    found = {int(match.nearest.person) for match in matches if match.nearest}
    return sorted(((each, names[each]) for each in found), key=lambda each: each[1].casefold())


def _own_chart(run: LabRun, held: Adopted, draft: MatchingSettings) -> DistanceChart | None:
    """The distances of the faces of the run; reference images lie at none from themselves."""
    same: list[float] = []
    different: list[float] = []
    for one in run.faces:
        if one.confirmed is None or one.reference:
            continue
        for candidate in one.measured.candidates:
            (same if candidate.person == one.confirmed else different).append(candidate.distance)
    return distance_chart(
        Distances(tuple(same), tuple(different)),
        draft=draft.distance_max,
        held=held.settings.matching.distance_max,
    )


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Addresses of pictures of faces, by face of the library and by reference image."""

    faces: Mapping[int, str]
    references: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class _Telling:
    """What lines about faces are made of."""

    run: LabRun
    draft: MatchingSettings
    kinds: Mapping[Id, ChangeKind]
    names: Mapping[int, str]

    def file_cards(self, conn: Connection, rows: Sequence[tuple[LabFace, Match]]) -> list[FileCard]:
        """Faces by the files that they are in."""
        files = {file.name: file for file in self.run.files}
        shown = {one.file: files[one.file] for one, _ in rows}
        cards = _cards(conn, shown.values())
        references = {int(c.reference) for one, _ in rows for c in one.measured.candidates}
        pictures = _face_pictures(conn, {one.known for one, _ in rows if one.known}, references)
        lines: dict[str, list[FaceLine]] = {}
        for one, match in rows:
            lines.setdefault(one.file, []).append(self._line(one, match, pictures))
        return [
            FileCard(
                file=shown[name],
                name=name.rpartition("/")[2],
                card=cards.get(shown[name].asset_id or 0),
                faces=found,
                boxes=[_box(line, _high(shown[name])) for line in found],
                high=_high(shown[name]),
            )
            for name, found in lines.items()
        ]

    def _line(self, one: LabFace, match: Match, pictures: _Pictures) -> FaceLine:
        number = int(one.measured.face)
        own = f"/media/lab/{self.run.id}/faces/{number}?v={lab_face_version(self.run, number)}"
        return FaceLine(
            number=number,
            face=one,
            match=match,
            why=explain(match, self.draft),
            change=self.kinds.get(one.measured.face),
            person=self.names.get(int(match.nearest.person)) if match.nearest else None,
            confirmed=None if one.confirmed is None else self.names.get(one.confirmed),
            picture_url=pictures.faces.get(one.known or 0, own),
            candidates=[
                CandidateLine(
                    person=self.names.get(int(each.person), "-"),
                    person_id=int(each.person),
                    distance=each.distance,
                    behind=each.behind,
                    picture_url=pictures.references.get(int(each.reference)),
                )
                for each in one.measured.candidates
            ],
        )


def _box(line: FaceLine, high: float) -> DrawnBox:
    box = line.face.box
    return DrawnBox(
        number=line.number,
        verdict=line.match.verdict.value,
        x=round(box.left * DRAWN_WIDE, 1),
        y=round(box.top * high, 1),
        width=round(box.width * DRAWN_WIDE, 1),
        height=round(box.height * high, 1),
    )


def _high(file: LabFile) -> float:
    if not file.width or not file.height:
        return DRAWN_WIDE
    return round(DRAWN_WIDE * file.height / file.width, 1)


def _face_pictures(
    conn: Connection, faces: Collection[int], references: Collection[int]
) -> _Pictures:
    """Faces that the library does not have any more have no picture of their own there."""
    of_reference: dict[int, int] = {}
    for chunk in chunked(references):
        query = select(reference_image.c.id, reference_image.c.face_id)
        found = conn.execute(query.where(reference_image.c.id.in_(chunk)))
        of_reference.update((row.id, row.face_id) for row in found)
    urls: dict[int, str] = {}
    columns: Sequence[Any] = (
        face.c.id,
        face.c.scan_id,
        face.c.box_left,
        face.c.box_top,
        face.c.box_width,
        face.c.box_height,
    )
    for chunk in chunked({*faces, *of_reference.values()}):
        for face_id, scan_id, *box in conn.execute(select(*columns).where(face.c.id.in_(chunk))):
            urls[face_id] = face_picture_url(face_id, scan_id, FaceBox(*box))
    return _Pictures(
        {each: urls[each] for each in faces if each in urls},
        {number: urls[each] for number, each in of_reference.items() if each in urls},
    )


def _file_lines(conn: Connection, run: LabRun, files: Sequence[LabFile]) -> list[FileLine]:
    counts = Counter(one.file for one in run.faces)
    cards = _cards(conn, files)
    return [
        FileLine(file=file, card=cards.get(file.asset_id or 0), faces=counts[file.name])
        for file in files
    ]


def _cards(conn: Connection, files: Collection[LabFile]) -> dict[int, AssetCard]:
    """What the library has of these files, by asset."""
    ids = {file.asset_id for file in files if file.asset_id is not None}
    rows = [
        asset_row(row)
        for chunk in chunked(ids)
        for row in conn.execute(select(asset).where(asset.c.id.in_(chunk)))
    ]
    return {card.asset.id: card for card in asset_cards(conn, rows)}
