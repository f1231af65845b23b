"""Which service's numbers have moved furthest from what is usual for them?

For each service the metric that moved most, in the direction that is bad for it. Resources count most: what uses them
up is nearer to a cause than what is slow because of that.
"""

from __future__ import annotations

from collections.abc import Mapping

from selfheal.diagnose.channels import Finding
from selfheal.diagnose.families import Family
from selfheal.diagnose.robust import surprise
from selfheal.diagnose.view import Measure, View

NAME = "shift"
_WEIGHT: Mapping[Family, float] = {
    "resource": 1.0, "error": 0.8, "success": 0.8, "latency": 0.6, "other": 0.5, "load": 0.25, "outbound": 0.1,
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
