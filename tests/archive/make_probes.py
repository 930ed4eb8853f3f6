"""Makes the corpus under `probes/`: short masters in many formats, as each tool describes them.

The tests read only the JSON it left; this runs again when a tool or a format is added. It needs
ffmpeg for the masters, and looks at them with every tool it is given:

    python tests/archive/make_probes.py \\
        --ffprobe /usr/bin/ffprobe --ffprobe node_modules/ffprobe-static/bin/linux/x64/ffprobe \\
        --mediainfo /usr/bin/mediainfo --mediainfo-js node_modules/mediainfo.js --pymediainfo

`--mediainfo-js` takes a folder of the npm package and needs node; `--pymediainfo` uses the package
that this interpreter has. Each tool runs inside the folder of the masters, so that what it says
holds no path of this machine, and its words are kept as they are, line ends apart. The masters
themselves, a second of noise and bars each, are thrown away.

What comes of one call is `probes/<tool>-<version>/<master>.json`. Tools of an older version see
the masters of `FEW` alone: more of them would say nothing new.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROBES = Path(__file__).parent / "probes"

PAL = "testsrc2=size=720x576:rate=25:duration=0.4"
HD = "testsrc2=size=1920x1080:rate=25:duration=0.4"
SOUND = "sine=frequency=440:sample_rate=48000:duration=0.4"
CD = "sine=frequency=440:sample_rate=44100:duration=0.4"

PCM = "-c:a pcm_s24le -ac 2"
H264 = "-c:v libx264 -pix_fmt yuv420p -preset ultrafast -c:a aac -ac 2"
D10 = (
    "-b:v 50M -minrate 50M -maxrate 50M -bufsize 2M -rc_init_occupancy 2M -intra_vlc 1 "
    "-non_linear_quant 1 -g 0 -flags +ildct+low_delay -dc 10 -ps 1 -qmin 1 -qmax 12"
)
BEXT = (
    "-write_bext 1 -metadata originator=Lading -metadata origination_date=2026-01-02 "
    "-metadata time_reference=0 -metadata coding_history=A=PCM"
)

MASTERS: dict[str, tuple[tuple[str, ...], str]] = {
    "mov_prores.mov": ((HD, SOUND), f"-c:v prores_ks -profile:v 3 {PCM} -timecode 10:00:00:00"),
    "mov_dv.mov": ((PAL, SOUND), "-c:v dvvideo -pix_fmt yuv420p -c:a pcm_s16le -ac 2"),
    "mov_v210.mov": ((PAL, SOUND), f"-c:v v210 {PCM}"),
    "mov_h264.mov": ((HD, SOUND), H264),
    "mov_mjpeg.mov": ((PAL, SOUND), f"-c:v mjpeg -pix_fmt yuvj422p {PCM}"),
    "mov_2vuy.mov": ((PAL, SOUND), f"-c:v rawvideo -pix_fmt uyvy422 {PCM}"),
    "mov_silent.mov": ((PAL,), "-c:v prores_ks"),
    "mov_sound_only.mov": ((SOUND,), PCM),
    "mkv_ffv1_pcm.mkv": ((PAL, SOUND), f"-c:v ffv1 -level 3 -slicecrc 1 {PCM}"),
    "mkv_ffv1_flac.mkv": ((PAL, SOUND), "-c:v ffv1 -level 3 -c:a flac -ac 2"),
    "mkv_sound_only.mka": ((SOUND,), "-f matroska -c:a flac -ac 2"),
    "webm_vp9.webm": ((PAL, SOUND), "-c:v libvpx-vp9 -deadline realtime -c:a libopus -ac 2"),
    "mxf_op1a_mpeg2.mxf": (
        (HD, SOUND),
        "-c:v mpeg2video -pix_fmt yuv422p -b:v 50M -g 12 -c:a pcm_s24le -ac 2",
    ),
    "mxf_d10.mxf": (
        ("testsrc2=size=720x608:rate=25:duration=0.4", SOUND),
        f"-f mxf_d10 -c:v mpeg2video -pix_fmt yuv422p {D10} -c:a pcm_s16le -ac 4",
    ),
    "mxf_dnxhd.mxf": ((HD, SOUND), f"-c:v dnxhd -b:v 120M -pix_fmt yuv422p {PCM}"),
    "mxf_jpeg2000.mxf": ((PAL, SOUND), f"-c:v jpeg2000 -pix_fmt yuv422p {PCM}"),
    "avi_dv.avi": ((PAL, SOUND), "-c:v dvvideo -pix_fmt yuv420p -c:a pcm_s16le -ac 2"),
    "avi_raw.avi": ((PAL, SOUND), "-c:v rawvideo -pix_fmt uyvy422 -c:a pcm_s16le -ac 2"),
    "avi_ffv1.avi": ((PAL, SOUND), "-c:v ffv1 -c:a pcm_s16le -ac 2"),
    "dv_raw.dv": ((PAL, SOUND), "-c:v dvvideo -pix_fmt yuv420p -c:a pcm_s16le -ac 2"),
    "mpeg_ps.mpg": ((PAL, SOUND), "-f vob -c:v mpeg2video -b:v 6M -c:a mp2 -ac 2"),
    "mpeg1_ps.mpg": ((PAL, SOUND), "-f mpeg -c:v mpeg1video -b:v 2M -c:a mp2 -ac 2"),
    "mpeg_ts.ts": ((PAL, SOUND), "-f mpegts -c:v mpeg2video -b:v 6M -c:a mp2 -ac 2"),
    "mpeg_es.m2v": ((PAL,), "-c:v mpeg2video -b:v 6M"),
    "mp4_h264.mp4": ((HD, SOUND), H264),
    "mp4_sound_only.m4a": ((SOUND,), "-c:a aac -ac 2"),
    "mp4_mpeg2.mp4": ((PAL, SOUND), "-c:v mpeg2video -b:v 6M -c:a aac -ac 2 -brand mp42"),
    "3gp.3gp": ((PAL, SOUND), H264),
    "asf.wmv": ((PAL, SOUND), "-c:v wmv2 -c:a wmav2 -ac 2"),
    "wav.wav": ((SOUND,), PCM),
    "wav_float.wav": ((CD,), "-c:a pcm_f32le -ac 1"),
    "wav_96k.wav": ((SOUND,), f"{PCM} -ar 96000"),
    "bwf.wav": ((SOUND,), f"{PCM} {BEXT}"),
    "rf64.wav": ((SOUND,), f"{PCM} -rf64 always"),
    "rf64_bext.wav": ((SOUND,), f"{PCM} -rf64 always {BEXT}"),
    "wave64.w64": ((SOUND,), PCM),
    "aiff.aiff": ((SOUND,), "-c:a pcm_s24be -ac 2"),
    "aifc_sowt.aif": ((SOUND,), "-c:a pcm_s16le -ac 2"),
    "aifc_alaw.aifc": ((SOUND,), "-c:a pcm_alaw -ac 2 -f aiff"),
    "flac.flac": ((SOUND,), "-c:a flac -sample_fmt s32 -ac 2"),
    "mp3.mp3": ((SOUND,), "-c:a libmp3lame -b:a 192k -ac 2"),
    "mp2.mp2": ((SOUND,), "-c:a mp2 -ac 2"),
    "caf.caf": ((SOUND,), PCM),
    "au.au": ((SOUND,), "-c:a pcm_s16be -ac 2"),
    "ogg_vorbis.ogg": ((SOUND,), "-c:a libvorbis -ac 2"),
    "ogg_opus.opus": ((SOUND,), "-c:a libopus -ac 2"),
    "wavpack.wv": ((SOUND,), "-c:a wavpack -ac 2"),
    "adts.aac": ((SOUND,), "-c:a aac -ac 2"),
}
"""File name of each master, and what ffmpeg makes it of."""

FEW = {
    "mov_prores.mov", "mov_dv.mov", "mov_h264.mov", "mov_no_ftyp.mov", "mkv_ffv1_flac.mkv",
    "mxf_op1a_mpeg2.mxf", "avi_dv.avi", "avi_raw.avi", "mpeg_ps.mpg", "mpeg_ts.ts", "mpeg_es.m2v",
    "mp4_h264.mp4", "wav.wav", "bwf.wav", "rf64.wav", "wave64.w64", "aiff.aiff", "aifc_sowt.aif",
    "flac.flac", "flac_cover.flac", "mp3.mp3", "dsdiff.dff",
}  # fmt: skip
"""What an older version is asked about."""


def make_masters(folder: Path) -> list[str]:
    """Encodes all masters into `folder`; returns their names."""
    for name, (inputs, options) in MASTERS.items():
        sources = [part for one in inputs for part in ("-f", "lavfi", "-i", one)]
        run("ffmpeg", "-v", "error", "-y", *sources, *options.split(), name, folder=folder)
    without_ftyp = (folder / "mov_prores.mov").read_bytes().replace(b"ftyp", b"free", 1)
    (folder / "mov_no_ftyp.mov").write_bytes(without_ftyp)  # as capture stations wrote them
    run(
        *("ffmpeg", "-v", "error", "-y", "-i", "flac.flac"),
        *("-f", "lavfi", "-i", "color=red:size=300x300:duration=0.04"),
        *("-map", "0", "-map", "1", "-c:a", "copy", "-c:v", "mjpeg", "-frames:v", "1"),
        *("-pix_fmt", "yuvj420p", "-disposition:v", "attached_pic", "flac_cover.flac"),
        folder=folder,
    )
    (folder / "dsdiff.dff").write_bytes(dsdiff(seconds=0.4))
    (folder / "dsf.dsf").write_bytes(dsf(seconds=0.4))
    return [*MASTERS, "mov_no_ftyp.mov", "flac_cover.flac", "dsdiff.dff", "dsf.dsf"]


def dsdiff(seconds: float) -> bytes:
    """Stereo silence in DSD64 as a DSDIFF file; no encoder of ffmpeg writes one."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + len(body).to_bytes(8, "big") + body + b"\0" * (len(body) % 2)

    properties = b"SND " + b"".join([
        chunk(b"FS  ", (2_822_400).to_bytes(4, "big")),
        chunk(b"CHNL", (2).to_bytes(2, "big") + b"SLFTSRGT"),
        chunk(b"CMPR", b"DSD \x0enot compressed\0"),
    ])  # fmt: skip
    sound = b"\x69" * (int(2_822_400 * seconds) // 8 * 2)
    body = b"DSD " + chunk(b"FVER", bytes.fromhex("01050000"))
    return chunk(b"FRM8", body + chunk(b"PROP", properties) + chunk(b"DSD ", sound))


def dsf(seconds: float) -> bytes:
    """The same as a DSF file, in blocks of 4096 bytes for each channel."""
    samples = int(2_822_400 * seconds)
    sound = b"\x69" * (-(-samples // 8 // 4096) * 4096 * 2)
    numbers = [1, 0, 2, 2, 2_822_400, 1]  # version, raw DSD, stereo, channels, rate, bits
    form = b"".join(number.to_bytes(4, "little") for number in numbers)
    form += samples.to_bytes(8, "little") + (4096).to_bytes(4, "little") + bytes(4)
    form = b"fmt " + (12 + len(form)).to_bytes(8, "little") + form
    data = b"data" + (12 + len(sound)).to_bytes(8, "little") + sound
    total = 28 + len(form) + len(data)
    return b"DSD " + b"".join(n.to_bytes(8, "little") for n in (28, total, 0)) + form + data


def run(*command: str, folder: Path) -> str:
    """What a command says, run inside `folder`; its complaints go where ours go."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def ask_ffprobe(path: str, *more: str) -> Callable[[str, Path], str]:
    """Asks a program ffprobe for format and streams, and for what `more` says."""
    shown = ("-v", "error", "-print_format", "json", "-show_format", "-show_streams", *more)
    return lambda name, folder: run(path, *shown, name, folder=folder)


def ask_mediainfo(path: str, *more: str) -> Callable[[str, Path], str]:
    """Asks a program mediainfo for JSON."""
    return lambda name, folder: run(path, *more, "--Output=JSON", name, folder=folder)


def ask_mediainfo_in_old_xml(path: str) -> Callable[[str, Path], str]:
    """Asks for the XML of before 2017 and turns it into JSON by the usual convention."""

    def ask(name: str, folder: Path) -> str:
        root = ET.fromstring(run(path, "--Output=OLDXML", name, folder=folder))
        return json.dumps({root.tag: as_json(root)}, indent=1)

    return ask


def as_json(element: ET.Element) -> Any:
    """An element as most converters show it: `@` before attributes, a list for repeated ones."""
    if len(element) == 0 and not element.attrib:
        return element.text
    shown: dict[str, Any] = {f"@{name}": value for name, value in element.attrib.items()}
    for child in element:
        value = as_json(child)
        if child.tag not in shown:
            shown[child.tag] = value
        elif isinstance(shown[child.tag], list):
            shown[child.tag].append(value)
        else:
            shown[child.tag] = [shown[child.tag], value]
    return shown


_NODE = """
const fs = require('fs');
delete globalThis.fetch; // with one, an old version takes its path for an address
const made = require(process.argv[1]);
(made.default || made)({ format: 'JSON', locateFile: () => process.argv[2] }).then((tool) => {
  const bytes = fs.readFileSync(process.argv[3]);
  const read = (size, at) => bytes.subarray(at, at + size);
  return tool.analyzeData(() => bytes.length, read).then((said) => console.log(said));
});
"""


def ask_mediainfo_js(package: Path) -> Callable[[str, Path], str]:
    """Asks the npm package; it is handed bytes and learns no name."""
    wasm = str(package / "dist" / "MediaInfoModule.wasm")

    def ask(name: str, folder: Path) -> str:
        return run("node", "-e", _NODE, str(package), wasm, name, folder=folder)

    return ask


_PYTHON = """
import sys
from pymediainfo import MediaInfo
print(MediaInfo.parse(sys.argv[1]).to_json() if sys.argv[2] == "own"
      else MediaInfo.parse(sys.argv[1], output="JSON"))
"""


def ask_pymediainfo(form: str) -> Callable[[str, Path], str]:
    """Asks the Python package, for its own form or for that of the program."""
    import sys  # noqa: PLC0415

    return lambda name, folder: run(sys.executable, "-c", _PYTHON, name, form, folder=folder)


def keep(tool: str, names: list[str], folder: Path, ask: Callable[[str, Path], str]) -> None:
    """Writes what a tool says of each master; one that it cannot read at all has no file."""
    shelf = PROBES / tool
    shelf.mkdir(parents=True, exist_ok=True)
    for name in names:
        try:
            said = ask(name, folder).strip() + "\n"
        except subprocess.CalledProcessError as failed:
            print(f"{tool} on {name}: ended with {failed.returncode}")
            continue
        if str(folder) in said:
            raise ValueError(f"{tool} names the folder of this machine in {name}")
        if json.loads(said):
            (shelf / f"{Path(name).stem}.json").write_text(said, encoding="utf-8")


def main() -> None:
    """Encodes, asks every tool given, and leaves the answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ffprobe", action="append", default=[])
    parser.add_argument("--mediainfo", action="append", default=[])
    parser.add_argument("--mediainfo-js", action="append", default=[], type=Path)
    parser.add_argument("--pymediainfo", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        names = make_masters(folder)
        few = [name for name in names if name in FEW]
        for number, path in enumerate(given.ffprobe):
            version = run(path, "-version", folder=folder).split()[2].partition("-static")[0]
            tool = f"ffprobe-{version.partition('-0+')[0]}"  # without Debian's revision
            keep(tool, few if number else names, folder, ask_ffprobe(path))
            if not number:
                more = ("-show_programs", "-show_chapters", "-show_program_version")
                keep(f"{tool}-programs", ["mpeg_ts.ts"], folder, ask_ffprobe(path, *more))
                pretty = [name for name in few if name.startswith(("mov_p", "wav.", "mkv"))]
                keep(f"{tool}-pretty", pretty, folder, ask_ffprobe(path, "-pretty"))
        for number, path in enumerate(given.mediainfo):
            version = run(path, "--Version", folder=folder).split()[-1].lstrip("v")
            keep(f"mediainfo-{version}", few if number else names, folder, ask_mediainfo(path))
            if not number:
                old = ask_mediainfo_in_old_xml(path)
                keep(f"mediainfo-{version}-oldxml", few, folder, old)
                full = [name for name in few if name.startswith(("mov_p", "wav.", "mkv"))]
                keep(f"mediainfo-{version}-full", full, folder, ask_mediainfo(path, "-f"))
        for package in given.mediainfo_js:
            version = json.loads((package / "package.json").read_text())["version"]
            keep(f"mediainfo.js-{version}", few, folder, ask_mediainfo_js(package.resolve()))
        if given.pymediainfo:
            said = json.loads(ask_pymediainfo("program")("wav.wav", folder))
            version = said["creatingLibrary"]["version"]
            keep(f"libmediainfo-{version}", few, folder, ask_pymediainfo("program"))
            keep(f"pymediainfo-{version}", few, folder, ask_pymediainfo("own"))


if __name__ == "__main__":
    main()
