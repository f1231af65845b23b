"""Boosters for who has no library: trees that are made up, with every kind of branch."""

from __future__ import annotations

from random import Random

from selfheal.ml.boost import Booster
from selfheal.ml.calibration import Calibration
from selfheal.ml.forest import LEAF, singles
from selfheal.ml.kept import Learned, learned
from selfheal.ml.trees import Columns


def columns(width: int, *, seed: int = 1, trees: int = 3, deepest: int = 4) -> Columns:
    """Trees over so many features: some deep, some a leaf alone, some that ask a feature twice on one way."""
    dice = Random(seed)
    features, numbers, rights = list[int](), list[float](), list[int]()
    missing_left, covers = list[bool](), list[float]()

    def node(cover: float, depth: int) -> None:
        place, ends = len(features), depth == deepest or dice.random() < 0.1 * depth
        features.append(LEAF if ends else dice.randrange(width))
        numbers.append(dice.gauss(0.0, 1.0))
        rights.append(0)
        missing_left.append(not ends and dice.random() < 0.5)
        covers.append(cover)
        if not ends:
            left = cover * dice.uniform(0.05, 0.95)
            node(left, depth + 1)
            rights[place] = len(features)
            node(cover - left, depth + 1)

    for _ in range(trees):
        node(100.0, 0)
    return Columns(trees, tuple(features), tuple(singles(numbers)), tuple(rights), tuple(missing_left), tuple(covers))


def booster(
    features: tuple[str, ...] = ("a", "b", "c"), seed: int = 1, calibration: Calibration | None = None
) -> Booster:
    """A booster of made-up trees."""
    return Booster(features, columns(len(features), seed=seed), -1.5, calibration)


def rows_of(width: int, *, seed: int = 1, count: int = 60) -> list[list[float]]:
    """Rows of which a tenth was not seen."""
    dice = Random(seed)
    return [[dice.gauss(0.0, 1.0) if dice.random() > 0.1 else float("nan") for _ in range(width)] for _ in range(count)]


def kept(one: Booster | None = None, subject: str = "leak", meaning: int = 1) -> Learned:
    """What is kept of a made-up booster."""
    model = one or booster()
    rows = rows_of(len(model.features))
    return learned(
        model, [(row,) for row in rows], [place < 7 for place in range(len(rows))],
        subject=subject, meaning=meaning, since=0.0, until=3600.0, library="none",
    )  # fmt: skip
