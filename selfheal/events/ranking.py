"""What was found of where the cause lies, and what was learned of how to look for it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

RankingVerdict = Literal["act", "investigate", "none"]


@dataclass(frozen=True, slots=True)
class Suspected:
    """An agent that may be the cause: how likely, what each channel has against it, and the numbers that were weighed.

    `features` are in the order of the channels that were weighed, two of each.
    """

    agent: str
    probability: float
    evidence: Mapping[str, str] = field(default_factory=dict)
    features: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class SuspectedChange:
    """Something that was changed before it began, and may be why."""

    at: float
    agent: str
    title: str
    probability: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """Where the cause of an incident may lie, likeliest first; `nothing` is how likely it is none of them.

    `circumstances` are of the case as a whole, `channels` those that were weighed, `used` those that had something to
    look at, and `missing` says of each other one what it would have needed. `probed` are the agents whose checks were
    asked once more for it.
    """

    at: float
    incident: str
    suspects: tuple[Suspected, ...]
    nothing: float
    verdict: RankingVerdict
    circumstances: tuple[float, ...] = ()
    channels: tuple[str, ...] = ()
    used: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[SuspectedChange, ...] = ()
    probed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WeightsLearned:
    """How much each channel counts from now on, two numbers of each, as `labels` incidents have taught.

    `nothing` are the weights of the circumstances for "none of these". `loss_before` and `loss_after` are the mean
    log-loss on incidents that the weights were not fitted to.
    """

    at: float
    weights: Mapping[str, tuple[float, float]]
    nothing: tuple[float, ...]
    labels: int
    loss_before: float
    loss_after: float
