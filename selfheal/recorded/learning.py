"""How is a model learned from what was recorded, and from what was only simulated?

Rows come from steps whose outcome was known before the part ended. All that led to a failure are taken, of the others
as many as can be learned from, each of which then counts for several. What the probabilities are corrected by, and the
thresholds chosen on, is of later time and taken as it is.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from math import inf
from random import Random

from selfheal.ml.boost import Booster
from selfheal.ml.boost_fit import Size, fit
from selfheal.predict.alarms import Task
from selfheal.predict.own_rows import MOST_SIGNALS
from selfheal.predict.recording import Recording
from selfheal.predict.replay import Known, Parts, known, length_of_step, mode_of, outcomes, places
from selfheal.recorded.etas import etas_of
from selfheal.recorded.learned import Learned, PastCase, Rows, Scope, features_of, learned_of
from selfheal.recorded.times import FURTHEST, Times
from selfheal.recorded.times_fit import fit_times

# Steps that nothing followed, of which so many are learned from; three minutes of fitting.
MOST_QUIET = 60_000
MOST_CHECKED = 40_000
# Fewer failures than this teach nothing but chance.
LEAST_FAILURES = 5
_LEAST_OF_MODE = 20
# A simulated fleet has failures without end, one's own has not; to tell modes apart takes little.
_SIZES: Mapping[Scope, Size] = {
    "every fleet": Size(depth=6, trees=800, rate=0.03, least=20),
    "this fleet": Size(),
}
_OF_MODE = Size(depth=3)
# Steps before failures by which modes are told apart.
_MOST_OF_MODES = 6_000
# What comes later than this share of the horizon is not learned as a failure within it: an alarm that comes a little
# before the horizon is as wrong as one that comes long before, and the times of failures are never known to a minute.
# A simulated failure takes hours: an alarm may wait until it is nearer and surer, and still be in time.
NEAR: Mapping[Scope, float] = {"every fleet": 0.65, "this fleet": 0.85}
# What comes a little too early is hardest to tell from what comes in time: of the steps so many horizons before a
# failure all are learned from.
HARD = 3.0
# Failures that are kept to be told as the nearest past case.
_MOST_CASES = 40


@dataclass(frozen=True, slots=True)
class Example:
    """A row to learn from: how much it counts, and the failure that it announced within the horizon, if any.

    `left_s` is how long it was until the next failure. `leads` is whether that came of its signal, and before
    what is learned from ends.
    """

    agent: str
    at: float
    row: Sequence[float]
    weight: float
    mode: str | None
    left_s: float
    leads: bool


def signals_of(recording: Recording) -> tuple[str, ...]:
    """The signals that a model of this fleet tells by name: those of which most was measured, where there are many."""
    if len(recording.signals) <= MOST_SIGNALS:
        return recording.signals
    there = {
        name: sum(cell == cell for one in recording.agents.values() for cell in one.values[name][::50])  # noqa: PLR0124
        for name in recording.signals
    }
    kept = sorted(recording.signals, key=lambda name: -there[name])[:MOST_SIGNALS]
    return tuple(name for name in recording.signals if name in set(kept))


def examples(
    recording: Recording, task: Task, span: tuple[float, float], scope: Scope, quiet: int, dice: Random
) -> list[Example]:
    """The rows of [begun, ended) to learn from, oldest first; of the steps that no failure is near about `quiet`."""
    signals = signals_of(recording)
    share = min(1.0, quiet / max(1, _steps(recording, task)))
    found = [
        example
        for one in known(recording, task)
        for example in _of_agent(one, Rows(one, scope, signals), task, span, share, dice)
    ]
    return sorted(found, key=lambda example: example.at)


def _steps(recording: Recording, task: Task) -> int:
    step_s = length_of_step(recording, task)
    return int(sum((one.at[-1] - one.at[0]) / step_s for one in recording.agents.values() if one.at))


def _of_agent(
    one: Known, rows: Rows, task: Task, span: tuple[float, float], share: float, dice: Random
) -> Iterator[Example]:
    begun, ended = span
    for place, mode in outcomes(one, places(one, begun, ended), task, ended):
        at = one.track.ends_at(place)
        following = next((failure for failure in one.failures if failure.at > at), None)
        left = following.at - at if following else inf
        known_mode = following.mode if following and following.at <= ended else None
        taken = 1.0 if left <= HARD * task.horizon_s else share
        if dice.random() >= taken:
            continue
        for signal, row in rows.rows(place):
            brought = mode if signal is None or mode_of(signal) == mode else None
            leads = signal is not None and mode_of(signal) == known_mode
            yield Example(one.agent, at, array("f", row), 1.0 / taken, brought, left, leads)


def learn(recording: Recording, task: Task, parts: Parts, scope: Scope, seed: int = 0) -> Learned | None:
    """Learn from the first part and correct by the second; None where too few failures announced themselves.

    Raises CannotLearn where the library for it is not installed.
    """
    dice = Random(seed)  # noqa: S311 - no secret hangs on it
    taught = examples(recording, task, (-inf, parts.train_until), scope, MOST_QUIET, dice)
    if _failures(taught) < LEAST_FAILURES or all(one.mode for one in taught):
        return None
    features = features_of(scope, signals_of(recording))
    checked = examples(recording, task, (parts.train_until, parts.choose_until), scope, MOST_CHECKED, dice)
    whether = fit(
        [one.row for one in taught],
        [one.mode is not None and one.left_s <= NEAR[scope] * task.horizon_s for one in taught],
        features,
        weights=[one.weight for one in taught],
        calibration=_evenly(checked, dice),
        seed=seed,
        size=_SIZES[scope],
    )
    return Learned(
        scope=scope,
        horizon_s=task.horizon_s,
        lead_s=task.lead_s,
        signals=signals_of(recording) if scope == "this fleet" else (),
        whether=whether,
        modes=_modes(taught, features, seed) if scope == "this fleet" else {},
        threshold=0.5,
        etas=etas_of([(whether.probability(one.row), one.left_s / task.horizon_s) for one in checked if one.mode]),
        rows=len(taught),
        failures=_failures(taught),
        cases=tuple(_cases(whether, taught, task)),
        times=_times(taught, features, task, seed) if scope == "every fleet" else None,
    )


def _times(taught: Sequence[Example], features: Sequence[str], task: Task, seed: int) -> Times | None:
    """When failures come, by the rows of the signals that brought them."""
    rows = [(one.row, one.left_s / task.horizon_s) for one in taught if one.leads]
    return fit_times([one for one in rows if one[1] <= FURTHEST], features, seed)


def _failures(taught: Sequence[Example]) -> int:
    return len({(one.agent, round(one.at + one.left_s)) for one in taught if one.mode})


def _evenly(checked: Sequence[Example], dice: Random) -> tuple[list[Sequence[float]], list[bool]]:
    """Examples of both kinds in the proportion in which they came."""
    heaviest = max((one.weight for one in checked), default=1.0)
    kept = [one for one in checked if dice.random() < one.weight / heaviest]
    return [one.row for one in kept], [one.mode is not None for one in kept]


def _modes(taught: Sequence[Example], features: Sequence[str], seed: int) -> dict[str, Booster]:
    """For each mode that was seen often enough, what tells it from the others."""
    failing = [one for one in taught if one.mode]
    counts: dict[str, int] = {}
    for one in failing:
        counts[str(one.mode)] = counts.get(str(one.mode), 0) + 1
    usual = [mode for mode, count in sorted(counts.items()) if count >= _LEAST_OF_MODE]
    if len(usual) < 2:
        return {}
    failing = failing[:: max(1, len(failing) // _MOST_OF_MODES)]
    rows = [one.row for one in failing]
    return {
        mode: fit(rows, [one.mode == mode for one in failing], features, seed=seed, size=_OF_MODE) for mode in usual
    }


def _cases(whether: Booster, taught: Sequence[Example], task: Task) -> Iterator[PastCase]:
    """Of each failure, the latest ones first, the row that was made halfway through its horizon."""
    best: dict[tuple[str, int], Example] = {}
    for one in taught:
        if one.mode:
            key = (one.agent, round(one.at + one.left_s))
            half = task.horizon_s / 2
            if key not in best or abs(one.left_s - half) < abs(best[key].left_s - half):
                best[key] = one
    for (agent, at), one in sorted(best.items(), key=lambda item: -item[0][1])[:_MOST_CASES]:
        brought = tuple(round(part, 2) for part in whether.contributions(one.row)[:-1])
        yield PastCase(agent, float(at), str(one.mode), brought)


def shipped() -> Learned:
    """The model of every fleet that comes with the product, learned from simulated fleets alone."""
    file = resources.files("selfheal.recorded").joinpath("every_fleet.model")
    return learned_of(file.read_bytes(), "every_fleet.model")
