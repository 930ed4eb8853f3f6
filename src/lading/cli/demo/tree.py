"""Makes the showing's hand-over tree: photos, a film, containers, one broken, one unfinished."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from PIL import Image

from lading.base.errors import RequestError
from lading.cli.demo.bundles import AssetFolder, Bundle
from lading.cli.demo.film import duration_s, write_film, write_playlist
from lading.cli.demo.pictures import (
    DERIVATIVES,
    Scene,
    measure,
    write_derivative,
    write_photo,
)
from lading.cli.demo.scenes import COAST, FILM, HILLS, LATER, MORNING, NIGHTS, WALK

PAINTERS_AT_ONCE: Final = 2
_TRANSCRIPT: Final = """\
WEBVTT

00:00.000 --> 00:02.000
[A quiet chord]

00:02.000 --> 00:04.000
The sun goes over the lake,

00:04.000 --> 00:06.000
and a whole day takes six seconds.
"""


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
    walk = Bundle("a walk at the lake", "event", _photos(root, "p", WALK))
    photos = list(walk.items)
    walk.items.append(_container("event", "2026-05-01", "The first of May", photos))
    walk.publish(root)

    film = Bundle("a day at the lake", "asset", [_film(root, "v-0001", FILM)])
    film.publish(root)

    for prefix, key, title, scenes in (
        ("n", "nights-at-the-lake", "Nights at the lake", NIGHTS),
        ("c", "a-week-at-the-coast", "A week at the coast", COAST),
        ("h", "up-in-the-hills", "Up in the hills", HILLS),
    ):
        gallery = Bundle(key, "gallery", _photos(root, prefix, scenes))
        gallery.items.append(_container("gallery", key, title, gallery.items))
        gallery.publish(root)

    morning = Bundle("a morning at the lake", "asset", _photos(root, "m", MORNING))
    morning.publish(root)
    _damage(root / morning.items[1]["path"] / morning.items[1]["files"][0]["path"])

    # The damaged photo is one of its members: its place is kept until it comes.
    days = [*photos, *morning.items]
    light = Bundle("the light in may", "collection")
    light.items.append(_container("collection", "the-light-in-may", "The light in May", days))
    light.publish(root)

    later = Bundle("an evening at the lake", "asset", [_photo(root, "e-0001", LATER)])
    later.publish(root, completed=False)


def _photos(root: Path, prefix: str, scenes: Sequence[Scene]) -> list[dict[str, Any]]:
    """The photos of these scenes, the first of the walk with a derivative that is not kept."""

    def paint(numbered: tuple[int, Scene]) -> dict[str, Any]:
        number, scene = numbered
        return _photo(root, f"{prefix}-{number:04}", scene, frosted=scene is WALK[0])

    # Encoders leave the interpreter to others while they work.
    with ThreadPoolExecutor(PAINTERS_AT_ONCE) as painters:
        return list(painters.map(paint, enumerate(scenes, 1)))


def _photo(root: Path, item_id: str, scene: Scene, *, frosted: bool = False) -> dict[str, Any]:
    asset = AssetFolder(root, f"assets/{scene.view}-{scene.seed:03}")
    name = f"original/{scene.view.upper()}{scene.seed:04}.jpg"
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


def _container(kind: str, key: str, title: str, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A container of these items in the order they were taken, the first as cover."""
    members = [
        item["content_hash"] for item in sorted(items, key=lambda item: str(item["captured_at"]))
    ]
    return {
        "item_id": f"{kind[0]}-{key}",
        "kind": "container",
        "container_type": kind,
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
