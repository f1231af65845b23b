"""What damage of data is found, what comes back of them, and how long does that take? A part for each kind of data.

A quick look takes half a minute: --parts sqlite --damages 10 --megabytes 10.
"""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.damage.jsonlines import jsonlines
from benchmarks.damage.postgres import postgres
from benchmarks.damage.sqlite import sqlite
from benchmarks.report import RESULTS, Findings, run, save, show

# By name; that of its file of results has "damage_" before it. Each gets a folder, how many damages, and megabytes.
PARTS: Mapping[str, Callable[[Path, int, int], list[Findings]]] = {
    "sqlite": sqlite,
    "jsonlines": jsonlines,
    "postgres": postgres,
}


def main() -> None:
    asked = _arguments()
    for part in asked.parts:
        with tempfile.TemporaryDirectory() as folder:
            found = PARTS[part](Path(folder), asked.damages, asked.megabytes)
        for each in found:
            show(each)
        figures = {each.title: each.figures for each in found}
        goals = [goal for each in found for goal in each.goals]
        save(f"damage_{part}", found[0].settings, figures, goals, asked.out)


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m benchmarks.damage", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="by default all, in this order")
    parser.add_argument("--damages", type=int, default=60, help="of each sort, each at a random place")
    parser.add_argument("--megabytes", type=int, default=100, help="of the data whose copy and return are timed")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of the results; by default the kept ones")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
