"""What is foreseen?"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from selfheal.modes import HIGH_RISK
from selfheal.serve.models.fleet import PredictionCounts, SpeakerView
from selfheal.serve.models.foresight import ContributionView, EndedView, PredictionView
from selfheal.serve.times import moment, rfc3339
from selfheal.world.cases import state_of
from selfheal.world.episodes import Ended, Episode

if TYPE_CHECKING:
    from selfheal.events import FailurePredicted
    from selfheal.vitals import Speaker, Vitals
    from selfheal.world import Work, World


# The document is written anew with every change.
ENDED_SHOWN = 50

NOT_LEARNED = "it is too near for what was learned, or too little was seen of it yet"


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


def predictions(world: World, now: float, vitals: Vitals | None = None) -> list[PredictionView]:
    """Return what is foreseen, likeliest first; `vitals` know why that model speaks."""
    speakers = vitals.speakers if vitals is not None else {}
    known = sorted(world.foresight.predictions.values(), key=lambda one: -one.probability)
    return [_prediction(world, one, now, speakers.get(one.mode)) for one in known]


def ended(world: World) -> list[EndedView]:
    """Return what became of what was foreseen, newest first."""
    return [_ended(one) for one in world.foresight.over[: -ENDED_SHOWN - 1 : -1]]


def prediction_counts(world: World, vitals: Vitals | None) -> PredictionCounts:
    """Count what is foreseen, and say which model speaks of what."""
    foreseen = world.foresight
    speakers = vitals.speakers if vitals is not None else {}
    return PredictionCounts(
        total=len(foreseen.predictions),
        high_risk=sum(one.high for one in foreseen.episodes.values()),
        by=dict(Counter(one.model for one in foreseen.predictions.values())),
        speakers={mode: SpeakerView(model=one.model, why=one.why) for mode, one in speakers.items()},
    )


def _prediction(world: World, seen: FailurePredicted, now: float, speaker: Speaker | None) -> PredictionView:
    passed = now - seen.at
    episode = world.foresight.episodes.get((seen.agent, seen.mode)) or Episode(seen.at, seen)
    planned = _planned(world, seen)
    return PredictionView(
        agent=seen.agent,
        mode=seen.mode,
        signal=seen.signal,
        model=seen.model,
        model_why=_why(seen, speaker),
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
        work_state=state_of(world, planned) if planned is not None else None,
    )


def _why(seen: FailurePredicted, speaker: Speaker | None) -> str:
    if speaker is None or speaker.model == seen.model:
        return speaker.why if speaker is not None else ""
    return NOT_LEARNED if seen.model == "trend" else ""


def _planned(world: World, seen: FailurePredicted) -> Work | None:
    """The work that shall prevent it."""
    works = (one for one in [*world.foresight.work.values()][::-1] if one.planned.agent == seen.agent and not one.over)
    return next((one for one in works if one.planned.mode == seen.mode), None)


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
