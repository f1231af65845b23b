"""How long does one row take in boosted trees, one window in a small LSTM, and do they say what the libraries say?

`python -m benchmarks.boost`, with the extra `ml`, and with `lstm` where the network shall be measured too: two hundred
trees of depth four over thirty features, and a network over sixty rows of eight, as the libraries have them and as the
daemon does.
"""

from __future__ import annotations

import time
import tracemalloc
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from math import isnan
from random import Random
from typing import TypeVar

from benchmarks.report import Goal, print_goals, print_table, quantile
from selfheal.ml import boost_fit, recurrent_fit
from selfheal.ml.boost import Booster
from selfheal.ml.boost_export import exported
from selfheal.ml.calibration import logistic
from selfheal.ml.lessons import CannotLearn
from selfheal.ml.recurrent import seen
from selfheal.ml.trees import cells_of

WIDTH, ROWS, TREES, ASKED, ROUNDS = 30, 4_000, 200, 300, 5
STEPS, SIGNALS, WINDOWS, ASKED_WINDOWS = 60, 8, 300, 40

T = TypeVar("T")
Row = list[float]


def made(dice: Random, count: int, width: int) -> list[Row]:
    """Rows of which a tenth was not seen."""
    return [[dice.gauss(0.0, 1.0) if dice.random() > 0.1 else float("nan") for _ in range(width)] for _ in range(count)]


def happened(dice: Random, rows: Sequence[Row]) -> list[bool]:
    known = ([0.0 if isnan(cell) else cell for cell in row] for row in rows)
    return [dice.random() < logistic(1.5 * row[0] + row[1] * row[2] - 3.0) for row in known]


def took_ms(ask: Callable[[T], object], asked: Sequence[T], rounds: int = ROUNDS) -> list[float]:
    """How much of the processor each took, in milliseconds: what others take meanwhile does not count."""
    took = []
    for _ in range(rounds):
        for one in asked:
            began = time.process_time()
            ask(one)
            took.append(1e3 * (time.process_time() - began))
    return took


def trees(dice: Random) -> list[Goal]:
    rows = made(dice, ROWS, WIDTH)
    labels, asked = happened(dice, rows), rows[:ASKED]
    names = [f"f{place}" for place in range(WIDTH)]
    with boost_fit.library() as xgboost:
        seen = boost_fit.matrix(xgboost, rows, labels)
        began = time.perf_counter()
        theirs = xgboost.train(boost_fit.settings_for(names, 1, {}), seen, TREES)
        fitting_s = time.perf_counter() - began
        chances, parts = theirs.predict(seen).tolist(), theirs.predict(seen, pred_contribs=True).tolist()
        library = took_ms(lambda row: theirs.inplace_predict([cells_of(row)]), asked[:100], 1)
    written = bytes(theirs.save_raw("json"))
    tracemalloc.start()
    ours: Booster = exported(written, names)
    weight = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    took, telling = took_ms(ours.probability, asked), took_ms(ours.contributions, asked[:50], 1)
    apart = max(abs(ours.probability(row) - chance) for row, chance in zip(rows, chances, strict=True))
    shared = zip(rows[:200], parts[:200], strict=True)
    parted = max(
        abs(one - other) for row, part in shared for one, other in zip(ours.contributions(row), part, strict=True)
    )
    p50 = quantile(took, 0.5)
    print_table(
        f"{TREES} trees of depth {boost_fit.USUAL.depth} over {WIDTH} features, {len(ours.columns.features)} nodes",
        ("one row, p50, ms", "p95, ms", "by the library, ms", "times", "parts of a row, ms", "to fit, s", "weight, KB"),
        [
            (
                p50, quantile(took, 0.95), quantile(library, 0.5), quantile(library, 0.5) / p50,
                quantile(telling, 0.5), fitting_s, weight / 1e3,
            )
        ],
    )  # fmt: skip
    return [
        Goal("one row scored", p50, 0.1, "ms"),
        Goal("chances apart from the library", apart, 1e-6, ""),
        Goal("parts apart from the library", parted, 1e-5, ""),
    ]


def network(dice: Random) -> list[Goal]:
    rows = made(dice, WINDOWS + STEPS, SIGNALS)
    labels = happened(dice, rows[STEPS:])
    windows = [rows[place + 1 : place + 1 + STEPS] for place in range(WINDOWS)]
    with recurrent_fit.library() as torch:
        began = time.perf_counter()
        ours = recurrent_fit.fit(windows, labels, [f"s{place}" for place in range(SIGNALS)], seed=1)
        fitting_s = time.perf_counter() - began
        size = len(ours.output)
        theirs = torch.nn.LSTM(2 * SIGNALS, size, batch_first=True)
        with torch.no_grad():
            theirs.weight_ih_l0.copy_(torch.tensor(ours.inputs))
            theirs.weight_hh_l0.copy_(torch.tensor(ours.states))
            theirs.bias_ih_l0.copy_(torch.tensor(ours.biases))
            theirs.bias_hh_l0.zero_()
            line = torch.tensor(ours.output)

            def margin(window: list[Row]) -> float:
                told = [seen(cells_of(row), ours.means, ours.widths) for row in window]
                states, _ = theirs(torch.tensor([told]))
                return float(states[0, -1] @ line) + ours.offset

            library = took_ms(margin, windows[:ASKED_WINDOWS])
            apart = max(abs(ours.margin(window) - margin(window)) for window in windows)
    took = took_ms(ours.margin, windows[:ASKED_WINDOWS])
    p50 = quantile(took, 0.5)
    print_table(
        f"A network with a state of {size} over {STEPS} rows of {SIGNALS} signals",
        ("one window, p50, ms", "p95, ms", "by the library, ms", "to fit, s"),
        [(p50, quantile(took, 0.95), quantile(library, 0.5), fitting_s)],
    )
    return [Goal("log-odds apart from the library", apart, 1e-5, "")]


def main() -> None:
    ArgumentParser(prog="python -m benchmarks.boost", description=__doc__).parse_args()
    goals = trees(Random(1))
    try:
        goals += network(Random(2))
    except CannotLearn as why:
        print(f"\nThe network was not measured: {why}")
    print_goals(goals)


if __name__ == "__main__":
    main()
