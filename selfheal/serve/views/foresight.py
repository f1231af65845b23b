"""What is foreseen, and what is strange?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from selfheal.serve.models.foresight import AnomalyView, PredictionView
from selfheal.serve.times import moment, rfc3339

if TYPE_CHECKING:
    from selfheal.events import FailurePredicted
    from selfheal.world import Anomaly, World

HIGH_RISK = 0.7


def finite(value: float) -> float | None:
    """JSON knows no infinity and no NaN: they are shown as null."""
    return value if math.isfinite(value) else None


def share(value: float) -> float:
    """Return `value` within 0 and 1, whatever a learner said."""
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0


def risks(world: World) -> dict[str, float]:
    """Return the highest probability of a failure that is foreseen, by agent."""
    worst: dict[str, float] = {}
    for one in world.foresight.predictions.values():
        worst[one.agent] = max(worst.get(one.agent, 0.0), share(one.probability))
    return worst


def predictions(world: World, now: float) -> list[PredictionView]:
    """Return what is foreseen, likeliest first."""
    known = sorted(world.foresight.predictions.values(), key=lambda one: -one.probability)
    return [_prediction(one, now) for one in known]


def anomalies(world: World) -> list[AnomalyView]:
    """Return what is or was strange, newest first."""
    return [_anomaly(name, one) for name, one in list(world.foresight.anomalies.items())[::-1]]


def _prediction(seen: FailurePredicted, now: float) -> PredictionView:
    passed = now - seen.at
    return PredictionView(
        agent=seen.agent,
        mode=seen.mode,
        signal=seen.signal,
        probability=share(seen.probability),
        high_risk=seen.probability >= HIGH_RISK,
        predicted_at=rfc3339(seen.at),
        expected_at=rfc3339(seen.at + seen.eta_s),
        eta_seconds=max(0.0, finite(seen.eta_s - passed) or 0.0),
        eta_low=max(0.0, finite(seen.eta_low_s - passed) or 0.0),
        eta_high=max(0.0, finite(seen.eta_high_s - passed) or 0.0),
        value=finite(seen.value),
        limit=finite(seen.limit),
        slope=finite(seen.slope),
    )


def _anomaly(name: str, one: Anomaly) -> AnomalyView:
    return AnomalyView(
        id=name,
        agent=one.seen.agent,
        signal=one.seen.signal,
        value=finite(one.seen.value),
        expected=finite(one.seen.expected),
        score=share(one.seen.score),
        at=rfc3339(one.seen.at),
        over_at=moment(one.over_at),
        dismissed=one.dismissed,
    )
