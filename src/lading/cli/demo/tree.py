"""Makes the showing's hand-over tree: photos, a film, a gallery, a broken photo, one unfinished."""

from __future__ import annotations

import os
import shutil
import zipfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from PIL import Image

from lading.base.errors import RequestError
from lading.cli.demo.bundles import AssetFolder, Bundle
from lading.cli.demo.film import duration_s, write_film, write_playlist
from lading.cli.demo.pictures import (
    DAWN,
    DERIVATIVES,
    DUSK,
    NIGHT,
    NOON,
    Scene,
    measure,
    write_derivative,
    write_photo,
)

_SUMMER: Final = timezone(timedelta(hours=2))
_TRANSCRIPT: Final = """\
WEBVTT

00:00.000 --> 00:02.000
[A quiet chord]

00:02.000 --> 00:04.000
The sun goes over the lake,

00:04.000 --> 00:06.000
and a whole day takes six seconds.
"""


def _at(day: int, hour: int, minute: int) -> datetime:
    return datetime(2026, 5, day, hour, minute, tzinfo=_SUMMER)


WALK: Final = (
    Scene(11, "First light", DAWN, 1800, 1200, _at(1, 5, 48), 47.5622, 13.6493, 0.30),
    Scene(12, "Noon at the lake", NOON, 1200, 1800, _at(1, 12, 6), 47.5631, 13.6512, 0.52, True),
    Scene(13, "The long view", NOON, 2000, 1125, _at(1, 15, 31), 47.5689, 13.6601, 0.70),
    Scene(14, "Last light", DUSK, 1500, 1500, _at(1, 20, 12), 47.5640, 13.6475, 0.86),
)
NIGHTS: Final = (
    Scene(21, "Moon over the water", NIGHT, 1600, 1067, _at(2, 23, 40), 47.5611, 13.6466, 0.35),
    Scene(22, "Before the stars", DUSK, 1600, 1067, _at(2, 21, 2), 47.5611, 13.6466, 0.74),
    Scene(23, "The night ends", DAWN, 1067, 1600, _at(3, 5, 12), 47.5615, 13.6470, 0.20, True),
)
MORNING: Final = (
    Scene(31, "Mist", DAWN, 1400, 933, _at(4, 6, 2), 47.5702, 13.6390, 0.42),
    Scene(32, "A damaged photo", NOON, 1400, 933, _at(4, 9, 15), 47.5702, 13.6390, 0.60),
    Scene(33, "Clear again", NOON, 1400, 933, _at(4, 10, 44), 47.5710, 13.6402, 0.66),
)
LATER: Final = Scene(41, "Still on its way", DUSK, 900, 600, _at(5, 19, 50), 47.56, 13.65)
FILM: Final = Scene(51, "A day at the lake", NOON, 640, 360, _at(1, 5, 30), 47.5622, 13.6493)


class TreeNotMade(RequestError):
    """The showing's tree cannot be written where it was asked for."""

    code = "tree_not_made"
    next_step = "Name a folder that can be written and has room."


def make_tree(root: Path) -> bool:
    """Make the tree at `root`; False when it is there already.

    It is made beside its place and renamed, so that it is there whole or not at all.
    """
    if root.exists():
        return False
    aside = root.with_name(f".{root.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(parents=True)
        _fill(aside)
        aside.rename(root)
    except OSError as error:
        raise TreeNotMade(error.strerror or str(error), subject=str(root)) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return True


def _fill(root: Path) -> None:
    walk = Bundle("a walk at the lake", "asset")
    for number, scene in enumerate(WALK, 1):
        walk.items.append(_photo(root, f"p-{number:04}", scene, frosted=number == 1))
    walk.publish(root)

    film = Bundle("a day at the lake", "asset", [_film(root, "v-0001", FILM)])
    film.publish(root)

    nights = Bundle("nights at the lake", "gallery")
    for number, scene in enumerate(NIGHTS, 1):
        nights.items.append(_photo(root, f"n-{number:04}", scene))
    nights.items.append(_gallery("g-0001", "nights-at-the-lake", "Nights at the lake", nights))
    nights.publish(root)

    morning = Bundle("a morning at the lake", "asset")
    for number, scene in enumerate(MORNING, 1):
        morning.items.append(_photo(root, f"m-{number:04}", scene))
    morning.publish(root)
    _damage(root / morning.items[1]["path"] / morning.items[1]["files"][0]["path"])

    later = Bundle("an evening at the lake", "asset", [_photo(root, "e-0001", LATER)])
    later.publish(root, completed=False)


def _photo(root: Path, item_id: str, scene: Scene, *, frosted: bool = False) -> dict[str, Any]:
    asset = AssetFolder(root, f"assets/lake-{scene.seed:03}")
    name = f"original/LAKE{scene.seed:04}.jpg"
    picture = write_photo(scene, asset.place(name))
    digest = asset.add(name, "original", "image/jpeg")
    for variant, side_max in DERIVATIVES.items():
        _derivative(asset, picture, variant, side_max)
    if frosted:
        # Published by the upstream, and never taken in.
        _derivative(asset, picture, "frosted", DERIVATIVES["large"])
    asset.add_json(
        "source/source.json",
        "source",
        {"origin": "drawn", "seed": scene.seed, "file_name": Path(name).name, "title": scene.title},
    )
    asset.add_json(
        "source/data/photo.analysis.json",
        "source_data",
        {"tool": "lading demo", "of": f"sha256:{digest}", **measure(picture)},
    )
    return {
        "item_id": item_id,
        "kind": "asset",
        "asset_type": "photo",
        "asset_subtype": None,
        "content_hash": f"sha256:{digest}",
        "title": scene.title,
        "captured_at": scene.taken_at.isoformat(),
        "width": scene.width,
        "height": scene.height,
        "duration_s": None,
        "path": asset.path,
        "cover_hash": None,
        "files": asset.files,
    }


def _derivative(asset: AssetFolder, picture: Image.Image, variant: str, side_max: int) -> None:
    name = f"derivatives/{variant}.webp"
    write_derivative(picture, asset.place(name), side_max, frosted=variant == "frosted")
    asset.add(name, "derivative", "image/webp", variant=variant)


def _film(root: Path, item_id: str, scene: Scene) -> dict[str, Any]:
    asset = AssetFolder(root, f"assets/film-{scene.seed:03}")
    film = asset.place("original/day.mp4")
    cover = write_film(scene, film)
    digest = asset.add("original/day.mp4", "original", "video/mp4")
    hls = asset.place("hls/playlist.m3u8").parent
    for file in write_playlist(film, hls):
        kind = "application/vnd.apple.mpegurl" if file.suffix == ".m3u8" else "video/mp2t"
        asset.add(f"hls/{file.name}", "hls", kind)
    asset.place("transcript/en.vtt").write_text(_TRANSCRIPT)
    asset.add("transcript/en.vtt", "transcript", "text/vtt", variant="en")
    cover.save(asset.place("cover/library.jpg"), "JPEG", quality=90)
    asset.add("cover/library.jpg", "library_cover", "image/jpeg")
    with zipfile.ZipFile(asset.place("cloud/package.zip"), "w") as package:
        for name in ("transcript/en.vtt", "cover/library.jpg"):
            package.write(asset.folder / name, name)
    asset.add("cloud/package.zip", "cloud_package", "application/zip")
    asset.add_json(
        "source/source.json",
        "source",
        {"origin": "filmed", "seed": scene.seed, "file_name": "day.mp4", "title": scene.title},
    )
    return {
        "item_id": item_id,
        "kind": "asset",
        "asset_type": "video",
        "asset_subtype": "video_simple",
        "content_hash": f"sha256:{digest}",
        "title": scene.title,
        "captured_at": scene.taken_at.isoformat(),
        "width": cover.width,
        "height": cover.height,
        "duration_s": duration_s(film),
        "path": asset.path,
        "cover_hash": None,
        "files": asset.files,
    }


def _gallery(item_id: str, key: str, title: str, bundle: Bundle) -> dict[str, Any]:
    """A gallery of the bundle's photos in the order they were taken, the first as cover."""
    members = [
        item["content_hash"]
        for item in sorted(bundle.items, key=lambda item: str(item["captured_at"]))
    ]
    return {
        "item_id": item_id,
        "kind": "container",
        "container_type": "gallery",
        "container_key": key,
        "title": title,
        "cover_hash": members[0],
        "members": members,
    }


def _damage(file: Path) -> None:
    """Change one byte in the middle, as a failing disk does: the size stays, the hash does not."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)
