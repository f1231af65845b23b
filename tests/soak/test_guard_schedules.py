"""Do the guard rules hold in a hundred thousand schedules? `make guards` runs this alone, on all processors.

The seeds are printed; `SEEDS=7000:9000 make guards` runs those, and a schedule that broke a rule is told by its seed.
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import islice

import pytest

from tests.sim.guard_rules import broken_rules
from tests.sim.schedules import perform

SEEDS = "0:100000"
PART = 500


def part(first: int) -> tuple[list[str], Counter[str]]:
    """What was broken in a part of the seeds, and what happened in them."""
    broken: list[str] = []
    happened: Counter[str] = Counter()
    for seed in range(first, first + PART):
        one = perform(seed)
        broken += [f"seed {seed}: {why}" for why in broken_rules(one.trace, one.begun, one.limits())]
        happened.update(type(event).__name__ for event in one.trace)
    return broken, happened


@pytest.mark.timeout(7200)
def test_no_rule_is_broken_in_a_hundred_thousand_schedules() -> None:
    first, last = map(int, os.environ.get("SEEDS", SEEDS).split(":"))
    happened: Counter[str] = Counter()
    found: list[str] = []
    with ProcessPoolExecutor() as pool:
        for number, (broken, seen) in enumerate(pool.map(part, range(first, last, PART)), 1):
            found += broken
            happened.update(seen)
            if number % 20 == 0:
                print(f"seeds {first} to {first + number * PART - 1}: {len(found)} rules broken", flush=True)
    told = ", ".join(f"{count} {name}" for name, count in islice(happened.most_common(), 24))
    print(f"{last - first} schedules, seeds {first} to {last - 1}: {sum(happened.values())} events ({told})")
    assert found == []
