"""How good is a supervisor at its first job, beside others? Parts that can be run alone; each keeps its own results.

A quick look takes a minute: --parts crash again --peers selfheal --kills 20.
"""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.parts import PARTS
from benchmarks.peers import PEERS, peers
from benchmarks.programs import build
from benchmarks.report import RESULTS, run, save, show


def main() -> None:
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        bench = Bench(build(Path(directory)), peers(asked.peers), asked.kills, tuple(sorted(asked.sizes)))
        for part in asked.parts:
            found = PARTS[part](bench)
            show(found)
            save(part, found.settings, found.figures, found.goals, asked.out)


def _arguments() -> Namespace:
    parser = ArgumentParser(prog="python -m benchmarks.supervision", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="by default all, in this order")
    names = [peer.name for peer in PEERS]
    parser.add_argument("--peers", nargs="+", choices=names, default=names, help="by default all; the floor always")
    parser.add_argument("--kills", type=int, default=100, help="of each peer; a fifth where it only looks now and then")
    parser.add_argument("--sizes", nargs="+", type=int, default=[1, 100, 1000], help="of fleets, for mass, idle, death")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of the results; by default the kept ones")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
