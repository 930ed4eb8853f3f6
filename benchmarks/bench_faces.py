"""How fast are faces found, measured and matched, against plain calls of dlib and NumPy.

Scanning: pictures of 3 megapixels with two faces each, in one spawned process and in one for each
core, against a loop that reads each picture with Pillow, makes it as small, and calls dlib.
Matching: 100,000 faces against 500 references of 250 persons with verdicts and candidates, against
NumPy computing the same distances in blocks and taking the nearest reference of each face, and
against a loop of `numpy.linalg.norm` for each face, of which a part is run. Judging anew: what a
draft of the settings changes, from kept distances. In turns, several rounds; medians are compared.
Memory is the most that was held, with 10,000 faces and with 100,000.

    python benchmarks/bench_faces.py --pictures 12 --faces 100000 --rounds 3
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from lading.media import packages
from lading.media.derive import FileAt
from lading.media.faces.engine import Embedding
from lading.media.faces.matching import FaceToMatch, KnownPersons, Reference, match
from lading.media.faces.rules import changed_by
from lading.media.faces.scanning import FaceScanner, Scanned
from lading.media.faces.settings import DetectionSettings, MatchingSettings
from lading.media.spawned import SpawnedProcesses

PORTRAITS = Path(__file__).resolve().parent.parent / "tests/media/portraits"
REFERENCES, PERSONS, NUMBERS = 500, 250, 128
BLOCK = 2000
SCANNING_TARGET = 0.9
MATCHING_TARGET = 1.0
MEMORY_GROWTH_MAX = 1.2


def make_pictures(folder: Path, count: int) -> list[FileAt]:
    """Two portraits on a noisy ground, in another place in each picture."""
    from PIL import Image

    portraits = [Image.open(PORTRAITS / f"{name}.jpg") for name in ("astronaut", "admiral")]
    for number in range(count):
        picture = Image.effect_noise((2000, 1500), 40).convert("RGB")
        for place, portrait in enumerate(portraits):
            large = portrait.resize((portrait.width * 2, portrait.height * 2))
            picture.paste(large, (100 + place * 1000 + number * 7, 200 + number * 11))
        picture.save(folder / f"{number}.jpg", quality=90)
    return [FileAt(str(folder), f"{number}.jpg") for number in range(count)]


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


class Scanning:
    """The contenders for scanning; processes and models are started before the clock is."""

    def __init__(self, files: list[FileAt]) -> None:
        from lading.media.faces.dlib_engine import _EMBEDDING, _LANDMARKS, _data

        dlib = packages.dlib()
        self.files = files
        self.settings = DetectionSettings()
        self.hog = dlib.get_frontal_face_detector()
        self.landmarks = dlib.shape_predictor(_data(_LANDMARKS))
        self.network = dlib.face_recognition_model_v1(_data(_EMBEDDING))

    def plainly(self) -> int:
        """Faces found by a script that knows dlib and Pillow."""
        from PIL import Image

        found = 0
        for file in self.files:
            with Image.open(Path(file.root) / file.relative) as picture:
                picture.draft("RGB", (self.settings.side_max, self.settings.side_max))
                picture.thumbnail((self.settings.side_max, self.settings.side_max))
                rows = np.array(picture)
            for rectangle in self.hog(rows, 0):
                self.network.compute_face_descriptor(rows, self.landmarks(rows, rectangle))
                found += 1
        return found

    def with_lading(self, scanner: FaceScanner) -> int:
        """Faces found by a scanner."""
        outcomes = [outcome for _, outcome in scanner.scan(self.files)]
        assert all(isinstance(outcome, Scanned) for outcome in outcomes)
        return sum(len(one.faces) for one in outcomes if isinstance(one, Scanned))


def bench_scanning(pictures: int, rounds: int) -> bool:
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        it = Scanning(make_pictures(Path(folder), pictures))
        with (
            SpawnedProcesses(1, limit_s=120) as one_process,
            SpawnedProcesses(cores, limit_s=120) as processes,
        ):
            one = FaceScanner(it.settings, one_process)
            many = FaceScanner(it.settings, processes)
            found = it.with_lading(one)
            assert {found, it.plainly(), it.with_lading(many)} == {found}
            assert found >= 2 * pictures
            work: dict[str, Callable[[], object]] = {
                "plain dlib, one process": it.plainly,
                "lading, one process": lambda: it.with_lading(one),
                f"lading, {cores} processes": lambda: it.with_lading(many),
            }
            taken: dict[str, list[float]] = {name: [] for name in work}
            for _ in range(rounds):
                for name, run in work.items():
                    taken[name].append(seconds(run))
    print(f"{pictures} pictures of 3 MP with {found} faces, medians of {rounds} rounds")
    plain = statistics.median(taken["plain dlib, one process"])
    speeds = {name: plain / statistics.median(each) for name, each in taken.items()}
    for name, each in taken.items():
        rate = found / statistics.median(each)
        print(f"  {name:28} {rate:8.1f} faces/s   {speeds[name]:.2f} of plain dlib")
    return speeds["lading, one process"] >= SCANNING_TARGET


def vectors(count: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Random points about as far apart as dlib's embeddings of different people."""
    table = np.random.default_rng(seed).standard_normal((count, NUMBERS), np.float32)
    table *= 0.05
    return table


def faces_like(table: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Iterator[FaceToMatch]:
    """Faces as they come from a database: bytes, one after the other."""
    for number, row in enumerate(table):
        yield FaceToMatch(number, Embedding("bench", row.tobytes()), 100, 1.0)


def known_persons() -> KnownPersons:
    return KnownPersons(
        Reference(number, number % PERSONS, Embedding("bench", row.tobytes()))
        for number, row in enumerate(vectors(REFERENCES, 1))
    )


def plain_blocks(count: int) -> None:
    """The nearest reference of each face, and no more."""
    table, references = vectors(count, 2), vectors(REFERENCES, 1)
    squares = (references.astype(np.float64) ** 2).sum(axis=1)
    for start in range(0, count, BLOCK):
        block = table[start : start + BLOCK].astype(np.float64)
        apart = (block**2).sum(axis=1)[:, None] + squares - 2 * block @ references.T.astype(float)
        nearest = apart.argmin(axis=1)
        np.sqrt(np.maximum(apart[np.arange(len(block)), nearest], 0))


def plain_loop(count: int) -> None:
    """As one compares a face with known ones in the usual tutorial."""
    references = vectors(REFERENCES, 1)
    for face in vectors(count, 2):
        np.linalg.norm(references - face, axis=1).argmin()


def match_all(count: int) -> None:
    known = known_persons()
    matched = sum(1 for _ in match(faces_like(vectors(count, 2)), known, MatchingSettings()))
    assert matched == count


def most_memory_mb(count: int) -> float:
    """What matching so many faces adds to the most that a new process held, beside the faces."""
    program = f"""
import benchmarks.bench_faces as it
def most():
    return int(next(x.split()[1] for x in open("/proc/self/status") if x.startswith("VmHWM")))
it.match_all(10)
table = it.vectors({count}, 2)
before = most()
known = it.known_persons()
for _ in it.match(it.faces_like(table), known, it.MatchingSettings()):
    pass
print((most() - before) / 1024)
"""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-c", program]
    return float(subprocess.run(command, check=True, capture_output=True, cwd=root).stdout)


def bench_matching(count: int, rounds: int) -> bool:
    part = max(1, count // 20)
    work: dict[str, tuple[Callable[[], object], int]] = {
        "plain NumPy, nearest alone": (lambda: plain_blocks(count), count),
        "lading, verdicts and five": (lambda: match_all(count), count),
        "a norm for each face": (lambda: plain_loop(part), part),
    }
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, (run, _) in work.items():
            taken[name].append(seconds(run))
    rates = {name: work[name][1] / statistics.median(each) for name, each in taken.items()}
    print(f"\n{count:,} faces against {REFERENCES} references of {PERSONS} persons")
    plain = rates["plain NumPy, nearest alone"]
    for name, rate in rates.items():
        print(f"  {name:28} {rate:10,.0f} faces/s   {rate / plain:.2f} of plain NumPy")
    kept = list(known_persons().nearest(faces_like(vectors(count, 2))))
    drafts = MatchingSettings(), MatchingSettings(distance_max=0.6)
    took = statistics.median(
        seconds(lambda: sum(1 for _ in changed_by(*drafts, kept))) for _ in range(rounds)
    )
    matching = count / rates["lading, verdicts and five"]
    print(
        f"  {'what a draft would change':28} {count / took:10,.0f} faces/s"
        f"   {matching / took:.1f} times as fast as matching"
    )
    few, many = most_memory_mb(count // 10), most_memory_mb(count)
    print(f"  memory held at the most: {few:.0f} MB for {count // 10:,}, {many:.0f} for {count:,}")
    fast = rates["lading, verdicts and five"] / rates["a norm for each face"] >= MATCHING_TARGET
    return fast and many <= max(few, 20) * MEMORY_GROWTH_MAX


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    scanned = bench_scanning(given.pictures, given.rounds)
    matched = bench_matching(given.faces, given.rounds)
    print(f"\ntargets: scanning {'met' if scanned else 'MISSED'}, matching", end=" ")
    print("met" if matched else "MISSED")
    return 0 if scanned and matched else 1


if __name__ == "__main__":
    sys.exit(main())
