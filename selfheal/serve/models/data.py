"""How are backups shown, and what is done with data?"""

from __future__ import annotations

from pydantic import Field

from selfheal.serve.models.base import Probability, Seconds, Time, View


class BackupView(View):
    """A backup. It may be relied on when it `counts`: it was restored to a scratch place and proved."""

    id: str = Field(examples=["20261126T081200Z"])
    agent: str
    kind: str
    at: Time
    taken_at: Time = Field(description="What was written before it is in the backup.")
    size: int = Field(description="Bytes of what it holds.")
    stored: int = Field(description="Bytes that it added to the vault.")
    counts: bool
    verified_at: Time | None
    damaged: str = Field(description="Why it cannot be relied on any more; empty where it can.")
    holds: dict[str, float] = Field(description="What can be counted in it.", examples=[{"orders": 10000}])


class JobView(View):
    """Work on the data of an agent that is under way."""

    agent: str
    job: str = Field(examples=["backup"])
    doing: str = Field(examples=["copying"])
    share: Probability = Field(description="Of what it is doing.")
    since: Time


class BackupDone(View):
    """A backup was made, or proved once more."""

    done: str
    target: str
    message: str
    backup: BackupView


class RestoreDone(View):
    """Sound data are in place; with `dry_run` nothing was done, and this is what would be."""

    done: str
    target: str
    message: str
    dry_run: bool
    source: str = Field(description="The backup.")
    taken_at: Time | None
    aside: str = Field(description="Where the old data are kept.")
    lost_seconds: Seconds | None = Field(description="Between that backup and the last write.")
    lost: dict[str, float] = Field(description="What is no longer there, by what can be counted.")
    writers: list[str] = Field(description="Agents that are stopped meanwhile.")
