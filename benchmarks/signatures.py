"""How soon are signatures read and found, what do they take, and how many lines of healthy programs show one?

`python -m benchmarks.signatures [DATA]`: with Loghub's lines below DATA also how many of them show which.
"""

from __future__ import annotations

import csv
import os
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from selfheal.signatures import shipped

ACCESS = '10.0.0.9 - - [24/Nov/2026:03:12:{:02d} +0000] "GET /orders/{} HTTP/1.1" 200 512 "-" "curl/8.5.0"'
ERRORS = (
    "Traceback (most recent call last):",
    '  File "/srv/api/main.py", line 41, in <module>',
    "OSError: [Errno 98] Address already in use",
)


def main() -> int:
    tracemalloc.start()
    began = perf_counter()
    shipped().prepare()
    read_ms = (perf_counter() - began) * 1e3
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    shipped.cache_clear()
    began = perf_counter()
    shipped().prepare()
    read_ms = min(read_ms, (perf_counter() - began) * 1e3)
    print(f"{len(shipped())} signatures read in {read_ms:.1f} ms, once, in a thread; they take {held / 1e6:.2f} MB")
    for count, rounds in ((15, 200), (40, 200), (10_000, 5)):
        healthy = [ACCESS.format(number % 60, number) for number in range(count)]
        failing = [ERRORS[number % len(ERRORS)] for number in range(count)]
        print(
            f"{count:6,} lines: {_best_ms(healthy, rounds):8.2f} ms where none shows one, "
            f"{_best_ms(failing, rounds):8.2f} ms where a third does"
        )
    return _false_alarms(Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SELFHEAL_DATA", "data")))


def _best_ms(lines: list[str], rounds: int) -> float:
    return min(_took(lambda: shipped().hits(lines)) for _ in range(rounds)) * 1e3


def _took(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def _false_alarms(data: Path) -> int:
    """What Loghub's lines show: most of them are of systems that are well, and some of true failures."""
    lines = 0
    shown: Counter[tuple[str, float]] = Counter()
    for file in sorted((data / "loghub2k").rglob("*_structured*.csv")):
        with file.open(newline="", encoding="utf-8", errors="replace") as text:
            for row in csv.DictReader(text):
                lines += 1
                shown.update((hit.signature.id, hit.precision) for hit in shipped().hits([row["Content"]]))
    for (name, precision), count in shown.most_common():
        print(f"{count:6} of {lines:,} lines show {name} ({precision:.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
