"""What is foreseen, and what is planned?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from selfheal.serve.models.foresight import PredictionView, WindowView, WorkView
from selfheal.serve.times import moment, rfc3339

if TYPE_CHECKING:
    from selfheal.config.models import WindowConfig
    from selfheal.events import FailurePredicted
    from selfheal.world import Work, World

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


def work(world: World) -> list[WorkView]:
    """Return what is planned or was done before it broke, newest first."""
    return [_work(one) for one in list(world.foresight.work.values())[::-1]]


def windows(configured: Sequence[WindowConfig]) -> list[WindowView]:
    """Return the maintenance windows in force."""
    return [
        WindowView(agents=list(one.agents), cron=one.cron, timezone=one.timezone, minutes=one.minutes)
        for one in configured
    ]


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


def _work(one: Work) -> WorkView:
    return WorkView(
        id=one.planned.work,
        agent=one.planned.agent,
        action=one.planned.action,
        why=one.planned.why,
        planned_at=rfc3339(one.planned.at),
        due_at=rfc3339(one.planned.due_at),
        done_at=moment(one.done_at),
        outcome=one.outcome,
        output=one.output,
    )
