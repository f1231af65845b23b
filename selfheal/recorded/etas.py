"""When did failures come that were given such a chance, and which past one had reasons like these?"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from statistics import quantiles
from typing import Protocol, TypeVar

import msgspec

_BINS = (0.0, 0.2, 0.4, 0.6, 0.8)
# Of fewer rows before failures than this, 5 % are no row.
_LEAST_IN_BIN = 20


class Eta(msgspec.Struct, frozen=True, array_like=True):
    """When failures came that were given at least this probability: 5 %, half and 95 % of them, in horizons."""

    probability: float
    low: float
    middle: float
    high: float


# Where nothing better is known: somewhere within the horizon.
SOMEWHERE = Eta(0.0, 0.05, 0.5, 1.0)


class Contributed(Protocol):
    """What has reasons: what each feature brought to a model's word."""

    @property
    def contributions(self) -> Sequence[float]:
        """One number for each feature, in their order."""
        ...


_Case = TypeVar("_Case", bound=Contributed)


def etas_of(said: Sequence[tuple[float, float]]) -> tuple[Eta, ...]:
    """When failures came, by what was said before them: pairs of a probability and of the time left, in horizons."""
    found = []
    for least in _BINS:
        left = [share for chance, share in said if chance >= least]
        if len(left) >= _LEAST_IN_BIN:
            cuts = quantiles(left, n=20, method="inclusive")
            found.append(Eta(least, cuts[0], cuts[9], cuts[18]))
    return tuple(found)


def eta_for(etas: Sequence[Eta], probability: float) -> Eta:
    """What was seen with a probability as this one; somewhere in the horizon where nothing was."""
    after = bisect_right([one.probability for one in etas], probability)
    return etas[after - 1] if after else SOMEWHERE


def nearest(cases: Iterable[_Case], contributions: Sequence[float]) -> _Case | None:
    """The case whose reasons were most like these; None where there is no case."""
    return min(cases, key=lambda one: _apart(one.contributions, contributions), default=None)


def _apart(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(abs(here - there) for here, there in zip(one, other, strict=True))
