"""Networks for who has no library: made up of chance, and as large as one likes."""

from __future__ import annotations

from random import Random

from selfheal.ml.calibration import Calibration
from selfheal.ml.recurrent import Recurrent


def network(
    features: tuple[str, ...] = ("a", "b", "c"),
    *,
    steps: int = 5,
    size: int = 4,
    seed: int = 1,
    calibration: Calibration | None = None,
) -> Recurrent:
    """A network whose weights are all about as large as those that are learned."""
    dice, width = Random(seed), len(features)

    def some(count: int) -> tuple[float, ...]:
        return tuple(dice.gauss(0.0, 0.7) for _ in range(count))

    return Recurrent(
        features, steps, some(width), tuple(abs(one) + 0.1 for one in some(width)),
        tuple(some(2 * width) for _ in range(4 * size)), tuple(some(size) for _ in range(4 * size)),
        some(4 * size), some(size), dice.gauss(0.0, 1.0), calibration,
    )  # fmt: skip


def windows_of(width: int, steps: int, *, seed: int = 1, count: int = 20) -> list[list[list[float]]]:
    """Windows of which a tenth was not seen."""
    dice = Random(seed)

    def cell() -> float:
        return dice.gauss(0.0, 1.0) if dice.random() > 0.1 else float("nan")

    return [[[cell() for _ in range(width)] for _ in range(steps)] for _ in range(count)]
