"""What of a signal's past tells of the rate that holds now?

What was before a release of what was held tells nothing. A saw-tooth, as a garbage collector makes it, is no
such release: all of its teeth are looked at, or nothing at all where what is left after a release does not grow. A step
up, as a deploy makes it, is no rate: what was before it is lifted by its height.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from selfheal.predict.slopes import Point

# A fall by this share of the range seen is a release of what was held, not noise about a trend.
DROP_SHARE = 0.3
# What is left after each release has to grow by this share of the range: less is the scatter of the collector.
FLOOR_SHARE = 0.1
MOST_LOOKED_AT = 400
# Steps are looked for between the middles of so many runs of points.
RUNS = 72
# A rise between two neighbours that is so many times their usual difference, and stays, is a step; more than so many
# are how the signal is.
STANDS_OUT = 8.0
MOST_STEPS = 4
# The level on each side of a step is the middle of so many.
SIDE = 3


def since_release(points: Sequence[Point]) -> Sequence[Point]:
    """Return the points since the latest release, or all where they are teeth that grow; none where these do not.

    What has risen above all former peaks is no tooth any more.
    """
    if not points:
        return points
    stride = len(points) // MOST_LOOKED_AT + 1  # what is released stays so: not each point is needed to see it
    values = _without_spikes([value for _, value in points[::stride]])
    held = max(values) - min(values)
    begins = _releases(values, DROP_SHARE * held) if held > 0 else []
    if len(begins) < 2:
        return points[begins[0] * stride :] if begins else points
    floors = [values[place] for place in begins]
    half = len(floors) // 2
    if median(floors[-half:]) - median(floors[:half]) >= FLOOR_SHARE * held:
        return points
    above = values[-1] > max(values[: begins[-1]]) + FLOOR_SHARE * held
    return points[begins[-1] * stride :] if above else ()


def _releases(values: Sequence[float], drop: float) -> list[int]:
    """Where values have fallen by so much from what they had risen to."""
    begins: list[int] = []
    peak = values[0]
    for place, value in enumerate(values):
        if value < peak - drop:
            begins.append(place)
            peak = value
        peak = max(peak, value)
    return begins


def _without_spikes(values: Sequence[float]) -> Sequence[float]:
    """The middle of each three: what lasts for one point only is no rise, and its end no release."""
    if len(values) < 3:
        return values
    middles = [
        max(min(before, value), min(max(before, value), after))
        for before, value, after in zip(values, values[1:], values[2:], strict=False)
    ]
    return [middles[0], *middles, middles[-1]]


def without_steps(points: Sequence[Point]) -> Sequence[Point]:
    """Return the points as they would be without steps up: what was before one is lifted by its height."""
    size = -(-len(points) // RUNS) if points else 1
    begins = range(len(points) % size, len(points) - size + 1, size)
    values = [sorted([value for _, value in points[begin : begin + size]])[size // 2] for begin in begins]
    rises = [after - before for before, after in pairwise(values)]
    if len(rises) < 4 * SIDE:
        return points
    usual = median(rises)
    least = STANDS_OUT * median(abs(rise - usual) for rise in rises)
    places = [place + 1 for place, rise in enumerate(rises) if rise - usual > least]
    steps = [(begins[place], high) for place in places if (high := _height(values, place, usual)) > least]
    if not steps or len(steps) > MOST_STEPS:
        return points
    return [
        (at, value + sum(high for place, high in steps if number < place)) for number, (at, value) in enumerate(points)
    ]


def _height(values: Sequence[float], place: int, usual: float) -> float:
    """How much higher a signal is after a place than before it, less what it rises in any case."""
    before, after = values[max(0, place - SIDE) : place], values[place : place + SIDE]
    if min(len(before), len(after)) < SIDE:
        return 0.0
    return median(after) - median(before) - SIDE * usual
