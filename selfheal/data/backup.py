"""What is a backup?"""

from __future__ import annotations

import msgspec

from selfheal.data.asset import Proof


class Backup(msgspec.Struct, frozen=True, omit_defaults=True):
    """One copy of the data of an agent in the vault, as its manifest has it.

    `id` is unique within the agent and sorts by time ("20261126T081200Z", with "-2" for a second one in that second).
    `at` is wall time of its begin. `size` is what it holds, `stored` what it added to the vault, in bytes. It counts
    only once it is `verified_at`: restored to a scratch place and proved. `damaged` says why it counts no more, since
    `damaged_at`; None there means that even its manifest cannot be read.

    `unchanged_at` is when the data were last found to be still those of this backup: as an answer to a job it says that
    none was made because none was needed. `sunk` names the sinks that have it too. `told` is for a person to know of
    the job, and does not stand in the manifest.
    """

    id: str
    agent: str
    kind: str
    at: float
    size: int
    stored: int
    proof: Proof
    took_s: float = 0.0
    verified_at: float | None = None
    damaged: str = ""
    damaged_at: float | None = None
    unchanged_at: float | None = None
    sunk: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether anybody may rely on it."""
        return self.verified_at is not None and not self.damaged


class Keep(msgspec.Struct, frozen=True):
    """How many backups are kept: the newest of each hour, day, week, month, so many of each."""

    hourly: int = 24
    daily: int = 7
    weekly: int = 4
    monthly: int = 12
