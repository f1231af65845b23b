"""How often does it happen where a model says so? What turns a model's log-odds into shares that were counted.

By isotonic regression where enough was seen to happen, else by a straight line through the log-odds (Platt), else not
at all: a curve through ten points would follow chance. Both rise with the model, so that nothing changes places.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import exp, isfinite, log

import msgspec

# Fewer positives than that give steps that are chance; fewer than the other, a slope that is.
LEAST_ISOTONIC, LEAST_PLATT = 50, 10
MOST_KNOTS = 2_000
_ROUNDS, _DONE, _RIDGE = 50, 1e-10, 1e-9
# A slope beyond this would be a step, and a number of ours is never that sure.
_MOST_SLOPE = 100.0


class Isotonic(msgspec.Struct, frozen=True, tag="isotonic"):
    """Probabilities that rise with the margin: straight lines between knots, level beyond the first and the last."""

    margins: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise ValueError where these are no such knots."""
        if not 0 < len(self.margins) == len(self.probabilities) <= MOST_KNOTS:
            raise ValueError("a calibration has as many probabilities as margins, and at least one")
        if not all(map(isfinite, (*self.margins, *self.probabilities))):
            raise ValueError("a calibration holds what is no number")
        if any(one > other for one, other in pairwise(self.margins)):
            raise ValueError("the margins of a calibration do not rise")
        if any(one > other for one, other in pairwise(self.probabilities)):
            raise ValueError("the probabilities of a calibration do not rise")
        if not 0.0 <= self.probabilities[0] <= self.probabilities[-1] <= 1.0:
            raise ValueError("what a calibration gives is no probability")

    def probability(self, margin: float) -> float:
        """How often it happened at this margin."""
        margins, known = self.margins, self.probabilities
        after = bisect_right(margins, margin)
        if after == 0:
            return known[0]
        if after == len(margins):
            return known[-1]
        low, high = margins[after - 1], margins[after]
        share = (margin - low) / (high - low)
        return known[after - 1] + share * (known[after] - known[after - 1])


class Platt(msgspec.Struct, frozen=True, tag="platt"):
    """Log-odds that were stretched and moved."""

    slope: float
    offset: float

    def __post_init__(self) -> None:
        """Raise ValueError where this is no line that rises."""
        if not 0.0 <= self.slope <= _MOST_SLOPE or not isfinite(self.offset):
            raise ValueError("a line of a calibration does not rise, or is none")

    def probability(self, margin: float) -> float:
        """How often it happened at this margin, by the line."""
        return logistic(self.slope * margin + self.offset)


Calibration = Isotonic | Platt


def logistic(margin: float) -> float:
    """Log-odds as a probability."""
    if margin < 0.0:
        odds = exp(max(margin, -700.0))
        return odds / (1.0 + odds)
    return 1.0 / (1.0 + exp(-min(margin, 700.0)))


def calibrated(margins: Sequence[float], labels: Sequence[bool]) -> Calibration | None:
    """What calibrates these margins, of rows that the model has not seen; None where too little happened."""
    least = min(sum(labels), len(labels) - sum(labels))
    if least < LEAST_PLATT:
        return None
    return platt(margins, labels) if least < LEAST_ISOTONIC else isotonic(margins, labels)


def isotonic(margins: Sequence[float], labels: Sequence[bool]) -> Isotonic:
    """The rising curve nearest to what happened, by pooling adjacent violators, of at least one row.

    The share of a pool holds at its middle, with straight lines between (centred isotonic regression; Oron and
    Flournoy, Stat. Biopharm. Res. 9, 2017): steps would give one chance to all rows of a pool, and of those no
    threshold could take some. No end says never or always: of n rows the least share is 1/(n + 2), as the rule of
    succession has it.
    """
    pools = list[_Pool]()
    for pool in _points(margins, labels):
        pools.append(pool)
        while len(pools) > 1 and pools[-2].share >= pools[-1].share:
            last, before = pools.pop(), pools.pop()
            pools.append(_Pool(before.sum + last.sum, before.count + last.count, before.happened + last.happened))
    least = 1.0 / (len(labels) + 2)
    middles = accumulate((one.sum / one.count for one in pools), max)  # rounding must not turn two about
    knots = [(middle, min(max(one.share, least), 1.0 - least)) for middle, one in zip(middles, pools, strict=True)]
    return Isotonic(*_thinned(knots))


def platt(margins: Sequence[float], labels: Sequence[bool]) -> Platt:
    """The line through the log-odds by which what happened is likeliest (Platt 1999, with his targets), by Newton."""
    happened = sum(labels)
    yes, no = (happened + 1.0) / (happened + 2.0), 1.0 / (len(labels) - happened + 2.0)
    targets = [yes if label else no for label in labels]
    middle = sum(margins) / len(margins)
    scale = max((abs(one - middle) for one in margins), default=0.0) or 1.0
    cells = [(one - middle) / scale for one in margins]  # a step of Newton's goes astray where these are large
    slope, offset = _line(cells, targets)
    slope = min(max(slope / scale, 0.0), _MOST_SLOPE)
    if slope == 0.0:
        return Platt(0.0, log(yes_odds(happened, len(labels))))
    return Platt(slope, offset - slope * middle)


def yes_odds(happened: int, count: int) -> float:
    """The odds of what happened so often among so many, never none and never certain."""
    return (happened + 1.0) / (count - happened + 1.0)


class _Pool(msgspec.Struct, frozen=True):
    """Margins next to each other: their sum, how many rows have them, and of how many it happened."""

    sum: float
    count: int
    happened: int

    @property
    def share(self) -> float:
        return self.happened / self.count


def _points(margins: Sequence[float], labels: Sequence[bool]) -> list[_Pool]:
    """Each margin once, in order."""
    counts = dict[float, tuple[int, int]]()
    for margin, label in zip(margins, labels, strict=True):
        count, happened = counts.get(margin, (0, 0))
        counts[margin] = (count + 1, happened + bool(label))
    return [_Pool(margin * counts[margin][0], *counts[margin]) for margin in sorted(counts)]


def _thinned(knots: Sequence[tuple[float, float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Margins and probabilities of so many knots as there may be, the last among them."""
    step = -(-len(knots) // (MOST_KNOTS - 1))
    kept = [*knots[:-1:step], knots[-1]]
    return tuple(margin for margin, _ in kept), tuple(share for _, share in kept)


def _line(cells: Sequence[float], targets: Sequence[float]) -> tuple[float, float]:
    """Slope and offset of a logistic regression on one cell, by Newton's method with steps that are halved."""
    slope, offset = 0.0, 0.0
    best = _loss(cells, targets, slope, offset)
    for _ in range(_ROUNDS):
        across, down = _newton(cells, targets, slope, offset)
        share = 1.0
        while (now := _loss(cells, targets, slope - share * across, offset - share * down)) > best and share > _DONE:
            share /= 2.0
        if best - now < _DONE:
            break
        slope, offset, best = slope - share * across, offset - share * down, now
    return slope, offset


def _newton(cells: Sequence[float], targets: Sequence[float], slope: float, offset: float) -> tuple[float, float]:
    """The step of Newton's method from here."""
    uphill = leaning = 0.0
    square = both = alone = _RIDGE
    for cell, target in zip(cells, targets, strict=True):
        probability = logistic(slope * cell + offset)
        apart, curve = probability - target, probability * (1.0 - probability)
        uphill, leaning = uphill + apart * cell, leaning + apart
        square, both, alone = square + curve * cell * cell, both + curve * cell, alone + curve
    sides = square * alone - both * both
    if sides <= 0.0:
        return 0.0, leaning / alone
    return (alone * uphill - both * leaning) / sides, (square * leaning - both * uphill) / sides


def _loss(cells: Sequence[float], targets: Sequence[float], slope: float, offset: float) -> float:
    """Minus the log-likelihood, written so that nothing overflows."""
    loss = 0.0
    for cell, target in zip(cells, targets, strict=True):
        margin = slope * cell + offset
        loss += log(1.0 + exp(-abs(margin))) + max(margin, 0.0) - target * margin
    return loss
