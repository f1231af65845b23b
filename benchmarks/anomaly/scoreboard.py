"""Does our scoring give what NAB's own scoreboard has? `python -m benchmarks.anomaly.scoreboard --data DATA`

The windowed Gaussian is the one detector of the scoreboard that is told in a few lines: it is written anew here, with
the bar that is best for it by each profile, as the scoreboard has it.
"""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from math import sqrt
from pathlib import Path

from benchmarks.anomaly import corpora, nab

NAMES = {"standard": "standard", "low FP": "reward_low_FP_rate", "low FN": "reward_low_FN_rate"}
# It compares with so many samples, which move on by so many at a time.
WINDOW, STEP = 6400, 100
# Above so many spreads its own score cannot be told from 1.
MOST = 8.2
BARS = 300


def windowed(values: Sequence[float]) -> list[float]:
    """How many spreads each value is from the mean of the window before it."""
    window: deque[float] = deque()
    waiting: list[float] = []
    total = squares = 0.0
    found = []
    for value in values:
        count = len(window)
        mean = total / count if count else value
        spread = sqrt(max(0.0, squares / count - mean * mean)) if count else 1.0
        found.append(min(MOST, abs(value - mean) / (spread or 1e-6)))
        waiting.append(value)
        if count < WINDOW or len(waiting) == STEP:
            for one in waiting:
                gone = window.popleft() if len(window) == WINDOW else 0.0
                window.append(one)
                total, squares = total + one - gone, squares + one * one - gone * gone
            waiting.clear()
    return found


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SELFHEAL_DATA", "data")))
    data = parser.parse_args().data
    published = json.loads((data / "nab" / "published_final_results.json").read_text())["windowedGaussian"]
    series = [*corpora.nab(data)]
    ordered = [sorted(zip(windowed(one.values), range(len(one.at)), strict=True)) for one in series]
    for name, profile in nab.PROFILES.items():
        best = max(
            nab.score(
                (
                    nab.Series(len(one.at), one.windows, sorted(row for _, row in rows[bisect_left(rows, (bar, -1)) :]))
                    for one, rows in zip(series, ordered, strict=True)
                ),
                profile,
            )
            for bar in (MOST * place / BARS for place in range(BARS // 4, BARS + 1))
        )
        print(f"{name:<9} scored here {best:.2f}, in the scoreboard {published[NAMES[name]]:.2f}")


if __name__ == "__main__":
    main()
