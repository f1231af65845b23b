"""Between which two services is time lost on the way?

A span of a caller lasts from its question to the answer, that of the callee only while it works. What lies between
the two is spent on the network, and no metric of either shows it. And what a span takes that none of its children
explains is its service's own: where all that a service does is slower by the same, it is short of processor time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import exp, log

from selfheal.diagnose.case import Case, Span
from selfheal.diagnose.channels import Finding
from selfheal.diagnose.flows import until_usual
from selfheal.diagnose.robust import is_number, median
from selfheal.diagnose.view import View

# What is shorter than this says nothing, in milliseconds: it is added to both sides of a ratio.
_GAP_MS, _SELF_MS = 0.2, 0.1
# Fewer spans than this before or during are no sample.
LEAST = 3
# Of an edge that lost time the callee is the likelier end; one edge alone says less than several.
CALLER, LONE = 0.8, 0.5
# A span that lasts this many times longer than usual.
TELLING = 1.5


class EdgeGap:
    """Time lost between services."""

    name = "edge_gap"

    def look(self, view: View) -> Finding:
        if not view.case.spans:
            return Finding(missing="no spans")
        before, during = _cut(view.case, _gaps)
        ratios = _ratios(before, during, _GAP_MS)
        if not ratios:
            return Finding(missing="no calls between services in spans of both before and after the beginning")
        scores: dict[str, float] = {}
        evidence: dict[str, str] = {}
        for service in {name for edge in ratios for name in edge}:
            near = [
                (ratio * (1.0 if edge[1] == service else CALLER), edge)
                for edge, ratio in ratios.items()
                if service in edge
            ]
            score = sum(ratio for ratio, _ in near) / len(near) * (1.0 - LONE ** len(near))
            scores[service] = score
            worst, (caller, callee) = max(near)
            if worst > log(TELLING):
                evidence[service] = (
                    f"calls from {caller} to {callee} lose {exp(ratios[caller, callee]):.1f} times as much on the way"
                )
        return Finding(scores, evidence)


class SlowAll:
    """Whatever a service does takes longer."""

    name = "slow_all"

    def look(self, view: View) -> Finding:
        if not view.case.spans:
            return Finding(missing="no spans")
        before, during = _cut(view.case, _own)
        ratios = _ratios(before, during, _SELF_MS)
        if not ratios:
            return Finding(missing="no operation with spans of both before and after the beginning")
        by_service: dict[str, list[float]] = {}
        for (service, _), ratio in ratios.items():
            by_service.setdefault(service, []).append(ratio)
        scores = {service: max(median(found), 0.0) for service, found in by_service.items()}
        words = {
            service: f"its operations take {exp(score):.1f} times as long, calls of others taken off"
            for service, score in scores.items()
            if score > log(TELLING)
        }
        return Finding(scores, words)


Samples = dict[tuple[str, str], list[float]]


def _cut(case: Case, measure: Callable[[Sequence[Span]], Samples]) -> tuple[Samples, Samples]:
    until = until_usual(case)
    return measure([one for one in case.spans if one.at < until and is_number(one.duration_ms)]), measure(
        [one for one in case.spans if one.at >= case.at and is_number(one.duration_ms)]
    )


def _pairs(spans: Iterable[Span]) -> Iterator[tuple[Span, Span]]:
    """Every span with the one that called it."""
    known = {(one.trace, one.id): one for one in spans}
    for one in known.values():
        parent = known.get((one.trace, one.parent))
        if parent is not None and parent is not one:
            yield parent, one


def _gaps(spans: Sequence[Span]) -> Samples:
    found: Samples = {}
    for parent, child in _pairs(spans):
        if parent.service != child.service:
            gap = max(parent.duration_ms - child.duration_ms, 0.0)
            found.setdefault((parent.service, child.service), []).append(gap)
    return found


def _own(spans: Sequence[Span]) -> Samples:
    """What each span takes by itself, by service and operation."""
    children: dict[tuple[str, str], float] = {}
    for parent, child in _pairs(spans):
        key = parent.trace, parent.id
        children[key] = children.get(key, 0.0) + child.duration_ms
    found: Samples = {}
    for one in spans:
        own = max(one.duration_ms - children.get((one.trace, one.id), 0.0), 0.0)
        found.setdefault((one.service, one.operation), []).append(own)
    return found


def _ratios(
    before: Mapping[tuple[str, str], Sequence[float]],
    during: Mapping[tuple[str, str], Sequence[float]],
    least_ms: float,
) -> dict[tuple[str, str], float]:
    """How many times longer, as a logarithm; 0 where it is not."""
    found = {}
    for key, now in during.items():
        then = before.get(key, ())
        if len(then) >= LEAST and len(now) >= LEAST:
            found[key] = max(0.0, log((_mean(now) + least_ms) / (_mean(then) + least_ms)))
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
