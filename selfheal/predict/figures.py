"""How good are the alarms of a model, and how sure is that?

Shares have Wilson's 95 % interval, rates one by drawing whole agents again and again: the steps of one agent are not so
many proofs. Accuracy stands beside that of never alarming, which is high wherever failures are rare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, TypeVar

from selfheal.predict.alarms import Judged, Step, Task, Watched, judge
from selfheal.predict.roles import foreseeable
from selfheal.world.intervals import wilson

if TYPE_CHECKING:
    from random import Random

Part = TypeVar("Part")

BINS = 10
RESAMPLED = 400
# False alarms for each agent and day that a threshold may cost, where a threshold is chosen.
BUDGET = 0.25
# A failure that nobody was told of costs so many false alarms, where those to whom it happens choose for themselves …
MISSED = 1.5
# … and where it is chosen for fleets that are not known yet: who is new to it believes it by its alarms.
MISSED_BY_ANY = 1.0
# Thresholds that do as well as the best but for this share are as good.
AS_GOOD = 0.99
_MOST_THRESHOLDS = 60
# Below this a probability is never worth an alarm: what is rarer is chance.
LEAST_THRESHOLD = 0.1


@dataclass(frozen=True, slots=True)
class Interval:
    """The 95 % interval of a figure."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Of the steps of a bin: how many there were, what was said on average, and how often it came."""

    count: int
    said: float
    came: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; None where there was nothing to measure it by."""

    threshold: float
    event_recall: float | None
    precision: float | None
    false_alarms_per_agent_day: float | None
    false_positive_rate: float | None
    median_lead_seconds: float | None
    accuracy: float | None
    accuracy_never_alarming: float | None
    brier: float | None
    brier_always_base_rate: float | None
    ece: float | None
    intervals: Mapping[str, Interval]
    counts: Mapping[str, int]
    by_mode: Mapping[str, tuple[int, int]]
    reliability: tuple[Reliability, ...]


def labelled(watched: Watched, task: Task) -> Iterator[tuple[Step, bool]]:
    """Each step, and whether a failure came within its horizon; without those that an unforeseeable one follows, and
    those of which it cannot be known any more.
    """
    failures, following = watched.failures, 0
    ended = watched.steps[-1].at if watched.steps else 0.0
    for step in watched.steps:
        while following < len(failures) and failures[following].at <= step.at:
            following += 1
        there = following < len(failures) and failures[following].at - step.at <= task.horizon_s
        if there and not foreseeable(failures[following].mode):
            continue
        if there or step.at <= ended - task.horizon_s or following < len(failures):
            yield step, there


def measure(agents: Sequence[Watched], threshold: float, task: Task, dice: Random) -> Figures:
    """Hold what a model said of some agents against what came."""
    judged = [judge(one, threshold, task) for one in agents]
    failures, foreseen = sum(one.failures for one in judged), sum(len(one.leads) for one in judged)
    false, right = sum(one.false for one in judged), sum(one.right for one in judged)
    windows, alarmed = sum(one.windows for one in judged), sum(one.windows_alarmed for one in judged)
    leads = [lead for one in judged for lead in one.leads]
    steps = [list(labelled(one, task)) for one in agents]
    pairs = [pair for one in steps for pair in one]
    bins = _reliability(pairs)
    intervals = {
        "event_recall": _interval(foreseen, failures),
        "precision": _interval(right, right + false),
        "false_positive_rate": _interval(alarmed, windows),
        "false_alarms_per_agent_day": _drawn(judged, _false_a_day, dice),
        "median_lead_seconds": _drawn([one for one in judged if one.leads], _usual_lead, dice),
        "brier": _drawn([_squares(one) for one in steps if one], _mean_square, dice),
    }
    return Figures(
        threshold=threshold,
        event_recall=_ratio(foreseen, failures),
        precision=_ratio(right, right + false),
        false_alarms_per_agent_day=_false_a_day(judged),
        false_positive_rate=_ratio(alarmed, windows),
        median_lead_seconds=median(leads) if leads else None,
        accuracy=_ratio(sum((step.probability >= threshold) == came for step, came in pairs), len(pairs)),
        accuracy_never_alarming=_ratio(sum(not came for _, came in pairs), len(pairs)),
        brier=_mean_square([_squares(pairs)]),
        brier_always_base_rate=_base_brier(pairs),
        ece=sum(one.count * abs(one.said - one.came) for one in bins) / len(pairs) if pairs else None,
        intervals={name: one for name, one in intervals.items() if one is not None},
        counts=_counts(judged, pairs),
        by_mode=_by_mode(judged),
        reliability=bins,
    )


def choose(agents: Sequence[Watched], task: Task, fallback: float, missed: float = MISSED) -> tuple[float, float]:
    """The threshold that is best on some agents, and how good it is: the harmonic mean of event recall and precision,
    recall weighing `missed` times as much (van Rijsbergen's F).

    It keeps to the budget of false alarms where any does, and is the middle of those about it that are as good but for
    what may be chance. `fallback` where no failure is there to choose by: then it is not known how good it is, and 0.
    """
    thresholds = _candidates(agents)
    worths = [_worth([judge(one, threshold, task) for one in agents], missed) for threshold in thresholds]
    highest = max(worths, default=0.0)
    if highest <= 0.0:
        return fallback, 0.0
    first = last = worths.index(highest)
    while first > 0 and worths[first - 1] >= AS_GOOD * highest:
        first -= 1
    while last + 1 < len(worths) and worths[last + 1] >= AS_GOOD * highest:
        last += 1
    return (thresholds[first] + thresholds[last]) / 2.0, highest


def _worth(judged: Sequence[Judged], missed: float) -> float:
    failures, foreseen = sum(one.failures for one in judged), sum(len(one.leads) for one in judged)
    wrong, days = sum(one.false for one in judged), sum(one.days for one in judged)
    if not foreseen:
        return 0.0
    found = (1.0 + missed) * foreseen
    worth = found / (found + missed * (failures - foreseen) + wrong)
    return worth * BUDGET * days / wrong if wrong > BUDGET * days else worth


def _candidates(agents: Sequence[Watched]) -> Sequence[float]:
    said = sorted({step.probability for one in agents for step in one.steps if step.probability >= LEAST_THRESHOLD})
    return said[:: max(1, len(said) // _MOST_THRESHOLDS)]


def _interval(hits: int, count: int) -> Interval | None:
    """The interval of a share; None where there is none."""
    return Interval(*wilson(hits, count)) if count else None


def _drawn(parts: Sequence[Part], figure: Callable[[Sequence[Part]], float | None], dice: Random) -> Interval | None:
    found = sorted(
        value for _ in range(RESAMPLED) if parts and (value := figure(dice.choices(parts, k=len(parts)))) is not None
    )
    return Interval(found[len(found) // 40], found[-1 - len(found) // 40]) if found else None


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _false_a_day(judged: Sequence[Judged]) -> float | None:
    days = sum(one.days for one in judged)
    return sum(one.false for one in judged) / days if days > 0.0 else None


def _usual_lead(judged: Sequence[Judged]) -> float | None:
    leads = [lead for one in judged for lead in one.leads]
    return median(leads) if leads else None


def _squares(pairs: Sequence[tuple[Step, bool]]) -> tuple[float, int]:
    return sum((step.probability - came) ** 2 for step, came in pairs), len(pairs)


def _mean_square(sums: Sequence[tuple[float, int]]) -> float | None:
    count = sum(many for _, many in sums)
    return sum(total for total, _ in sums) / count if count else None


def _base_brier(pairs: Sequence[tuple[Step, bool]]) -> float | None:
    """What saying the usual share of failures at every step would have scored."""
    share = _ratio(sum(came for _, came in pairs), len(pairs))
    return None if share is None else share * (1.0 - share)


def _reliability(pairs: Sequence[tuple[Step, bool]]) -> tuple[Reliability, ...]:
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for step, came in pairs:
        bins[min(BINS - 1, int(step.probability * BINS))].append((step.probability, came))
    return tuple(
        Reliability(len(one), sum(said for said, _ in one) / len(one), sum(came for _, came in one) / len(one))
        for one in bins
        if one
    )


def _counts(judged: Sequence[Judged], pairs: Sequence[tuple[Step, bool]]) -> Mapping[str, int]:
    return {
        "agents": len(judged),
        "failures": sum(one.failures for one in judged),
        "foreseen": sum(len(one.leads) for one in judged),
        "alarms": sum(one.alarms for one in judged),
        "right_alarms": sum(one.right for one in judged),
        "false_alarms": sum(one.false for one in judged),
        "undecided_alarms": sum(one.undecided for one in judged),
        "early_alarms": sum(one.early for one in judged),
        "late_alarms": sum(one.late for one in judged),
        "healthy_windows": sum(one.windows for one in judged),
        "healthy_windows_alarmed": sum(one.windows_alarmed for one in judged),
        "failures_without_precursor": sum(one.sudden for one in judged),
        "foreseen_without_precursor": sum(one.sudden_foreseen for one in judged),
        "steps": len(pairs),
        "steps_before_failure": sum(came for _, came in pairs),
    }


def _by_mode(judged: Sequence[Judged]) -> Mapping[str, tuple[int, int]]:
    """Of each mode, how many failures there were, and how many of them were foreseen."""
    found: dict[str, tuple[int, int]] = {}
    for one in judged:
        for mode, (count, foreseen) in one.by_mode.items():
            before = found.get(mode, (0, 0))
            found[mode] = (before[0] + count, before[1] + foreseen)
    return dict(sorted(found.items()))
