"""What does checking cost, beside others? Parts that can be run alone; each keeps its own results.

A quick look takes a minute: --parts engine pipeline --rounds 1 --seconds 0.5.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.checks.bench import CheckBench
from benchmarks.checks.dead import dead
from benchmarks.checks.engine import engine
from benchmarks.checks.nginx import nginx
from benchmarks.checks.pipeline import pipeline
from benchmarks.checks.thousands import thousands
from benchmarks.report import RESULTS, Findings, run, save, show

# By name; that of its file of results has "checks_" before it. In the order in which they run.
PARTS: Mapping[str, Callable[[CheckBench], Findings]] = {
    "engine": engine,
    "pipeline": pipeline,
    "thousands": thousands,
    "dead": dead,
}


def main() -> None:
    asked = _arguments()
    with nginx() as server:
        bench = CheckBench(server, asked.seconds, asked.rounds, asked.minutes)
        for part in asked.parts:
            found = PARTS[part](bench)
            show(found)
            save(f"checks_{part}", found.settings, found.figures, found.goals, asked.out)


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m benchmarks.checks", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="by default all, in this order")
    parser.add_argument("--seconds", type=float, default=1.5, help="of one measurement, in engine and pipeline")
    parser.add_argument("--rounds", type=int, default=3, help="in which all take turns, in engine and pipeline")
    parser.add_argument("--minutes", type=float, default=1.0, help="of thousands, and of each run of dead")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of the results; by default the kept ones")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
