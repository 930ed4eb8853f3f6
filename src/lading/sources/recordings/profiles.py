"""Which buckets or folders recordings are kept in: profiles of a YAML or TOML file (E1).

Nothing is taken from environment variables. A profile has a place for the catalog (`assets`) and
one for raw bytes (`raw`), each a bucket or a folder, with other credentials for writing if need be.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Final, get_type_hints

from pydantic import ConfigDict, ValidationError, create_model

from lading.base.errors import MissingExtra, RequestError, printable
from lading.catalog.catalog import Catalog
from lading.catalog.errors import CatalogMoved
from lading.catalog.pointer import POINTER_NAME
from lading.sources.recordings.layout import PREFIX
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.secret_references import is_reference, resolve
from lading.storage.folder import FolderStore
from lading.storage.keys import KeyRefused, check_key
from lading.storage.port import ObjectStore
from lading.storage.s3 import S3Options, S3Store

LOCAL: Final = "local"
ASSETS_RW: Final = "assets_rw"
RAW_RW: Final = "raw_rw"
ROLES: Final = (ASSETS_RW, RAW_RW)
CONFIG_BYTES_MAX: Final = 1_000_000
CONFIG_NAMES: Final = ("recordings.toml", "recordings.yaml", "recordings.yml")
_BUCKET_OPTIONS: Final = frozenset(each.name for each in fields(S3Options))
_CREDENTIALS: Final = ("access_key", "secret_key", "session_token")
_PROFILE_KEYS: Final = frozenset(
    {"assets", "raw", "pointer", "catalog_prefix", "recordings_prefix"}
)
_MADE_ON_USE: Final = "Take recordings in with `lading recordings ingest FOLDER`, which makes it."
_FIELDS: Final[dict[str, Any]] = {
    name: (kind, None) for name, kind in get_type_hints(S3Options).items()
}
_BUCKET: Final = create_model(  # the options with their types, to say which of them is wrong
    "BucketOptions", __config__=ConfigDict(strict=True), **_FIELDS
)


class ProfileMissing(RequestError):
    """There is no such profile, or no file that has one."""

    code = "recordings_profile_missing"
    http_status = 404
    next_step = (
        "Write the profile into ~/.config/lading/recordings.toml, or name a file by config_path"
        " (`--config-path`)."
    )


class ProfileEmpty(RequestError):
    """The folder of a profile is not there."""

    code = "recordings_profile_empty"
    http_status = 404
    next_step = "Mount its disk; a new one is made by `lading recordings catalog create`."


class ProfileInvalid(RequestError):
    """A profile of recordings makes no sense."""

    code = "recordings_profile_invalid"
    next_step = "Correct the named entry of the configuration file."


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket below a prefix, or a folder. Values may still be references to secrets."""

    folder: Path | None = None
    bucket: Mapping[str, Any] = field(default_factory=dict, repr=False)
    write: Mapping[str, str] = field(default_factory=dict, repr=False)

    def options(self, *, writing: bool, secret: Callable[[str], str] = resolve) -> S3Options | Path:
        """What opens the place, with its secrets resolved. Raises `SecretUnavailable`."""
        if self.folder is not None:
            return self.folder
        values = {**self.bucket, **(self.write if writing else {})}
        for name in _CREDENTIALS:
            if is_reference(values.get(name)):
                values[name] = secret(values[name])
        return S3Options(**values)


@dataclass(frozen=True, slots=True)
class Profile:
    """Where recordings are kept. `catalog_prefix` overrides what the pointer names.

    One that is `made_on_use` is a folder of this user's own, which cannot be a disk that is away.
    """

    name: str
    assets: Place
    raw: Place
    pointer: str = POINTER_NAME
    catalog_prefix: str | None = None
    recordings_prefix: str = PREFIX
    made_on_use: bool = False

    @property
    def is_local(self) -> bool:
        """Whether the raw bytes are in a folder of this machine."""
        return self.raw.folder is not None

    def catalog_root(self, *, writing: bool = False) -> S3Options | Path:
        """Where the catalog is. Raises `SecretUnavailable`."""
        return self.assets.options(writing=writing)

    def open(self, roles: Collection[str] = ()) -> Repository:
        """The repository, with credentials for writing where `roles` ask for them.

        Only one that is `made_on_use` is made here: the folder of another may be a disk that is
        not mounted. Raises `ProfileEmpty`, `ProfileInvalid`, `PointerMissing`, `SecretUnavailable`,
        and what opening a store raises.
        """
        root = self.catalog_root(writing=ASSETS_RW in roles)
        raw = self.raw.options(writing=RAW_RW in roles)
        if self.made_on_use and roles:
            self.make(self.catalog_prefix or "catalog", exist_ok=True)
        self._require_folder()
        catalog = Catalog.open(root, pointer=self.pointer, prefix=self.catalog_prefix)
        self._require_apart(root, catalog.prefix, raw)
        return Repository.of(
            _store(raw),
            catalog,
            prefix=self.recordings_prefix,
            pointer=None if self.catalog_prefix else self.pointer,
        )

    def make(self, prefix: str, *, exist_ok: bool = False) -> None:
        """A new catalog below `prefix`, live at once, and the folder of raw bytes if it is one.

        Raises `CatalogMoved` where a catalog is live, unless `exist_ok`, and `ProfileInvalid` where
        the two would lie in one another.
        """
        raw = self.raw.options(writing=True)
        self._require_apart(self.catalog_root(writing=True), prefix, raw)
        if isinstance(raw, Path):
            FolderStore(raw, name="raw", create=True)
        try:
            Catalog.create(self.catalog_root(writing=True), prefix=prefix, pointer=self.pointer)
        except CatalogMoved:
            if not exist_ok:
                raise

    def _require_apart(
        self, root: S3Options | Path, catalog_prefix: str, raw: S3Options | Path
    ) -> None:
        """Neither may hold the other: tables would be taken for a recording, or files be cleaned.

        Catalogs delete files of their tables that they do not know.
        """
        catalog = _address(root, catalog_prefix)
        recordings = _address(raw, self.recordings_prefix)
        if catalog.startswith(recordings) or recordings.startswith(catalog):
            raise ProfileInvalid(
                "The catalog and the recordings lie in one another",
                subject=self.name,
                expected="two folders or prefixes beside each other",
                found=f"{catalog} and {recordings}",
                next_step="Correct recordings_prefix, or give the catalog another prefix.",
            )

    def _require_folder(self) -> None:
        folder = self.raw.folder
        if folder is not None and not folder.is_dir():
            raise ProfileEmpty(
                "This profile keeps nothing yet, or its disk is not mounted",
                subject=self.name,
                found=f"no {folder}",
                next_step=_MADE_ON_USE if self.made_on_use else None,
            )


def load_profile(name: str, config_path: Path | str | None = None) -> Profile:
    """The profile of that name, from a file; `local` needs none.

    A file has `profiles.<name>`, or is one profile itself. Raises `ProfileMissing` and
    `ProfileInvalid`, which never repeat a value that may be a secret.
    """
    path = _default_config() if config_path is None else Path(config_path).expanduser()
    if path is None:
        if name == LOCAL:
            return _local_profile()
        raise ProfileMissing("There is no configuration of recordings", subject=name)
    facts = _read(path)
    if "profiles" not in facts:
        if facts:
            return _Reader(path, name).profile(facts, at=name)
        raise ProfileInvalid("The configuration is empty", subject=str(path))
    profiles = facts["profiles"]
    if not isinstance(profiles, dict):
        raise ProfileInvalid("profiles is no table", subject=str(path))
    if name not in profiles:
        if name == LOCAL:
            return _local_profile()
        raise ProfileMissing(
            f"The configuration has no profile {printable(name)}",
            subject=str(path),
            expected=", ".join(sorted(map(str, profiles))) or "a profile",
        )
    return _Reader(path, name).profile(profiles[name], at=f"profiles.{name}")


def _local_profile() -> Profile:
    root = Path.home() / ".local" / "share" / "lading" / "recordings"
    return Profile(
        LOCAL,
        assets=Place(folder=root / "assets"),
        raw=Place(folder=root / "raw"),
        made_on_use=True,
    )


def _default_config() -> Path | None:
    folder = Path.home() / ".config" / "lading"
    return next((p for name in CONFIG_NAMES if (p := folder / name).is_file()), None)


def _address(place: S3Options | Path, below: str) -> str:
    """Where something lies, with a slash at its end, to be compared with other such."""
    if isinstance(place, Path):
        return f"{place.resolve() / below}/"
    parts = (place.endpoint or "s3:/", place.bucket, place.prefix, below)
    return "".join(f"{part.rstrip('/')}/" for part in parts if part)


def _store(options: S3Options | Path) -> ObjectStore:
    if isinstance(options, S3Options):
        return S3Store(options, name="raw")
    return FolderStore(options, name="raw")


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            body = file.read(CONFIG_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise ProfileMissing("There is no such configuration file", subject=str(path)) from error
    except OSError as error:
        raise ProfileInvalid(
            f"The configuration cannot be read: {error.strerror}", subject=str(path)
        ) from error
    if len(body) > CONFIG_BYTES_MAX:
        raise ProfileInvalid("The configuration is too large", subject=str(path))
    try:
        text = body.decode("utf-8-sig")
        facts = tomllib.loads(text) if path.suffix == ".toml" else _yaml().safe_load(text)
    except MissingExtra:
        raise
    except Exception as error:  # the parsers raise errors of several families
        where = printable(str(error).splitlines()[0] if str(error) else type(error).__name__)
        raise ProfileInvalid(
            f"The configuration cannot be understood: {where}", subject=str(path)
        ) from error
    if facts is None:
        return {}
    if not isinstance(facts, dict):
        raise ProfileInvalid("The configuration is no table", subject=str(path))
    return facts


def _yaml() -> Any:
    try:
        return import_module("yaml")
    except ImportError as error:
        raise MissingExtra(
            "A configuration in YAML needs the package pyyaml",
            next_step="Install it with `pip install 'lading[catalog]'`, or write it as TOML.",
        ) from error


class _Reader:
    """Reads one profile, and says which entry of it is wrong."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name

    def profile(self, facts: object, *, at: str) -> Profile:
        entries = self._table(facts, at)
        self._refuse_others(entries, _PROFILE_KEYS, at)
        assets = self._place(entries.get("assets"), f"{at}.assets")
        raw = self._place(entries.get("raw"), f"{at}.raw")
        prefix = entries.get("catalog_prefix")
        return Profile(
            self._name,
            assets,
            raw,
            pointer=self._key(entries.get("pointer", POINTER_NAME), f"{at}.pointer"),
            catalog_prefix=None if prefix is None else self._key(prefix, f"{at}.catalog_prefix"),
            recordings_prefix=self._key(
                entries.get("recordings_prefix", PREFIX), f"{at}.recordings_prefix"
            ),
        )

    def _place(self, facts: object, at: str) -> Place:
        entries = self._table(facts, at)
        if "folder" in entries:
            self._refuse_others(entries, frozenset({"folder"}), at)
            if not isinstance(entries["folder"], str):
                raise self._bad(f"{at}.folder", "is no path")
            return Place(folder=self._path.parent / Path(entries["folder"]).expanduser())
        self._refuse_others(entries, _BUCKET_OPTIONS | {"write"}, at)
        bucket = {key: value for key, value in entries.items() if key != "write"}
        bucket["prefix"] = str(bucket.get("prefix", "")).strip("/")
        write = self._table(entries.get("write", {}), f"{at}.write")
        self._refuse_others(write, frozenset(_CREDENTIALS), f"{at}.write")
        for given in (bucket, {**bucket, **write}):
            self._require_options(given, at)
        return Place(bucket=bucket, write=write)

    def _require_options(self, given: Mapping[str, Any], at: str) -> None:
        try:
            _BUCKET.model_validate(dict(given))
            S3Options(**{"bucket": "", **given})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            entry = ".".join([at, *map(str, first["loc"])])
            raise self._bad(entry, first["msg"]) from None
        except RequestError as error:
            raise self._bad(at, error.message) from error

    def _key(self, value: object, at: str) -> str:
        try:
            return check_key(str(value).strip("/"))
        except KeyRefused as error:
            raise self._bad(at, error.message) from error

    def _table(self, facts: object, at: str) -> dict[str, Any]:
        if facts is None:
            raise self._bad(at, "is missing")
        if not isinstance(facts, dict):
            raise self._bad(at, "is no table")
        return {str(key): value for key, value in facts.items()}

    def _refuse_others(self, entries: Mapping[str, Any], known: Collection[str], at: str) -> None:
        others = sorted(set(entries) - set(known))
        if others:
            raise ProfileInvalid(
                f"{at} has an entry that there is not",
                subject=str(self._path),
                expected=", ".join(sorted(known)),
                found=printable(", ".join(others)),
            )

    def _bad(self, at: str, what: str) -> ProfileInvalid:
        return ProfileInvalid(f"{at}: {what}", subject=str(self._path))
