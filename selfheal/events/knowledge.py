"""What is known of causes, before anything was seen here?"""

from __future__ import annotations

from dataclasses import dataclass


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
