"""Which service's numbers have moved furthest from what is usual for them?

For each service the metric that moved most, in the direction that is bad for it. Resources count most: what uses them
up is nearer to a cause than what is slow because of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from selfheal.diagnose.channels import Finding
from selfheal.diagnose.families import Family, family
from selfheal.diagnose.robust import surprise
from selfheal.diagnose.view import Measure, View

NAME = "shift"
# What of a move counts that is wholly explained by others, and which share makes it wholly its own.
EXPLAINED, OWN = 0.3, 0.2
_WEIGHT: Mapping[Family, float] = {
    "resource": 1.0, "error": 0.8, "success": 0.8, "latency": 0.6, "other": 0.5, "load": 0.25,
}  # fmt: skip


class Shift:
    """The channel."""

    name = NAME

    def look(self, view: View) -> Finding:
        if not view.measures:
            return Finding(missing="no metric with enough samples before and after the beginning")
        metrics = {(one.service, one.metric): _score(one) for one in view.measures}
        scores: dict[str, float] = {}
        evidence: dict[str, str] = {}
        for one in view.measures:
            score = metrics[one.service, one.metric]
            if one.service not in scores or score > scores[one.service]:
                scores[one.service], evidence[one.service] = score, _words(one)
        return Finding(scores, {name: evidence[name] for name, score in scores.items() if score > 0.0}, metrics)


def _score(one: Measure) -> float:
    distance = {"success": -one.distance, "load": abs(one.distance), "other": abs(one.distance)}.get(
        one.family, one.distance
    )
    return _WEIGHT[one.family] * surprise(distance)


def _words(one: Measure) -> str:
    way = "rose" if one.distance > 0 else "fell"
    far = f"{abs(one.distance):.1f} times its spread"
    return f"{one.metric} {way} from {one.base:.4g} to {one.typical:.4g} ({far})"


def unexplained(found: Finding, own: Mapping[str, float]) -> Finding:
    """Return the same with less of what a service's callees explain: it is slow, or fails, because they do.

    `own` is how much of its trouble is a service's own, where that is known. What it uses up is always its own.
    """
    scores = dict.fromkeys(found.scores, 0.0)
    for (service, metric), score in found.metrics.items():
        whole = family(metric) == "resource" or service not in own
        share = 1.0 if whole else EXPLAINED + (1.0 - EXPLAINED) * min(own[service] / OWN, 1.0)
        scores[service] = max(scores[service], share * score)
    return replace(found, scores=scores)
