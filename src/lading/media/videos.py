"""Reads videos: what container and streams say, and one picture of them to stand for the whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

from lading.media.content import Content
from lading.media.errors import MediaDamaged, damage
from lading.media.facts import (
    Camera,
    OffsetOrigin,
    StatedTime,
    Statements,
    Stream,
    TimeOrigin,
)
from lading.media.kind import Kind
from lading.media.packages import av
from lading.media.pixels import from_rows, require_pixels, shrink
from lading.media.rules import parse_iso_6709, parse_time

# The demuxer is named and never guessed: some that would be guessed open other files.
_DEMUXERS: Final = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/3gpp": "mov",
    "video/x-matroska": "matroska",
    "video/webm": "matroska",
    "video/x-msvideo": "avi",
    "video/mp2t": "mpegts",
    "video/mpeg": "mpeg",
    "video/x-flv": "flv",
    "video/x-ms-wmv": "asf",
}
_PLACES: Final = ("com.apple.quicktime.location.ISO6709", "location", "location-eng")
_MAKES: Final = ("com.apple.quicktime.make", "make", "com.android.manufacturer")
_MODELS: Final = ("com.apple.quicktime.model", "model", "com.android.model")
_CREATION: Final = "com.apple.quicktime.creationdate"
_POSTER_AT_S_MAX: Final = 10.0
_POSTER_AT_PART: Final = 0.1
_ATTACHED_PICTURE: Final = 0x400


class Video:
    """An opened video. `width` and `height` are as it is shown: turned, and with square pixels.

    `duration_s` is None where the container does not say.
    """

    def __init__(self, content: Content, container: Any) -> None:
        self._content = content
        self._container = container
        limits = content.limits
        if len(container.streams) > limits.streams_max:
            raise MediaDamaged(
                "It has too many streams",
                subject=content.name,
                expected=f"at most {limits.streams_max} (streams_max)",
                found=len(container.streams),
            )
        self._main = _main_stream(container)
        if self._main is None:
            raise MediaDamaged("It has no stream of pictures", subject=content.name)
        require_pixels(self._main.width, self._main.height, limits, content.name)
        self._first = self._frame_at(0.0)
        self._turn = _turn_of(self._first)
        self.width, self.height = self._shown_size(self._first)
        duration = container.duration
        self.duration_s = duration / 1_000_000 if duration and duration > 0 else None

    def statements(self) -> Statements:
        """What the container says, unjudged."""
        said = {**self._main.metadata, **self._container.metadata}
        times = []
        if _CREATION in said:
            times.append(parse_time(TimeOrigin.QUICKTIME_CREATION, said[_CREATION]))
        if "creation_time" in said:
            times.append(_in_utc(said["creation_time"]))
        places = [parse_iso_6709(said[key]) for key in _PLACES if key in said]
        return Statements(
            times=tuple(times),
            places=tuple(dict.fromkeys(places)),
            camera=Camera(_said(said, _MAKES), _said(said, _MODELS)),
        )

    def streams(self) -> tuple[Stream, ...]:
        """The streams, as the container lists them. Raises `MediaDamaged`."""
        with damage(self._content.name, "read its streams"):
            return tuple(self._stream(stream) for stream in self._container.streams)

    def poster(self, side: int) -> Any:
        """A libvips picture, upright, in sRGB, no side longer than `side`.

        It is the frame that can be decoded alone before a tenth of the video has passed, and
        before its tenth second. Raises `MediaDamaged`.
        """
        with damage(self._content.name, "decode a frame"):
            at_s = min((self.duration_s or 0.0) * _POSTER_AT_PART, _POSTER_AT_S_MAX)
            frame = self._frame_at(at_s) if at_s > 0 else self._first
            width, height = self._shown_size(frame)
            if self._turn in (90, 270):
                width, height = height, width
            scale = min(1.0, side / max(width, height))
            width, height = max(1, round(width * scale)), max(1, round(height * scale))
            small = frame.reformat(width=width, height=height, format="rgba")
            plane = small.planes[0]
            image = from_rows(
                bytes(plane), width=width, height=height, bands=4, row_bytes=plane.line_size
            )
            image = image.extract_band(0, n=3)
            return shrink(image.rot(f"d{self._turn}") if self._turn else image, side)

    def _shown_size(self, frame: Any) -> tuple[int, int]:
        require_pixels(frame.width, frame.height, self._content.limits, self._content.name)
        width, height = frame.width, frame.height
        aspect = self._main.sample_aspect_ratio
        if aspect and aspect > 0 and 0.1 < aspect < 10:
            width = max(1, round(width * aspect))
        return (height, width) if _turn_of(frame) in (90, 270) else (width, height)

    def _frame_at(self, at_s: float) -> Any:
        """The first frame from the last key frame before a time; the very first if none comes."""
        starts = (at_s, 0.0) if at_s > 0 else (0.0,)
        for start in starts:
            if at_s > 0:
                self._container.seek(int(start * 1_000_000))
            frame = self._next_frame()
            if frame is not None:
                return frame
        raise MediaDamaged(
            "No frame of it can be decoded",
            subject=self._content.name,
            found=f"nothing in {self._content.limits.packets_max} packets (packets_max)",
        )

    def _next_frame(self) -> Any:
        for number, packet in enumerate(self._container.demux(self._main)):
            try:
                frame = next(iter(packet.decode()), None)
            except av().error.InvalidDataError:
                # A broken packet now and then is what players skip as well.
                frame = None
            if frame is not None or number >= self._content.limits.packets_max:
                return frame
        return None

    def _stream(self, stream: Any) -> Stream:
        if stream.codec_context is None:
            # FFmpeg does not know the codec, and PyAV knows nothing of the stream but its kind.
            return Stream(stream.type or "unknown", "")
        codec = stream.codec_context.name
        if stream.type == "video":
            rate = stream.average_rate or stream.guessed_rate
            turn = self._turn if stream.index == self._main.index else 0
            return Stream(
                "video",
                codec,
                stream.width,
                stream.height,
                rotation=turn,
                frames_per_s=float(rate) if rate else None,
            )
        if stream.type == "audio":
            return Stream(
                "audio", codec, channels=stream.channels, sample_rate_hz=stream.sample_rate
            )
        return Stream(stream.type or "unknown", codec)


@contextmanager
def open_video(content: Content, kind: Kind) -> Iterator[Video]:
    """The video, opened until the block ends.

    Raises `MediaDamaged`, `MediaTooLarge` and `MissingExtra`.
    """
    package = av()
    with damage(content.name, "read its container"):
        container = package.open(
            content.stream(),
            mode="r",
            format=_DEMUXERS[kind.media_type],
            metadata_errors="replace",
            io_open=_refuse_to_open,
        )
    with container:
        with damage(content.name, "read its streams"):
            video = Video(content, container)
        yield video


def _refuse_to_open(*_: object) -> NoReturn:
    raise PermissionError("a video names another file to open")


def _main_stream(container: Any) -> Any:
    """The first stream of moving pictures; covers of albums are none."""
    moving = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not int(stream.disposition) & _ATTACHED_PICTURE
    ]
    return moving[0] if moving else None


def _turn_of(frame: Any) -> int:
    """Degrees clockwise to show it upright, in quarters; FFmpeg counts the other way."""
    return int(round(-frame.rotation / 90) % 4 * 90)


def _in_utc(text: str) -> StatedTime:
    time = parse_time(TimeOrigin.CONTAINER_CREATION, text, offset="Z")
    origin = OffsetOrigin.UTC if time.offset_minutes == 0 else time.offset_origin
    return StatedTime(time.origin, time.text, time.local, time.offset_minutes, origin, time.refusal)


def _said(metadata: dict[str, str], keys: tuple[str, ...]) -> str:
    return next((metadata[key].strip()[:200] for key in keys if metadata.get(key)), "")
