"""How long does one row take in a forest, how long does a forest take to grow, and what does one weigh?

`python -m benchmarks.forest`, with the extra `ml`: a hundred trees over thirteen features, as the library has them and
as the daemon does.
"""

from __future__ import annotations

import time
import tracemalloc
from argparse import ArgumentParser
from random import Random

from benchmarks.report import Goal, print_goals, print_table, quantile
from selfheal.ml.fit import SAMPLE, TREES, columns_of, grow, scores
from selfheal.ml.forest import grown

WIDTH, ROWS, ASKED, ROUNDS = 13, 700, 300, 7


def made(dice: Random, count: int, wide: float) -> list[list[float]]:
    return [[dice.gauss(0.0, wide) for _ in range(WIDTH)] for _ in range(count)]


def main() -> None:
    ArgumentParser(prog="python -m benchmarks.forest", description=__doc__).parse_args()
    dice = Random(1)
    learned, asked = made(dice, ROWS, 1.0), made(dice, ASKED, 1.5)
    began = time.perf_counter()
    theirs = grow(learned, 1)
    growing_s = time.perf_counter() - began
    began = time.perf_counter()
    for row in asked[:10]:
        scores(theirs, [row])
    library_s = (time.perf_counter() - began) / 10
    columns = columns_of(theirs)
    tracemalloc.start()
    ours = grown(columns, WIDTH)
    weight = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    took = []
    for _ in range(ROUNDS):
        for row in asked:
            began = time.perf_counter()
            ours.score(row)
            took.append(time.perf_counter() - began)
    apart = max(abs(ours.score(row) - score) for row, score in zip(asked, scores(theirs, asked), strict=True))
    p50, p95 = (1e3 * quantile(took, share) for share in (0.5, 0.95))
    print_table(
        f"A forest of {TREES} trees of {SAMPLE} rows over {WIDTH} features",
        ("one row, p50, ms", "p95, ms", "by the library, ms", "apart at most", "to grow, s", "weight, KB"),
        [(p50, p95, 1e3 * library_s, apart, growing_s, weight / 1e3)],
    )
    print_goals([Goal("one row scored", p50, 0.1, "ms"), Goal("apart from the library", apart, 1e-12, "")])


if __name__ == "__main__":
    main()
