"""How long do spans take by themselves, and how much is lost between caller and callee, before and in the trouble?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import log

from selfheal.diagnose.case import Span

# Fewer spans than this before or during are no sample.
LEAST = 3

Samples = dict[tuple[str, str], list[float]]
"""Milliseconds, by caller and callee or by service and operation."""


def ratios(
    spans: Sequence[Span], at: float, measure: Callable[[Sequence[Span]], Samples], least_ms: float
) -> dict[tuple[str, str], float]:
    """How many times longer since `at`, as a logarithm, 0 where it is not longer.

    `least_ms` is added on both sides: what is shorter than that says nothing.
    """
    before, during = measure([one for one in spans if one.at < at]), measure([one for one in spans if one.at >= at])
    known = [(key, before.get(key, ()), now) for key, now in during.items()]
    return {
        key: max(0.0, log((_mean(now) + least_ms) / (_mean(then) + least_ms)))
        for key, then, now in known
        if len(then) >= LEAST and len(now) >= LEAST
    }


def gaps(spans: Sequence[Span]) -> Samples:
    """What a caller's span lasts longer than that of the callee, by both."""
    found: Samples = {}
    for parent, child in _pairs(spans):
        if parent.service != child.service:
            gap = max(parent.duration_ms - child.duration_ms, 0.0)
            found.setdefault((parent.service, child.service), []).append(gap)
    return found


def own(spans: Sequence[Span]) -> Samples:
    """What each span takes without those that it called, by service and operation."""
    children: dict[tuple[str, str], float] = {}
    for parent, child in _pairs(spans):
        key = parent.trace, parent.id
        children[key] = children.get(key, 0.0) + child.duration_ms
    found: Samples = {}
    for one in spans:
        alone = max(one.duration_ms - children.get((one.trace, one.id), 0.0), 0.0)
        found.setdefault((one.service, one.operation), []).append(alone)
    return found


def _pairs(spans: Iterable[Span]) -> Iterator[tuple[Span, Span]]:
    """Every span with the one that called it."""
    known = {(one.trace, one.id): one for one in spans}
    for one in known.values():
        parent = known.get((one.trace, one.parent))
        if parent is not None and parent is not one:
            yield parent, one


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
