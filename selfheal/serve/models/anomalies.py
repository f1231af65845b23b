"""How is shown what is not as usual?"""

from __future__ import annotations

from pydantic import Field

from selfheal.measures import Unit
from selfheal.serve.models.base import Items, Probability, Time, View
from selfheal.vocabulary import Direction, Level, LevelWhy, Suppression


class MovedView(View):
    """A signal that departed from what is normal for it."""

    agent: str
    signal: str
    direction: Direction
    unit: Unit = Field(description="That of both values; empty where none is known.")
    value: float | None = Field(description="What was seen, when it was told last.")
    expected: float | None = Field(description="What was normal for it then.")
    score: Probability = Field(description="How far out it was at most; one half is the alarm line.")
    since: Time = Field(description="The first sample that was out of line.")
    over_at: Time | None


class NearView(View):
    """A signal of a neighbour that moved at that time and is no part of it."""

    agent: str
    signal: str
    direction: Direction
    since: Time
    anomaly: str = Field(description="Of which anomaly it is a part; empty where it was not raised.")
    why: str = Field(description="Why it was not raised.")


class AnomalyView(View):
    """One thing that is not as usual. What stands beside its id is the signal that showed it first."""

    id: str
    agent: str
    signal: str
    direction: Direction
    unit: Unit
    value: float | None
    expected: float | None
    score: Probability = Field(description="The highest of all its signals.")
    severity: Probability = Field(description="How much it matters: how far, how near to users, how broad, how long.")
    level: Level
    at: Time
    since: Time = Field(description="When the first of its signals began to depart.")
    over_at: Time | None
    after: Suppression | None = Field(description="For what it was kept back, where it was and has outlasted that.")
    agents: list[str] = Field(description="Whose signals show it, first those on whom the others depend.")
    signals: list[MovedView]
    more: int = Field(description="So many signals beyond those that are listed.")
    near: list[NearView]
    dismissed: bool
    dismissed_by: str


class SuppressedView(View):
    """A signal that departed, and was not raised."""

    agent: str
    signal: str
    direction: Direction
    unit: Unit
    value: float | None
    expected: float | None
    score: Probability
    at: Time
    since: Time
    reason: Suppression
    why: str


class DismissalView(View):
    """What a person has said was not worth telling."""

    agent: str
    signal: str
    direction: Direction
    anomaly: str
    at: Time
    by: str
    bar: Probability = Field(description="The score from which on the same is told now; one half as for all others.")
    until: Time


class LevelView(View):
    """A signal that has another level than before, which is normal from now on."""

    agent: str
    signal: str
    unit: Unit
    value: float | None
    expected: float | None = Field(description="The level before.")
    at: Time
    since: Time = Field(description="When that happened after which the level is another.")
    why: LevelWhy


class AnomaliesView(Items[AnomalyView]):
    """Anomalies, those that last first, and among them those that matter more; what was kept back, newest first; and
    where what is normal has changed, newest first.
    """

    suppressed: list[SuppressedView]
    suppressed_total: dict[Suppression, int]
    dismissals: list[DismissalView]
    levels: list[LevelView]
