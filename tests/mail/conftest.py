"""Mail servers of our own on the loopback interface: real SMTP, real TLS, no mail leaves here."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from lading.mail import MailAccount, Security

HOST = "localhost"
USER = "reports"
PASSWORD = "correct-horse-battery"
REFUSED = "nobody@example.org"


@dataclass
class Postbox:
    """What arrived, and the handler of a server that keeps it."""

    messages: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    answer: str = "250 taken"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks handlers up by this name
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == REFUSED:
            return "550 5.1.1 no such person"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            message = BytesParser(policy=default).parsebytes(envelope.content)
            assert isinstance(message, EmailMessage)
            self.messages.append(message)
            self.envelopes.append(envelope)
        return self.answer


@dataclass(frozen=True)
class MailServer:
    """A running server and what it got."""

    port: int
    postbox: Postbox

    def account(self, **changes: Any) -> MailAccount:
        """An account that this server takes mail from, unless `changes` spoil it."""
        values: dict[str, Any] = {
            "host": HOST,
            "port": self.port,
            "security": Security.STARTTLS,
            "user": USER,
            "password": PASSWORD,
            "sender": "lading@example.org",
            "recipients": ("archive@example.org",),
            "timeout_s": 20.0,
        }
        return MailAccount(**{**values, **changes})


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    known = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=known, handled=False)


class OnFreePort(Controller):
    """A server in a thread of its own, on a port that the system chose."""

    def _trigger_server(self) -> None:
        """The first connection makes the server; aiosmtpd's own goes to the port it was given."""
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        socket.create_connection((self.hostname, self.port)).close()


@contextmanager
def running(handler: Postbox, **options: Any) -> Iterator[MailServer]:
    """A server until the end of the block."""
    controller = OnFreePort(handler, hostname="127.0.0.1", port=0, ready_timeout=60, **options)
    controller.start()
    try:
        yield MailServer(controller.port, handler)
    finally:
        controller.stop()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    """A certificate authority and the file to trust it by."""
    authority = trustme.CA()
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return authority, file


@pytest.fixture
def trusted(authority: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Our authority is among those this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[1]))


@pytest.fixture
def serve(authority: tuple[trustme.CA, Path]) -> Iterator[Callable[..., MailServer]]:
    """Starts servers: `serve()` asks for STARTTLS and a password, `serve(tls="none")` for neither.

    `name` is the one in the certificate, `answer` what the server says to a message.
    """
    with ExitStack() as stack:

        def start(
            *, tls: str = "starttls", name: str = HOST, answer: str = "250 taken"
        ) -> MailServer:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            authority[0].issue_cert(name).configure_cert(context)
            login = {"authenticator": authenticate, "auth_required": True}
            options: dict[str, Any] = {
                "starttls": {"tls_context": context, "require_starttls": True, **login},
                "tls": {"ssl_context": context, "auth_require_tls": False, **login},
                "none": {},
            }[tls]
            return stack.enter_context(running(Postbox(answer=answer), **options))

        yield start
