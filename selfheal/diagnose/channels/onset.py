"""Whose numbers left what is usual for them first?

What comes first is nearer to the cause. Clocks differ, and samples are some time apart, so two intervals later counts
for a third. It speaks only where samples are close enough to tell an order.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from math import exp

from selfheal.diagnose.channels import Finding
from selfheal.diagnose.robust import is_number, median
from selfheal.diagnose.view import Measure, View

NAME = "onset"
# So far from usual is out of the ordinary, and it begins at most so many samples before it was noticed.
FAR, BACK = 5.0, 10
# Of what is that far from usual, and of the two samples after it, so many must be.
STAYS = 2
INTERVALS = 2.0


class Onset:
    """The channel."""

    name = NAME

    def look(self, view: View) -> Finding:
        if not view.measures:
            return Finding(missing="no metric with enough samples before and after the beginning")
        first: dict[str, tuple[float, str]] = {}
        for one in view.measures:
            at = _begins(one, view.case.at)
            if at is not None:
                first[one.service] = min(first.get(one.service, (at, one.metric)), (at, one.metric))
        if not first:
            return Finding(missing="no metric that left what is usual for it for good")
        begin = min(at for at, _ in first.values())
        step = INTERVALS * max(_interval(view.measures), 1e-9)
        scores = {one.service: 0.0 for one in view.measures}
        scores.update({name: exp(-(at - begin) / step) for name, (at, _) in first.items()})
        words = {
            name: f"{metric} was the first to move, {at - view.case.at:+.0f} s" for name, (at, metric) in first.items()
        }
        return Finding(scores, {name: words[name] for name in first if scores[name] > 0.5})


def _begins(one: Measure, noticed: float) -> float | None:
    """When a metric left what is usual for good; None where it did not."""
    times, values = one.series.at, one.series.values
    start = max(0, bisect_left(times, noticed) - BACK)
    far = [is_number(value) and abs(one.before.distance(value)) > FAR for value in values[start:]]
    if not any(far):
        return None
    for place, is_far in enumerate(far):
        if is_far and sum(far[place : place + 3]) >= min(STAYS, len(far) - place):
            return times[start + place]
    return None


def _interval(measures: tuple[Measure, ...]) -> float:
    return median(later - earlier for one in measures[:20] for earlier, later in pairwise(one.series.at))
