from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from lading.media.derive import FileAt
from lading.media.errors import MediaDamaged, MediaEmpty, MediaTooLarge, MediaUnsupported
from lading.media.faces.dlib_engine import DlibEngine, pose
from lading.media.faces.engine import Detected, Pixels, face_engine, face_engines
from lading.media.faces.errors import (
    BrokenFaceEngine,
    FaceEngineFailed,
    FaceSettingsRefused,
    UnknownFaceEngine,
)
from lading.media.faces.matching import FaceToMatch, KnownPersons, Reference, match
from lading.media.faces.references import distance
from lading.media.faces.rules import Match, Rule, Verdict
from lading.media.faces.scanning import FaceScanner, Scanned, detect_in, detection_of
from lading.media.faces.settings import DetectionSettings, MatchingSettings
from lading.media.limits import Limits
from lading.media.spawned import SpawnedProcesses
from tests.media.hanging import HangClock, wait_for_end
from tests.media.written import encoded, full_exif, scene, upright_as, write_video

PORTRAITS = Path(__file__).parent / "portraits"
SETTINGS = DetectionSettings()

TOY = '''
import ctypes, os, signal
from lading.media.faces.engine import Box, Detected, Detections, Embedding

class Toy:
    """Takes each picture for a face that is known by its mean colour; sizes say what goes wrong."""

    name, version, models, embedding_kind = "toy", "1", ("only",), "toy-colour"

    def detect(self, pixels, settings):
        if (pixels.width, pixels.height) == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        if pixels.height == HANGING:
            with open(__file__.replace("toy_faces.py", "hanging"), "w") as fifo:
                fifo.write(str(os.getpid()))
            ctypes.PyDLL(None).pause()  # without letting go of the interpreter
        if pixels.height == 31:
            raise RuntimeError("no idea")
        count = len(pixels.data) // 3
        numbers = [sum(pixels.data[band::3]) / count / 255 for band in range(3)]
        if pixels.height == 41:
            numbers[0] = float("nan")
        face = Detected(Box(0, 0, 1, 1), 1.0, pixels.width, 0.5, 0.0, 0.0,
                        Embedding.of(self.embedding_kind, numbers))
        return Detections((face,))
'''


def portrait(name: str) -> Image.Image:
    return Image.open(PORTRAITS / f"{name}.jpg").convert("RGB")


def found_in(image: Image.Image, settings: DetectionSettings = SETTINGS) -> tuple[Detected, ...]:
    rgb = image.convert("RGB")
    return DlibEngine().detect(Pixels(*rgb.size, rgb.tobytes()), settings).faces


def spawned(count: int = 1) -> SpawnedProcesses:
    return SpawnedProcesses(count, limit_s=120)


def judged(face: Detected, known: KnownPersons) -> Match:
    asked = FaceToMatch(1, face.embedding, face.side_px, face.score)
    return next(match([asked], known, MatchingSettings()))


@pytest.fixture(scope="module")
def known() -> KnownPersons:
    names = ("astronaut", "admiral")
    faces = {name: found_in(portrait(name))[0] for name in names}
    return KnownPersons(Reference(f"{n}.jpg", n, face.embedding) for n, face in faces.items())


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DetectionSettings]:
    """Installs an engine by a stranger, which ends its process over pictures of one size."""

    def install(deadly: tuple[int, int] = (13, 13), hanging: int = 19) -> DetectionSettings:
        site = tmp_path / "site"
        info = site / "toy_faces-1.dist-info"
        info.mkdir(parents=True)
        os.mkfifo(site / "hanging")
        (site / "toy_faces.py").write_text(f"DEADLY, HANGING = {deadly}, {hanging}\n{TOY}")
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-faces\nVersion: 1\n")
        (info / "entry_points.txt").write_text(
            "[lading.faces]\ntoy = toy_faces:Toy\nmisnamed = toy_faces:Toy\nabsent = toy_faces:No\n"
        )
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, "toy_faces", raising=False)
        return DetectionSettings(engine="toy", model="only")

    return install


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "larger": lambda image: image.resize((image.width * 2, image.height * 2)),
    "smaller": lambda image: image.resize((image.width * 19 // 20, image.height * 19 // 20)),
    "leaning left": lambda image: image.rotate(10),
    "leaning right": lambda image: image.rotate(-15),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.5),
    "bright": lambda image: ImageEnhance.Brightness(image).enhance(1.4),
    "mirrored": ImageOps.mirror,
    "grey": ImageOps.grayscale,
    "cut": lambda image: image.crop((40, 20, image.width - 40, image.height - 40)),
}


@pytest.mark.parametrize("name", ["astronaut", "admiral"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_person_is_recognised_in_a_changed_picture_and_the_other_one_is_far(
    name: str, change: str, known: KnownPersons
) -> None:
    faces = found_in(CHANGES[change](portrait(name)))
    verdicts = [judged(face, known) for face in faces]
    assert [each.person for each in verdicts if each.verdict is Verdict.RECOGNISED] == [name]
    surest = verdicts[0]
    assert surest.rule is Rule.ALL_PASSED
    assert surest.nearest is not None
    assert surest.nearest.reference == f"{name}.jpg"
    assert surest.measured.candidates[1].distance > MatchingSettings().distance_max


@pytest.mark.parametrize(("name", "other"), [("astronaut", "admiral"), ("admiral", "astronaut")])
def test_a_stranger_is_unknown(name: str, other: str) -> None:
    reference = found_in(portrait(other))[0]
    face = judged(
        found_in(portrait(name))[0], KnownPersons([Reference(1, other, reference.embedding)])
    )
    assert (face.verdict, face.rule, face.person) == (Verdict.UNKNOWN, Rule.DISTANCE_MAX, None)


def test_what_is_no_face_is_not_found() -> None:
    noise = Image.effect_noise((400, 400), 90)
    for image in (scene(), noise, ImageOps.flip(portrait("astronaut"))):
        assert found_in(image) == ()


def test_a_face_is_described_by_place_size_sharpness_and_pose() -> None:
    image = portrait("admiral")
    (face,) = found_in(image)
    box = face.box
    assert len(face.embedding.numbers()) == 128
    assert len(face.landmarks) == 5
    for point in face.landmarks:
        assert box.left < point.x < box.left + box.width
        assert box.top < point.y < box.top + box.height
    assert face.side_px == pytest.approx(max(box.width * image.width, box.height * image.height))
    (blurred,) = found_in(image.filter(ImageFilter.GaussianBlur(3)))
    (dark,) = found_in(ImageEnhance.Brightness(image).enhance(0.6))
    assert blurred.sharpness < face.sharpness / 10
    assert dark.sharpness == pytest.approx(face.sharpness, rel=0.2)
    (leaning,) = found_in(image.rotate(-12))
    assert leaning.roll_degrees == pytest.approx(face.roll_degrees + 12, abs=3)
    (mirrored,) = found_in(ImageOps.mirror(image))
    assert mirrored.box.overlap(box._replace(left=1 - box.left - box.width)) > 0.6
    assert abs(face.turn) < 0.2


def test_pose_follows_the_nose() -> None:
    front = [(60, 40), (50, 40), (10, 40), (20, 40), (35, 60)]
    assert pose(front) == (0.0, 0.0)
    roll, turn = pose([*front[:4], (55, 60)])
    assert (roll, turn) == (0.0, 1.0)
    # Leaning does not turn: all points by 30 degrees clockwise.
    cos, sin = math.cos(math.pi / 6), math.sin(math.pi / 6)
    leaning = [
        (round(100 * (x * cos - y * sin)), round(100 * (x * sin + y * cos))) for x, y in front
    ]
    roll, turn = pose(leaning)
    assert roll == pytest.approx(30, abs=0.1)
    assert turn == pytest.approx(0, abs=0.01)
    assert pose([(1, 1)] * 5) == (0.0, 0.0)


@pytest.mark.parametrize("orientation", [3, 6])
def test_boxes_are_of_the_upright_picture(orientation: int, tmp_path: Path) -> None:
    image = portrait("admiral")
    image.save(tmp_path / "plain.png")
    stored = encoded(upright_as(image, orientation), quality=95, exif=full_exif(orientation))
    (tmp_path / "turned.jpg").write_bytes(stored)
    plain, turned = (
        detect_in(FileAt(str(tmp_path), name), SETTINGS) for name in ("plain.png", "turned.jpg")
    )
    assert (turned.width, turned.height) == image.size
    (here,), (there,) = plain.faces, turned.faces
    assert here.box.overlap(there.box) > 0.6
    assert distance(here.embedding, there.embedding) < 0.2


def test_pictures_are_made_smaller_first_and_boxes_stay_where_they_are(tmp_path: Path) -> None:
    image = portrait("admiral")
    image.resize((image.width * 6, image.height * 6)).save(tmp_path / "large.jpg")
    small = detect_in(FileAt(str(tmp_path), "large.jpg"), replace(SETTINGS, side_max=400))
    assert max(small.width, small.height) == 400
    (face,), (plain,) = small.faces, found_in(image)
    assert face.box.overlap(plain.box) > 0.6
    assert face.landmarks[4] == pytest.approx(plain.landmarks[4], abs=0.02)


def test_of_too_many_faces_the_largest_are_kept() -> None:
    both = Image.new("RGB", (800, 400))
    both.paste(portrait("astronaut"), (0, 0))
    both.paste(portrait("admiral"), (400, 0))
    two, one = (
        DlibEngine().detect(Pixels(*both.size, both.tobytes()), replace(SETTINGS, faces_max=most))
        for most in (2, 1)
    )
    assert (len(two.faces), two.left_out) == (2, 0)
    assert (len(one.faces), one.left_out) == (1, 1)
    assert one.faces[0].side_px == max(face.side_px for face in two.faces)
    assert one.faces[0].box.left > 0.5


def test_the_other_model_finds_the_same_person(known: KnownPersons) -> None:
    (face,) = found_in(portrait("astronaut"), replace(SETTINGS, model="cnn"))
    assert judged(face, known).person == "astronaut"
    with pytest.raises(FaceSettingsRefused, match="cnn"):
        found_in(portrait("astronaut"), replace(SETTINGS, model="cnn", upsample=1))


def test_a_file_that_cannot_be_looked_into_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_bytes(b"no picture")
    (tmp_path / "cut.jpg").write_bytes(encoded(portrait("admiral"))[:4000])
    (tmp_path / "large.jpg").write_bytes(encoded(scene()))
    expected = {"empty": MediaEmpty, "text": MediaUnsupported, "cut": MediaDamaged}
    for name, error in expected.items():
        with pytest.raises(error, match=name):
            detect_in(FileAt(str(tmp_path), f"{name}.jpg"), SETTINGS)
    with pytest.raises(MediaTooLarge):
        detect_in(FileAt(str(tmp_path), "large.jpg"), SETTINGS, Limits(pixels_max=99))


def test_how_faces_were_found_changes_with_what_finds_them_and_nothing_else() -> None:
    known = {detection_of(settings).key for settings in (SETTINGS, DetectionSettings())}
    assert len(known) == 1
    for other in (replace(SETTINGS, model="cnn"), replace(SETTINGS, side_max=1200)):
        assert detection_of(other).key not in known
    assert detection_of(SETTINGS).version.startswith(DlibEngine().version)


@pytest.mark.parametrize("missing", ["dlib", "numpy", "face_recognition_models"])
def test_without_a_package_the_error_names_the_extra(missing: str) -> None:
    # In a process of its own: dlib and NumPy do not survive being imported twice.
    program = f"""
import sys, importlib.util
sys.modules["pkg_resources"] = None
sys.modules[{missing!r}] = None
if {missing!r} == "face_recognition_models":
    sys.modules[{missing!r}] = None
    import lading.media.faces.dlib_engine as it
    it.find_spec = lambda name: None
from lading.base.errors import MissingExtra
from lading.media.faces.scanning import try_engine
from lading.media.faces.settings import DetectionSettings
try:
    try_engine(DetectionSettings())
except MissingExtra as error:
    assert "lading[faces]" in error.advice, error.advice
    print("told")
"""
    said = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert (said.stdout, said.stderr) == ("told\n", "")


def test_the_data_files_are_found_without_importing_their_package() -> None:
    assert found_in(portrait("admiral"))
    assert "face_recognition_models" not in sys.modules


def test_processes_find_what_is_found_here_and_damaged_files_cost_nobody_else(
    tmp_path: Path,
) -> None:
    for name in ("astronaut", "admiral"):
        (tmp_path / f"{name}.jpg").write_bytes((PORTRAITS / f"{name}.jpg").read_bytes())
    (tmp_path / "cut.jpg").write_bytes(encoded(portrait("admiral"))[:4000])
    files = [FileAt(str(tmp_path), f"{n}.jpg") for n in ("astronaut", "cut", "gone", "admiral")]
    with spawned() as processes:
        outcomes = list(FaceScanner(SETTINGS, processes).scan(files))
    assert [file for file, _ in outcomes] == files
    (_, astronaut), (_, cut), (_, gone), (_, admiral) = outcomes
    assert astronaut == detect_in(files[0], SETTINGS)
    assert admiral == detect_in(files[3], SETTINGS)
    assert isinstance(cut, MediaDamaged)
    assert not isinstance(gone, Scanned)
    assert gone.subject == "gone.jpg"


def test_a_crash_costs_the_file_that_caused_it_and_no_other(
    toy: Callable[..., DetectionSettings], tmp_path: Path
) -> None:
    settings = toy()
    sizes = [(20, 20), (13, 13), (22, 22), (25, 31), (13, 13), (24, 24), (26, 26)]
    files = []
    for number, size in enumerate(sizes):
        (tmp_path / f"{number}.png").write_bytes(encoded(scene(*size), "PNG"))
        files.append(FileAt(str(tmp_path), f"{number}.png"))
    write_video(tmp_path / "v.mov", frames=3)
    files.append(FileAt(str(tmp_path), "v.mov"))
    with spawned(2) as processes:
        outcomes = dict(FaceScanner(settings, processes, ahead=3).scan(files))
    assert list(outcomes) == files
    failed = {file.relative: one for file, one in outcomes.items() if not isinstance(one, Scanned)}
    assert list(failed) == ["1.png", "3.png", "4.png"]
    assert all(isinstance(one, FaceEngineFailed) for one in failed.values())
    assert [one.subject for one in failed.values()] == list(failed)
    assert "no idea" in str(failed["3.png"])
    scanned = outcomes[files[2]]
    assert isinstance(scanned, Scanned)
    assert (scanned.width, scanned.embedding_kind) == (22, "toy-colour")


def test_a_file_over_which_the_engine_hangs_is_ended_and_the_others_go_on(
    toy: Callable[..., DetectionSettings], tmp_path: Path
) -> None:
    settings = toy()
    files = []
    for number, height in enumerate((20, 19, 21, 19, 22)):
        (tmp_path / f"{number}.png").write_bytes(encoded(scene(20, height), "PNG"))
        files.append(FileAt(str(tmp_path), f"{number}.png"))
    with (
        HangClock(tmp_path / "site/hanging", hangs=2) as clock,
        SpawnedProcesses(1, limit_s=500, clock=clock) as processes,
    ):
        outcomes = dict(FaceScanner(settings, processes).scan(files))
    assert list(outcomes) == files
    failed = {file.relative: one for file, one in outcomes.items() if not isinstance(one, Scanned)}
    assert list(failed) == ["1.png", "3.png"]
    assert all(isinstance(one, FaceEngineFailed) for one in failed.values())
    assert "at most 500 s" in str(failed["1.png"])
    assert len(clock.pids) == 2
    for pid in clock.pids:
        wait_for_end(pid)


def test_an_engine_that_hangs_before_it_has_a_file_is_broken(
    toy: Callable[..., DetectionSettings], tmp_path: Path
) -> None:
    settings = toy(hanging=64)
    with (
        HangClock(tmp_path / "site/hanging") as clock,
        SpawnedProcesses(1, limit_s=500, clock=clock) as processes,
        pytest.raises(BrokenFaceEngine, match="or hung"),
    ):
        list(FaceScanner(settings, processes).scan([FileAt(str(tmp_path), "any.png")]))


def test_an_engine_that_cannot_start_is_not_blamed_on_files(
    toy: Callable[..., DetectionSettings], tmp_path: Path
) -> None:
    settings = toy(deadly=(64, 64))
    with (
        spawned() as processes,
        pytest.raises(BrokenFaceEngine, match="before it was given a file"),
    ):
        list(FaceScanner(settings, processes).scan([FileAt(str(tmp_path), "any.png")]))


def test_engines_of_strangers_are_found_and_held_to_what_is_agreed(
    toy: Callable[..., DetectionSettings], tmp_path: Path
) -> None:
    settings = toy()
    assert {"dlib", "toy"} <= set(face_engines())
    assert face_engine("toy") is face_engine("toy")
    (tmp_path / "a.png").write_bytes(encoded(scene(20, 20), "PNG"))
    (tmp_path / "nan.png").write_bytes(encoded(scene(20, 41), "PNG"))
    assert detect_in(FileAt(str(tmp_path), "a.png"), settings).faces[0].side_px == 20
    with pytest.raises(BrokenFaceEngine, match="breaks what is agreed"):
        detect_in(FileAt(str(tmp_path), "nan.png"), settings)
    with pytest.raises(BrokenFaceEngine, match="of this name"):
        face_engine("misnamed")
    with pytest.raises(BrokenFaceEngine, match="AttributeError"):
        face_engine("absent")
    with pytest.raises(UnknownFaceEngine, match="toy"):
        face_engine("nobody's")
    with pytest.raises(UnknownFaceEngine, match="one of: only"):
        detect_in(FileAt(str(tmp_path), "a.png"), replace(settings, model="hog"))


def test_no_more_files_are_under_way_than_were_asked_for(
    toy: Callable[..., DetectionSettings], tmp_path: Path
) -> None:
    settings = toy()
    (tmp_path / "a.png").write_bytes(encoded(scene(20, 20), "PNG"))
    taken = 0

    def files() -> Iterator[FileAt]:
        nonlocal taken
        while True:
            taken += 1
            yield FileAt(str(tmp_path), "a.png")

    with spawned() as processes:
        outcomes = FaceScanner(settings, processes, ahead=2).scan(files())
        for _ in range(3):
            assert isinstance(next(outcomes)[1], Scanned)
        assert taken <= 5
        outcomes.close()  # type: ignore[attr-defined]
