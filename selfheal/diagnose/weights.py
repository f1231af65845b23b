"""How much does each channel count?

Fitted by `python -m benchmarks.rca --fit` on public incidents, and rounded. What counts depends on what there is to
look at: where traces and logs are at hand, numbers say next to nothing beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# In this order features are kept: of each channel its score, and how far that is above the best of the others.
CHANNELS = ("shift", "budget", "sequence", "edge_gap", "slow_all")
# With any of these the second row holds.
TRACING = frozenset({"sequence", "edge_gap", "slow_all"})


@dataclass(frozen=True, slots=True)
class Weights:
    """The weight of each feature, and the utility of "none of these"."""

    features: tuple[float, ...]
    nothing: float


NUMBERS = Weights((2.20, 0.0, 0.0, 1.06, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), 4.49)
# Of traces in which nothing was wrong none are public: what "none" has here is not fitted, and below any clear sign.
TRACES = Weights((0.0, 0.33, 0.02, 0.02, 0.49, 2.59, 0.0, 0.58, 0.52, 1.35), 0.5)


def weights_for(missing: Mapping[str, str]) -> Weights:
    """The weights for a case of which these channels had nothing to look at."""
    return NUMBERS if missing.keys() >= TRACING else TRACES
