"""What all channels need to know of a case, worked out once: what is usual, what moved, who calls whom."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import gt

from selfheal.diagnose.case import Case, Series
from selfheal.diagnose.families import Family, family
from selfheal.diagnose.robust import Usual, finite, is_number, median, quantile, usual, usual_of

# What comes right before the trouble may be part of it: who noticed it was late by so many samples.
GUARD = 2
# Without so many samples from before nothing is known to be usual.
LEAST_BEFORE = 3
# More samples than this after its beginning are summed up by their middle, fewer by the furthest but one, and of so few
# that one of them may be all there is of it by the furthest.
MANY, FEW = 8, 3
# Samples further apart than this say what was right before it; of closer ones so many before the guard do.
SLOW_S, RECENT = 45.0, 8
# A service that moves by less than this share of what all of them have of a metric has not moved.
SHARE_OF_ALL = 0.05
# Of what succeeds, as a share of the most of it that was seen.
SHARE_OF_WHOLE = 0.005


@dataclass(frozen=True, slots=True)
class Measure:
    """A series before and in the trouble, which is compared with `base`. `distance` is above zero where it rose."""

    series: Series
    family: Family
    before: Usual
    base: float
    during: tuple[float, ...]
    typical: float
    distance: float

    @property
    def service(self) -> str:
        return self.series.service

    @property
    def metric(self) -> str:
        return self.series.metric


class View:
    """A case as channels look at it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._reached: dict[str, frozenset[str]] = {}

    @cached_property
    def services(self) -> tuple[str, ...]:
        return self.case.services()

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """Every series of which enough is known before and during."""
        split = [_split(one, self.case.at) for one in self.case.series]
        known = [one for one in split if len(one.before) >= LEAST_BEFORE and one.during]
        floors = _floors(known)
        return tuple(_measure(one, floors[one.series.metric]) for one in known)

    @cached_property
    def callees(self) -> Mapping[str, tuple[str, ...]]:
        """Whom each service calls, as was said and as its spans show."""
        found: dict[str, dict[str, None]] = {}
        for caller, names in self.case.graph.items():
            found.setdefault(caller, {}).update(dict.fromkeys(names))
        for caller, callee in self.calls:
            found.setdefault(caller, {})[callee] = None
        return {caller: tuple(name for name in names if name != caller) for caller, names in found.items()}

    @cached_property
    def calls(self) -> frozenset[tuple[str, str]]:
        """Caller and callee of every call that a span shows."""
        owner = {(one.trace, one.id): one.service for one in self.case.spans}
        pairs = ((owner.get((one.trace, one.parent), ""), one.service) for one in self.case.spans if one.parent)
        return frozenset((caller, callee) for caller, callee in pairs if caller and caller != callee)

    def reached(self, service: str) -> frozenset[str]:
        """Everybody whom a service calls, by way of others too, itself included."""
        if service in self._reached:
            return self._reached[service]
        seen, waiting = {service}, [service]
        while waiting:
            fresh = set(self.callees.get(waiting.pop(), ())) - seen
            seen |= fresh
            waiting += fresh
        self._reached[service] = frozenset(seen)
        return self._reached[service]


@dataclass(frozen=True, slots=True)
class _Split:
    """A series cut at the beginning of the trouble: well before it, right before it, and from then on."""

    series: Series
    before: list[float]
    recent: list[float]
    during: list[float]


def _split(series: Series, at: float) -> _Split:
    """Cut a series. Where there is nothing after the beginning its latest values are what there is of the trouble."""
    times, values = series.at, series.values
    if _is_mixed(times):
        order = sorted(range(len(times)), key=times.__getitem__)
        times, values = [times[place] for place in order], [values[place] for place in order]
    begin = bisect_left(times, at)
    if begin == len(times):
        begin = max(0, len(times) - GUARD)
    elif begin and at - times[begin - 1] < (times[begin] - times[begin - 1]) / 2:
        begin -= 1  # a value stands for the time that follows it, most of which was trouble
    guard = max(begin - GUARD, min(begin, LEAST_BEFORE))
    slow = guard < begin and at - times[guard] >= GUARD * SLOW_S
    recent = values[guard : max(begin - 1, guard + 1)] if slow else values[max(0, guard - RECENT) : guard]
    during = [value for value in values[begin:] if is_number(value)]
    return _Split(series, finite(values[:guard]), finite(recent), during)


def _is_mixed(times: Sequence[float]) -> bool:
    return any(map(gt, times, times[1:]))


def _floors(known: Iterable[_Split]) -> dict[str, float]:
    """Of each metric the least move that matters: a share of what a service has of it as a rule."""
    middles: dict[str, list[float]] = {}
    for one in known:
        middles.setdefault(one.series.metric, []).append(abs(quantile(one.before, 0.5)))
    return {metric: SHARE_OF_ALL * median(values) for metric, values in middles.items()}


def _measure(one: _Split, floor: float) -> Measure:
    known = usual_of(one.before)
    typical = _typical(known.middle, one.during)
    base = _base(known.middle, one.recent, typical)
    kind = family(one.series.metric)
    if kind == "success":
        distance = _shortfall(one, base, typical)
    else:
        distance = replace(known, middle=base).distance(typical, floor)
    return Measure(one.series, kind, known, base, tuple(one.during), typical, distance)


def _shortfall(one: _Split, base: float, typical: float) -> float:
    """How far a share of what succeeds has moved: by what is missing of it, for 98 % is far worse than 99.9 %."""
    whole = max(*one.before, *one.during)
    missing = replace(usual(whole - value for value in one.before), middle=whole - base)
    return -missing.distance(whole - typical, SHARE_OF_WHOLE * abs(whole))


def _base(middle: float, recent: Sequence[float], typical: float) -> float:
    """What the trouble is compared with: what is usual, or where it had got to by itself before that began.

    What had moved already is no part of it: then the nearer of the two counts, and where it lies between them neither.
    """
    if not recent:
        return middle
    late = quantile(recent, 0.5)
    if (typical - middle) * (typical - late) < 0.0:
        return typical
    return min(middle, late, key=lambda value: abs(typical - value))


def _typical(middle: float, during: Sequence[float]) -> float:
    """The value that stands for the trouble: its middle, or of few the furthest but one."""
    if len(during) > MANY:
        return median(during)
    far = sorted(during, key=lambda value: -abs(value - middle))
    return far[1] if len(far) > FEW else far[0]


def by_service(measures: Iterable[Measure]) -> dict[str, list[Measure]]:
    """The measures of each service."""
    found: dict[str, list[Measure]] = {}
    for one in measures:
        found.setdefault(one.service, []).append(one)
    return found


def ranked(scores: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Names by their scores, highest first; those that are equal by name."""
    yield from sorted(scores.items(), key=lambda one: (-one[1], one[0]))
