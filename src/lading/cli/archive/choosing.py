"""Which archive a command means, by the settings alone, and whose fault it is that none answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lading.ingest.source import SourceMissing
from lading.settings import Settings
from lading.sources.archive.options import ArchiveOptions, parse_options
from lading.sources.archive.rules import KeyRules
from lading.sources.archive.runs import NotAnArchive
from lading.sources.archive.source import KIND, ArchiveSource
from lading.storage.bucket import BucketMissing
from lading.storage.port import StoreDenied


def archive_options(settings: Settings, name: str | None) -> tuple[str, ArchiveOptions]:
    """The archive of this name, or the only one. Raises `NotAnArchive`, `BadArchiveOptions`."""
    archives = {n: source for n, source in settings.sources.items() if source.kind == KIND}
    if name is None and len(archives) == 1:
        (name,) = archives
    if name in archives and name is not None:
        return name, parse_options(name, archives[name].options)
    if not archives:
        what, advice = "no archive is configured", "Set BUCKET_NAME, or add one to the settings."
    elif name is None:
        what, advice = "it has to be said which archive is meant", "Name one of them."
    else:
        what, advice = "this is no archive", "Name one of them."
    raise NotAnArchive(
        what,
        subject=name,
        expected="a source of kind `archive`",
        found=", ".join(sorted(archives)) or "none",
        next_step=advice,
    )


def rules_of(settings: Settings, name: str | None) -> KeyRules:
    """The rules of an archive; the usual ones where none is configured. Raises `NotAnArchive`."""
    if name is None and not any(source.kind == KIND for source in settings.sources.values()):
        return KeyRules()
    return archive_options(settings, name)[1].key_rules


@contextmanager
def bucket_faults(source: ArchiveSource) -> Iterator[None]:
    """A bucket that is not there or does not let us in is the source's fault, as in a run."""
    try:
        yield
    except (BucketMissing, StoreDenied) as error:
        raise SourceMissing(
            f"{error}: {error.found}" if error.found else str(error),
            subject=source.options.bucket.bucket,
            next_step=error.advice,
        ) from error
