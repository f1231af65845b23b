"""What may be told of healing: fixes of the user's own, and what holds all of them back."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from selfheal.config.section import Section
from selfheal.config.units import Command, Count, Cron, Duration, Flag, Number, Url, Zone
from selfheal.vocabulary import Mode, Tier

ALL_FIXES = "*"  # in a table of modes: every fix that has none of its own there

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2


class FixSettings(Section):
    """What a built-in fix is told about an agent. `names_agents` are the keys whose values name agents."""

    names_agents: ClassVar[tuple[str, ...]] = ()

    def check(self, agent: Section) -> None:
        """Raises ValueError, with what is wrong and what would be right, where it does not go with `agent`."""


class FixConfig(Section):
    """A fix of the user's own."""

    command: Command | None = Field(
        None, description="A list, or a string split as a shell splits words; {agent}, {cause} and {incident} stand "
        "for what they name.",
    )  # fmt: skip
    http: Url | None = Field(
        None, description="Instead of a command: this URL is called, {agent}, {cause} and {incident} percent-encoded "
        "in it. An answer of 2xx says that it worked; redirects are not followed.",
    )  # fmt: skip
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field("POST", description="How the URL is called.")
    headers: dict[str, SecretStr] = Field({}, description="Sent with the call; never shown.")
    body: str = Field("", description="Sent with the call; {agent}, {cause} and {incident} are written as between the "
        "quotes of JSON.")  # fmt: skip
    undo: Command | None = Field(None, description="Run where the fix did not help, to take back what it did; perhaps "
        "twice.")  # fmt: skip
    causes: tuple[str, ...] = Field((), description="Causes that it helps against.")
    cost: Duration = Field(10.0, description="How long it takes as a rule; what is measured outweighs it.")
    tier: Tier = Field(
        1, description="Its risk: 0 none, 1 as a restart, 2 as a roll-back, 3 as a restore. The more, the surer the "
        "cause has to be.",
    )  # fmt: skip
    timeout: Duration = Field(60.0, gt=0, description="Killed and failed after this long.")
    approval: Flag = Field(False, description="A person is asked first.")

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in value.items():
            text = secret.get_secret_value()
            if _TOKEN.fullmatch(name) is None or not (text.isascii() and text.isprintable()):
                raise ValueError(f"{name!r} is not a header that can be sent; write printable ASCII on one line")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> FixConfig:
        if (self.command is None) == (self.http is None):
            raise ValueError("it needs exactly one of command and http; write the one that mends it")
        if self.command is not None:
            for key in self.model_fields_set & {"method", "headers", "body"}:
                raise ValueError(f"{key!r} means nothing for a command; take it out, or call a URL with http")
        return self


class WindowConfig(Section):
    """A maintenance window: alerts and fixes are silent for these agents."""

    agents: tuple[str, ...] = Field(min_length=1, description="Names; an agent with instances means all of them.")
    cron: Cron = Field(description="When it begins, in five fields.")
    minutes: Number = Field(gt=0, description="How long it lasts, in minutes.")
    timezone: Zone = Field("UTC", description="Time zone of the cron expression.")


class GuardConfig(Section):
    """What holds the healer back."""

    max_concurrent_recoveries: Count = Field(
        3, ge=1, description="At most so many, and never more than max(1, a third of the fleet)."
    )
    attempts_per_hour: Count = Field(12, ge=0, description="Per agent, then its breaker opens; 0 = no limit.")
    dry_run: Flag = Field(False, description="Start the fleet, then only say what would be done.")
    verify: Duration = Field(
        30.0, description="A fix has helped when the agent was well for this long after it, and by three answers of "
        "each check; 0: by the first good answer.",
    )  # fmt: skip
    approval_timeout: Duration = Field(3600.0, gt=0, description="A request that nobody answers is rejected then.")
    acts_per_agent: Count = Field(3, ge=0, description="Of what is reasoned at most so many acts on an agent in ten "
        "minutes; 0 = no limit.")  # fmt: skip
    acts_per_fix: Count = Field(20, ge=0, description="One fix at most so often within an hour, on whatever agent.")
    acts_per_hour: Count = Field(60, ge=0, description="At most so many acts within an hour in the whole fleet.")
    cooldown: Duration = Field(
        60.0, description="For so long after a fix has helped, nothing more is done to its agent."
    )
    storm: Number = Field(
        0.2, ge=0, le=1, description="Where more of the fleet than this fails at once, one agent is healed first, and "
        "the others if that helped.",
    )  # fmt: skip
    storm_floor: Count = Field(3, ge=1, description="So many may fail at once in any fleet before that counts.")
    shadow: Flag = Field(False, description="Processes that die are restarted; all else is only said, and scored.")
    modes: dict[str, Mode] = Field(
        {}, description="By fix, '*' for all: auto | ask a person first | suggest only | off."
    )
    maintenance: tuple[WindowConfig, ...] = Field((), description="When nothing is done, and nobody alerted.")
