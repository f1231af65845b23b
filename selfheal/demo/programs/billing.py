"""Works for a while and then crashes, each time for another reason.

`--after MIN MAX` are the seconds until then, `--seed N` makes time and reason the same in every run.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path


def quiet_day() -> None:
    """The average of no invoices."""
    invoices = list[float]()
    print(sum(invoices) / len(invoices))


def bad_number() -> None:
    """A price that is none."""
    int("12,50")


def lost_ledger() -> None:
    """A file that somebody moved."""
    Path("ledger-of-today.csv").read_text()


def broken_rule() -> None:
    """Sums that do not add up."""
    raise RuntimeError("the invoices of this month do not add up: 1290.00 is not 1209.00")


def give_up() -> None:
    """No traceback, only an exit code."""
    print("billing: FATAL: the tax table is empty", flush=True)
    raise SystemExit(3)


REASONS = (quiet_day, bad_number, lost_ledger, broken_rule, give_up)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--after", nargs=2, type=float, default=(8.0, 20.0), metavar=("MIN", "MAX"))
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    chance = random.Random(options.seed)

    print("billing: writing invoices", flush=True)
    time.sleep(chance.uniform(*options.after))
    chance.choice(REASONS)()
