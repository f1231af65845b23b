"""Is the chance that an agent dies within the next hour told as it is, from the first death on?

`python -m benchmarks.hazard`: simulated fleets whose rates are known, of several kinds; each hour of each agent that
died at least once is asked for. Beside it what one would reckon by hand: the agent's own deaths over its own time, the
mean of the fleet for everybody, and the chance that the true rate gives, which nobody can better.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from random import Random

from benchmarks.report import Cell, Goal, print_goals, print_table
from selfheal.predict.hazard import hazard, prior_of
from selfheal.world.deaths import Deaths

HOURS, AGENTS, FLEETS = 96, 40, 6
HOUR_S = 3600.0

Rates = list[float]
"""The rate of an agent in deaths an hour, hour by hour."""


def alike(_: Random) -> Rates:
    return [0.04] * HOURS


def mixed(dice: Random) -> Rates:
    return [dice.gammavariate(0.4, 0.25)] * HOURS


def bursting(dice: Random) -> Rates:
    """Quiet, and now and then for some hours very much not."""
    rates, left = [], 0
    for _ in range(HOURS):
        left = left - 1 if left else (dice.randint(2, 6) if dice.random() < 0.02 else 0)
        rates.append(1.5 if left else 0.01)
    return rates


def few_bad(dice: Random) -> Rates:
    return [0.6 if dice.random() < 0.1 else 0.005] * HOURS


def deployed(dice: Random) -> Rates:
    """A bad deploy, which is mended some hours later."""
    begin, lasts = dice.randrange(HOURS - 12), dice.randint(4, 12)
    return [0.8 if begin <= hour < begin + lasts else 0.01 for hour in range(HOURS)]


KINDS: Mapping[str, Callable[[Random], Rates]] = {
    "all alike": alike,
    "mixed (gamma)": mixed,
    "a tenth is bad": few_bad,
    "bursts": bursting,
    "bad deploys": deployed,
}


@dataclass(slots=True)
class Asked:
    """One agent and hour: the chance by each way to reckon it, and whether it died in that hour."""

    chances: dict[str, float]
    died: bool


def asked(kind: Callable[[Random], Rates], dice: Random) -> list[Asked]:
    rates = [kind(dice) for _ in range(AGENTS)]
    known = [Deaths(at=1.0) for _ in range(AGENTS)]
    found: list[Asked] = []
    for hour in range(HOURS):
        at = 1.0 + hour * HOUR_S
        known = [deaths.until(at, up=True) for deaths in known]
        prior, died, lived = prior_of(known), sum(one.count for one in known), AGENTS * max(hour, 1)
        for place, deaths in enumerate(known):
            times = _deaths_within(rates[place][hour], dice)
            if deaths.count:
                chances = {
                    "Gamma-Poisson": hazard(deaths, prior).chance,
                    "its own deaths": 1.0 - exp(-deaths.count / hour),
                    "the fleet's mean": 1.0 - exp(-died / lived),
                    "the true rate": 1.0 - exp(-rates[place][hour]),
                }
                found.append(Asked(chances, bool(times)))
            for when in times:
                known[place] = known[place].until(at + when * HOUR_S, up=True).died()
    return found


def _deaths_within(rate: float, dice: Random) -> list[float]:
    times: list[float] = []
    at = dice.expovariate(rate)
    while at < 1.0:
        times.append(at)
        at += dice.expovariate(rate)
    return times


def brier(found: Sequence[Asked], way: str) -> float:
    return sum((one.chances[way] - one.died) ** 2 for one in found) / len(found)


def calibration_error(found: Sequence[Asked], way: str, bins: int = 10) -> float:
    """How far chance and share of deaths are apart, over tenths of the chances (each of as many)."""
    ordered = sorted(found, key=lambda one: one.chances[way])
    size = -(-len(ordered) // bins)
    parts = [ordered[begin : begin + size] for begin in range(0, len(ordered), size)]
    apart = (abs(sum(one.chances[way] - one.died for one in part)) for part in parts)
    return sum(apart) / len(found)


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.hazard", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    dice = Random(parser.parse_args().seed)
    rows: list[tuple[Cell, ...]] = []
    everything: list[Asked] = []
    for name, kind in KINDS.items():
        found = [one for _ in range(FLEETS) for one in asked(kind, dice)]
        everything += found
        rows += _rows(name, found)
    rows += _rows("together", everything)
    print_table("Chance of a death within the next hour", ("fleet", "by", "asked", "Brier", "calibration error"), rows)
    print_table("Reliability of Gamma-Poisson, all fleets", ("told", "died", "asked"), _reliability(everything))
    best = min(brier(everything, way) for way in ("its own deaths", "the fleet's mean"))
    print_goals(
        [
            Goal("calibration error", calibration_error(everything, "Gamma-Poisson"), 0.05, ""),
            Goal("Brier over that of the better naive way", brier(everything, "Gamma-Poisson") / best, 1.0, ""),
        ]
    )


def _rows(name: str, found: Sequence[Asked]) -> list[tuple[Cell, ...]]:
    return [(name, way, len(found), brier(found, way), calibration_error(found, way)) for way in found[0].chances]


def _reliability(found: Sequence[Asked]) -> list[tuple[float, float, int]]:
    ordered = sorted(found, key=lambda one: one.chances["Gamma-Poisson"])
    size = -(-len(ordered) // 10)
    parts = [ordered[begin : begin + size] for begin in range(0, len(ordered), size)]
    return [
        (
            sum(one.chances["Gamma-Poisson"] for one in part) / len(part),
            sum(one.died for one in part) / len(part),
            len(part),
        )
        for part in parts
    ]


if __name__ == "__main__":
    main()
