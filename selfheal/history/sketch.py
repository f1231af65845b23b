"""How are quantiles of very many numbers known from very few counters?

Each number is counted in a bucket that is 4 % wide, so that any quantile is told within 2 % of a number that was
really there, and sketches are merged by adding up their counters (DDSketch; Masson, Rim, Lee, VLDB 12, 2019).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil, log

ERROR = 0.02
_GAMMA = (1 + ERROR) / (1 - ERROR)
_WIDTH = log(_GAMMA)
# A nanosecond to thirty years, if they are seconds: at most 1,037 buckets, whatever comes.
LEAST, MOST = 1e-9, 1e9
_LOWEST = ceil(log(LEAST) / _WIDTH)


def sketch(values: Iterable[float]) -> Counter[int]:
    """Count the values by bucket. What is less than `LEAST` counts as nothing, what is more than `MOST` as that."""
    return Counter(map(_bucket, values))


def quantile(counts: Mapping[int, float], share: float) -> float | None:
    """The value below which lies a `share` of what was counted; None where that is nothing."""
    rank = share * (sum(counts.values()) - 1)
    seen = 0.0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen > rank:
            return _value(bucket)
    return None


def _bucket(value: float) -> int:
    return ceil(log(min(value, MOST)) / _WIDTH) if value > LEAST else _LOWEST


def _value(bucket: int) -> float:
    """What is within `ERROR` of everything in a bucket."""
    return 2 * _GAMMA**bucket / (_GAMMA + 1) if bucket > _LOWEST else 0.0
