"""Why a request was turned away before it reached its handler."""

from __future__ import annotations

from lading.base.errors import RequestError, StoreError


class NotSignedIn(RequestError):
    """Nobody is signed in, or the session or token is no longer good."""

    code = "not_signed_in"
    http_status = 401
    next_step = "Sign in, or send a token that has neither expired nor been revoked."


class PasswordChangeNeeded(RequestError):
    """The account has a one-time password; nothing else may be done before it is changed."""

    code = "password_change_needed"
    http_status = 403
    next_step = "Change the password at /password."


class CsrfRefused(RequestError):
    """A request that changes something did not come from a page of this console."""

    code = "csrf_refused"
    http_status = 403
    next_step = "Open the page anew and try again; programs use a token instead of a session."


class BodyTooLarge(RequestError):
    """The body of a request is larger than anything the console takes, or a form than any form."""

    code = "body_too_large"
    http_status = 413
    next_step = "Send less at once."


class HostUnknown(RequestError):
    """A request names a host that this console does not go by; a page of another site may lie."""

    code = "host_unknown"
    next_step = (
        "Open the console by a name it has; or name this one in [console] public_url or"
        " allowed_hosts, let a proxy pass Host on as it came, and start the console again."
    )


class FormInParts(RequestError):
    """A form was sent as `multipart/form-data`, which only uploads need; nothing is uploaded."""

    code = "form_in_parts"
    http_status = 415
    next_step = "Send forms as application/x-www-form-urlencoded, and JSON to the API."


class ProviderRefused(RequestError):
    """The sign-in provider refused, or what it said does not hold."""

    code = "provider_refused"
    http_status = 401
    next_step = "Sign in again; if it happens again, compare [console.oidc] with the provider."


class ProviderUnavailable(StoreError):
    """The sign-in provider does not answer as a provider of OpenID Connect does."""

    code = "provider_unavailable"
    http_status = 502
    next_step = "Check [console.oidc] issuer, and that the provider can be reached from here."


class NoRole(RequestError):
    """The provider vouches for the person, but nothing it says gives them a role here."""

    code = "no_role"
    http_status = 403
    next_step = "Ask whoever looks after the provider or [console.oidc] for a role."


class NoProvider(RequestError):
    """Sign-in with a provider was asked for, and none is configured."""

    code = "no_provider"
    http_status = 404
    next_step = "Sign in with name and password, or configure [console.oidc]."
