"""What is noticed and foreseen, and how does an event change that?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar, assert_never

from selfheal.events import (
    AnomalyOver,
    AnomalySeen,
    FailurePredicted,
    ForesightEvent,
    PredictionEnded,
    WorkDone,
    WorkPlanned,
)
from selfheal.vocabulary import FailureMode, Outcome
from selfheal.world.episodes import Ended, Episode, Key, begun, ended

# What is over is kept for the page and the learners; the oldest goes first.
ANOMALIES_KEPT = 200
WORK_KEPT = 200

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A signal that departed from normal; `over_at` is None while it lasts."""

    seen: AnomalySeen
    over_at: float | None = None
    dismissed: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """Maintenance that is planned, or was done."""

    planned: WorkPlanned
    done_at: float | None = None
    outcome: Outcome | None = None
    output: str = ""


@dataclass(frozen=True, slots=True)
class Foresight:
    """Predictions in force by (agent, mode), since when and how high, how earlier ones ended, anomalies and planned
    work, oldest first.
    """

    predictions: Mapping[tuple[str, FailureMode], FailurePredicted] = field(default_factory=dict)
    episodes: Mapping[Key, Episode] = field(default_factory=dict)
    ended: Mapping[str, int] = field(default_factory=dict)
    over: tuple[Ended, ...] = ()
    anomalies: Mapping[str, Anomaly] = field(default_factory=dict)
    anomalies_seen: int = 0
    work: Mapping[str, Work] = field(default_factory=dict)
    work_planned: int = 0


def fold_foresight(then: Foresight, event: ForesightEvent) -> Foresight:
    """Return what is foreseen after `event`."""
    match event:
        case AnomalySeen():
            anomalies = _newest({**then.anomalies, event.anomaly: Anomaly(event)}, ANOMALIES_KEPT)
            return replace(then, anomalies=anomalies, anomalies_seen=then.anomalies_seen + 1)
        case AnomalyOver(anomaly=name):
            if name not in then.anomalies:
                return then
            over = replace(then.anomalies[name], over_at=event.at, dismissed=event.dismissed)
            return replace(then, anomalies={**then.anomalies, name: over})
        case FailurePredicted():
            predictions = {**then.predictions, (event.agent, event.mode): event}
            return replace(then, predictions=predictions, episodes=begun(then.episodes, event))
        case PredictionEnded():
            return _prediction_ended(then, event)
        case WorkPlanned():
            work = _newest({**then.work, event.work: Work(event)}, WORK_KEPT)
            return replace(then, work=work, work_planned=then.work_planned + 1)
        case WorkDone(work=name):
            if name not in then.work:
                return then
            done = replace(then.work[name], done_at=event.at, outcome=event.outcome, output=event.output)
            return replace(then, work={**then.work, name: done})
        case _:
            assert_never(event)


def _prediction_ended(then: Foresight, event: PredictionEnded) -> Foresight:
    others = {key: value for key, value in then.predictions.items() if key != (event.agent, event.mode)}
    episodes, over = ended(then.episodes, then.over, event)
    counts = {**then.ended, event.outcome: then.ended.get(event.outcome, 0) + 1}
    return replace(then, predictions=others, episodes=episodes, ended=counts, over=over)


def _newest(items: dict[str, _T], keep: int) -> dict[str, _T]:
    return items if len(items) <= keep else dict(list(items.items())[-keep:])
