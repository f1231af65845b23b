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
    LevelShifted,
    PredictionEnded,
    WorkDone,
    WorkPlanned,
)
from selfheal.vocabulary import FailureMode, Outcome

# What is over is kept for the page and the learners; the oldest goes first.
ANOMALIES_KEPT = 200
WORK_KEPT = 200
LEVELS_KEPT = 200

_K = TypeVar("_K")
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
    """Predictions in force by (agent, mode), how earlier ones ended, anomalies and planned work, oldest first.

    `levels` are the latest changes of what is normal, by agent and signal.
    """

    predictions: Mapping[tuple[str, FailureMode], FailurePredicted] = field(default_factory=dict)
    ended: Mapping[str, int] = field(default_factory=dict)
    anomalies: Mapping[str, Anomaly] = field(default_factory=dict)
    anomalies_seen: int = 0
    work: Mapping[str, Work] = field(default_factory=dict)
    work_planned: int = 0
    levels: Mapping[tuple[str, str], LevelShifted] = field(default_factory=dict)


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
        case LevelShifted(agent=agent, signal=signal):
            others = {key: one for key, one in then.levels.items() if key != (agent, signal)}
            return replace(then, levels=_newest({**others, (agent, signal): event}, LEVELS_KEPT))
        case FailurePredicted():
            return replace(then, predictions={**then.predictions, (event.agent, event.mode): event})
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
    return replace(then, predictions=others, ended={**then.ended, event.outcome: then.ended.get(event.outcome, 0) + 1})


def _newest(items: dict[_K, _T], keep: int) -> dict[_K, _T]:
    return items if len(items) <= keep else dict(list(items.items())[-keep:])
