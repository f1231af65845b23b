"""Do the incidents of which people have said the cause teach how much each channel should count?

A conditional logit is fitted to them, held near what is believed. It is taken only where it would have made those
likelier to which it was not fitted, each fifth in turn; else what is in force stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log

from selfheal.diagnose.case import NONE
from selfheal.diagnose.circumstances import NAMES, NEVER
from selfheal.diagnose.fit import Example, Fitted, fit, loss
from selfheal.diagnose.fusion import Features
from selfheal.diagnose.own import weights_of
from selfheal.diagnose.weights import Weights
from selfheal.events import Ranked, WeightsLearned
from selfheal.world import Incident

# Fewer say nothing of twenty numbers, and more than the latest so many cost time and tell of other days.
LABELS, MOST = 30, 200
FOLDS = 5
# What was learned is learned anew once there are so many more labels.
MORE = 5
# Nobody labels a time in which nothing was wrong. This many of them, by the labels, stand for those: no channel saw
# anything, and it was none of ten suspects. Without them "none of these" would never be said again.
QUIET, QUIET_SUSPECTS = 0.25, 10


def refit(incidents: Iterable[Incident], learned: WeightsLearned | None, at: float) -> WeightsLearned | None:
    """Return the weights that were learned; None where there are too few labels, or they would not have helped."""
    believed = weights_of(None)
    known = examples(incidents, believed.names)
    if len(known) < LABELS or (learned is not None and len(known) < learned.labels + MORE):
        return None
    before = loss(known, believed.numbers, _nothing(believed))
    after = _held_out(known, believed)
    if not after < before:
        return None
    found = _fitted(known, believed)
    numbers = [round(number, 4) for number in found.weights]
    nothing = tuple(round(number, 4) for number in found.nothing)
    weights = dict(zip(believed.names, zip(numbers[::2], numbers[1::2], strict=True), strict=True))
    return WeightsLearned(at, weights, nothing, len(known), round(before, 4), round(after, 4))


def examples(incidents: Iterable[Incident], channels: Sequence[str]) -> list[Example]:
    """The incidents that somebody labelled and that were ranked, latest last.

    Where it was an agent that nobody had suspected, it was none of these.
    """
    found = []
    for one in incidents:
        label, ranking = one.label, one.ranking
        if label is None or ranking is None or not label.agent or label.cause in ("", "unknown") or one.merged_into:
            continue
        known = {suspect.agent: _by_name(suspect.features, ranking, channels) for suspect in ranking.suspects}
        truth = label.agent if label.agent in known else NONE
        found.append(Example(known, truth, _around(ranking)))
    return found[-MOST:]


def _by_name(numbers: Sequence[float], ranking: Ranked, channels: Sequence[str]) -> Features:
    """The features in the order of `channels`: another version may have weighed others."""
    pairs = dict(zip(ranking.channels, zip(numbers[::2], numbers[1::2], strict=False), strict=False))
    return tuple(number for name in channels for number in pairs.get(name, (0.0, 0.0)))


def _around(ranking: Ranked) -> tuple[float, ...]:
    """The circumstances, where they were written down as they are now."""
    same = len(ranking.circumstances) == len(NAMES)
    return ranking.circumstances if same else (*NEVER[: len(NAMES) - 1], log(max(len(ranking.suspects), 1)))


def _held_out(known: Sequence[Example], believed: Weights) -> float:
    """The mean log-loss of each fifth by weights that were fitted to the others."""
    total = 0.0
    for fold in range(FOLDS):
        held = known[fold::FOLDS]
        found = _fitted([one for place, one in enumerate(known) if place % FOLDS != fold], believed)
        total += loss(held, found.weights, found.nothing) * len(held)
    return total / len(known)


def _fitted(known: Sequence[Example], believed: Weights) -> Fitted:
    silent = (0.0,) * len(believed.numbers)
    quiet = Example(
        {f"{number}": silent for number in range(QUIET_SUSPECTS)},
        NONE,
        (1.0, 1.0, 0.0, log(QUIET_SUSPECTS)),
        QUIET * len(known),
    )
    return fit([*known, quiet], believed.numbers)


def _nothing(weights: Weights) -> tuple[float, ...]:
    return tuple(number / weights.temperature for number in weights.nothing)
