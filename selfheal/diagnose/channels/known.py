"""Whose log says what is known to be a cause?

A signature that matched a line names a cause at that service. How often that is true is what it counts. That somebody
else does not answer is said by those who suffer from it, so it accuses nobody of those who say it.
"""

from __future__ import annotations

from math import log

from selfheal.diagnose.channels import Finding
from selfheal.diagnose.robust import is_number
from selfheal.diagnose.view import View

NAME = "known"
# No signature is right more often than this, whatever it was counted to be.
SUREST = 0.98
_OF_OTHERS = frozenset({"dependency_down", "slow_dependency", "network_loss", "dns_failed", "unknown"})


class Known:
    """The channel."""

    name = NAME

    def look(self, view: View) -> Finding:
        """Score by the odds that a signature is right, as their logarithm: none where it is as often wrong."""
        if not view.case.signs:
            return Finding(missing="no line that is known to stand for a cause")
        scores: dict[str, float] = {}
        evidence: dict[str, str] = {}
        for sign in view.case.signs:
            precision = min(sign.precision, SUREST) if is_number(sign.precision) else 0.0
            score = 0.0 if sign.cause in _OF_OTHERS or precision <= 0.5 else log(precision / (1.0 - precision))
            scores.setdefault(sign.service, 0.0)
            if score > scores[sign.service]:
                scores[sign.service] = score
                evidence[sign.service] = f"{sign.line[:120]!r} stands for {sign.cause} in {precision:.0%}"
        return Finding(scores, evidence)
