"""How well do boosted trees and a small LSTM foretell the end of engines they have not seen, and which would speak?

`python -m benchmarks.engines FILE`, with the extras `ml` and `lstm`: NASA's turbofans that ran to failure (C-MAPSS,
train_FD001 as CSV, plain or packed). Will it fail within thirty flights? The engines are parted three times by chance:
four sevenths to learn from, some to calibrate by, the others to be asked about. The trees see a row of the newest
flight, of the mean of twenty and of what changed over these; the LSTM the twenty flights.
"""

from __future__ import annotations

import csv
import gzip
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from benchmarks.report import print_table
from selfheal.ml import boost_fit, recurrent_fit
from selfheal.ml.contest import contest

STEPS, HORIZON, PARTINGS = 20, 30, 3
Row = list[float]
Engines = dict[str, list[Row]]
Seen = tuple[list[Row], list[list[Row]], list[bool]]


def read(file: Path) -> tuple[Engines, list[str]]:
    """The flights of each engine, and the names of what is measured and changes."""
    data = file.read_bytes()
    text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode()
    table = list(csv.DictReader(text.splitlines()))
    measured = [name for name in table[0] if name not in ("unit", "cycle")]
    changing = [name for name in measured if len({flight[name] for flight in table}) > STEPS]
    engines = Engines()
    for flight in table:
        engines.setdefault(flight["unit"], []).append([float(flight[name]) for name in changing])
    return engines, changing


def seen(engines: Engines, units: Sequence[str]) -> Seen:
    """A row and a window of each flight but the first ones, and whether the engine failed soon."""
    rows, windows, labels = list[Row](), list[list[Row]](), list[bool]()
    for flights in (engines[unit] for unit in units):
        for end in range(STEPS, len(flights) + 1):
            window = flights[end - STEPS : end]
            rows.append(list(_features(window)))
            windows.append(window)
            labels.append(len(flights) - end < HORIZON)
    return rows, windows, labels


def _features(window: Sequence[Row]) -> Iterator[float]:
    columns = list(zip(*window, strict=True))
    yield from window[-1]
    yield from (sum(column) / len(column) for column in columns)
    yield from (column[-1] - column[0] for column in columns)


def precision(chances: Sequence[float], labels: Sequence[bool]) -> float:
    """Average precision: of each hit, the share of hits among all that are at least as likely."""
    found, total = 0, 0.0
    for place, (_, label) in enumerate(sorted(zip(chances, labels, strict=True), key=lambda one: -one[0]), 1):
        found += label
        total += found / place if label else 0.0
    return total / sum(labels)


def brier(chances: Sequence[float], labels: Sequence[bool]) -> float:
    return sum((chance - label) ** 2 for chance, label in zip(chances, labels, strict=True)) / len(labels)


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("file", type=Path)
    engines, names = read(parser.parse_args().file)
    features = [f"{name}.{what}" for what in ("newest", "mean", "change") for name in names]
    found = []
    for parting in range(PARTINGS):
        units, dice = sorted(engines), Random(parting)
        dice.shuffle(units)
        two, three = len(units) * 4 // 7, len(units) * 3 // 4
        learned, held, asked = (seen(engines, some) for some in (units[:two], units[two:three], units[three:]))
        trees = boost_fit.fit(learned[0], learned[2], features, calibration=(held[0], held[2]))
        kept = sorted(dice.sample(range(len(learned[1])), min(recurrent_fit.MOST_WINDOWS, len(learned[1]))))
        network = recurrent_fit.fit(
            [learned[1][place] for place in kept], [learned[2][place] for place in kept], names,
            calibration=(held[1], held[2]), seed=parting,
        )  # fmt: skip
        labels = asked[2]
        by_trees = [trees.probability(row) for row in asked[0]]
        by_network = [network.probability(window) for window in asked[1]]
        usual = [sum(learned[2]) / len(learned[2])] * len(labels)
        for name, chances in (("what is usual", usual), ("xgboost", by_trees), ("lstm", by_network)):
            verdict = contest(by_trees, chances, labels)
            found.append((
                parting, name, precision(chances, labels), brier(chances, labels), verdict.new_loss, verdict.luck,
                "takes the place" if verdict.keep == "new" else "",
            ))  # fmt: skip
    print_table(
        f"{len(engines)} engines, a failure within {HORIZON} flights",
        ("parting", "model", "average precision", "Brier", "log-loss", "by luck better than xgboost", "verdict"),
        found,
    )


if __name__ == "__main__":
    main()
