"""What can be wrong with a request about accounts. None of them says whether a name is known."""

from __future__ import annotations

from lading.base.errors import RequestError


class AccountMissing(RequestError):
    """There is no account of that name."""

    code = "account_missing"
    http_status = 404
    next_step = "List the accounts and pick one of them."


class AccountExists(RequestError):
    """Another account has that name."""

    code = "account_exists"
    http_status = 409
    next_step = "Choose another name."


class BadAccount(RequestError):
    """A name of an account, or the name it is shown by, cannot be what was given."""

    code = "bad_account"
    http_status = 422
    next_step = "Correct the named field."


class LastAdmin(RequestError):
    """Without this account nobody could administer any more."""

    code = "last_admin"
    http_status = 409
    next_step = "Make another account an admin first."


class BadPassword(RequestError):
    """A new password is too short, too long, or known to others."""

    code = "bad_password"
    http_status = 422
    next_step = "Choose another password; several words are easy to remember and hard to guess."


class NoPassword(RequestError):
    """The account signs in with a provider, or not at all, and has no password to change."""

    code = "no_password"
    http_status = 409
    next_step = "Change the password where you sign in."


class SignInRefused(RequestError):
    """The name or the password is wrong, or the account may not sign in; it is not said which."""

    code = "sign_in_refused"
    http_status = 401
    next_step = "Check name and password; an admin can reset the password."


class TooManyAttempts(RequestError):
    """Too many attempts to sign in under this name or from this address, or too many at once."""

    code = "too_many_attempts"
    http_status = 429
    next_step = "Wait before you try again; resetting the password ends the wait for a name."

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, expected=f"another attempt in {max(1, round(retry_after_s))} s")
        self.retry_after_s = retry_after_s


class SessionMissing(RequestError):
    """There is no such session, or it has ended."""

    code = "session_missing"
    http_status = 404
    next_step = "List the sessions and pick one of them."


class TokenMissing(RequestError):
    """There is no such token, or it was revoked."""

    code = "token_missing"
    http_status = 404
    next_step = "List the tokens and pick one of them."


class TokenExists(RequestError):
    """The account has a token of that name that is still good."""

    code = "token_exists"
    http_status = 409
    next_step = "Choose another name, or revoke the other token first."


class BadToken(RequestError):
    """A token cannot be as it was asked for: its name, its permissions or its time."""

    code = "bad_token"
    http_status = 422
    next_step = "Correct the named field."


class BadPreference(RequestError):
    """There is no such preference, or it cannot have that value."""

    code = "bad_preference"
    http_status = 422
    next_step = "Choose one of the values that are offered."


class SavedViewMissing(RequestError):
    """There is no such saved view, or it is somebody else's."""

    code = "saved_view_missing"
    http_status = 404
    next_step = "List the saved views and pick one of them."


class BadSavedView(RequestError):
    """A view cannot be saved as it was given, or there are too many already."""

    code = "bad_saved_view"
    http_status = 422
    next_step = "Correct the named field, or delete a view that is not needed."


class BadIdempotencyKey(RequestError):
    """An idempotency key that cannot be kept."""

    code = "bad_idempotency_key"
    next_step = "Send 1 to 190 printable ASCII characters, such as a UUID."


class IdempotencyKeyReused(RequestError):
    """The same idempotency key came with another request."""

    code = "idempotency_key_reused"
    http_status = 422
    next_step = "Use a new key for each request, and the same one only to repeat it."


class IdempotencyKeyInUse(RequestError):
    """The first request with this idempotency key has not been answered yet."""

    code = "idempotency_key_in_use"
    http_status = 409
    next_step = "Wait a moment and repeat the request with the same key."
