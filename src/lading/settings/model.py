"""Every setting there is: its meaning in one sentence, its unit in its name, its limits.

The models are frozen. Paths and addresses in them are absolute: `load_settings` saw to that.
`docs/settings.md` is made from this file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from lading.jobs.settings import HEARTBEATS_PER_STALE, WorkerSettings
from lading.settings.console import ConsoleSettings
from lading.settings.faces import FacesSettings
from lading.settings.mail import MailSettings
from lading.settings.section import SECONDS_MAX, Section
from lading.settings.show import unwrapped, wrapped
from lading.settings.sorting import SortingSettings

SOURCE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
SQLITE: Final = "sqlite:///"
FOLDER: Final = "file://"
_DATABASES: Final = ("sqlite:", "postgresql:", "postgres:", "mariadb:", "mysql:")
_DATABASES_WITH_DRIVER: Final = ("postgresql+psycopg:", "mariadb+pymysql:")
_ENDPOINT: Final = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?", re.ASCII | re.IGNORECASE)
_SPECIAL_IN_ADDRESSES: Final = str.maketrans({c: f"%{ord(c):02X}" for c in "%?#\t\r\n"})

Path = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\x00]+$")]


class DatabaseSettings(Section):
    """Where batches, jobs, events and the library are recorded."""

    url: str = Field(
        description=(
            "Address of the database: `sqlite:///path`, `postgresql://user@host/name` or"
            " `mariadb://user@host/name`; a SQLite file in the data folder unless given."
        ),
    )
    password: SecretStr | None = Field(
        default=None,
        description="Password for the database, kept out of the address; used when it has none.",
    )
    pool_size: int = Field(
        default=5, ge=1, le=100, description="Connections each process keeps open."
    )

    @field_validator("url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if not url.startswith(_DATABASES + _DATABASES_WITH_DRIVER):
            raise ValueError("an address that begins with sqlite:, postgresql: or mariadb:")
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            # Without the cause: it may quote a part of the address, and with it the password.
            raise ValueError(
                "an address such as postgresql://user@host:5432/name, with %40 for an @ in a name"
            ) from None
        if url.startswith("sqlite:"):
            _require_one_file(url, parsed.database)
        elif not parsed.database and not url.startswith("postgres"):
            raise ValueError("an address that ends with the name of a database")
        return url

    @property
    def address(self) -> str:
        """The address with its password, for `open_database`; never to be shown."""
        parsed = make_url(self.url)
        if self.password is not None and parsed.password is None:
            parsed = parsed.set(password=self.password.get_secret_value())
        return parsed.render_as_string(hide_password=False)


class StoreSettings(Section):
    """Where the bytes of imported files are kept."""

    url: str = Field(
        description=(
            "Address of the store: `file:///folder` or `s3://bucket/prefix`; a folder in the data"
            " folder unless given."
        ),
    )
    endpoint: str | None = Field(
        default=None,
        description=(
            "Address of an S3-compatible service, unless it is Amazon's; otherwise"
            " `AWS_ENDPOINT_URL`."
        ),
    )
    region: str | None = Field(
        default=None, description="Region of the bucket; otherwise `AWS_REGION`, then us-east-1."
    )
    access_key: SecretStr | None = Field(
        default=None, description="Key id for the bucket; otherwise `AWS_ACCESS_KEY_ID`."
    )
    secret_key: SecretStr | None = Field(
        default=None, description="Secret for the bucket; otherwise `AWS_SECRET_ACCESS_KEY`."
    )
    session_token: SecretStr | None = Field(
        default=None, description="Session token for the bucket; otherwise `AWS_SESSION_TOKEN`."
    )
    path_style: bool = Field(
        default=True, description="Name the bucket in the path, not in the host name."
    )
    allow_http: bool = Field(default=False, description="Accept an endpoint without TLS.")
    part_bytes: int = Field(
        default=16 * 1024 * 1024, ge=5 * 1024 * 1024, description="Bytes of one part of an upload."
    )

    @field_validator("url")
    @classmethod
    def _known_store(cls, url: str) -> str:
        if not url.startswith(("file:///", "s3://")):
            raise ValueError("an address that begins with file:/// or s3://")
        return url

    @field_validator("endpoint")
    @classmethod
    def _usable_endpoint(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and _ENDPOINT.fullmatch(endpoint) is None:
            raise ValueError("an address such as https://s3.example.org:9000")
        return endpoint

    @property
    def options(self) -> dict[str, Any]:
        """What `open_store` takes beside the address, secrets in clear; nothing for a folder."""
        if not self.url.startswith("s3:"):
            return {}
        given = {name: getattr(self, name) for name in type(self).model_fields if name != "url"}
        return {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in given.items()
            if value is not None
        }


class SourceSettings(BaseModel):
    """One place that media arrive at, read and never written; further keys are the kind's own."""

    model_config = ConfigDict(frozen=True, extra="allow", str_strip_whitespace=True)

    kind: str = Field(
        min_length=1, description="What kind of source it is: `handover`, or one of a plug-in."
    )
    auto_queue: bool = Field(
        default=False,
        description=(
            "Queue by itself what a scan finds and preflight has nothing against (C3); otherwise"
            " somebody queues it."
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _secrets_do_not_show(cls, given: object) -> object:
        return wrapped(given) if isinstance(given, Mapping) else given

    @property
    def options(self) -> Mapping[str, Any]:
        """The keys other than `kind`, for the source's own `build`; secrets in clear."""
        return {key: unwrapped(value) for key, value in (self.model_extra or {}).items()}


class WorkerProcessSettings(Section):
    """How hard a worker process works, and when another may take over from it."""

    slots: int = Field(default=1, ge=1, le=64, description="Jobs one worker runs at a time.")
    fetch_threads: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Items of a job fetched side by side.",
    )
    stale_after_s: float = Field(
        default=900.0,
        gt=0,
        le=SECONDS_MAX,
        description="Seconds without a sign of life after which a job goes to another worker (A9).",
    )
    heartbeat_s: float = Field(
        default=15.0,
        gt=0,
        description=(
            "Seconds between signs of life of a running job; at most a fifth of `stale_after_s`."
        ),
    )
    progress_event_s: float = Field(
        default=60.0,
        gt=0,
        le=SECONDS_MAX,
        description="Seconds between two `job_progress` events of one job.",
    )
    rescue_every_s: float = Field(
        default=60.0,
        gt=0,
        le=SECONDS_MAX,
        description="Seconds between two looks for jobs that fell silent.",
    )
    poll_max_s: float = Field(
        default=1.0,
        ge=0.1,
        le=60,
        description="Seconds an idle worker leaves at most between two looks for work.",
    )
    retry_base_s: float = Field(
        default=2.0,
        gt=0,
        le=SECONDS_MAX,
        description="Seconds before the first retry after a passing fault.",
    )
    retry_max_s: float = Field(
        default=300.0,
        gt=0,
        le=SECONDS_MAX,
        description="Seconds before any further retry, at most.",
    )
    nice: int = Field(
        default=10, ge=0, le=19, description="CPU niceness of the worker; 0 leaves it as it is."
    )
    ionice: Literal["idle", "best_effort", "none"] = Field(
        default="idle", description="I/O priority class of the worker; `none` leaves it as it is."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.heartbeat_s > self.stale_after_s / HEARTBEATS_PER_STALE:
            raise ValueError("heartbeat_s at most a fifth of stale_after_s")
        return self

    @property
    def limits(self) -> WorkerSettings:
        """What `Worker` takes."""
        return WorkerSettings(**self.model_dump(exclude={"fetch_threads"}))


class ScanSettings(Section):
    """How often sources are scanned, and how much may be gone before a scan asks (G1).

    Of the two counts, the larger one holds.
    """

    vanish_share_max: float = Field(
        default=0.01, ge=0, le=1, description="Share of the known batches that may be gone."
    )
    vanish_items_max: int = Field(
        default=100, ge=0, description="Number of known batches that may be gone."
    )
    every_s: float = Field(
        default=0,
        ge=0,
        le=30 * SECONDS_MAX,
        description=(
            "Seconds between two scans of each source that the workers begin by themselves; 0 is"
            " only when asked."
        ),
    )


class OperationSettings(Section):
    """What people do to many things at once."""

    undo_days: int = Field(
        default=30, ge=0, le=3_650, description="Days for which an operation can be taken back."
    )


class LogSettings(Section):
    """What long-running commands log to standard error, and to a file if one is given."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least serious level that is logged."
    )
    format: Literal["auto", "text", "json"] = Field(
        default="auto", description="`auto` is text on a terminal and JSON lines elsewhere."
    )
    file: Path | None = Field(
        default=None,
        description="File that gets all of it too, as JSON lines; it may be moved away any time.",
    )

    @field_validator("level", "format", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class Settings(Section):
    """All settings of one installation."""

    data_dir: Path = Field(
        description=(
            "Folder for everything Lading itself keeps; `lading-data` beside the settings file"
            " unless given."
        )
    )
    database: DatabaseSettings
    store: StoreSettings
    sources: dict[str, SourceSettings] = Field(
        default_factory=dict, description="The sources by name: lower case, digits, `-` and `_`."
    )
    worker: WorkerProcessSettings = Field(default_factory=WorkerProcessSettings)
    scan: ScanSettings = Field(default_factory=ScanSettings)
    operations: OperationSettings = Field(default_factory=OperationSettings)
    faces: FacesSettings = Field(default_factory=FacesSettings)
    sorting: SortingSettings = Field(default_factory=SortingSettings)
    console: ConsoleSettings = Field(default_factory=ConsoleSettings)
    mail: MailSettings = Field(default_factory=MailSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    _origins: Mapping[tuple[str, ...], str] = PrivateAttr(default_factory=dict)

    @field_validator("sources")
    @classmethod
    def _plain_names(cls, sources: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        for name in sources:
            if SOURCE_NAME.fullmatch(name) is None:
                raise ValueError(
                    f"a source is named with lower-case letters, digits, - and _, not {name!r}"
                )
        return sources

    @property
    def origins(self) -> Mapping[tuple[str, ...], str]:
        """Where each setting was given, by its place: `file`, or the name of a variable."""
        return self._origins

    def with_origins(self, origins: Mapping[tuple[str, ...], str]) -> Self:
        """The same settings, which know where they were given."""
        self._origins = dict(origins)
        return self


def default_values(data_dir: str) -> dict[str, Any]:
    """The settings that follow from where the data folder is."""
    database = os.path.join(data_dir, "lading.sqlite")
    return {
        "data_dir": data_dir,
        "database": {"url": address_of(SQLITE, database)},
        "store": {"url": address_of(FOLDER, os.path.join(data_dir, "store"))},
    }


def address_of(scheme: str, path: str) -> str:
    """The address of a file or folder, whatever characters its path has."""
    return scheme + path.translate(_SPECIAL_IN_ADDRESSES)


def _require_one_file(url: str, path: str | None) -> None:
    """A database in memory is another one for each process, and nothing may follow the path."""
    if not url.startswith(SQLITE) or "?" in url or not path or path.startswith(":memory:"):
        raise ValueError("an address such as sqlite:///folder/file, with %3F for a ? in the path")
    if "\0" in path:
        raise ValueError("a path without the character NUL")
