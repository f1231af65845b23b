"""Since when is a failure foreseen, when did that become an alarm, and what became of it?

A forecast moves again and again; from the first to the end it is one episode. What is over is kept, so that it can be
said how right the daemon was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from selfheal.events import FailurePredicted, PredictionEnded
from selfheal.modes import HIGH_RISK, NO_LONGER_HIGH
from selfheal.vocabulary import FailureMode, PredictionOutcome

# The oldest goes first.
OVER_KEPT = 500

Key = tuple[str, FailureMode]


@dataclass(frozen=True, slots=True)
class Episode:
    """A failure that is foreseen since `began_at`. `high_at` is when the risk first was high, None before that; `high`
    says whether it is so still: once high it stays so until it has fallen well below.
    """

    began_at: float
    last: FailurePredicted
    high: bool = False
    high_at: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """An episode that is over, and what became of it."""

    episode: Episode
    at: float
    outcome: PredictionOutcome
    why: str = ""


def begun(episodes: Mapping[Key, Episode], event: FailurePredicted) -> Mapping[Key, Episode]:
    """Return the episodes after a forecast."""
    then = episodes.get((event.agent, event.mode)) or Episode(event.at, event)
    high = event.probability >= (NO_LONGER_HIGH if then.high else HIGH_RISK)
    high_at = event.at if high and then.high_at is None else then.high_at
    return {**episodes, (event.agent, event.mode): replace(then, last=event, high=high, high_at=high_at)}


def ended(
    episodes: Mapping[Key, Episode], over: tuple[Ended, ...], event: PredictionEnded
) -> tuple[Mapping[Key, Episode], tuple[Ended, ...]]:
    """Return the episodes, and those that are over, after the end of one."""
    key = (event.agent, event.mode)
    if key not in episodes:
        return episodes, over
    one = Ended(episodes[key], event.at, event.outcome, event.why)
    return {other: episode for other, episode in episodes.items() if other != key}, (*over, one)[-OVER_KEPT:]
