"""Films one day of a landscape: MP4 with sound, and the same as an HLS playlist with segments."""

from __future__ import annotations

import array
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import av
from PIL import Image

from lading.cli.demo.pictures import DUSK, NOON, Scene, draw

if TYPE_CHECKING:
    from av.video.stream import VideoStream

WIDTH: Final = 640
HEIGHT: Final = 360
FRAMES_PER_S: Final = 25
DURATION_S: Final = 6
SEGMENT_S: Final = 2
SAMPLES_PER_S: Final = 22_050
_CHORD_HZ: Final = (220.0, 277.18, 329.63)


def write_film(scene: Scene, file: Path) -> Image.Image:
    """Film the scene while its sun goes by; returns a frame from the middle as its cover."""
    small = replace(scene, width=WIDTH, height=HEIGHT, rotated=False)
    frames = _frames(small)
    with av.open(str(file), "w", options={"movflags": "+faststart"}) as film:
        encoder = _encoder(("libx264", "h264", "mpeg4"))
        picture = cast("VideoStream", film.add_stream(encoder, rate=FRAMES_PER_S))
        picture.width, picture.height, picture.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        picture.bit_rate = 900_000
        # A showing is waited for. Encoders that know no presets pass over it.
        picture.options = {"preset": "superfast"}
        # A segment of the playlist can only begin with a whole picture.
        picture.gop_size = FRAMES_PER_S * SEGMENT_S
        sound = film.add_stream("aac", rate=SAMPLES_PER_S, layout="mono")
        for image in frames:
            frame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
            film.mux(picture.encode(frame))
        film.mux(picture.encode(None))
        for samples in _sound(sound.codec_context.frame_size or 1024):
            film.mux(sound.encode(samples))
        film.mux(sound.encode(None))
    return frames[len(frames) // 2]


def write_playlist(film: Path, folder: Path) -> Sequence[Path]:
    """Cut the film into an HLS playlist and its segments, without encoding it again."""
    playlist = folder / "playlist.m3u8"
    options = {
        "hls_time": str(SEGMENT_S),
        "hls_playlist_type": "vod",
        "hls_segment_filename": str(folder / "segment_%03d.ts"),
    }
    with av.open(str(film)) as whole, av.open(str(playlist), "w", "hls", options=options) as cut:
        streams = {stream: cut.add_stream_from_template(stream) for stream in whole.streams}
        for packet in whole.demux():
            if packet.dts is None:
                continue  # the end of a stream
            packet.stream = streams[packet.stream]
            cut.mux(packet)
    return [playlist, *sorted(folder.glob("segment_*.ts"))]


def duration_s(film: Path) -> float:
    """How long the film is, as its own container says."""
    with av.open(str(film)) as container:
        return round((container.duration or 0) / av.time_base, 3)


def _frames(scene: Scene) -> list[Image.Image]:
    """Two views drawn once, one fading into the other, with the sun on its way in each."""
    count = FRAMES_PER_S * DURATION_S
    step = 10
    keys = [
        Image.blend(
            draw(replace(scene, palette=NOON), sun_share=0.1 + 0.8 * place / count),
            draw(replace(scene, palette=DUSK), sun_share=0.1 + 0.8 * place / count),
            place / count,
        )
        for place in range(0, count + step, step)
    ]
    return [
        Image.blend(keys[place // step], keys[place // step + 1], place % step / step)
        for place in range(count)
    ]


def _sound(samples_per_frame: int) -> list[av.AudioFrame]:
    """A quiet chord that swells and fades."""
    total = SAMPLES_PER_S * DURATION_S
    frames = []
    for start in range(0, total, samples_per_frame):
        count = min(samples_per_frame, total - start)
        samples = array.array("f", (_tone(start + index, total) for index in range(count)))
        frame = av.AudioFrame(format="fltp", layout="mono", samples=count)
        frame.planes[0].update(_padded(samples.tobytes(), frame.planes[0].buffer_size))
        frame.sample_rate, frame.pts = SAMPLES_PER_S, start
        frame.time_base = Fraction(1, SAMPLES_PER_S)
        frames.append(frame)
    return frames


def _tone(index: int, total: int) -> float:
    at_s = index / SAMPLES_PER_S
    swell = math.sin(math.pi * index / total)
    return 0.12 * swell * sum(math.sin(math.tau * hz * at_s) for hz in _CHORD_HZ) / 3


def _padded(data: bytes, size_bytes: int) -> bytes:
    return data + bytes(size_bytes - len(data))


def _encoder(names: Sequence[str]) -> str:
    """The first of these encoders that this build of FFmpeg has."""
    return next(name for name in names if name in av.codecs_available)
