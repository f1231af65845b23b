"""What do weights give on incidents that they were not fitted to?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from random import Random

from benchmarks.rca.labelled import Labelled
from selfheal.diagnose.case import NONE
from selfheal.diagnose.circumstances import circumstances
from selfheal.diagnose.fit import Example, Fitted, fit
from selfheal.diagnose.fusion import features
from selfheal.diagnose.rank import CHANNELS, look
from selfheal.diagnose.view import View

NAMES = tuple(channel.name for channel in CHANNELS)
# What is believed before anything is learned: margins tell most.
BEGIN = tuple(
    number
    for name in NAMES
    for number in {"shift": (0.3, 0.7), "budget": (1.0, 3.0), "onset": (0.0, 0.2), "missing": (0.5, 1.5)}.get(
        name, (0.3, 1.2)
    )
)
# Times without any fault are there in any number; so much each of them counts.
OF_QUIET = 0.6
FOLDS = 5
# How the parts fall is chance, and with few incidents that tells: so the figures are means over these.
SEEDS = (7, 1, 2, 3, 4)
TEMPERATURES = (0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.8, 2.2, 2.7, 3.3, 4.0)


@dataclass(frozen=True, slots=True)
class Known:
    """An incident with what the channels found of it."""

    dataset: str
    fault: str
    example: Example


def known(dataset: str, one: Labelled) -> Known:
    """Let the channels look at an incident."""
    view = View(one.case)
    found = features(look(view), NAMES, view.services)
    weight = 1.0 if one.truth else OF_QUIET
    return Known(dataset, one.fault, Example(found, one.truth or NONE, circumstances(view), weight))


def held_out(cases: Sequence[Known], seed: int) -> list[Mapping[str, float]]:
    """The probabilities of each case by weights that were fitted to four fifths of all cases, without it."""
    parts = folds(len(cases), seed)
    fitted = [fit([one.example for place, one in enumerate(cases) if place not in set(part)], BEGIN) for part in parts]
    told: list[Mapping[str, float]] = [{} for _ in cases]
    for part, weights in zip(parts, fitted, strict=True):
        others = [
            (cases[place], by) for other, by in zip(parts, fitted, strict=True) if other != part for place in other
        ]
        softened = temperature(others)
        for place in part:
            told[place] = ask(cases[place], weights, softened)
    return told


def transferred(cases: Sequence[Known]) -> list[Mapping[str, float]]:
    """The same by weights that were fitted to the other data sets only."""
    told: list[Mapping[str, float]] = [{} for _ in cases]
    for dataset in dict.fromkeys(one.dataset for one in cases):
        fitted = fit([one.example for one in cases if one.dataset != dataset], BEGIN)
        for place, one in enumerate(cases):
            if one.dataset == dataset:
                told[place] = ask(one, fitted, 1.0)
    return told


def learned(cases: Sequence[Known], seed: int = SEEDS[0]) -> tuple[Fitted, float]:
    """Weights from all cases, and how much to soften them, by what was held out."""
    parts = folds(len(cases), seed)
    pairs: list[tuple[Known, Fitted]] = []
    for part in parts:
        fitted = fit([one.example for place, one in enumerate(cases) if place not in set(part)], BEGIN)
        pairs += [(cases[place], fitted) for place in part]
    return fit([one.example for one in cases], BEGIN), temperature(pairs)


def temperature(pairs: Sequence[tuple[Known, Fitted]]) -> float:
    """The softening with which what was held out is likeliest."""
    return min(TEMPERATURES, key=lambda value: sum(_loss(one, fitted, value) for one, fitted in pairs))


def ask(one: Known, fitted: Fitted, temperature: float) -> Mapping[str, float]:
    """The probability of each service and of none."""
    return fitted.told(one.example, temperature)


def _loss(one: Known, fitted: Fitted, temperature: float) -> float:
    return -one.example.weight * log(max(ask(one, fitted, temperature).get(one.example.truth, 0.0), 1e-12))


def folds(count: int, seed: int) -> list[list[int]]:
    """Places in five parts, by chance."""
    order = list(range(count))
    Random(seed).shuffle(order)
    return [order[part::FOLDS] for part in range(FOLDS)]
