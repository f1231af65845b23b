"""Models for who has no library: small forests that are grown here, and kept as the child keeps them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from random import Random

from selfheal.ml.drift import edges_of, shares_of
from selfheal.ml.forest import LEAF, Columns, grown
from selfheal.ml.model import FORMAT, Stored, column_bytes, schema
from selfheal.ml.rows import Points, names

Cells = Sequence[Sequence[float]]


def grow(cells: Cells, seed: int = 1, trees: int = 20, deepest: int = 6) -> Columns:
    """An isolation forest, as plain as it can be."""
    features, numbers, rights, dice = array("i"), array("d"), array("i"), Random(seed)

    def node(some: Cells, depth: int) -> None:
        feature = dice.randrange(len(cells[0]))
        column = [row[feature] for row in some]
        if depth == deepest or len(some) < 2 or min(column) == max(column):
            features.append(LEAF)
            numbers.append(depth + 0.5 * (len(some) - 1) ** 0.5 if len(some) > 1 else float(depth))
            rights.append(0)
            return
        cut = dice.uniform(min(column), max(column))
        place = len(features)
        features.append(feature)
        numbers.append(cut)
        rights.append(0)
        node([row for row in some if row[feature] <= cut], depth + 1)
        rights[place] = len(features)
        node([row for row in some if row[feature] > cut], depth + 1)

    for _ in range(trees):
        node(dice.sample(list(cells), min(64, len(cells))), 0)
    return Columns(trees, features, numbers, rights, trees * 6.0)


def stored(
    agent: str = "api", signals: tuple[str, ...] = ("latency",), cells: Cells | None = None, at: float = 1000.0
) -> Stored:
    """A model of an agent, of made-up rows where none are given."""
    width, dice = len(names(signals)), Random(7)
    learned = cells or [[dice.gauss(10.0, 1.0) for _ in range(width)] for _ in range(200)]
    columns = list(zip(*learned, strict=True))
    flat = grow(learned)
    features, numbers, rights = column_bytes(flat)
    forest, edges = grown(flat, width), tuple(edges_of(column) for column in columns)
    scores = sorted(forest.score(row) for row in learned)
    return Stored(
        format=FORMAT,
        schema=schema(signals),
        agent=agent,
        signals=signals,
        trained_at=at,
        since=at - 3600.0,
        until=at,
        rows=len(learned),
        library="none",
        centres=tuple(sorted(column)[len(column) // 2] for column in columns),
        lows=tuple(map(min, columns)),
        highs=tuple(map(max, columns)),
        edges=edges,
        shares=tuple(shares_of(column, cuts) for column, cuts in zip(columns, edges, strict=True)),
        calm=scores[len(scores) // 2],
        line=scores[-1] + 0.02,
        trees=flat.trees,
        scale=flat.scale,
        features=features,
        numbers=numbers,
        rights=rights,
        proofs=tuple((*row, forest.score(row)) for row in learned[:4]),
    )


def hour(seed: int = 3, *, until: float = 10_000.0, every_s: float = 5.0, count: int = 720) -> Mapping[str, Points]:
    """Three signals of an agent that is well: one rises and falls, one is noise, one hangs on the first."""
    dice = Random(seed)
    times = array("d", [until - every_s * back for back in reversed(range(count))])
    load = array("d", [0.5 + 0.2 * ((at / 900.0) % 1.0) + dice.gauss(0.0, 0.02) for at in times])
    return {
        "cpu": (times, load),
        "http.latency": (times, array("d", [0.05 * dice.lognormvariate(0.0, 0.3) for _ in times])),
        "rss": (times, array("d", [2e8 * (1.0 + cpu) for cpu in load])),
        "http.status": (times, array("d", [200.0 for _ in times])),
    }
