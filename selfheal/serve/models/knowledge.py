"""How is shown what is known of causes?"""

from __future__ import annotations

from pydantic import Field

from selfheal.events import Proof
from selfheal.serve.models.base import Probability, Seconds, Time, View


class SignatureView(View):
    """A sign in a log, and the cause that it stands for."""

    id: str = Field(examples=["own.no_room"])
    source: str = Field(description="Whose it is; own for what a person has added here.")
    cause: str = Field(examples=["disk_full"])
    patterns: list[str] = Field(description="Regular expressions of which one has to match; case does not matter.")
    says: str
    look: str = Field(description="Where to look first.")
    examples: list[str]
    believed: Probability = Field(description="How often the cause was thought to be the true one, before.")
    precision: Probability = Field(description="How often it is, by all that is known now.")
    right: float = Field(description="Incidents in which it was right, by shares; old ones count less.")
    wrong: float
    off: bool = Field(description="Whether somebody has switched it off.")


class SimilarView(View):
    """An incident of the past that looked like another one, and what became of it."""

    incident: str = Field(description="Its id; after a daemon's name and a slash where that has lent it.")
    similarity: Probability
    agent: str
    at: Time
    cause: str = Field(description="Empty where it is only known what it was not.")
    cause_agent: str
    proof: Proof = Field(description="How the cause is known: by the diagnosis alone, by what helped, by a person.")
    fix: str = Field(description="What helped; empty where nothing did.")
    recovery_seconds: Seconds | None
    person: bool = Field(description="Whether a person was needed.")
    common: list[str] = Field(description="What they have in common, what says most first.")


class FingerprintView(View):
    """An incident of the past: what it looked like, and what became of it."""

    incident: str
    origin: str = Field(description="The daemon that it happened to; empty for this one.")
    agent: str
    at: Time
    look: list[str] = Field(description="Tokens that stay the same when the same trouble comes again.")
    cause: str
    cause_agent: str
    proof: Proof
    fix: str
    recovery_seconds: Seconds | None
    person: bool
