"""Sends one message through a mail server, privately, and says what went wrong with what (B9).

Texts become headers only through `email`, with line breaks escaped before, so that no name of a
file or source can add a header or a recipient. A password never travels without TLS, and stands
in no message.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from lading.base.errors import LadingError, printable

SUBJECT_LENGTH_MAX: Final = 200
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*", re.ASCII)
_ADDRESS: Final = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9.-]{1,253}", re.ASCII | re.IGNORECASE
)


class Security(StrEnum):
    """How a connection is made private."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


DEFAULT_PORTS: Final[Mapping[Security, int]] = MappingProxyType(
    {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}
)


class MailError(LadingError):
    """A message was not sent; the work that it tells of stands."""

    code = "mail_error"
    http_status = 502
    exit_status = 4
    next_step = "Correct [mail] in the settings; the run that it tells of needs no repeating."


class MailUnreachable(MailError):
    """The mail server does not answer, or broke off."""

    code = "mail_unreachable"
    transient = True
    next_step = "Check host and port under [mail], and that the server is up."


class MailNotPrivate(MailError):
    """No connection could be made that is private and leads to the server that was meant."""

    code = "mail_not_private"
    next_step = "Use the name in the server's certificate as host, and the security it offers."


class MailLoginRefused(MailError):
    """The mail server does not take the name and password."""

    code = "mail_login_refused"
    next_step = "Correct user and password under [mail]."


class MailRefused(MailError):
    """The mail server does not take the message, or not for everybody."""

    code = "mail_refused"
    next_step = "Correct sender and recipients under [mail], or ask whoever runs the server."


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAccount:
    """Which server sends, from whom, to whom. `timeout_s` is for each answer of the server."""

    host: str
    port: int
    security: Security
    sender: str
    recipients: Sequence[str]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message. `media_type` is such as `text/csv`."""

    name: str
    media_type: str
    body: bytes


def is_mail_address(text: str) -> bool:
    """Whether this is one plain address, without a name and with nothing to steer a server."""
    return _ADDRESS.fullmatch(text) is not None


def send_mail(
    account: MailAccount, subject: str, text: str, attachments: Sequence[Attachment] = ()
) -> None:
    """Send one message to all recipients (B9). Attachments are held in memory.

    Raises `MailUnreachable`, `MailNotPrivate`, `MailLoginRefused`, and `MailRefused`, also when
    only some recipients were refused; the others then have the message.
    """
    message = _message(account, subject, text, attachments)
    with _translated(account), _connected(account) as server:
        if account.user is not None and account.password is not None:
            server.login(account.user, account.password)
        refused = server.send_message(message, account.sender, list(account.recipients))
    if refused:
        raise _recipients_refused(account, refused, "the others have the message")


def _message(
    account: MailAccount, subject: str, text: str, attachments: Sequence[Attachment]
) -> EmailMessage:
    wrong = [
        address for address in (account.sender, *account.recipients) if not is_mail_address(address)
    ]
    if wrong or not account.recipients:
        raise MailRefused(
            "a message needs a sender and recipients",
            expected="addresses such as lading@example.org",
            found=", ".join(map(printable, wrong)) or "no recipient",
        )
    message = EmailMessage(policy=SMTP)
    message["From"] = account.sender
    message["To"] = ", ".join(account.recipients)
    message["Subject"] = printable(subject, length_max=SUBJECT_LENGTH_MAX)
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = make_msgid(domain=account.sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # no one's absence is to be answered to a machine
    message.set_content(text.encode("utf-8", "replace").decode())
    for attachment in attachments:
        known = _MEDIA_TYPE.fullmatch(attachment.media_type) is not None
        main, _, sub = (attachment.media_type if known else "application/octet-stream").partition(
            "/"
        )
        message.add_attachment(
            attachment.body, maintype=main, subtype=sub, filename=printable(attachment.name)
        )
    return message


@contextmanager
def _connected(account: MailAccount) -> Iterator[smtplib.SMTP]:
    """A connection as private as the account says; ended with the block."""
    if account.security is Security.NONE and account.password is not None:
        raise MailNotPrivate(
            "a password is not sent over a connection without TLS", subject=account.host
        )
    if account.security is Security.TLS:
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            account.host,
            account.port,
            timeout=account.timeout_s,
            context=ssl.create_default_context(),
        )
    else:
        server = smtplib.SMTP(account.host, account.port, timeout=account.timeout_s)
    try:
        if account.security is Security.STARTTLS:
            server.starttls(context=ssl.create_default_context())
        yield server
        with suppress(smtplib.SMTPException, OSError):
            # What was taken stays taken, however the server says goodbye.
            server.quit()
    finally:
        server.close()


@contextmanager
def _translated(account: MailAccount) -> Iterator[None]:
    """What the client raises, as errors for people. Nothing is chained that may hold a secret."""
    where = f"{account.host}:{account.port}"
    try:
        yield
    except LadingError:
        raise
    except smtplib.SMTPAuthenticationError as error:
        # Its text is the server's own and may repeat what was sent.
        raise MailLoginRefused(
            "the mail server refuses the name and password",
            subject=where,
            found=f"answer {error.smtp_code}",
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        raise _recipients_refused(account, error.recipients, "nobody has the message") from None
    except smtplib.SMTPNotSupportedError as error:
        raise _not_supported(account, str(error)) from None
    except (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError) as error:
        raise MailUnreachable(
            f"the mail server broke off: {_safe(account, error)}", subject=where
        ) from None
    except smtplib.SMTPException as error:
        raise MailRefused(
            f"the mail server refuses the message: {_safe(account, error)}", subject=where
        ) from None
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or "no TLS there"
        raise MailNotPrivate(
            f"no private connection to the mail server: {printable(str(reason))}", subject=where
        ) from None
    except (OSError, UnicodeError) as error:
        # A host that is no name at all fails as text before it is looked up.
        raise MailUnreachable(
            f"the mail server does not answer: {printable(str(error))}", subject=where
        ) from None


def _recipients_refused(
    account: MailAccount, refused: Mapping[str, tuple[int, bytes]], rest: str
) -> MailRefused:
    answers = "; ".join(
        f"{address}: {code} {text.decode(errors='replace')}"
        for address, (code, text) in sorted(refused.items())
    )
    return MailRefused(
        f"the mail server refuses {len(refused)} of {len(account.recipients)} recipients; {rest}",
        subject=f"{account.host}:{account.port}",
        found=_safe(account, answers),
    )


def _not_supported(account: MailAccount, told: str) -> MailError:
    where = f"{account.host}:{account.port}"
    if "STARTTLS" in told:
        return MailNotPrivate("the mail server offers no STARTTLS", subject=where)
    if "AUTH" in told:
        return MailLoginRefused(
            "the mail server takes no name and password",
            subject=where,
            next_step="Take user and password out of [mail], or use the port that asks for them.",
        )
    return MailRefused(f"the mail server cannot take this: {_safe(account, told)}", subject=where)


def _safe(account: MailAccount, told: object) -> str:
    """What a server said, without control characters, and without the password if it says it."""
    text = printable(str(told))
    return text.replace(account.password, "***") if account.password else text
