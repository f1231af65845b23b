"""What does a model foresee of a recording, since when, and why?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from selfheal.errors import SelfhealError
from selfheal.predict.alarms import Step, Task, Watched
from selfheal.predict.recording import Recording
from selfheal.predict.replay import Known, known, places
from selfheal.recorded.backtest import in_order, told
from selfheal.recorded.learned import (
    Asked,
    Foreseen,
    Learned,
    PastCase,
    Reason,
    Word,
    foreseen,
    nearest_case,
    reasons,
)


@dataclass(frozen=True, slots=True)
class Latest:
    """What is foreseen of an agent at its latest step: since when without a break, why, and what it is most like."""

    said: Foreseen
    since: float | None
    reasons: Sequence[Reason]
    case: PastCase | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """Of each agent the latest, and all that would have been foreseen on the way."""

    task: Task
    threshold: float
    latest: Sequence[Latest]
    alarms: Sequence[Foreseen]
    predictions: Sequence[Foreseen]


def outlook(recording: Recording, learned: Learned, progress: Callable[[str, float], None]) -> Outlook:
    """Ask a model of every step of a recording. Raises SelfhealError where it knows signals that are not there."""
    latest: list[Latest] = []
    alarms: list[Foreseen] = []
    predictions: list[Foreseen] = []
    _check_signals(recording, learned)
    for number, one in enumerate(known(recording, learned.task)):
        progress(one.agent, number / len(recording.agents))
        asked = Asked(learned, one)
        words = [(place, word) for place in places(one, -inf, inf) if (word := asked.word(place)) is not None]
        if not words:
            continue
        steps = [Step(one.track.ends_at(place), word.probability) for place, word in words]
        found = told(one, Watched(steps, one.failures), learned, learned.threshold, learned.task)
        alarms += found[0]
        predictions += found[1]
        latest.append(_latest(one, steps, words[-1], learned))
    return Outlook(learned.task, learned.threshold, latest, in_order(alarms), in_order(predictions))


def _check_signals(recording: Recording, learned: Learned) -> None:
    lacking = [signal for signal in learned.signals if signal not in recording.signals]
    if lacking:
        raise SelfhealError(
            f"cannot ask this model: it knows {lacking[0]!r}, which was not recorded; train one on this"
        )


def _latest(one: Known, steps: Sequence[Step], last: tuple[int, Word], learned: Learned) -> Latest:
    since = None
    for step in reversed(steps):
        if step.probability < learned.threshold:
            break
        since = step.at
    said = foreseen(learned, one, *last, learned.task)
    row = last[1].row
    return Latest(said, since, reasons(learned, row), nearest_case(learned, row, said.mode))
