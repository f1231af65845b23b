"""How does an LSTM see a fleet? As the steps of a horizon, one after the other, and makes out by itself what matters.

It is a challenger: it is fitted where torch is installed (the extra `lstm`), and stands where it does better than the
trees on the time that is chosen by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, nan
from random import Random
from typing import NamedTuple

from selfheal.ml.recurrent import MOST_FEATURES, Recurrent
from selfheal.ml.recurrent_fit import MOST_WINDOWS, fit, library
from selfheal.predict.alarms import Task
from selfheal.predict.recording import Recording
from selfheal.predict.replay import Known, Parts, known, length_of_step, outcomes, places
from selfheal.predict.steps import STEPS
from selfheal.recorded.learning import LEAST_FAILURES, NEAR, signals_of


class Remembering(NamedTuple):
    """An LSTM with the signals that it is shown, and how many failures it was learned from."""

    network: Recurrent
    signals: tuple[str, ...]
    failures: int


class Sequences:
    """The windows of one agent: the steps of the latest horizon, signals with a limit in shares of that."""

    def __init__(self, one: Known, signals: Sequence[str]) -> None:
        limits = [one.track.limits.get(name, 1.0) for name in signals]
        columns = [one.track.columns[name].means for name in signals]
        self._rows = [
            [column[place] / limit for column, limit in zip(columns, limits, strict=True)]
            for place in range(one.track.length)
        ]
        self._before = [[nan] * len(signals)] * STEPS

    def window(self, place: int) -> list[list[float]]:
        """What was known at the end of a step; NaN before the recording begins."""
        rows = self._rows[max(0, place + 1 - STEPS) : place + 1]
        return [*self._before[: STEPS - len(rows)], *rows]


class _Example(NamedTuple):
    at: float
    window: list[list[float]]
    soon: bool
    failure: tuple[str, float] | None


def learn_sequences(recording: Recording, task: Task, parts: Parts, seed: int = 0) -> Remembering | None:
    """Learn from the first part and correct by the second; None where too few failures announced themselves.

    Raises CannotLearn where torch is not installed.
    """
    with library():
        pass  # without it, said before the work and not after it
    dice, signals = Random(seed), signals_of(recording)[:MOST_FEATURES]  # noqa: S311 - no secret hangs on it
    taught = _examples(recording, task, (-inf, parts.train_until), signals, dice)
    failures = len({one.failure for one in taught if one.failure})
    if failures < LEAST_FAILURES or len({one.soon for one in taught}) < 2:
        return None
    checked = _examples(recording, task, (parts.train_until, parts.choose_until), signals, dice)
    network = fit(
        [one.window for one in taught],
        [one.soon for one in taught],
        signals,
        calibration=([one.window for one in checked], [one.failure is not None for one in checked]),
        seed=seed,
    )
    return Remembering(network, signals, failures)


def _examples(
    recording: Recording, task: Task, span: tuple[float, float], signals: Sequence[str], dice: Random
) -> list[_Example]:
    """As many windows as are learned from, oldest first, in the proportion in which they came."""
    begun, ended = span
    step_s = length_of_step(recording, task)
    steps = sum(
        max(0.0, min(ended, one.at[-1]) - max(begun, one.at[0])) / step_s for one in recording.agents.values() if one.at
    )
    share = min(1.0, MOST_WINDOWS / max(1.0, steps))
    found = [
        example
        for one in known(recording, task)
        for example in _of_agent(one, Sequences(one, signals), task, span, share, dice)
    ]
    return sorted(found, key=lambda example: example.at)[:MOST_WINDOWS]


def _of_agent(
    one: Known, seen: Sequences, task: Task, span: tuple[float, float], share: float, dice: Random
) -> Iterator[_Example]:
    for place, mode in outcomes(one, places(one, *span), task, span[1]):
        if dice.random() < share:
            at = one.track.ends_at(place)
            fails = min((failure.at for failure in one.failures if failure.at > at), default=inf)
            soon = mode is not None and fails - at <= NEAR["this fleet"] * task.horizon_s
            yield _Example(at, seen.window(place), soon, (one.agent, fails) if mode is not None else None)
