"""What may be told of alerts: where they go besides the log and the page, which of them, and when?"""

from __future__ import annotations

from base64 import b64decode
from datetime import time
from importlib.util import find_spec
from typing import Annotated

from pydantic import Field, SecretStr, Strict, field_validator, model_validator

from selfheal.config.address import check_url
from selfheal.config.section import Section
from selfheal.config.units import Duration, Zone
from selfheal.vocabulary import Severity

ANY_NOTIFIER = "*"  # in a table of severities: every notifier that has none of its own there
NOTIFIERS = ("webhook", "apprise", "telegram")


class QuietConfig(Section):
    """Hours in which only what is critical wakes anybody; the rest is told when they are over."""

    begin: time = Field(description="From this time of day on, such as 22:00:00.")
    end: time = Field(description="Until this time of day, on the next day where it is the earlier one.")
    timezone: Zone = Field("UTC", description="Whose time that is.")

    @model_validator(mode="after")
    def _lasts(self) -> QuietConfig:
        if self.begin == self.end:
            raise ValueError("begin and end are the same time; write two, or take [notify.quiet] out")
        if self.begin.tzinfo is not None or self.end.tzinfo is not None:
            raise ValueError("a time of day has no offset here; name the zone as timezone")
        return self


class EscalateConfig(Section):
    """Who is told of what nobody has ended by then."""

    after: Duration = Field(description="After so long.")
    to: tuple[str, ...] = Field(description="The notifiers that are told only then: webhook, apprise or telegram.")

    @field_validator("to")
    @classmethod
    def _are_notifiers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in NOTIFIERS]
        if unknown or not value:
            raise ValueError(f"{', '.join(unknown) or 'an empty list'} names no notifier; write {_listed()}")
        return value


class TelegramConfig(Section):
    """The chat itself is TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID, from the environment."""

    users: tuple[Annotated[int, Strict(), Field(gt=0)], ...] = Field(
        (),
        description="The ids of those who may decide and ask; none: whose private chat it is, in a group nobody.",
    )


class NotifyConfig(Section):
    """Where alerts go besides the log and the page, which of them, and when."""

    webhook: SecretStr | None = Field(None, description="Alerts are posted here as JSON: an http or https URL.")
    webhook_secret: SecretStr | None = Field(
        None, description="Posts are signed with it, as Standard Webhooks says: 'whsec_' and 24 to 64 bytes in base64."
    )
    apprise: tuple[SecretStr, ...] = Field(
        (),
        description="URLs of Apprise, one a service, such as slack://… or mailto://…; needs selfheal[apprise].",
    )
    telegram: TelegramConfig = Field(TelegramConfig(), description="Who may decide in the chat on Telegram.")
    severity: dict[str, Severity] = Field(
        {}, description="The least severity that a notifier is sent, by its name; '*' means every other."
    )
    group: Duration = Field(5.0, description="So long more of the same is waited for, to be told in one message.")
    anomaly: Duration = Field(
        60.0, description="An anomaly is told once it has lasted for so long, and one that becomes an incident is not."
    )
    repeat: Duration = Field(0.0, description="What still needs a person is said again after so long; 0: never.")
    escalate: EscalateConfig | None = Field(None, description="Who is told of what nobody has ended by then.")
    quiet: QuietConfig | None = Field(None, description="When only what is critical wakes anybody.")

    @field_validator("webhook")
    @classmethod
    def _can_be_posted_to(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_url(value.get_secret_value(), "https://hooks.example/selfheal")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _can_sign(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            signing_key(value)
        return value

    @field_validator("apprise")
    @classmethod
    def _are_services(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if value and find_spec("apprise") is None:
            raise ValueError("Apprise is not installed; run pip install 'selfheal[apprise]', or take the line out")
        return value

    @field_validator("severity")
    @classmethod
    def _are_known(cls, value: dict[str, Severity]) -> dict[str, Severity]:
        unknown = [name for name in value if name not in (*NOTIFIERS, ANY_NOTIFIER)]
        if unknown:
            raise ValueError(f"{', '.join(unknown)} names no notifier; write {_listed()} or '*'")
        return value


def signing_key(secret: SecretStr) -> bytes:
    """The bytes that posts are signed with. Raises ValueError where the secret is none, without showing it."""
    prefix, text = "whsec_", secret.get_secret_value()
    try:
        key = b64decode(text.removeprefix(prefix), validate=True)
    except ValueError:
        key = b""
    if not text.startswith(prefix) or not 24 <= len(key) <= 64:
        raise ValueError("it is no signing secret; write 'whsec_' and 24 to 64 random bytes in base64")
    return key


def is_chat(name: str) -> bool:
    """Whether TELEGRAM_CHAT_ID may be this: a number, below zero for a group."""
    return name.removeprefix("-").isdecimal() and int(name) != 0


def _listed() -> str:
    return f"{', '.join(NOTIFIERS[:-1])} or {NOTIFIERS[-1]}"
