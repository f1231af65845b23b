"""The same incidents by ways that others go, each on the same metrics (and graph) as ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import fmean, pstdev

from selfheal.diagnose.case import Case
from selfheal.diagnose.view import View

Scores = Mapping[str, float]
DAMPING, ROUNDS = 0.85, 50


def nsigma(case: Case) -> Scores:
    """The greatest |z| of a service's metrics, by mean and standard deviation."""
    return _greatest(case, _z)


def energy(case: Case) -> Scores:
    """The greatest energy distance of a metric's values before and during, over its spread."""
    return _greatest(case, _energy)


def pagerank(case: Case) -> Scores:
    """Random walk along the calls, begun again at who moves most."""
    view, moved = View(case), nsigma(case)
    total = sum(moved.values()) or 1.0
    start = {name: moved.get(name, 0.0) / total for name in view.services}
    rank = dict(start)
    for _ in range(ROUNDS):
        following = {name: (1.0 - DAMPING) * share for name, share in start.items()}
        for name, share in rank.items():
            callees = [one for one in view.callees.get(name, ()) if one in following] or [name]
            for callee in callees:
                following[callee] += DAMPING * share / len(callees)
        rank = following
    return rank


RIVALS: Mapping[str, Callable[[Case], Scores]] = {"n-sigma": nsigma, "energy distance": energy, "PageRank": pagerank}


def split(case: Case) -> list[tuple[str, str, list[float], list[float]]]:
    """Service, metric, and the values before and from the beginning on."""
    found = []
    for one in case.series:
        pairs = [(at, value) for at, value in zip(one.at, one.values, strict=True) if value - value == 0.0]
        before = [value for at, value in pairs if at < case.at]
        during = [value for at, value in pairs if at >= case.at]
        if len(before) > 1 and during:
            found.append((one.service, one.metric, before, during))
    return found


def _greatest(case: Case, measure: Callable[[list[float], list[float]], float]) -> Scores:
    found: dict[str, float] = {}
    for service, _, before, during in split(case):
        found[service] = max(found.get(service, 0.0), measure(before, during))
    return found


def _z(before: list[float], during: list[float]) -> float:
    spread = pstdev(before) or 1.0
    return max(abs(value - fmean(before)) / spread for value in during)


def _energy(before: list[float], during: list[float]) -> float:
    scale = pstdev(before) or 1.0

    def apart(one: list[float], other: list[float]) -> float:
        return fmean(abs(a - b) for a in one for b in other)

    return (2.0 * apart(before, during) - apart(before, before) - apart(during, during)) / scale
