"""How much does each channel count, before anything was learned here?

Fitted to public incidents by `python -m benchmarks.rca --fit`; two numbers a channel: for its score, and for how far
that is above everybody else's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """Two weights of each channel, the utility of `none`, and by how much all of it is softened."""

    channels: tuple[tuple[str, float, float], ...]
    nothing: float
    temperature: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _, _ in self.channels)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The weights in the order of the features."""
        return tuple(number / self.temperature for _, score, margin in self.channels for number in (score, margin))


SHIPPED = Weights(
    (
        ("shift", 0.393, 1.006),
        ("budget", 0.317, 2.394),
        ("edge_gap", 1.710, 0.982),
        ("slow_all", 0.844, 0.514),
        ("missing", 3.580, 1.355),
        ("novelty", 0.300, 1.200),  # as believed before: every public incident with logs has the ids of its traces too
        ("onset", 0.063, 0.443),
    ),
    nothing=3.089,
)
