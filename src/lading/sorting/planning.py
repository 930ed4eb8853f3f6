"""Works out what sorting would do, folder by folder, and writes nothing (G6).

What lies in the library is known by its content; a file that changed since the last scan is left
alone. What occupies a place when the plan is made occupies it for good, so that no move waits for
another one and each can be done, and taken back, by itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from lading.base.errors import SourceError
from lading.base.stopping import StopSignal
from lading.db import Database
from lading.geography.countries import country_at
from lading.library.photo_places import PlacedPhoto, photo_at, photos_in
from lading.library.photo_values import FilePlace, FileStamp
from lading.media.rules import folded, sidecar_kind
from lading.sorting.errors import MoveRefused
from lading.sorting.names import is_media, is_text, pairs_of
from lading.sorting.rules import (
    Group,
    NamedPlace,
    Pattern,
    Seat,
    Series,
    Shot,
    choose_number,
    crowd_of,
    groups_of,
    is_passed_over,
    names_of_stem,
    nearest_place,
    order_key,
    parse_pattern,
    series_of,
    split_name,
)
from lading.sorting.taken import Taken
from lading.sorting.tree import SortTree, is_of_one, split_path
from lading.sorting.values import PlannedFile, Verdict, Wanted
from lading.storage.roots import PathEscapesRoot
from lading.storage.transfer import TransferMeter, Unmetered, hash_file

_LISTINGS_KEPT: Final = 64
_CROWDED_FROM: Final = 16
_UNKNOWN_CAMERA: Final = "unknown camera"


@dataclass(frozen=True, slots=True)
class PlaceNames:
    """The named places, and the word for photos that are at none of them."""

    places: Sequence[NamedPlace] = ()
    elsewhere: str = "elsewhere"


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a folder: its name, its stamp on the disk, what is recorded, and its content."""

    name: str
    stamp: FileStamp
    recorded: PlacedPhoto | None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class _Listing:
    """A folder of the target: paths by folded name and which are folders; names by folded stem."""

    paths: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)
    stems: dict[str, set[str]] = field(default_factory=dict)


class Planner:
    """One plan in the making. `files` may be gone through once."""

    def __init__(
        self,
        db: Database,
        source: SortTree,
        target: SortTree,
        wanted: Wanted,
        names: PlaceNames,
        *,
        stop: StopSignal | None = None,
        meter: TransferMeter | None = None,
    ) -> None:
        """Raises `BadPattern`."""
        self._db = db
        self._source = source
        self._target = target
        self._wanted = wanted
        self._names = names
        self._stop = stop or StopSignal()
        self._meter = meter or Unmetered()
        self._dated = parse_pattern(wanted.pattern)
        self._undated = parse_pattern(wanted.undated, dated=False)
        self._aside = parse_pattern(wanted.duplicates, dated=False)
        patterns = (self._dated, self._undated, self._aside)
        self._by_country = any(each.has("country") for each in patterns)
        self._listings: OrderedDict[str, _Listing] = OrderedDict()
        self._known_rows: OrderedDict[str, None] = OrderedDict()
        self._taken = Taken()

    def files(self) -> Iterator[PlannedFile]:
        """Every file that is in the library or belongs to one that is, in a fixed order.

        Raises `FileMissing` when the folder asked for is not there, `RootMissing`, `Interrupted`.
        """
        with self._taken:
            waiting = [self._wanted.folder]
            while waiting:
                self._stop.check()
                folder = waiting.pop()
                first = folder == self._wanted.folder
                try:
                    files, folders = self._listed(folder, first=first)
                except SourceError as error:
                    if first or not is_of_one(error):
                        raise
                    yield from self._unlisted(folder, error)
                    continue
                yield from self._folder(folder, files)
                waiting += [_join(folder, name) for name in sorted(folders, reverse=True)]

    def _listed(self, folder: str, *, first: bool) -> tuple[dict[str, FileStamp], list[str]]:
        files: dict[str, FileStamp] = {}
        folders: list[str] = []
        entries = self._source.root.names(folder) if first else self._source.names(folder)
        for entry in entries:
            if is_passed_over(entry.name) or not is_text(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                try:
                    files[entry.name] = self._source.stamp_from(entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue
        return files, folders

    def _recorded_in(self, folder: str) -> dict[str, PlacedPhoto]:
        with self._db.read() as conn:
            return photos_in(conn, self._source.name, folder)

    def _unlisted(self, folder: str, error: SourceError) -> Iterator[PlannedFile]:
        """What is recorded right in a folder that cannot be listed; it holds up no other (C4)."""
        for name, one in sorted(self._recorded_in(folder).items()):
            yield _left(folder, _File(name, one.stamp, one, one.sha256), str(error))

    def _folder(self, folder: str, found: Mapping[str, FileStamp]) -> Iterator[PlannedFile]:
        recorded = self._recorded_in(folder)
        for name in sorted(recorded.keys() - found.keys()):
            one = recorded[name]
            yield _left(folder, _File(name, one.stamp, one, one.sha256), "it is not there any more")
        media = [name for name in found if name in recorded or is_media(name)]
        if not media:
            return
        stays = not self._source.is_writable(folder)
        named = [*media, *(n for n in found if sidecar_kind(n) and n not in recorded)]
        groups = [
            (group, [_File(name, found[name], recorded.get(name)) for name in group.tails])
            for group in groups_of(named, pairs_of(named))
            if any(name in recorded or is_media(name) for name in group.tails)
        ]
        for group, files in sorted(groups, key=lambda one: _order(one[0], one[1])):
            self._stop.check()
            yield from self._group(folder, group, files, stays=stays)

    def _group(
        self, folder: str, group: Group, files: Sequence[_File], *, stays: bool
    ) -> Iterator[PlannedFile]:
        reason = _hindrance(files)
        if reason is None:
            try:
                files = [self._with_content(folder, file) for file in files]
                yield from self._seated(folder, group, files, stays=stays)
            except SourceError as error:
                if not is_of_one(error):
                    raise
                reason = str(error)
            else:
                return
        for file in files:
            yield _left(folder, file, reason, group.main)

    def _with_content(self, folder: str, file: _File) -> _File:
        """Its content by the library; what is not recorded there is read."""
        sha256 = file.recorded.sha256 if file.recorded else None
        if sha256 is None:
            path = _join(folder, file.name)
            sha256 = hash_file(self._source.root, path, meter=self._meter, stop=self._stop).sha256
        return _File(file.name, file.stamp, file.recorded, sha256)

    def _seated(
        self, folder: str, group: Group, files: Sequence[_File], *, stays: bool
    ) -> Iterator[PlannedFile]:
        shot, why = self._shot(folder, group, files)
        pattern = self._dated if shot.taken is not None else self._undated
        series, number, seat = self._seat(pattern, shot, folder, group, files)
        verdict = Verdict.MOVE
        if seat is Seat.SAME and self._wanted.set_aside:
            there = series.path(number, group.tails[group.main])
            series, number, seat = self._seat(self._aside, shot, folder, group, files, again=True)
            why, verdict = f"the same content is at {there}", Verdict.SET_ASIDE
        numbered = number > 1 and series.width is None and seat is Seat.FREE
        if numbered:
            why += f"; its name is taken, so it is number {number}"
        for file in files:
            path = series.path(number, group.tails[file.name])
            own = self._is_own(folder, file.name, path)
            if seat is Seat.FREE and not own:
                self._promise(path, file.sha256 or "")
                planned = _planned(folder, file, group, verdict=verdict, path=path, why=why)
                undated = shot.taken is None
                yield replace(planned, stays=stays, undated=undated, numbered=numbered)
            elif seat is Seat.SAME and not own:
                there = f"the same content is at {path}"
                yield _planned(
                    folder, file, group, verdict=Verdict.ALREADY_THERE, path=None, why=there
                )
            else:
                yield _planned(folder, file, group, verdict=Verdict.IN_PLACE, path=None, why=why)
        if seat is Seat.FREE:
            stem = series.path(number, "")
            self._taken.name_so(stem, len(names_of_stem(series, number, group)))
        if seat is Seat.FREE and (series.width is not None or number >= _CROWDED_FROM):
            row = series.row if series.width is not None else crowd_of(series, group)
            self._taken.given(row, number + 1)
            self._taken.remember(row, _content(files), number)

    def _shot(self, folder: str, group: Group, files: Sequence[_File]) -> tuple[Shot, str]:
        """What the pattern can say of a group: by its main file, else by the first that says."""
        first = {file.name: file.recorded for file in files if file.recorded is not None}
        main = first.pop(group.main, None)
        told = [one for one in (main, *first.values()) if one is not None]
        taken = next((one.taken for one in told if one.taken is not None), None)
        place, why = self._place(told)
        camera = next((one.camera for one in told if one.camera), _UNKNOWN_CAMERA)
        shot = Shot(
            taken=taken,
            place=place,
            country=self._country(told),
            camera=camera,
            folder=split_path(folder)[1] or self._source.name,
            name=split_name(group.main)[0],
        )
        dated = f"taken {taken:%Y-%m-%d %H:%M:%S}" if taken else "no date is known"
        return shot, f"{dated}, {why}" if why else dated

    def _place(self, told: Sequence[PlacedPhoto]) -> tuple[str, str]:
        for one in told:
            if one.latitude is not None and one.longitude is not None:
                found = nearest_place(one.latitude, one.longitude, self._names.places)
                if found is not None:
                    return found[0].name, f"{found[1]:.1f} km from {found[0].name}"
                return self._names.elsewhere, ""
        return self._names.elsewhere, ""

    def _country(self, told: Sequence[PlacedPhoto]) -> str:
        """The country of the first that says where it was; asked for by few patterns."""
        where = ((one.latitude, one.longitude) for one in told)
        known = ((lat, lon) for lat, lon in where if lat is not None and lon is not None)
        found = next(known, None) if self._by_country else None
        return (country_at(*found) if found else None) or self._names.elsewhere

    def _seat(
        self,
        pattern: Pattern,
        shot: Shot,
        folder: str,
        group: Group,
        files: Sequence[_File],
        *,
        again: bool = False,
    ) -> tuple[Series, int, Seat]:
        """The names a group gets. With `again`, the same content at a place only takes it.

        Raises `PathEscapesRoot` for a folder that cannot be one, `MoveRefused` without a name.
        """
        made = series_of(pattern, shot, group.tail_bytes)
        series = Series(self._spelled(made.folder), made.before, made.after, made.width)

        def look(number: int) -> list[Seat]:
            seats = [
                self._look(folder, file, series.path(number, group.tails[file.name]))
                for file in files
            ]
            if Seat.FREE in seats and self._would_mix(series, number, group):
                return [Seat.TAKEN]
            return [Seat.TAKEN if again and seat is Seat.SAME else seat for seat in seats]

        own = series.number_of(split_name(group.main)[0])
        if own is not None and set(look(own)) <= {Seat.OWN}:
            return series, own, Seat.OWN
        first = 1
        if series.width is not None:
            self._remember_row(series)
            same = self._taken.number_with(series.row, _content(files))
            if same is not None and set(look(same)) <= {Seat.SAME}:
                return series, same, Seat.SAME
            first = self._taken.next_number(series.row) or 1
        else:
            same, first = self._in_crowd(crowd_of(series, group), files, look)
            if same is not None:
                return series, same, Seat.SAME
        found = choose_number(look, first)
        if found is None:
            raise MoveRefused("There is no number left for this name", subject=group.main)
        return series, *found

    def _in_crowd(
        self, crowd: str, files: Sequence[_File], look: Callable[[int], Sequence[Seat]]
    ) -> tuple[int | None, int]:
        """Where a group lies already, and the first number to try: of a name that very many ask
        for, each would else try all numbers before.
        """
        first = self._taken.next_number(crowd)
        if first is None:
            return None, 1
        tried = [*range(1, _CROWDED_FROM), self._taken.number_with(crowd, _content(files))]
        same = (n for n in tried if n is not None and set(look(n)) <= {Seat.SAME})
        return next(same, None), first

    def _remember_row(self, series: Series) -> None:
        """Take note once of the content that a counted row has on the disk already."""
        row = series.row
        if row in self._known_rows:
            return
        self._known_rows[row] = None
        while len(self._known_rows) > _LISTINGS_KEPT:
            self._known_rows.popitem(last=False)
        with self._db.read() as conn:
            recorded = photos_in(conn, self._target.name, series.folder)
        for name, one in recorded.items():
            number = series.number_of(split_name(name)[0])
            if number is not None and one.sha256 is not None:
                self._taken.remember(row, one.sha256, number)

    def _look(self, folder: str, file: _File, path: str) -> Seat:
        if self._is_own(folder, file.name, path):
            return Seat.OWN
        promised = self._taken.at(path)
        if promised is not None:
            return Seat.SAME if promised.sha256 == file.sha256 else Seat.TAKEN
        where, name = split_path(path)
        twins = self._listing(where).paths.get(folded(name), [])
        if not twins:
            return Seat.FREE
        same = any(not is_folder and self._has_content(twin, file) for twin, is_folder in twins)
        return Seat.SAME if same else Seat.TAKEN

    def _would_mix(self, series: Series, number: int, group: Group) -> bool:
        """Whether it could not be told any more which companions belong to which picture.

        Two files of one name but for the ending are a pair, or may be; three of two groups are not.
        """
        ours = names_of_stem(series, number, group)
        stem = folded(series.stem(number))
        theirs = len(self._listing(series.folder).stems.get(stem, set()) - ours)
        theirs += self._taken.named_so(series.path(number, ""))
        return bool(theirs) and bool(ours) and theirs + len(ours) > 2

    def _has_content(self, path: str, file: _File) -> bool:
        stamp = self._target.stamp(path)
        if stamp.size_bytes != file.stamp.size_bytes:
            return False
        with self._db.read() as conn:
            recorded = photo_at(conn, FilePlace.at(self._target.name, path))
        if recorded is not None and recorded.stamp == stamp and recorded.sha256 is not None:
            return recorded.sha256 == file.sha256
        found = hash_file(self._target.root, path, meter=self._meter, stop=self._stop)
        return found.sha256 == file.sha256

    def _is_own(self, folder: str, name: str, path: str) -> bool:
        if self._source.name != self._target.name:
            return False
        return folded(_join(folder, name)) == folded(path)

    def _promise(self, path: str, sha256: str) -> None:
        folder = split_path(path)[0]
        while folder and self._taken.at(folder) is None:
            self._taken.promise(folder, None)
            folder = split_path(folder)[0]
        self._taken.promise(path, sha256)

    def _spelled(self, folder: str) -> str:
        """A folder as it is spelled where it exists or was promised, in its case and accents."""
        spelled = ""
        for segment in folder.split("/") if folder else ():
            wanted = _join(spelled, segment)
            twins = self._listing(spelled).paths.get(folded(segment), [])
            folders = [path for path, is_folder in twins if is_folder]
            promised = self._taken.at(wanted)
            if folders:
                wanted = wanted if wanted in folders else min(folders)
            elif promised is not None and promised.sha256 is None:
                wanted = promised.path
            elif twins or promised is not None:
                raise PathEscapesRoot("A file has the name of its folder", subject=wanted)
            spelled = wanted
        return spelled

    def _listing(self, folder: str) -> _Listing:
        """What is in a folder of the target, and in those that differ in case or accents alone."""
        kept = self._listings.get(folded(folder))
        if kept is None:
            found = _Listing()
            for twin in self._twins(folder):
                for entry in self._target.names(twin):
                    is_folder = entry.is_dir(follow_symlinks=False)
                    path = _join(twin, entry.name)
                    found.paths.setdefault(folded(entry.name), []).append((path, is_folder))
                    if not is_folder and (is_media(entry.name) or sidecar_kind(entry.name)):
                        stem = folded(split_name(entry.name)[0])
                        found.stems.setdefault(stem, set()).add(folded(entry.name))
            self._listings[folded(folder)] = kept = found
            while len(self._listings) > _LISTINGS_KEPT:
                self._listings.popitem(last=False)
        self._listings.move_to_end(folded(folder))
        return kept

    def _twins(self, folder: str) -> list[str]:
        """The folders on the disk that would be this one if case and accents did not count."""
        if not folder:
            return [""]
        parent, name = split_path(folder)
        listed = self._listing(parent).paths.get(folded(name), [])
        return [path for path, is_folder in listed if is_folder]


def _hindrance(files: Sequence[_File]) -> str | None:
    """Why a group stays as it is, whatever the pattern says."""
    recorded = [file.recorded for file in files if file.recorded is not None]
    if not recorded:
        return "it is not in the library; scan the source, or see in its batch why not"
    if any(one.trashed for one in recorded):
        return "it is in the trash"
    changed = [f.name for f in files if f.recorded is not None and f.recorded.stamp != f.stamp]
    if changed:
        return f"{changed[0]} changed since the last scan"
    return None


def _order(
    group: Group, files: Sequence[_File]
) -> tuple[tuple[bool, datetime, list[tuple[int, str]]], str]:
    dates = [file.recorded.taken for file in files if file.recorded and file.recorded.taken]
    main = next((f.recorded.taken for f in files if f.recorded and f.name == group.main), None)
    return order_key(main or (dates[0] if dates else None), group.main), group.main


def _planned(
    folder: str,
    file: _File,
    group: Group,
    *,
    verdict: Verdict,
    path: str | None,
    why: str,
) -> PlannedFile:
    companion = "" if file.name == group.main else f"belongs to {group.main}: "
    return PlannedFile(
        source_path=_join(folder, file.name),
        target_path=path,
        verdict=verdict,
        why=companion + why,
        group=_join(folder, group.main),
        stamp=file.stamp,
        sha256=file.sha256,
    )


def _left(folder: str, file: _File, why: str, main: str | None = None) -> PlannedFile:
    return PlannedFile(
        source_path=_join(folder, file.name),
        target_path=None,
        verdict=Verdict.LEFT,
        why=why,
        group=_join(folder, main or file.name),
        stamp=file.stamp,
        sha256=file.sha256,
    )


def _content(files: Sequence[_File]) -> str:
    return files[0].sha256 or ""


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
