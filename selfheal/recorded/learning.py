"""How is a model learned from what was recorded, and from what was only simulated?

Rows come from steps whose outcome was known before the part ended. All that led to a failure are taken, of the others
as many as can be learned from, each of which then counts for several. What the probabilities are corrected by, and the
thresholds chosen on, is of later time and taken as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from math import inf
from random import Random
from statistics import quantiles

from selfheal.ml.boost import Booster
from selfheal.ml.boost_fit import fit
from selfheal.predict.alarms import Task
from selfheal.predict.own_rows import MOST_SIGNALS
from selfheal.predict.recording import Recording
from selfheal.predict.replay import Known, Parts, known, length_of_step, outcomes, places
from selfheal.recorded.learned import Eta, Learned, PastCase, Rows, Scope, features_of, learned_of

# Steps that nothing followed, of which so many are learned from; three minutes of fitting.
MOST_QUIET = 60_000
MOST_CHECKED = 40_000
# Fewer failures than this teach nothing but chance.
LEAST_FAILURES = 5
_LEAST_OF_MODE = 20
# A simulated fleet has failures without end, one's own has not; to tell modes apart takes little.
_DEPTHS: Mapping[Scope, int] = {"every fleet": 6, "this fleet": 4}
_DEPTH_OF_MODE = 3
# Steps before failures by which modes are told apart.
_MOST_OF_MODES = 6_000
# What comes later than this share of the horizon is not learned as a failure within it: an alarm that comes a little
# before the horizon is as wrong as one that comes long before, and the times of failures are never known to a minute.
NEAR = 0.85
# Failures that are kept to be told as the nearest past case.
_MOST_CASES = 40
_BINS = (0.0, 0.2, 0.4, 0.6, 0.8)
_LEAST_IN_BIN = 20


@dataclass(frozen=True, slots=True)
class Example:
    """A step to learn from: its row, how much it counts, and the failure that followed within the horizon, if any."""

    agent: str
    at: float
    row: tuple[float, ...]
    weight: float
    mode: str | None
    left_s: float


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
    """The steps of [begun, ended) to learn from, oldest first; of those that nothing followed about `quiet`."""
    signals = signals_of(recording) if scope == "this fleet" else None
    share = min(1.0, quiet / max(1, _steps(recording, task)))
    found = [
        example
        for one in known(recording, task)
        for example in _of_agent(one, Rows(one, signals), task, span, share, dice)
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
        if mode is None and dice.random() >= share:
            continue
        row = rows.row(place)
        if row is not None:
            at = one.track.ends_at(place)
            left = min((failure.at - at for failure in one.failures if failure.at > at), default=inf)
            yield Example(one.agent, at, row, 1.0 if mode else 1.0 / share, mode, left)


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
        [one.mode is not None and one.left_s <= NEAR * task.horizon_s for one in taught],
        features,
        weights=[one.weight for one in taught],
        calibration=_evenly(checked, dice),
        seed=seed,
        depth=_DEPTHS[scope],
    )
    return Learned(
        scope=scope,
        horizon_s=task.horizon_s,
        lead_s=task.lead_s,
        signals=signals_of(recording) if scope == "this fleet" else (),
        whether=whether,
        modes=_modes(taught, features, seed),
        threshold=0.5,
        etas=_etas(whether, checked, task),
        rows=len(taught),
        failures=_failures(taught),
        cases=tuple(_cases(whether, taught, task)),
    )


def _failures(taught: Sequence[Example]) -> int:
    return len({(one.agent, round(one.at + one.left_s)) for one in taught if one.mode})


def _evenly(checked: Sequence[Example], dice: Random) -> tuple[list[tuple[float, ...]], list[bool]]:
    """Examples of both kinds in the proportion in which they came."""
    share = 1.0 / max((one.weight for one in checked), default=1.0)
    kept = [one for one in checked if one.mode is None or dice.random() < share]
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
        mode: fit(rows, [one.mode == mode for one in failing], features, seed=seed, depth=_DEPTH_OF_MODE)
        for mode in usual
    }


def _etas(whether: Booster, checked: Sequence[Example], task: Task) -> tuple[Eta, ...]:
    """When failures came, by what was said before them; of a time that was not learned from."""
    said = [(whether.probability(one.row), one.left_s / task.horizon_s) for one in checked if one.mode]
    found = []
    for least in _BINS:
        left = [share for probability, share in said if least <= probability]
        if len(left) >= _LEAST_IN_BIN:
            cuts = quantiles(left, n=20, method="inclusive")
            found.append(Eta(least, cuts[0], cuts[9], cuts[18]))
    return tuple(found)


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
