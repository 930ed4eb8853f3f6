"""Mail to a real server: what arrives, what cannot be smuggled in, and how each failure is told."""

from __future__ import annotations

import socket
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest

from lading.base.errors import LadingError
from lading.mail import (
    Attachment,
    MailAccount,
    MailLoginRefused,
    MailNotPrivate,
    MailRefused,
    MailUnreachable,
    Security,
    is_mail_address,
    send_mail,
)
from tests.mail.conftest import PASSWORD, REFUSED, USER, MailServer

Serve = Callable[..., MailServer]
# aiosmtpd does not see that the whole connection is TLS already.
OUTER_TLS = "ignore:Requiring AUTH while not requiring TLS:UserWarning"
CSV = b"code,reason\r\nVO-BRD-14387,checksum\r\n"


def told(error: LadingError) -> str:
    """Everything that an error shows; the password must be in none of it."""
    shown = f"{error} {error.as_dict()} {error.__cause__}"
    assert PASSWORD not in shown
    assert error.__suppress_context__ or error.__context__ is None
    return shown


@pytest.mark.filterwarnings(OUTER_TLS)
@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_report_arrives_whole_over_tls_after_signing_in(
    serve: Serve, trusted: None, tls: str
) -> None:
    server = serve(tls=tls)
    both = ("archive@example.org", "second@example.org")
    send_mail(
        server.account(security=Security(tls), recipients=both),
        "Run 7: 3 rejected",
        "Tre file rifiutati: perché?\n.\nEnd.\n",
        [
            Attachment("rejected.csv", "text/csv", CSV),
            Attachment("run.json", "application/json", b"{}"),
        ],
    )
    (message,) = server.postbox.messages
    assert server.postbox.envelopes[0].rcpt_tos == list(both)
    assert (message["Subject"], message["From"]) == ("Run 7: 3 rejected", "lading@example.org")
    assert message["To"] == "archive@example.org, second@example.org"
    assert message["Date"]
    assert message["Message-ID"].endswith("@example.org>")
    body = message.get_body()
    assert isinstance(body, EmailMessage)
    assert body.get_content().replace("\r\n", "\n") == "Tre file rifiutati: perché?\n.\nEnd.\n"
    csv, document = message.iter_attachments()
    assert (csv.get_filename(), csv.get_content_type()) == ("rejected.csv", "text/csv")
    assert csv.get_payload(decode=True) == CSV
    assert document.get_content_type() == "application/json"


def test_a_server_of_ones_own_needs_neither_tls_nor_password(serve: Serve) -> None:
    server = serve(tls="none")
    send_mail(server.account(security=Security.NONE, user=None, password=None), "s", "t")
    assert len(server.postbox.messages) == 1


@pytest.mark.parametrize(
    "subject",
    ["Run\r\nBcc: spy@example.org", "Run\nX: y\n\nbody", "Run\rX: y", "Run\u2028X: y", ""],
)
def test_no_subject_can_add_a_header(serve: Serve, subject: str) -> None:
    server = serve(tls="none")
    account = server.account(security=Security.NONE, user=None, password=None)
    send_mail(account, subject, "text")
    (message,) = server.postbox.messages
    assert "Bcc" not in message
    assert "X" not in message
    assert server.postbox.envelopes[0].rcpt_tos == ["archive@example.org"]
    assert message.get_content().strip() == "text"
    assert ("Run\\" in message["Subject"]) == bool(subject)


def test_no_attachment_can_add_a_header(serve: Serve) -> None:
    server = serve(tls="none")
    account = server.account(security=Security.NONE, user=None, password=None)
    odd = Attachment('a"\r\nBcc: spy@example.org\r\n.csv', "text/csv\r\nX: y", b"\x00\xff\r\n.\r\n")
    send_mail(account, "s", "t", [odd, Attachment("è città.csv", "text/csv", CSV)])
    (message,) = server.postbox.messages
    first, second = message.iter_attachments()
    assert "Bcc" not in first
    assert "X" not in first
    assert first.get_content_type() == "application/octet-stream"
    assert first.get_payload(decode=True) == b"\x00\xff\r\n.\r\n"
    assert second.get_filename() == "è città.csv"


@pytest.mark.parametrize(
    "address",
    [
        "a@x.org\r\nBcc: b@x.org",
        "a@x.org, b@x.org",
        "Me <a@x.org>",
        "a",
        "a@",
        "a@x.org\n",
        "a b@x.org",
    ],
)
def test_what_is_no_plain_address_is_refused_before_anything_is_sent(
    serve: Serve, address: str
) -> None:
    server = serve(tls="none")
    assert not is_mail_address(address)
    for change in ({"sender": address}, {"recipients": ("a@x.org", address)}, {"recipients": ()}):
        account = server.account(security=Security.NONE, user=None, password=None, **change)
        with pytest.raises(MailRefused) as caught:
            send_mail(account, "s", "t")
        assert "\n" not in str(caught.value)
    assert server.postbox.messages == []


def test_a_wrong_password_is_told_without_it(serve: Serve, trusted: None) -> None:
    server = serve()
    wrong = PASSWORD + "-wrong"
    with pytest.raises(MailLoginRefused) as caught:
        send_mail(server.account(password=wrong), "s", "t")
    assert "535" in told(caught.value)
    assert caught.value.code == "mail_login_refused"
    assert "password" in caught.value.advice
    assert server.postbox.messages == []


def test_a_password_is_never_sent_without_tls(serve: Serve) -> None:
    server = serve(tls="none")
    with pytest.raises(MailNotPrivate) as caught:
        send_mail(server.account(security=Security.NONE), "s", "t")
    told(caught.value)
    with pytest.raises(MailNotPrivate, match="offers no STARTTLS"):
        send_mail(server.account(), "s", "t")
    assert server.postbox.messages == []


@pytest.mark.filterwarnings(OUTER_TLS)
@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(serve: Serve, tls: str) -> None:
    server = serve(tls=tls)
    with pytest.raises(MailNotPrivate) as caught:
        send_mail(server.account(security=Security(tls)), "s", "t")
    assert "certificate" in told(caught.value)
    assert server.postbox.messages == []


def test_a_certificate_for_another_name_is_not_enough(serve: Serve, trusted: None) -> None:
    server = serve(name="other.example")
    with pytest.raises(MailNotPrivate) as caught:
        send_mail(server.account(), "s", "t")
    assert "localhost" in told(caught.value)


def test_a_refused_recipient_is_named(serve: Serve, trusted: None) -> None:
    server = serve()
    with pytest.raises(MailRefused) as caught:
        send_mail(server.account(recipients=(REFUSED,)), "s", "t")
    assert f"{REFUSED}: 550 5.1.1 no such person" in told(caught.value)
    assert "nobody has the message" in str(caught.value)
    assert server.postbox.messages == []


def test_one_refused_recipient_keeps_no_other_from_the_message(serve: Serve, trusted: None) -> None:
    server = serve()
    with pytest.raises(MailRefused) as caught:
        send_mail(server.account(recipients=("archive@example.org", REFUSED)), "s", "t")
    assert "1 of 2 recipients; the others have the message" in told(caught.value)
    assert server.postbox.envelopes[0].rcpt_tos == ["archive@example.org"]


def test_a_refused_message_is_told_in_the_servers_words_but_for_secrets(
    serve: Serve, trusted: None
) -> None:
    server = serve(answer=f"554 too \x1b[31mlarge for {PASSWORD}")
    with pytest.raises(MailRefused) as caught:
        send_mail(server.account(), "s", "t")
    shown = told(caught.value)
    assert "554" in shown
    assert "for ***" in shown
    assert "\x1b" not in str(caught.value)


def test_a_server_that_asks_for_no_password_says_so(serve: Serve, trusted: None) -> None:
    server = serve()
    with pytest.raises(MailRefused) as caught:
        send_mail(server.account(user=None, password=None), "s", "t")
    assert "530" in told(caught.value)


@pytest.mark.parametrize("security", list(Security))
def test_a_server_that_is_away_is_told_as_such(serve: Serve, security: Security) -> None:
    server = serve(tls="none")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        account = server.account(
            port=closed.getsockname()[1],
            host="127.0.0.1",
            security=security,
            user=None,
            password=None,
        )
        with pytest.raises(MailUnreachable) as caught:
            send_mail(account, "s", "t")
    assert caught.value.transient
    assert f"127.0.0.1:{account.port}" in told(caught.value)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70 + ".example", "a..b", " "])
def test_a_host_that_there_is_not_is_told_as_such(serve: Serve, host: str) -> None:
    with pytest.raises(MailUnreachable) as caught:
        send_mail(serve(tls="none").account(host=host), "s", "t")
    told(caught.value)


def test_a_server_that_hangs_up_or_stays_silent_is_told_as_away() -> None:
    values: dict[str, Any] = {"sender": "a@x.org", "recipients": ("b@x.org",)}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        account = MailAccount(
            host="127.0.0.1",
            port=listening.getsockname()[1],
            security=Security.NONE,
            timeout_s=0.2,
            **values,
        )
        with pytest.raises(MailUnreachable):
            send_mail(account, "s", "t")


def test_an_account_does_not_show_its_password(serve: Serve) -> None:
    shown = repr(serve(tls="none").account())
    assert USER in shown
    assert PASSWORD not in shown
