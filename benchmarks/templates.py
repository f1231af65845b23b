"""How well are the lines of a log told apart? Grouping accuracy on the labelled lines of Loghub's systems.

A line counts as right where the lines of its template are exactly those of its true one (Zhu et al., ICSE-SEIP 2019).
"""

from __future__ import annotations

import csv
import os
import sys
from collections import defaultdict
from pathlib import Path
from time import perf_counter

from selfheal.diagnose.templates import Miner


def accuracy(lines: list[str], truth: list[str]) -> float:
    """The share of lines whose group is right."""
    miner = Miner()
    found: dict[int, set[int]] = defaultdict(set)
    true: dict[str, set[int]] = defaultdict(set)
    for place, line in enumerate(lines):
        found[miner.number(line)].add(place)
    for place, event in enumerate(truth):
        true[event].add(place)
    exact = {frozenset(group) for group in true.values()}
    return sum(len(group) for group in found.values() if frozenset(group) in exact) / len(lines)


def main() -> int:
    data = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SELFHEAL_DATA", "data"))
    files = sorted((data / "loghub2k").rglob("*_structured*.csv"))
    if not files:
        print(f"no labelled logs in {data}/loghub2k: python -m benchmarks.templates DATA, or set SELFHEAL_DATA")
        return 1
    shares = []
    for file in files:
        with file.open(newline="", encoding="utf-8", errors="replace") as text:
            rows = list(csv.DictReader(text))
        began = perf_counter()
        shares.append(accuracy([row["Content"] for row in rows], [row["EventId"] for row in rows]))
        each = (perf_counter() - began) / len(rows) * 1e6
        print(f"{file.name.split('_')[0]:<14} {shares[-1]:.3f}  {each:.0f} us a line")
    print(f"{'mean':<14} {sum(shares) / len(shares):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
