"""Where a catalog is: a bucket or a folder, as an address and options that deltalake takes.

Nothing is taken from the environment: every option that matters is said. On a bucket, a commit is
one conditional put of the next log entry, so no lock table is needed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lading.base.errors import RequestError
from lading.storage.keys import KeyRefused, check_key
from lading.storage.s3 import S3Options

_SCHEME: Final = "s3://"
# What deltalake takes an address to mean as it is written, in a bucket and in a folder.
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9._=/-]+")
_PLAIN_PATH: Final = re.compile(r"[^%\\]+")


@dataclass(frozen=True, slots=True)
class CatalogLocation:
    """A bucket below its prefix, or a folder of this machine; the whole catalog lies below."""

    root: S3Options | Path

    @classmethod
    def of(cls, root: S3Options | str | os.PathLike[str]) -> CatalogLocation:
        """The location of options of a bucket, or of a folder's path."""
        if isinstance(root, S3Options):
            return cls(root)
        if isinstance(root, str) and "://" in root:
            raise RequestError(
                "A catalog in a bucket is named by options, not by an address", subject=root
            )
        return cls(Path(root).absolute())

    def __str__(self) -> str:
        if isinstance(self.root, Path):
            return str(self.root)
        return "/".join(part for part in (_SCHEME + self.root.bucket, self.root.prefix) if part)

    def address(self, prefix: str, table: str) -> str:
        """The address of a table below the catalog's prefix.

        Raises `KeyRefused`, also for characters that an address would give another meaning.
        """
        address = f"{self}/{check_key(f'{prefix}/{table}')}"
        plain = _PLAIN_PATH if isinstance(self.root, Path) else _PLAIN_KEY
        if not plain.fullmatch(address.removeprefix(_SCHEME)):
            raise KeyRefused(
                "A catalog cannot lie under this name",
                subject=address,
                next_step="Use letters, digits, and . _ = - in the names of folders.",
            )
        return address

    def storage_options(self) -> dict[str, str]:
        """What deltalake has to know to reach it."""
        options = self.root
        if isinstance(options, Path):
            return {}
        said = {
            "AWS_REGION": options.region,
            "AWS_ENDPOINT_URL": options.endpoint,
            "AWS_ACCESS_KEY_ID": options.access_key,
            "AWS_SECRET_ACCESS_KEY": options.secret_key,
            "AWS_SESSION_TOKEN": options.session_token,
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": _word(not options.path_style),
            "AWS_ALLOW_HTTP": _word(options.allow_http),
            "AWS_SKIP_SIGNATURE": _word(options.anonymous),
            "AWS_CONDITIONAL_PUT": "etag",
            "timeout": f"{options.timeout_s:g}s",
            "connect_timeout": f"{options.connect_timeout_s:g}s",
            "max_retries": str(options.retries_max),
            "retry_timeout": f"{options.retry_timeout_s:g}s",
        }
        return {name: value for name, value in said.items() if value}

    def without_secrets(self, text: str) -> str:
        """`text` without the secrets of the options, for messages."""
        if isinstance(self.root, Path):
            return text
        for secret in (self.root.secret_key, self.root.session_token):
            text = text.replace(secret, "***") if secret else text
        return text


def _word(value: bool) -> str:
    return "true" if value else "false"
