"""What does the daemon's own detector make of noise, and how soon does it tell of trouble?

`python -m benchmarks.anomaly.live`: alarms of an agent a day where nothing is wrong, for agents of 1, 8 and 40 signals
that come each second, five seconds and minute, of each family of noise and of all mixed; then those of an agent that is
started each two hours, each time with another level; then after how many samples a slow-down, a ramp of errors and a
leak are told; then what a sample costs and a series holds. `--samples` is how many are drawn for each figure: a million
takes ten seconds, and all of it twenty minutes.

The constants were chosen by looking at the seeds from 1000 on; those that are printed are others, unless `--seed` says
so.
"""

from __future__ import annotations

import tracemalloc
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import pi, sin, sqrt
from random import Random
from time import process_time
from typing import NamedTuple

from benchmarks.report import Cell, Goal, print_goals, print_table, quantile
from selfheal.detect.anomalies import AnomalyWatch
from selfheal.detect.grouping import Departed
from selfheal.detect.patience import HITS
from selfheal.detect.together import ALARMS_A_DAY
from selfheal.events import AgentStarted, Run

DAY_S = 86_400.0
PACES_S, SIGNALS = (1.0, 5.0, 60.0), (1, 8, 40)
BUDGET = 2.0 * ALARMS_A_DAY
MIXED = "all of these"
# An agent is watched for as long as this, or several are.
LONGEST_DAYS = 4.0
STARTS_S = 7200.0
QUIET_SAMPLES, WATCHED_SAMPLES, ROUNDS = 700, 100, 20

Draw = Callable[[float], float]
"""The value of a signal at a time."""


def gaussian(dice: Random, _every_s: float) -> Draw:
    return lambda _at: dice.gauss(100.0, 10.0)


def lognormal(dice: Random, _every_s: float) -> Draw:
    return lambda _at: dice.lognormvariate(0.0, 1.0)


def autocorrelated(dice: Random, _every_s: float) -> Draw:
    """Each sample is .9 of the one before."""
    level = 0.0

    def draw(_at: float) -> float:
        nonlocal level
        level = 0.9 * level + dice.gauss(0.0, sqrt(1.0 - 0.9**2))
        return 100.0 + 10.0 * level

    return draw


def pareto(dice: Random, _every_s: float) -> Draw:
    return lambda _at: 10.0 * dice.paretovariate(2.5)


def poisson(dice: Random, every_s: float) -> Draw:
    """Counts of twelve a minute, as they come within the interval."""

    def draw(_at: float) -> float:
        left, count = every_s / 5.0, 0
        while (left := left - dice.expovariate(1.0)) > 0.0:
            count += 1
        return float(count)

    return draw


def bursts(dice: Random, every_s: float) -> Draw:
    """Calm, but once an hour, about, ten times as high for two to eight samples."""
    left = 0

    def draw(_at: float) -> float:
        nonlocal left
        if left == 0 and dice.random() < every_s / 3600.0:
            left = dice.randint(2, 8)
        left -= left > 0
        return dice.gauss(100.0 if left else 10.0, 2.0)

    return draw


def daily(dice: Random, _every_s: float) -> Draw:
    """Twice as much by day as by night."""
    return lambda at: 150.0 - 50.0 * sin(2.0 * pi * at / DAY_S) + dice.gauss(0.0, 10.0)


NOISE: Mapping[str, Callable[[Random, float], Draw]] = {
    "gaussian": gaussian,
    "lognormal": lognormal,
    "autocorrelated": autocorrelated,
    "Pareto": pareto,
    "Poisson": poisson,
    "bursts": bursts,
    "daily": daily,
}


def samples(draws: Mapping[str, Draw], every_s: float, days: float, dice: Random) -> Iterator[tuple[float, str, float]]:
    """Times, signals and values of one agent, a little early or late at times."""
    at = 0.0
    while at < days * DAY_S:
        for signal, draw in draws.items():
            yield at, signal, draw(at)
        at += every_s * dice.uniform(0.98, 1.02)


class Alarms(NamedTuple):
    """Alarms of agents on their first day and on later ones, with how many days those were."""

    first: int
    first_days: float
    later: int
    later_days: float


def alarms(families: Sequence[str], signals: int, every_s: float, days: float, seed: int) -> Alarms:
    """Alarms of one agent. Those within a minute of each other, or three samples, are one."""
    dice = Random(seed)
    draws = {f"s{number}": NOISE[families[number % len(families)]](dice, every_s) for number in range(signals)}
    watch, latest, first, later = AnomalyWatch(), -DAY_S, 0, 0
    for at, signal, value in samples(draws, every_s, days, dice):
        if any(isinstance(told, Departed) for told in watch.look("agent", signal, at, value)):
            if at - latest > max(60.0, HITS * every_s):
                first, later = (first + 1, later) if at < DAY_S else (first, later + 1)
            latest = at
    return Alarms(first, min(1.0, days), later, max(0.0, days - 1.0))


def quiet(drawn: int, seed: int, families: Sequence[str]) -> tuple[list[list[Cell]], Alarms]:
    """Alarms of agents of one family, a row for each pace and number of signals; and all of them together."""
    rows, every = list[list[Cell]](), list[Alarms]()
    for pace_s in PACES_S:
        for signals in SIGNALS:
            days = drawn * pace_s / DAY_S / signals
            agents = max(1, round(days / LONGEST_DAYS))
            found = [alarms(families, signals, pace_s, days / agents, seed + number) for number in range(agents)]
            one = Alarms(*(sum(figures) for figures in zip(*found, strict=True)))
            every.append(one)
            rows.append([pace_s, signals, days, one.first, one.first_days, one.later, one.later_days])
    return rows, Alarms(*(sum(figures) for figures in zip(*every, strict=True)))


def restarted(family: str, every_s: float, days: float, seed: int) -> tuple[int, int]:
    """Alarms of an agent that is started again and again, and has another level each time; and how often that is."""
    dice = Random(seed)
    draw, watch, alarmed, starts, factor = NOISE[family](dice, every_s), AnomalyWatch(), 0, 0, 1.0
    for at, signal, value in samples({"s": draw}, every_s, days, dice):
        if at >= (starts + 1) * STARTS_S:
            starts, factor = starts + 1, dice.uniform(0.5, 2.0)
            watch.heed(AgentStarted(at, "agent", Run(1, starts, at, 1, ""), "person"))
        alarmed += any(isinstance(told, Departed) for told in watch.look("agent", signal, at, factor * value))
    return alarmed, starts


def restarts(drawn: int, seed: int, families: Sequence[str]) -> Iterator[list[Cell]]:
    """A row for each family and pace of an agent that is started again and again."""
    for family in families:
        for pace_s in PACES_S:
            days = drawn * pace_s / DAY_S
            agents = max(1, round(days / LONGEST_DAYS))
            found = [restarted(family, pace_s, days / agents, seed + number) for number in range(agents)]
            yield [family, pace_s, days, sum(starts for _, starts in found), sum(alarmed for alarmed, _ in found)]


# --- trouble ---

Trouble = Callable[[Random, int], float]
"""The value of a signal so many samples after a trouble began, below 0 before it."""


def latency(dice: Random) -> float:
    """A tenth of a second, and one answer in two hundred takes thrice as long."""
    return dice.lognormvariate(-2.3, 0.2) * (3.0 if dice.random() < 0.005 else 1.0)


def slow(times: float) -> Trouble:
    return lambda dice, place: latency(dice) * (times if place >= 0 else 1.0)


def errors(dice: Random, place: int) -> float:
    """Errors a second: a tenth, and by a tenth more with each sample."""
    return max(0.0, dice.gauss(0.1 + 0.1 * max(0, place), 0.05))


def leak(dice: Random, place: int) -> float:
    """A hundred megabytes, and one more with each sample."""
    return 1e8 + dice.gauss(0.0, 1e6) + 1e6 * max(0, place)


TROUBLES: Mapping[str, tuple[str, Trouble]] = {
    "slow-down, twice": ("latency", slow(2.0)),
    "slow-down, three times": ("latency", slow(3.0)),
    "errors, a ramp": ("error_rate", errors),
    "leak, a hundredth each": ("rss", leak),
}


def delay(signal: str, trouble: Trouble, others: int, every_s: float, seed: int) -> int | None:
    """How many samples after its beginning a trouble is told, in an agent with other signals that are calm."""
    dice, watch = Random(seed), AnomalyWatch()
    for place in range(-QUIET_SAMPLES, WATCHED_SAMPLES):
        at = every_s * (place + QUIET_SAMPLES)
        for number in range(others):
            watch.look("agent", f"s{number}", at, dice.gauss(100.0, 10.0))
        told = watch.look("agent", signal, at, trouble(dice, place))
        if place >= 0 and any(isinstance(one, Departed) for one in told):
            return place + 1
    return None


def delays(seed: int) -> Iterator[list[Cell]]:
    """A row for each trouble, pace and number of signals: told of so many, and after how many samples."""
    for name, (signal, trouble) in TROUBLES.items():
        for every_s in PACES_S:
            for signals in SIGNALS:
                found = [delay(signal, trouble, signals - 1, every_s, seed + number) for number in range(ROUNDS)]
                told = [one for one in found if one is not None]
                spread = [quantile(told, share) for share in (0.5, 0.9, 1.0)] if told else [None] * 3
                yield [name, every_s, signals, len(told) / ROUNDS, *spread]


# --- cost ---


def microseconds(drawn: int = 200_000) -> float:
    """Of processor for one sample of noise, the drawing apart."""
    dice, watch = Random(1), AnomalyWatch()
    drawn_before = [(5.0 * place, dice.gauss(100.0, 10.0)) for place in range(drawn)]
    began = process_time()
    for at, value in drawn_before:
        watch.look("agent", "s", at, value)
    return (process_time() - began) / drawn * 1e6


def held_bytes(series: int = 20, days: int = 20) -> tuple[float, float]:
    """What one series holds after twenty days, as Python counts it, and as it is kept."""
    tracemalloc.start()
    try:
        before, watch, dice = tracemalloc.get_traced_memory()[0], AnomalyWatch(), Random(1)
        for at, signal, value in samples({f"s{each}": daily(dice, 300.0) for each in range(series)}, 300.0, days, dice):
            watch.look("agent", signal, at, value)
        return (tracemalloc.get_traced_memory()[0] - before) / series, len(watch.keep("agent")) / series
    finally:
        tracemalloc.stop()


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.anomaly.live", description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--families", nargs="*", choices=[*NOISE, MIXED], default=[*NOISE, MIXED])
    options = parser.parse_args()
    goals = list[Goal]()
    for family in options.families:
        rows, all_of_it = quiet(options.samples, options.seed, list(NOISE) if family == MIXED else [family])
        headings = ("every, s", "signals", "agent-days", "alarms on first days", "of", "on later days", "of")
        print_table(f"Nothing is wrong: {family}", headings, rows)
        days = all_of_it.first_days + all_of_it.later_days
        goals.append(
            Goal(f"alarms of an agent a day, {family}", (all_of_it.first + all_of_it.later) / days, BUDGET, "")
        )
    print_table(
        "Nothing is wrong, but each two hours it is started with another level",
        ("", "every, s", "agent-days", "starts", "alarms"),
        list(restarts(options.samples, options.seed, [one for one in options.families if one != MIXED])),
    )
    print_table(
        "Trouble", ("", "every, s", "signals", "told", "after samples, p50", "p90", "most"), list(delays(options.seed))
    )
    held, kept = held_bytes()
    goals += [Goal("a sample", microseconds(), 50.0, "microseconds"), Goal("a series", held / 1024, 32.0, "KB")]
    goals.append(Goal("a series that is kept", kept / 1024, 32.0, "KB"))
    print_goals(goals)


if __name__ == "__main__":
    main()
