"""What does each part measure with: which programs, whose supervisors, how many of what?"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.fleet import Fleet, Peer, Run
from benchmarks.peers import SELFHEAL
from benchmarks.programs import Programs

T = TypeVar("T")

# supervisord counts a program as started after a second, and so restarts it at once only from then on.
SETTLE_S = 1.5


@dataclass(frozen=True, slots=True)
class Bench:
    """`kills` is of each peer but those that look only now and then, which get a fifth; `sizes` are of fleets."""

    programs: Programs
    peers: Mapping[str, Peer]
    kills: int
    sizes: tuple[int, ...]

    def fleet(self, peer: Peer, run: Run | int) -> Fleet:
        return Fleet(peer, self.programs, run)

    def kills_of(self, peer: Peer) -> int:
        return max(1, self.kills // 5) if peer.looks_only else self.kills

    @property
    def ours(self) -> bool:
        """Whether goals can be looked at."""
        return SELFHEAL.name in self.peers


def attempt(what: str, act: Callable[[], T]) -> T | None:
    """Measure; says so and goes on with the others where a peer cannot do it."""
    print(what, flush=True)
    try:
        return act()
    except (RuntimeError, OSError, subprocess.SubprocessError) as why:
        print(f"  {why}", flush=True)
        return None
