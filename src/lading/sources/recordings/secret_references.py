"""Secrets that a configuration only refers to (`op://vault/item/field`), resolved in memory (E2).

The 1Password CLI is asked; what it says goes nowhere but into the caller's memory.
"""

from __future__ import annotations

import subprocess
from typing import Final

from lading.base.errors import RequestError, printable

SCHEME: Final = "op://"
_WAIT_S: Final = 120.0  # long enough for somebody to confirm on the desktop


class SecretUnavailable(RequestError):
    """A secret that the configuration refers to cannot be had."""

    code = "secret_unavailable"
    next_step = "Install the 1Password CLI and sign in (`op signin`); check the reference."


def is_reference(value: object) -> bool:
    """Whether a value of a configuration refers to a secret."""
    return isinstance(value, str) and value.startswith(SCHEME)


def resolve(reference: str, *, program: str = "op", wait_s: float = _WAIT_S) -> str:
    """The secret that `reference` means. Raises `SecretUnavailable`."""
    try:
        asked = subprocess.run(  # noqa: S603 - no shell, and the reference is one argument
            [program, "read", "--no-newline", reference],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=wait_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise SecretUnavailable(
            "The 1Password CLI is not installed here", subject=reference, expected=f"`{program}`"
        ) from error
    except subprocess.TimeoutExpired:
        raise SecretUnavailable(
            f"The 1Password CLI did not answer within {wait_s:g} s", subject=reference
        ) from None
    except OSError as error:
        raise SecretUnavailable(
            f"The 1Password CLI cannot be run: {error.strerror}", subject=reference
        ) from error
    secret = asked.stdout.decode("utf-8", "replace")
    if asked.returncode != 0 or not secret:
        said = printable(asked.stderr.decode("utf-8", "replace").strip(), length_max=300)
        raise SecretUnavailable(
            f"The 1Password CLI gave no secret: {said or 'it said nothing'}", subject=reference
        )
    return secret
