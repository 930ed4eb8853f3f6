"""How fast a folder of photos is looked into, against the usual tools and a plain script.

Hash, facts and a thumbnail of 512 pixels of JPEGs of 12 and 24 megapixels: `derive` of each file,
against `vipsthumbnail`, `sha256sum` and `exiftool` one after the other over all files, and against
Pillow, plainly and with its decoding at a fraction of the size. Each contender is a process of its
own, started anew, in turns, several rounds; medians of wall time are compared, starts included.
Memory is the most that the process of `derive` ever held, after five passes and after twenty.

    python benchmarks/bench_media.py --files 12 --rounds 5
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

SIZES = ((4000, 3000), (6000, 4000))
SIDE = 512
QUALITY = 82
TOOLS_TARGET = 1.0
SCRIPT_TARGET = 3.0
MEMORY_GROWTH_MAX = 1.2


def make_photos(folder: Path, count: int) -> None:
    """JPEGs with coarse and fine structure and EXIF, half of them 12 and half 24 megapixels."""
    from PIL import Image

    for number in range(count):
        width, height = SIZES[number % len(SIZES)]
        coarse = Image.effect_noise((width // 100, height // 100), 160).resize((width, height))
        fine = Image.effect_noise((width, height), 24)
        grey = Image.blend(coarse, fine, 0.3)
        photo = Image.merge("RGB", (grey, coarse, Image.blend(coarse, grey, 0.5)))
        exif = Image.Exif()
        exif[271], exif[272], exif[274] = "Maker", "Model", 1 if number % 3 else 6
        exif.get_ifd(0x8769)[36867] = f"2024:07:01 12:00:{number % 60:02}"
        exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 17.0, 40.0)})
        photo.save(folder / f"photo-{number}.jpg", quality=90, exif=exif)


def with_lading(folder: Path, passes: int, threads: int) -> None:
    """`derive` of each file; prints the most memory held, in kB."""
    from lading.media.derive import FileAt, Wanted, derive
    from lading.media.thumbnails import ThumbnailSpec

    wanted = Wanted(perceptual_hash=False, thumbnails=(ThumbnailSpec(SIDE, quality=QUALITY),))

    def one(name: str) -> None:
        derived = derive(FileAt(str(folder), name), wanted)
        assert derived.facts is not None
        assert derived.facts.capture is not None
        assert derived.facts.place is not None
        assert derived.sha256
        assert not derived.failures
        (folder / "out" / f"{name}.lading.jpg").write_bytes(derived.thumbnails[0].data)

    names = sorted(path.name for path in folder.glob("*.jpg"))
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(passes):
            list(pool.map(one, names))
    # Not `ru_maxrss`, which begins with what the parent held.
    status = Path("/proc/self/status").read_text()
    print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def with_pillow(folder: Path, *, reduced: bool) -> None:
    """What a script does that knows Pillow and no more; `reduced` lets it know `draft` as well."""
    from PIL import Image, ImageOps

    for path in sorted(folder.glob("*.jpg")):
        hashlib.sha256(path.read_bytes()).hexdigest()
        with Image.open(path) as photo:
            exif = photo.getexif()
            dict(exif), exif.get_ifd(0x8769), exif.get_ifd(0x8825)
            if reduced:
                photo.draft("RGB", (SIDE, SIDE))
            upright = ImageOps.exif_transpose(photo)
            upright.thumbnail((SIDE, SIDE))
            upright.save(folder / "out" / f"{path.name}.pillow.jpg", quality=QUALITY)


def with_tools(folder: Path) -> None:
    """The three programs, each over all files."""
    names = sorted(str(path) for path in folder.glob("*.jpg"))
    output = f"{folder}/out/%s.tools.jpg[Q={QUALITY},strip]"
    for command in (
        ["vipsthumbnail", "--size", str(SIDE), "-o", output],
        ["sha256sum"],
        ["exiftool", "-quiet", "-json", "-n"],
    ):
        subprocess.run([*command, *names], check=True, stdout=subprocess.DEVNULL)


def child(folder: Path, *arguments: str) -> str:
    """Run this script once more, as one contender."""
    command = [sys.executable, __file__, "--folder", str(folder), "--child", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@dataclass
class Times:
    """What each round of a contender took: seconds of the clock, and of the CPUs."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)


def cpu_of_children() -> float:
    """CPU seconds of all processes that were started from here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(folder: Path, rounds: int) -> dict[str, Times]:
    """The times of each contender; each round begins with another one."""
    contenders: dict[str, Callable[[], object]] = {
        "lading": lambda: child(folder, "lading", "1", "1"),
        "lading, 2 threads": lambda: child(folder, "lading", "1", "2"),
        "tools": lambda: with_tools(folder),
        "pillow": lambda: child(folder, "pillow"),
        "pillow, draft": lambda: child(folder, "pillow", "draft"),
    }
    missing = [name for name in ("vipsthumbnail", "exiftool") if not shutil.which(name)]
    if missing:
        print(f"left out, for want of {' and '.join(missing)}: tools")
        del contenders["tools"]
    times = {name: Times() for name in contenders}
    order = list(contenders)
    for number in range(rounds + 1):
        for name in order[number % len(order) :] + order[: number % len(order)]:
            cpu, started = cpu_of_children(), time.perf_counter()
            contenders[name]()
            if number:  # the first round only warms the caches
                times[name].wall_s.append(time.perf_counter() - started)
                times[name].cpu_s.append(cpu_of_children() - cpu)
    return times


def report(files: int, times: dict[str, Times], memory_kb: tuple[int, int]) -> bool:
    """Print the table; whether every target is met."""
    wall = {name: statistics.median(taken.wall_s) for name, taken in times.items()}
    cpu = {name: statistics.median(taken.cpu_s) for name, taken in times.items()}
    print(f"{'':20} {'s':>6} {'files/s':>8} {'CPU s':>6}   lading needs less by, in wall and CPU")
    for name in times:
        ratios = f"{wall[name] / wall['lading']:.2f}x {cpu[name] / cpu['lading']:.2f}x"
        two = wall[name] / wall["lading, 2 threads"]
        print(
            f"{name:20} {wall[name]:6.2f} {files / wall[name]:8.1f} {cpu[name]:6.2f}   {ratios},"
            f" with 2 threads {two:.2f}x"
        )
    growth = memory_kb[1] / memory_kb[0]
    print(f"memory: {memory_kb[0] / 1000:.0f} MB after 5 passes, {growth:.2f} times that after 20")
    met = {
        # A worker has more than one thread, and a plain script has one.
        f"pillow / 2 threads >= {SCRIPT_TARGET}": (
            wall["pillow"] / wall["lading, 2 threads"] >= SCRIPT_TARGET
        ),
        f"memory after 20 <= {MEMORY_GROWTH_MAX}": growth <= MEMORY_GROWTH_MAX,
    }
    if "tools" in wall:
        met[f"tools / lading >= {TOOLS_TARGET}"] = wall["tools"] / wall["lading"] >= TOOLS_TARGET
    print(json.dumps({name: "met" if good else "MISSED" for name, good in met.items()}))
    return all(met.values())


def main() -> int:
    """Measure and print, or be one of the contenders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child", nargs="+")
    options = parser.parse_args()
    match options.child:
        case ["lading", passes, threads]:
            with_lading(options.folder, int(passes), int(threads))
            return 0
        case ["pillow", *how]:
            with_pillow(options.folder, reduced=bool(how))
            return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        (folder / "out").mkdir()
        make_photos(folder, options.files)
        total = sum(path.stat().st_size for path in folder.glob("*.jpg"))
        print(f"{options.files} photos, {total / 1e6:.0f} MB, {os.cpu_count()} CPUs")
        times = measure(folder, options.rounds)
        memory = [int(child(folder, "lading", passes, "1")) for passes in ("5", "20")]
        return 0 if report(options.files, times, (memory[0], memory[1])) else 1


if __name__ == "__main__":
    sys.exit(main())
