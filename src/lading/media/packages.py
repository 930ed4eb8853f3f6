"""The packages that decode, found when used and set up so that only known kinds reach them."""

from __future__ import annotations

import os
import threading
from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

from lading.base.errors import MissingExtra

# libvips picks a loader by content; one that is not listed is never run, whatever is installed.
_VIPS_LOADERS: Final = (
    "VipsForeignLoadJpeg",
    "VipsForeignLoadPng",
    "VipsForeignLoadWebp",
    "VipsForeignLoadTiff",
    "VipsForeignLoadNsgif",
    "VipsForeignLoadHeif",
)


def _package(module: str, extra: str) -> Any:
    try:
        return import_module(module)
    # libvips itself is looked for when pyvips is imported, and not found as an OSError.
    except (ImportError, OSError) as error:
        raise MissingExtra(
            f"Looking into this file needs the package {module}",
            next_step=f"Install it with `pip install 'lading[{extra}]'`, then run it again.",
        ) from error


_setting_up = threading.Lock()


def vips() -> Any:
    """pyvips, for the process: known loaders alone, and nothing kept of pictures seen before."""
    # A cache alone lets two threads in at first, and the second would block all loaders once more
    # while the first decodes: its picture would be of no known format.
    with _setting_up:
        return _vips_set_up()


@cache
def _vips_set_up() -> Any:
    # Else libvips prints what it also raises, about every file that is damaged.
    os.environ.setdefault("VIPS_WARNING", "1")
    package = _package("pyvips", "media")
    # pyvips runs Python for each warning of libvips. Garbage that is collected there can end in
    # a warning itself, and GLib aborts the process when one warning comes within another.
    package._remove_log_handler()  # noqa: SLF001 - there is no public way
    package.block_untrusted_set(True)
    package.operation_block_set("VipsForeignLoad", True)
    for loader in _VIPS_LOADERS:
        package.operation_block_set(loader, False)
    package.cache_set_max(0)
    return package


@cache
def heif() -> Any:
    """pillow-heif, which decodes what the packaged libvips may not (HEVC)."""
    return _package("pillow_heif", "media")


@cache
def av() -> Any:
    """PyAV, with FFmpeg's libraries inside."""
    return _package("av", "media")


@cache
def raw() -> Any:
    """rawpy, with LibRaw inside."""
    return _package("rawpy", "raw")


@cache
def dlib() -> Any:
    """dlib, which finds faces and measures them."""
    return _package("dlib", "faces")


@cache
def numpy() -> Any:
    """NumPy, in which many distances are computed at once."""
    return _package("numpy", "faces")


@cache
def filetype() -> Any:
    """filetype, tables of signatures."""
    return _package("filetype", "media")


@cache
def tool_version(tool: str) -> str:
    """The version of a decoder that decides what comes out: of the package, and the library."""
    if tool == "pyvips":
        library = ".".join(str(vips().version(part)) for part in range(3))
        return f"{version('pyvips')}/{library}"
    if tool == "pillow-heif":
        return f"{version(tool)}/{heif().libheif_version()}"
    if tool == "rawpy":
        return f"{version(tool)}/{'.'.join(map(str, raw().libraw_version))}"
    return version(tool)
