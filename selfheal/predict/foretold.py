"""What does a learned model say of an agent, and how does that go with what the trend says?

Of each way to fail one is told, never two. Where the model was better than the trend it says how likely it is, and why;
the trend, where there is one, says when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from selfheal.events import Contribution, FailurePredicted
from selfheal.modes import MODES
from selfheal.vocabulary import FailureMode, PredictionModel
from selfheal.world import Agent

# An alarm has to come half an hour ahead. A row is up to five minutes old, and trees that were taught by some dozen
# failures are seldom sure: what the trend sees nearer than this is not for them.
NEAR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a model says of one way in which an agent may fail, at the end of a step. Times are as in an event.

    `rate` is how fast the signal moves towards its limit, per second, and `since` when that began, 0 where it is not
    seen to. `case` is the incident of the past that was most like it; empty where none is known. `row` is what the
    trees were asked about, and `model` is who said how likely it is.
    """

    at: float
    mode: FailureMode
    probability: float
    eta_s: float
    eta_low_s: float
    eta_high_s: float
    signal: str
    value: float
    limit: float
    rate: float
    since: float
    contributions: tuple[Contribution, ...]
    case: str = ""
    row: tuple[float, ...] = ()
    model: PredictionModel = "boost"


def joined(
    agent: Agent, seen: Mapping[FailureMode, FailurePredicted], said: Mapping[FailureMode, Said], now: float
) -> dict[FailureMode, FailurePredicted]:
    """What is foreseen of an agent by all who speak, each way to fail once.

    What was said of an earlier run counts no more: a new process begins with nothing. Where the limit is near, the
    trend alone speaks.
    """
    began = agent.run.started_at if agent.run is not None else 0.0
    told = dict(seen)
    for mode, one in said.items():
        if one.at >= began and not (mode in seen and seen[mode].eta_s <= NEAR_S):
            told[mode] = _by_model(seen[mode], one) if mode in seen else _alone(agent, one, now)
    return told


def _by_model(trend: FailurePredicted, said: Said) -> FailurePredicted:
    """When by the trend, how likely and why by the model."""
    return replace(
        trend,
        probability=said.probability,
        model=said.model,
        contributions=said.contributions or trend.contributions,
        case=said.case or trend.case,
    )


def _alone(agent: Agent, said: Said, now: float) -> FailurePredicted:
    """No trend leads to the limit: when such failures came, by what was learned."""
    passed = max(0.0, now - said.at)
    low, middle, high = (max(0.0, eta - passed) for eta in (said.eta_low_s, said.eta_s, said.eta_high_s))
    return FailurePredicted(
        now,
        agent.name,
        said.mode,
        said.signal,
        said.probability,
        middle,
        low,
        high,
        said.value,
        said.limit,
        said.rate,
        said.since,
        said.model,
        MODES[said.mode].horizon_s,
        said.contributions,
        said.case,
    )
