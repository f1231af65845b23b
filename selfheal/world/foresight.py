"""What is foreseen, and how does an event change that?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal, assert_never

from selfheal.events import (
    FailurePredicted,
    ForesightEvent,
    PredictionEnded,
    PredictionLeft,
    WorkDone,
    WorkPlanned,
)
from selfheal.vocabulary import FailureMode, Outcome, WorkState
from selfheal.world.episodes import Ended, Episode, Key, begun, ended

# What is over is kept for the page and the learners; the oldest of that goes first.
WORK_KEPT = 200

# What is done about a prediction: it was planned for, after a draw or without one, or left alone by that draw.
Arm = Literal["planned", "drawn", "left"]

# What a stop and a start may take, where that much time is left.
SLOW_S, SLOW_SHARE = 60.0, 0.1


@dataclass(frozen=True, slots=True)
class Work:
    """Maintenance that is planned, or was done. How far it is stands in its case; `ended` is how it ended."""

    planned: WorkPlanned
    done_at: float | None = None
    outcome: Outcome | None = None
    output: str = ""
    ended: WorkState | None = None

    @property
    def over(self) -> bool:
        return self.done_at is not None


@dataclass(frozen=True, slots=True)
class Foresight:
    """Predictions in force by (agent, mode), since when and how high, how earlier ones ended, and planned work, oldest
    first.

    `arms` is what is done about each prediction in force for which that was decided. `drawn_ended` counts what became
    of those, by arm and outcome; `work_ended` how planned work ended, by action and state.
    """

    predictions: Mapping[tuple[str, FailureMode], FailurePredicted] = field(default_factory=dict)
    episodes: Mapping[Key, Episode] = field(default_factory=dict)
    ended: Mapping[str, int] = field(default_factory=dict)
    over: tuple[Ended, ...] = ()
    work: Mapping[str, Work] = field(default_factory=dict)
    work_planned: int = 0
    arms: Mapping[tuple[str, FailureMode], Arm] = field(default_factory=dict)
    drawn_ended: Mapping[tuple[Arm, str], int] = field(default_factory=dict)
    work_ended: Mapping[tuple[str, WorkState], int] = field(default_factory=dict)


def latest_start(foreseen: FailurePredicted) -> float:
    """By when something has to be begun against a failure: a slow stop and a slow start have to fit in before it."""
    return foreseen.at + foreseen.eta_low_s - min(SLOW_S, SLOW_SHARE * foreseen.eta_low_s)


def fold_foresight(then: Foresight, event: ForesightEvent) -> Foresight:
    """Return what is foreseen after `event`."""
    match event:
        case FailurePredicted():
            predictions = {**then.predictions, (event.agent, event.mode): event}
            return replace(then, predictions=predictions, episodes=begun(then.episodes, event))
        case PredictionEnded():
            return _prediction_ended(then, event)
        case PredictionLeft():
            return replace(then, arms={**then.arms, (event.agent, event.mode): "left"})
        case WorkPlanned():
            return _work_planned(then, event)
        case WorkDone():
            return _work_done(then, event)
        case _:
            assert_never(event)


def _prediction_ended(then: Foresight, event: PredictionEnded) -> Foresight:
    key = event.agent, event.mode
    arm, drawn = then.arms.get(key), then.drawn_ended
    if arm is not None:
        drawn = {**drawn, (arm, event.outcome): drawn.get((arm, event.outcome), 0) + 1}
    episodes, over = ended(then.episodes, then.over, event)
    return replace(
        then,
        predictions={known: value for known, value in then.predictions.items() if known != key},
        episodes=episodes,
        ended={**then.ended, event.outcome: then.ended.get(event.outcome, 0) + 1},
        over=over,
        arms={known: value for known, value in then.arms.items() if known != key},
        drawn_ended=drawn,
    )


def _work_planned(then: Foresight, event: WorkPlanned) -> Foresight:
    work = _kept({**then.work, event.work: Work(event)})
    arm: Arm = "drawn" if event.drawn else "planned"
    arms = then.arms if event.mode is None else {**then.arms, (event.agent, event.mode): arm}
    return replace(then, work=work, work_planned=then.work_planned + 1, arms=arms)


def _work_done(then: Foresight, event: WorkDone) -> Foresight:
    if event.work not in then.work:
        return then
    known = then.work[event.work]
    state = event.state or state_by(event.outcome)
    done = replace(known, done_at=event.at, outcome=event.outcome, output=event.output, ended=state)
    counted = known.planned.action, state
    work_ended = {**then.work_ended, counted: then.work_ended.get(counted, 0) + 1}
    return replace(then, work={**then.work, event.work: done}, work_ended=work_ended)


def state_by(outcome: Outcome | None) -> WorkState:
    """How work ended of which an earlier version told nothing but the outcome."""
    return _ENDED.get(outcome, "failed") if outcome is not None else "failed"


_ENDED: Mapping[Outcome, WorkState] = {"succeeded": "done", "rejected": "called_off"}


def _kept(work: Mapping[str, Work]) -> Mapping[str, Work]:
    """Drop the oldest that is over; what is still to be done is never dropped."""
    over = (name for name, one in work.items() if one.over)
    gone = set(islice(over, max(0, len(work) - WORK_KEPT)))
    return {name: one for name, one in work.items() if name not in gone}
