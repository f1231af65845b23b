"""How do others score services, from the metrics of a case alone? Written after their published descriptions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from math import isfinite, sqrt
from random import Random
from zlib import crc32

from selfheal.diagnose.case import Case, Series
from selfheal.diagnose.robust import quantile

Scorer = Callable[[Case], Mapping[str, float]]
_MOST = 200  # samples of each side, for what compares all with all


def _each(score: Callable[[Sequence[float], Sequence[float]], float]) -> Scorer:
    """The highest score of any metric of a service."""

    def scorer(case: Case) -> dict[str, float]:
        found: dict[str, float] = {}
        for one in case.series:
            before, during = _cut(one, case.at)
            if before and during:
                found[one.service] = max(found.get(one.service, 0.0), score(before, during))
        return found

    return scorer


def _cut(series: Series, at: float) -> tuple[list[float], list[float]]:
    place = bisect_left(series.at, at)
    before, during = series.values[:place], series.values[place:]
    return [value for value in before if isfinite(value)], [value for value in during if isfinite(value)]


def _baro(before: Sequence[float], during: Sequence[float]) -> float:
    """BARO's scorer: the furthest value from the median, in interquartile ranges, 1 where that is 0."""
    ordered = sorted(before)
    spread = quantile(ordered, 0.75) - quantile(ordered, 0.25) or 1.0
    return max(abs(value - quantile(ordered, 0.5)) / spread for value in during)


def _sigma(before: Sequence[float], during: Sequence[float]) -> float:
    """The furthest value from the mean, in standard deviations, 1 where that is 0."""
    mean = sum(before) / len(before)
    spread = sqrt(sum((value - mean) ** 2 for value in before) / len(before)) or 1.0
    return max(abs(value - mean) / spread for value in during)


def _energy(before: Sequence[float], during: Sequence[float]) -> float:
    """The energy distance of what was before and what is, in units of how far samples of before lie apart."""
    old, new = list(before)[-_MOST:], list(during)[:_MOST]
    across, within, among = _apart(old, new), _apart(old, old), _apart(new, new)
    return (2.0 * across - within - among) / (within or 1.0)


def _apart(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(abs(a - b) for a in one for b in other) / (len(one) * len(other))


def _chance(case: Case) -> dict[str, float]:
    chance = Random(crc32(repr(case.at).encode()))
    return {service: chance.random() for service in case.services()}


PEERS: Mapping[str, Scorer] = {
    "BARO's scorer": _each(_baro),
    "three sigma": _each(_sigma),
    "energy distance": _each(_energy),
    "chance": _chance,
}
