"""What is known of causes, and what is learned of that from incidents, or told by persons?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

OWN = "own"
"""The source of what a person has added here."""

Proof = Literal["", "attempts", "person"]
"""How the cause of an incident is known: by the diagnosis alone, by what has helped against it, by a person's word."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A sign in a log, and the cause that it stands for.

    `id` is stable for ever, `source.name`, such as `postgres.too_many_connections`; what a person adds has the source
    `own`. `cause` is a slug of `causes.CAUSES`. A line shows it where one of `patterns` matches (case is ignored;
    `(?-i:…)` minds it). `precision` is how often that cause is the true one where it shows, as was believed before
    anything was seen here. `says` is one sentence on what it means, `look` where to look first.
    """

    id: str
    cause: str
    patterns: tuple[str, ...]
    precision: float
    says: str = ""
    look: str = ""
    examples: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        return self.id.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Tally:
    """How often the cause of a signature was the true one where it showed, and how often not, as it counts at `at`."""

    right: float = 0.0
    wrong: float = 0.0
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """An incident of the past: what it looked like, and what became of it.

    `origin` is the daemon that it happened to; empty for this one. `at` is its onset. `look` are tokens that stay the
    same when the same trouble comes again. `cause` at `cause_agent` is what it was, as far as `proof` says, empty
    where that is known only not to be what was thought. `fix` is what verifiably helped, `person` says that one was
    needed.
    """

    incident: str
    origin: str
    agent: str
    at: float
    look: tuple[str, ...]
    cause: str
    cause_agent: str
    proof: Proof = ""
    fix: str = ""
    recovery_s: float | None = None
    person: bool = False

    @property
    def key(self) -> str:
        return f"{self.origin}/{self.incident}" if self.origin else self.incident


@dataclass(frozen=True, slots=True)
class Similar:
    """An incident of the past that looked like another, as it was known then. `common` is what they share, in words.

    `key` is that of its fingerprint; the other fields are as they are there. `similarity` is from 0 to 1.
    """

    key: str
    similarity: float
    agent: str
    at: float
    cause: str
    cause_agent: str
    proof: Proof = ""
    fix: str = ""
    recovery_s: float | None = None
    person: bool = False
    common: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignatureAdded:
    """Somebody has added a signature, or replaced the one of this id."""

    at: float
    signature: Signature
    by: str


@dataclass(frozen=True, slots=True)
class SignatureRemoved:
    """Somebody has removed a signature: one of our own is gone, one that was shipped is switched off."""

    at: float
    id: str
    by: str


@dataclass(frozen=True, slots=True)
class SignatureRestored:
    """A shipped signature that was switched off speaks again."""

    at: float
    id: str
    by: str


@dataclass(frozen=True, slots=True)
class KnowledgeImported:
    """What other daemons have seen was taken over: counts by origin and signature, and incidents of theirs.

    Counts of an origin take the place of those that it had lent before, so that nothing counts twice.
    """

    at: float
    by: str
    tallies: Mapping[str, Mapping[str, Tally]] = field(default_factory=dict)
    incidents: tuple[Fingerprint, ...] = ()


KnowledgeEvent = SignatureAdded | SignatureRemoved | SignatureRestored | KnowledgeImported
