"""How much does each channel count, before anything was learned here?

Fitted to public incidents by `python -m benchmarks.rca --fit`; two numbers a channel: for its score, and for how far
that is above everybody else's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """Two weights of each channel, what speaks for `none`, and by how much all of it is softened.

    `nothing` has a weight for each of `circumstances.NAMES`.
    """

    channels: tuple[tuple[str, float, float], ...]
    nothing: tuple[float, ...]
    temperature: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _, _ in self.channels)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The weights in the order of the features."""
        return tuple(number / self.temperature for _, score, margin in self.channels for number in (score, margin))

    def utility_of_none(self, circumstances: Sequence[float]) -> float:
        """How much speaks for `none` in a case."""
        pairs = zip(self.nothing, circumstances, strict=True)
        return sum(weight * number for weight, number in pairs) / self.temperature


SHIPPED = Weights(
    (
        ("shift", 0.662, 0.398),
        ("budget", 1.313, 3.220),
        ("edge_gap", 1.145, 1.269),
        ("slow_all", 0.575, 0.595),
        ("missing", 2.265, 2.162),
        ("novelty", 0.300, 1.200),  # as believed before: every public incident with logs has the ids of its traces too
        ("onset", 0.192, 0.267),
    ),
    nothing=(0.343, 0.453, -0.760, 1.251),
    temperature=0.9,
)
