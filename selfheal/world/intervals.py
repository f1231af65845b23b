"""Between which shares does the true one lie, by what was counted?"""

from __future__ import annotations

from math import sqrt

Z95 = 1.96


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of `count`, which is not 0 (Wilson, JASA 22, 1927)."""
    share, more = hits / count, Z95**2 / count
    middle = (share + more / 2) / (1 + more)
    reach = Z95 * sqrt(share * (1 - share) / count + more / (4 * count)) / (1 + more)
    return max(0.0, middle - reach), min(1.0, middle + reach)
