from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lading.base.errors import MissingExtra
from lading.media import packages
from lading.media.content import Content
from lading.media.derive import FileAt, Part, Wanted, derivations, derive, derive_open
from lading.media.errors import MediaDamaged
from lading.media.kind import kind_of
from lading.media.limits import Limits
from lading.media.thumbnails import ThumbnailSpec
from lading.storage.roots import ReadFault
from tests.media.written import PICTURE_FORMATS, dng, encoded, full_exif, scene, write_video


class CountingFile(io.FileIO):
    """A file that counts the bytes that are read from it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size) or b""
        self.count += len(data)
        return data


class FailingFile(io.FileIO):
    """A file on a disk that fails after the first bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= 8192:
            raise OSError(5, "Input/output error")
        return super().read(min(size or 0, 8192)) or b""


def die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@pytest.mark.parametrize("name", PICTURE_FORMATS)
def test_a_file_is_read_once_for_everything(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(encoded(scene(), name))
    with CountingFile(path) as file:
        derived = derive_open(file, name="a")
        assert file.count == derived.size_bytes == path.stat().st_size
    assert derived.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", [*PICTURE_FORMATS, "DNG", "MOV"])
def test_a_file_too_large_for_memory_gives_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{name.lower()}"
    if name == "MOV":
        write_video(path)
    else:
        path.write_bytes(
            dng() if name == "DNG" else encoded(scene(640, 480), name, exif=full_exif(6))
        )
    where = FileAt(str(tmp_path), path.name)
    buffered = derive(where)
    assert buffered.failures == ()
    streamed = derive(where, Wanted(limits=Limits(buffered_bytes_max=0)))
    assert streamed == buffered


@pytest.mark.parametrize("name", ["JPEG", "TIFF", "HEIF", "DNG", "MOV"])
def test_a_disk_that_fails_is_not_blamed_on_the_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    if name == "MOV":
        write_video(path.with_suffix(".mov"), codec="mpeg4").rename(path)
    elif name == "DNG":
        path.write_bytes(dng(width=256, height=256))
    else:
        noise = Image.effect_noise((600, 400), 90)
        path.write_bytes(encoded(noise.convert("RGB"), name, quality=95))
    assert path.stat().st_size > 10_000
    wanted = Wanted(sha256=False, limits=Limits(buffered_bytes_max=0))
    with FailingFile(path) as file, pytest.raises(ReadFault):
        derive_open(file, wanted, name="a")


def test_other_processes_derive_the_same_and_one_that_crashes_takes_nobody_along(
    tmp_path: Path,
) -> None:
    (tmp_path / "good.jpg").write_bytes(encoded(scene(), exif=full_exif()))
    (tmp_path / "cut.jpg").write_bytes(encoded(scene())[:700])
    write_video(tmp_path / "v.mov", frames=5)
    files = [FileAt(str(tmp_path), name) for name in ("good.jpg", "cut.jpg", "v.mov")]
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as pool:
        there = list(pool.map(derive, files))
        with pytest.raises(BrokenProcessPool):
            pool.submit(die, 1).result()
    here = [derive(file) for file in files]
    for ours, theirs in zip(here, there, strict=True):
        assert replace(ours, failures=()) == replace(theirs, failures=())
        said = [
            [(type(f.error), f.error.subject) for f in each.failures] for each in (ours, theirs)
        ]
        assert said[0] == said[1]
    assert isinstance(there[1].failures[0].error, MediaDamaged)


def test_only_what_is_wanted_is_derived() -> None:
    data = encoded(scene())
    nothing = Wanted(sha256=False, facts=False, thumbnails=(), perceptual_hash=False)
    derived = derive_open(data, nothing, name="a.png")
    assert (derived.sha256, derived.facts, derived.thumbnails) == (None, None, ())
    assert (derived.perceptual_hash, derived.derivations) == (None, ())
    assert derived.kind.mislabelled
    # What is cut off is not looked at for what stands in its header.
    facts = derive_open(data[:1500], Wanted(thumbnails=(), perceptual_hash=False), name="a")
    assert facts.facts is not None
    assert facts.failures == ()


def test_a_derivation_changes_with_its_settings_its_tool_and_nothing_else() -> None:
    jpeg = kind_of(Content(encoded(scene())))
    heic = kind_of(Content(encoded(scene(), "HEIF")))
    wanted = Wanted(thumbnails=(ThumbnailSpec(256), ThumbnailSpec(512)))
    found = derivations(jpeg, wanted)
    assert [each.name for each in found] == ["facts", "thumbnail", "thumbnail", "perceptual_hash"]
    assert len({each.key for each in found}) == 4
    assert found == derive_open(encoded(scene()), wanted, name="a").derivations
    assert found == derivations(jpeg, replace(wanted, limits=Limits(pixels_max=9), sha256=False))
    better = derivations(jpeg, replace(wanted, thumbnails=(ThumbnailSpec(256, quality=90),)))
    assert better[1].key not in {each.key for each in found}
    assert better[0].key == found[0].key
    assert {each.key for each in found}.isdisjoint(each.key for each in derivations(heic, wanted))
    assert derivations(kind_of(Content(b"text")), wanted) == ()
    assert {each.tool for each in derivations(heic, wanted)} == {"pillow-heif"}
    assert Part.FACTS.value == found[0].name


def test_what_is_derived_can_be_pickled_with_its_failures() -> None:
    derived = derive_open(encoded(scene())[:700], name="a")
    copy = pickle.loads(pickle.dumps(derived))
    assert str(copy.failures[0].error) == str(derived.failures[0].error)
    assert copy.failures[0].error.advice == derived.failures[0].error.advice


PROGRAM = """
import sys
import lading.media.derive as it
wanted = it.Wanted(thumbnails=(), perceptual_hash=False, facts=False)
it.derive_open(b"\\xff\\xd8\\xff", wanted, name="a")
assert not {"pyvips", "PIL", "pillow_heif", "av", "rawpy", "numpy"} & set(sys.modules), "too early"
"""


def test_decoders_are_imported_when_they_are_used() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


_KIND_OF = {"pillow_heif": "HEIF"}


@pytest.mark.parametrize(
    ("module", "extra"),
    [("pyvips", "media"), ("pillow_heif", "media"), ("av", "media"), ("rawpy", "raw")],
)
def test_without_a_package_the_error_names_the_extra(
    module: str, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if module == "av":
        data = write_video(tmp_path / "v.mov", frames=2).read_bytes()
    else:
        data = dng() if module == "rawpy" else encoded(scene(), _KIND_OF.get(module, "JPEG"))
    loaders = {"pyvips": "_vips_set_up", "pillow_heif": "heif", "av": "av", "rawpy": "raw"}
    getattr(packages, loaders[module]).cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra) as missing:
        derive_open(data, name="a")
    assert f"lading[{extra}]" in missing.value.advice
