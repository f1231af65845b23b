"""Which service is slower at whatever it does?

What a span takes that none of those it called explains is its service's own. Where all operations of a service are
slower by about the same, it is short of processor time.
"""

from __future__ import annotations

from math import exp, log

from selfheal.diagnose.channels import Finding
from selfheal.diagnose.robust import median
from selfheal.diagnose.spans import own, ratios
from selfheal.diagnose.view import View

# Added to both sides of a ratio, in milliseconds.
LEAST_MS = 0.1
# So many times longer is worth telling.
TELLING = 1.5


class SlowAll:
    """Whatever a service does takes longer."""

    name = "slow_all"

    def look(self, view: View) -> Finding:
        if not view.spans:
            return Finding(missing="no spans")
        found: dict[str, list[float]] = {}
        for (service, _), ratio in ratios(view.spans, view.case.at, own, LEAST_MS).items():
            found.setdefault(service, []).append(ratio)
        if not found:
            return Finding(missing="no operation with spans of both before and after the beginning")
        scores = {service: median(operations) for service, operations in found.items()}
        told = {service: score for service, score in scores.items() if score > log(TELLING)}
        return Finding(
            scores, {one: f"its operations take {exp(score):.1f} times as long" for one, score in told.items()}
        )
