"""The settings of mail: which server sends it, who it is from, who gets it, and when (B9)."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from lading.mail import DEFAULT_PORTS, MailAccount, Security, is_mail_address
from lading.settings.section import Section

_ADDRESS: Final = "an address such as lading@example.org, without a name"


class MailSettings(Section):
    """Which server mails the reports of runs, and to whom; without `host` none is sent."""

    host: str | None = Field(default=None, min_length=1, description="Name of the mail server.")
    port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="Its port; otherwise 587 for `starttls`, 465 for `tls`, 25 for `none`.",
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description=(
            "How the connection is made private; `none` is for a server on this machine or network"
            " that asks for no password."
        ),
    )
    user: str | None = Field(
        default=None, min_length=1, description="Name to sign in with, if it is needed."
    )
    password: SecretStr | None = Field(default=None, description="Password of that name.")
    sender: str | None = Field(default=None, description="Address that the mail comes from.")
    recipients: tuple[str, ...] = Field(
        default_factory=tuple,
        max_length=100,
        description="Addresses that get it; in a variable a list, or parted by commas.",
    )
    timeout_s: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="Seconds the server may take for each answer.",
    )
    when: Literal["always", "problems"] = Field(
        default="always",
        description="Whether every run is mailed, or only one that met a problem.",
    )

    @field_validator("security", "when", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("recipients", mode="before")
    @classmethod
    def _listed(cls, given: object) -> object:
        if isinstance(given, str):
            return tuple(part.strip() for part in given.split(",") if part.strip())
        return given

    @field_validator("recipients")
    @classmethod
    def _known_recipients(cls, recipients: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(is_mail_address, recipients)):
            raise ValueError(
                f"only addresses such as {_ADDRESS.removeprefix('an address such as ')}"
            )
        return recipients

    @field_validator("sender")
    @classmethod
    def _known_sender(cls, sender: str | None) -> str | None:
        if sender is not None and not is_mail_address(sender):
            raise ValueError(_ADDRESS)
        return sender

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.host is not None and (self.sender is None or not self.recipients):
            raise ValueError("sender and recipients too where there is a host")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password together, or neither")
        if self.security == "none" and self.password is not None:
            raise ValueError("security starttls or tls where there is a password")
        return self

    @property
    def account(self) -> MailAccount | None:
        """What `send_mail` takes; None when no mail is to be sent."""
        if self.host is None or self.sender is None:
            return None
        security = Security(self.security)
        return MailAccount(
            host=self.host,
            port=self.port or DEFAULT_PORTS[security],
            security=security,
            user=self.user,
            password=None if self.password is None else self.password.get_secret_value(),
            sender=self.sender,
            recipients=self.recipients,
            timeout_s=self.timeout_s,
        )
