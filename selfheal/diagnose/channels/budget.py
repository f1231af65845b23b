"""Whose own time or errors are what the alerting service is short of?

What a service adds by itself is what it has more than usual, less what those have more whom it calls. A slow callee
makes all its callers slow, and only of itself more is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp

from selfheal.diagnose.channels import Finding
from selfheal.diagnose.families import family, is_average
from selfheal.diagnose.view import Measure, View, by_service

# What a service that the alerting one does not reach can have to do with it.
UNREACHED = 0.1
# More than this many times of what is missing says no more.
MOST = 3.0
# What is felt is the sum of what is wrong: so less is told from chance there than where it comes from.
_SURE, _SEEN = 3.0, 2.0


class Budget:
    """The channel."""

    name = "budget"

    def look(self, view: View) -> Finding:
        if not view.callees:
            return Finding(missing="no call graph, and no spans to learn it from")
        if view.case.alert is None:
            return Finding(missing="nobody says which service was noticed")
        parts = by_service(view.measures)
        latency, errors = _latency(parts), _errors(parts)
        if not latency and not errors:
            return Finding(missing="no latency, errors or availability of any service")
        kind = family(view.case.alert.metric)
        chosen = {"latency": [latency], "error": [errors], "success": [errors]}.get(kind, [latency, errors])
        found = [_own(view, extra) for extra in (chosen if any(chosen) else [latency, errors]) if extra]
        scores = {name: max(one.get(name, 0.0) for one in found) for name in set().union(*found)}
        words = {
            name: f"{min(score, 1.0):.0%} of what is missing is its own"
            for name, score in scores.items()
            if score > 0.05
        }
        return Finding(scores, words)


Extra = Mapping[str, tuple[float, float]]
"""Of each service what it has more than usual, in seconds or errors a sample, and how far that is from usual."""


def _latency(parts: Mapping[str, Sequence[Measure]]) -> Extra:
    found = {}
    for service, measures in parts.items():
        slow = _chosen(measures, "latency")
        if slow is not None:
            often = _chosen(measures, "load")
            calls = _middle(often.during) if often is not None else 1.0
            found[service] = ((_middle(slow.during) - slow.base) * calls, slow.distance)
    return found


def _errors(parts: Mapping[str, Sequence[Measure]]) -> Extra:
    found = {}
    for service, measures in parts.items():
        counted, succeeded, often = (_chosen(measures, kind) for kind in ("error", "success", "load"))
        calls = _middle(often.during) if often is not None else 1.0
        if succeeded is not None:
            whole = 100.0 if max(*succeeded.during, succeeded.base) > 1.5 else 1.0
            found[service] = (
                (succeeded.base - _middle(succeeded.during)) / whole * calls,
                -succeeded.distance,
            )
        elif counted is not None:
            found[service] = (_middle(counted.during) - counted.base, counted.distance)
    return found


def _middle(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _chosen(measures: Sequence[Measure], kind: str) -> Measure | None:
    """The metric of a family that adds up: one that calls itself a mean, else the smallest."""
    fitting = [one for one in measures if one.family == kind]
    return min(fitting, key=lambda one: (not is_average(one.metric), one.before.middle, one.metric), default=None)


def _own(view: View, extra: Extra) -> dict[str, float]:
    """How much of what the alerting service misses is each one's own."""
    alert = view.case.alert.service if view.case.alert is not None else ""
    owed = extra[alert][0] if alert in extra else max((amount for amount, _ in extra.values()), default=0.0)
    if owed <= 0.0:
        return dict.fromkeys(extra, 0.0)  # whoever was noticed is short of nothing
    real = _likely(extra[alert][1], _SEEN) if alert in extra else 1.0
    reached = view.reached(alert) if alert else frozenset(extra)
    found = {}
    for service, (amount, distance) in extra.items():
        passed_on = sum(max(extra[callee][0], 0.0) for callee in _below(view, service) if callee in extra)
        passed_on += _seen_from_outside(view, extra, service)
        own = min(max(amount - passed_on, 0.0) / owed, MOST)
        found[service] = real * own * _likely(distance, _SURE) * (1.0 if service in reached else UNREACHED)
    return found


def _likely(distance: float, even: float) -> float:
    """How likely it is that something is amiss at all, which at a distance of `even` may as well be chance."""
    return 1.0 / (1.0 + exp(min(even - distance, 50.0)))


def _below(view: View, service: str) -> list[str]:
    """Whom a service calls, without those that call it back: in a ring nobody's trouble is another's."""
    return [callee for callee in view.callees.get(service, ()) if service not in view.reached(callee)]


def _seen_from_outside(view: View, extra: Extra, service: str) -> float:
    """What of a service that only its caller tells of is the trouble of another whom that calls too.

    A name of which nothing is known but how calls of it went (a balancer, an address) is often another service, which
    has its own numbers: where both are in trouble at once, it is that one's.
    """
    if view.callees.get(service):
        return 0.0
    beside = {other for names in view.callees.values() if service in names for other in names} - {service}
    known = [extra[other][0] for other in beside if other in extra and view.callees.get(other)]
    return max((amount for amount in known if amount > 0.0), default=0.0)
