"""Decides what a master is from what mediainfo and ffprobe say of it, never from a file's name.

Each document is read for itself, then they are held against each other. What cannot be told, or
cannot all be true, is a rejection that carries what was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, Final, NoReturn

from lading.base.errors import printable
from lading.sources.archive.ffprobe import is_ffprobe, read_ffprobe
from lading.sources.archive.formats import (
    COMPARABLE_CODECS,
    CONTAINERS,
    DEFAULT_CONTAINERS,
    STREAMING_AUDIO_CODECS,
    STREAMING_CONTAINERS,
    STREAMING_VIDEO_CODECS,
    container_of_extension,
)
from lading.sources.archive.mediainfo import is_mediainfo, read_mediainfo
from lading.sources.archive.probed import TEXT_CHARS_MAX, Place, Probed, Span, mapping_of
from lading.sources.archive.rules import CODE_LENGTH, CODE_PATTERN
from lading.sources.archive.values import CodeKind, Fault, Faulty, MasterFacts

WRAPPERS_MAX: Final = 8
"""How many objects and lists may lie around what a tool wrote."""
PROBES_MAX: Final = 16
"""How many descriptions of one master are held against each other."""
DURATION_MARGIN_S: Final = 1.0
DURATION_MARGIN: Final = 0.01  # of the longer one

_HEIGHTS_WITH_MORE_LINES: Final = frozenset({(576, 608), (486, 512), (1080, 1088)})
_CODE = re.compile(CODE_PATTERN, re.ASCII)


def read_master(
    documents: Sequence[tuple[str, Mapping[str, Any]]],
    kind: CodeKind,
    allowed: Mapping[CodeKind, frozenset[str]] = DEFAULT_CONTAINERS,
) -> MasterFacts:
    """What the metadata sidecars say of a master of `kind`; raises `Faulty` (B5).

    `documents` are object keys with the JSON under them; a document may describe several files.
    `allowed` names the containers, of `CONTAINER_NAMES`, that a master of each kind may have; a
    container named there counts as a master's even if streaming copies have it, too.
    """
    probes = [probe for key, document in documents for probe in _probes_of(key, document)]
    if not probes:
        raise Faulty(Fault("master_undescribed", "a metadata sidecar", "none"))
    probes, notes = _without_streaming_copies(probes, allowed[kind])
    if len(probes) > PROBES_MAX:
        _reject("metadata_contradictory", probes[0], "one master", f"{len(probes)} descriptions")
    for probe in probes:
        _check_alone(probe)
    for one, other in combinations(probes, 2):
        notes += _check_together(one, other)
    best = _container_of(probes)
    _check_allowed(best, kind, allowed[kind])
    notes += _check_streams(probes, kind)
    return _facts_of(best, probes, kind, notes)


def _probes_of(key: str, document: Mapping[str, Any]) -> list[Probed]:
    """What one document describes: at least one file, or it is of no dialect we know."""
    probes = list(_walk(Place(key, mapping_of(document)), document))
    if not probes:
        found = ", ".join(str(name) for name in list(document)[:8])
        raise Faulty(
            Fault(
                "metadata_dialect_unknown",
                "mediainfo's `media.track` or ffprobe's `format` and `streams`",
                printable(f"fields: {found}", length_max=200) if found else "an empty object",
                key,
            )
        )
    return probes


def _walk(place: Place, value: Any) -> Iterator[Probed]:
    """All that a tool wrote, in wrappers of objects and lists; nothing is looked for inside it."""
    if isinstance(value, Mapping):
        node = mapping_of(value)
        here = replace(place, node=node)
        if is_ffprobe(node):
            yield read_ffprobe(here)
        elif is_mediainfo(node):
            yield read_mediainfo(here)
        elif len(place.around) < WRAPPERS_MAX:
            around = (*place.around, node)
            for name, inner in node.items():
                if isinstance(inner, Mapping | list):
                    yield from _walk(Place(place.key, {}, (*place.names, name), around), inner)
    elif isinstance(value, list) and len(place.around) < WRAPPERS_MAX:
        around = (*place.around, {})
        for inner in value:
            if isinstance(inner, Mapping | list):
                yield from _walk(replace(place, around=around), inner)


def _without_streaming_copies(
    probes: list[Probed], allowed: frozenset[str]
) -> tuple[list[Probed], list[str]]:
    """Sets aside what is of a streaming copy by content and by name, if the master is described.

    One of the size of the master is no copy but a contradiction, and stays.
    """
    copies = [probe for probe in probes if _is_streaming_copy(probe, allowed)]
    others = [probe for probe in probes if probe not in copies]
    if copies and not others:
        copy = copies[0]
        _reject("metadata_of_streaming_copy", copy, _names(allowed), _described(copy))
    sizes = {probe.size_bytes for probe in others} - {None}
    notes = []
    for copy in copies:
        named_so = container_of_extension(copy.file_name) in STREAMING_CONTAINERS
        if not named_so or copy.size_bytes in sizes:
            others.append(copy)
        else:
            notes.append(f"{copy.key} describes the streaming copy {copy.file_name}, too.")
    return others, notes


def _is_streaming_copy(probe: Probed, allowed: frozenset[str]) -> bool:
    if probe.container not in STREAMING_CONTAINERS - allowed:
        return False
    if probe.picture is not None:
        return probe.picture.codec in STREAMING_VIDEO_CODECS
    return probe.sound is not None and probe.sound.codec in STREAMING_AUDIO_CODECS


def _check_alone(probe: Probed) -> None:
    """Two fields of one document, and the inventory code its file is named by."""
    if probe.conflict is not None:
        _reject("metadata_contradictory", probe, "fields that agree", probe.conflict)
    code = probe.key.rpartition("/")[2][:CODE_LENGTH]
    named = _CODE.search((probe.file_name or "").upper())
    if named is not None and _CODE.fullmatch(code) and named[0] != code:
        _reject("metadata_of_another_master", probe, code, probe.file_name or "")


def _check_together(first: Probed, other: Probed) -> list[str]:
    """Holds two descriptions against each other; returns notes on what they see differently.

    Container and size must agree. If the size shows that both saw the same file, what else they
    see differently is theirs; if it does not, they may have seen two.
    """
    if first.container and other.container:
        one, two = CONTAINERS[first.container], CONTAINERS[other.container]
        if one.family != two.family:
            _disagree(first, other, one.label, two.label)
    same_file = first.size_bytes is not None and first.size_bytes == other.size_bytes
    if None not in (first.size_bytes, other.size_bytes) and not same_file:
        _disagree(first, other, f"{first.size_bytes} bytes", f"{other.size_bytes} bytes")
    notes = []
    for what, ours, theirs in _differences(first, other):
        if not same_file:
            _disagree(first, other, f"{what} {ours}", f"{what} {theirs}")
        notes.append(f"{first.tool} says {what} {ours}, {other.tool} says {theirs}.")
    return notes


def _differences(first: Probed, other: Probed) -> Iterator[tuple[str, object, object]]:
    """What both tell and tell differently, as far as the precision of each goes."""
    if first.duration and other.duration and _apart(first.duration, other.duration):
        yield "duration", f"{first.duration.seconds} s", f"{other.duration.seconds} s"
    pairs: list[tuple[str, object, object]] = [
        ("file name", _folded(first.file_name), _folded(other.file_name))
    ]
    if first.picture and other.picture:
        one, two = first.picture, other.picture
        pairs.append(("width", one.width, two.width))
        if not _same_lines(one.height, two.height):
            pairs.append(("height", one.height, two.height))
        if {one.codec, two.codec} <= COMPARABLE_CODECS:
            pairs.append(("video codec", one.codec, two.codec))
    if first.sound and other.sound:
        ours, theirs = first.sound, other.sound
        if {ours.codec, theirs.codec} <= COMPARABLE_CODECS:
            pairs.append(("audio codec", ours.codec, theirs.codec))
        pairs.append(("audio channels", ours.channels, theirs.channels))
        pairs.append(("sample rate", ours.rate_hz, theirs.rate_hz))
    if first.streams_listed and other.streams_listed:
        pairs.append(("video", _yes(first.picture), _yes(other.picture)))
        pairs.append(("sound", _yes(first.sound), _yes(other.sound)))
    for what, a, b in pairs:
        if a is not None and b is not None and a != b:
            yield what, a, b


def _same_lines(one: int | None, two: int | None) -> bool:
    """Whether two heights are of one picture: some count the lines above it, or one field's."""
    if one is None or two is None or one == two:
        return True
    less, more = sorted((one, two))
    return (less, more) in _HEIGHTS_WITH_MORE_LINES or more == 2 * less


def _apart(one: Span, two: Span) -> bool:
    longer = max(one.seconds, two.seconds)
    margin = DURATION_MARGIN_S + one.margin_s + two.margin_s + DURATION_MARGIN * longer
    return abs(one.seconds - two.seconds) > margin


def _container_of(probes: Sequence[Probed]) -> Probed:
    """The description that tells the container most closely: RF64 rather than WAVE."""
    telling = [probe for probe in probes if probe.container is not None]
    if not telling:
        found = "; ".join(f"{probe.container_source}: {probe.container_found}" for probe in probes)
        _reject("master_container_unknown", probes[0], "a container that Lading knows", found)
    closer = [probe for probe in telling if CONTAINERS[probe.container or ""].form_of]
    if not closer:
        return telling[0]
    rf64 = next((probe for probe in closer if probe.container == "rf64"), None)
    if rf64 is not None:
        return rf64  # it may well carry a bext chunk, too, by which others call it bwf
    for probe in closer[1:]:
        if probe.container != closer[0].container:
            _disagree(closer[0], probe, str(closer[0].container), str(probe.container))
    return closer[0]


def _check_allowed(probe: Probed, kind: CodeKind, allowed: frozenset[str]) -> None:
    if probe.container not in allowed:
        found = f"{probe.container} ({probe.container_source}: {probe.container_found})"
        expected = f"for {kind.value} one of {_names(allowed)}"
        _reject("master_container_not_allowed", probe, expected, found)


def _check_streams(probes: Sequence[Probed], kind: CodeKind) -> list[str]:
    """A V code needs pictures and an A code sound, as far as any document lists streams."""
    listing = [probe for probe in probes if probe.streams_listed]
    if not listing:
        return [f"{probes[0].key} does not list the streams of the master."]
    video = any(probe.picture is not None for probe in listing)
    audio = any(probe.sound is not None for probe in listing)
    if kind is CodeKind.VIDEO and not video:
        _reject("master_streams_missing", listing[0], "a video stream", listing[0].streams_found)
    if kind is CodeKind.AUDIO and not audio:
        _reject("master_streams_missing", listing[0], "an audio stream", listing[0].streams_found)
    if kind is CodeKind.AUDIO and video:
        return ["The inventory code is of sound, but the master has pictures, too."]
    return []


def _facts_of(
    best: Probed, probes: Sequence[Probed], kind: CodeKind, notes: list[str]
) -> MasterFacts:
    """The facts of all descriptions; of what several tell, the most precise, then the first."""
    container = CONTAINERS[best.container or ""]
    ordered = [best, *(probe for probe in probes if probe is not best)]
    listing = [probe for probe in probes if probe.streams_listed]
    has_video = (
        any(probe.picture is not None for probe in listing) if listing else kind is CodeKind.VIDEO
    )
    pictures = [probe.picture for probe in ordered if probe.picture is not None]
    sounds = [probe.sound for probe in ordered if probe.sound is not None]
    spans = [probe.duration for probe in ordered if probe.duration is not None]
    duration = min(spans, key=lambda span: span.margin_s, default=None)
    file_name = next((probe.file_name for probe in ordered if probe.file_name), None)
    own = [note for probe in ordered for note in probe.notes]
    promised = CONTAINERS.get(container_of_extension(file_name) or "")
    if promised is not None and promised.family != container.family:
        own.append(f"The file is named {file_name}, but is {container.label}.")
    return MasterFacts(
        mime=container.mime_of(has_video=has_video),
        mime_source=best.container_source,
        container=container.name,
        tool=printable(best.tool, length_max=TEXT_CHARS_MAX),
        file_name=file_name,
        size_bytes=next((p.size_bytes for p in ordered if p.size_bytes is not None), None),
        duration_s=None if duration is None else duration.seconds,
        width=next((p.width for p in pictures if p.width is not None), None),
        height=next((p.height for p in pictures if p.height is not None), None),
        video_codec=next((p.codec for p in pictures if p.codec is not None), None),
        audio_codec=next((s.codec for s in sounds if s.codec is not None), None),
        audio_channels=next((s.channels for s in sounds if s.channels is not None), None),
        sample_rate_hz=next((s.rate_hz for s in sounds if s.rate_hz is not None), None),
        notes=tuple(dict.fromkeys(printable(note) for note in [*own, *notes])),
    )


def _described(probe: Probed) -> str:
    codec = probe.picture.codec if probe.picture else probe.sound.codec if probe.sound else None
    return " ".join(part for part in (probe.container, codec, probe.file_name) if part is not None)


def _names(containers: frozenset[str]) -> str:
    return ", ".join(sorted(containers)) or "no container at all"


def _folded(name: str | None) -> str | None:
    return None if name is None else name.casefold()


def _yes(stream: object) -> str:
    return "no" if stream is None else "yes"


def _disagree(first: Probed, other: Probed, ours: str, theirs: str) -> NoReturn:
    expected = f"{ours}, as {first.tool} says in {first.key}"
    _reject("metadata_contradictory", other, expected, f"{theirs} by {other.tool}")


def _reject(code: str, probe: Probed, expected: str, found: str) -> NoReturn:
    shown = printable(found, length_max=400)
    raise Faulty(Fault(code, printable(expected, length_max=400), shown, probe.key))
