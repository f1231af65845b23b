"""What is foreseen, what is strange, and what is planned?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from selfheal.modes import HIGH_RISK, MODES
from selfheal.serve.models.foresight import (
    AnomalyView,
    ContributionView,
    EndedView,
    PredictionView,
    WindowView,
    WorkView,
)
from selfheal.serve.times import moment, rfc3339
from selfheal.world.episodes import Ended, Episode

if TYPE_CHECKING:
    from selfheal.config.models import WindowConfig
    from selfheal.events import FailurePredicted
    from selfheal.world import Anomaly, Work, World


# The document is written anew with every change.
ENDED_SHOWN = 50


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
    return [_prediction(world, one, now) for one in known]


def ended(world: World) -> list[EndedView]:
    """Return what became of what was foreseen, newest first."""
    return [_ended(one) for one in world.foresight.over[: -ENDED_SHOWN - 1 : -1]]


def anomalies(world: World) -> list[AnomalyView]:
    """Return what is or was strange, newest first."""
    return [_anomaly(name, one) for name, one in list(world.foresight.anomalies.items())[::-1]]


def work(world: World) -> list[WorkView]:
    """Return what is planned or was done before it broke, newest first."""
    return [_work(one) for one in list(world.foresight.work.values())[::-1]]


def windows(configured: Sequence[WindowConfig]) -> list[WindowView]:
    """Return the maintenance windows in force."""
    return [
        WindowView(agents=list(one.agents), cron=one.cron, timezone=one.timezone, minutes=one.minutes)
        for one in configured
    ]


def high_risks(world: World) -> int:
    """Return how many failures are likely."""
    return sum(one.high for one in world.foresight.episodes.values())


def _prediction(world: World, seen: FailurePredicted, now: float) -> PredictionView:
    passed = now - seen.at
    episode = world.foresight.episodes.get((seen.agent, seen.mode)) or Episode(seen.at, seen)
    planned = _planned(world, seen)
    return PredictionView(
        agent=seen.agent,
        mode=seen.mode,
        signal=seen.signal,
        model=seen.model,
        probability=share(seen.probability),
        horizon_seconds=seen.horizon_s,
        high_risk=episode.high or seen.probability >= HIGH_RISK,
        since=moment(seen.since or None),
        foreseen_since=rfc3339(episode.began_at),
        predicted_at=rfc3339(seen.at),
        expected_at=rfc3339(seen.at + seen.eta_s),
        eta_seconds=max(0.0, finite(seen.eta_s - passed) or 0.0),
        eta_low=max(0.0, finite(seen.eta_low_s - passed) or 0.0),
        eta_high=max(0.0, finite(seen.eta_high_s - passed) or 0.0),
        value=finite(seen.value),
        limit=finite(seen.limit),
        slope=finite(seen.slope),
        contributions=[
            ContributionView(signal=one.signal, weight=share(one.weight), what=one.what) for one in seen.contributions
        ],
        case=seen.case or None,
        work=planned.planned.work if planned is not None else None,
        work_due_at=moment(planned.planned.due_at if planned is not None else None),
    )


def _planned(world: World, seen: FailurePredicted) -> Work | None:
    """The work that shall prevent it."""
    if not MODES[seen.mode].restart_prevents:
        return None
    works = world.foresight.work.values()
    return next((one for one in works if one.done_at is None and one.planned.agent == seen.agent), None)


def _ended(one: Ended) -> EndedView:
    return EndedView(
        agent=one.episode.last.agent,
        mode=one.episode.last.mode,
        model=one.episode.last.model,
        foreseen_since=rfc3339(one.episode.began_at),
        high_risk_since=moment(one.episode.high_at),
        ended_at=rfc3339(one.at),
        outcome=one.outcome,
        why=one.why,
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
