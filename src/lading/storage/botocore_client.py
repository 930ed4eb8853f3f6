"""The botocore client, for the requests that obstore lacks: exact listings, uploads in parts.

botocore is optional; it is imported when such a request is first made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from lading.base.errors import LadingError, MissingExtra, RequestError, printable
from lading.storage.s3 import S3Options


def import_botocore(module: str, *, purpose: str, extra: str) -> Any:
    """A module of botocore; raises `MissingExtra`, which names `extra`, when it is not there."""
    try:
        return import_module(f"botocore.{module}")
    except ImportError as error:
        raise MissingExtra(
            f"{purpose} needs botocore",
            next_step=f"Install it with `pip install 'lading[{extra}]'`, then run it again.",
        ) from error


def connect_botocore(
    options: S3Options, *, purpose: str, extra: str, connections_kept: int = 10
) -> Any:
    """A client for the bucket's service, safe to share between threads.

    Bodies are always signed, so that the service refuses what was damaged on the way. Raises
    `MissingExtra`, and `RequestError` for options that make no sense.
    """
    session = import_botocore("session", purpose=purpose, extra=extra).get_session()
    descriptions = _service_descriptions(session.get_config_variable("data_path"))
    session.register_component("data_loader", descriptions)
    config = import_botocore("config", purpose=purpose, extra=extra).Config(
        connect_timeout=options.connect_timeout_s,
        read_timeout=options.timeout_s,
        retries={"mode": "standard", "total_max_attempts": options.retries_max + 1},
        s3={
            "addressing_style": "path" if options.path_style else "auto",
            "payload_signing_enabled": True,
        },
        signature_version=import_module("botocore").UNSIGNED if options.anonymous else "s3v4",
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=connections_kept,
    )
    try:
        return session.create_client(
            "s3",
            region_name=options.region,
            endpoint_url=options.endpoint,
            aws_access_key_id=options.access_key,
            aws_secret_access_key=options.secret_key,
            aws_session_token=options.session_token,
            config=config,
        )
    except ValueError as error:
        raise RequestError(
            f"The bucket cannot be set up: {printable(str(error))}", subject=options.bucket
        ) from error


@dataclass(frozen=True, slots=True)
class RequestFault:
    """What ended a request: the service's code and HTTP status, both empty without an answer."""

    code: str
    status: str
    text: str


def fault_of(error: Exception) -> RequestFault | None:
    """What an error of the client says; None for an error that is none of its."""
    if isinstance(error, LadingError):
        return None
    exceptions = import_module("botocore.exceptions")
    if isinstance(error, exceptions.ClientError):
        answer: Any = error
        facts = answer.response.get("Error", {})
        code = str(facts.get("Code", ""))
        status = str(answer.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
        return RequestFault(code, status, f"{code}: {facts.get('Message') or ''}".rstrip(": "))
    if isinstance(error, (exceptions.BotoCoreError, OSError)):
        # Without credentials there was no answer: the service would have said 401.
        status = "401" if isinstance(error, exceptions.NoCredentialsError) else ""
        return RequestFault("", status, str(error))
    return None


@cache
def _service_descriptions(data_path: str | None) -> Any:
    """What botocore knows of services, read once: that takes longer than all else a client does."""
    return import_module("botocore.loaders").create_loader(data_path)
