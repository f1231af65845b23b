"""With what does each part about checking measure?"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.checks.nginx import Nginx


@dataclass(frozen=True, slots=True)
class CheckBench:
    """`seconds` is the window of one measurement, `rounds` how often all of them take turns, `minutes` how long a fleet
    is watched.
    """

    server: Nginx
    seconds: float
    rounds: int
    minutes: float
