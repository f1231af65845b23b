"""Between which two services is time lost on the way?

A span of a caller lasts from its question to the answer, that of the callee only while it works. What lies between
the two is spent on the network, and no metric of either shows it.
"""

from __future__ import annotations

from math import exp, log

from selfheal.diagnose.channels import Finding
from selfheal.diagnose.spans import gaps, ratios
from selfheal.diagnose.view import View

# Added to both sides of a ratio, in milliseconds.
LEAST_MS = 0.2
# Of an edge that lost time the callee is the likelier end; one edge alone says less than several.
CALLER, LONE = 0.8, 0.5
# So many times longer is worth telling.
TELLING = 1.5


class EdgeGap:
    """Time lost between services."""

    name = "edge_gap"

    def look(self, view: View) -> Finding:
        if not view.spans:
            return Finding(missing="no spans")
        lost = ratios(view.spans, view.case.at, gaps, LEAST_MS)
        if not lost:
            return Finding(missing="no calls between services in spans of both before and after the beginning")
        scores: dict[str, float] = {}
        evidence: dict[str, str] = {}
        for service in {name for edge in lost for name in edge}:
            near = {edge: ratio for edge, ratio in lost.items() if service in edge}
            weighed = [ratio * (1.0 if edge[1] == service else CALLER) for edge, ratio in near.items()]
            scores[service] = sum(weighed) / len(weighed) * (1.0 - LONE ** len(weighed))
            (caller, callee), worst = max(near.items(), key=lambda one: (one[1], one[0]))
            if worst > log(TELLING):
                evidence[service] = f"calls from {caller} to {callee} take {exp(worst):.1f} times as long on the way"
        return Finding(scores, evidence)
