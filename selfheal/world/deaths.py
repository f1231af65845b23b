"""How often did an agent die by itself, and for how long was it up?

Both weigh less the longer they are ago, so that what is recent says more, and a bounded state holds all of the past.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from selfheal.events import AgentEvent, AgentExited, Run

# What is so long ago weighs half. Found with simulated fleets of constant, mixed and bursting rates: `python -m
# benchmarks.hazard`.
HALF_LIFE_S = 12 * 3600.0
_LN2 = 0.6931471805599453


@dataclass(frozen=True, slots=True)
class Deaths:
    """`weight` is the number of deaths and `up_s` the seconds up, each halved with every `HALF_LIFE_S` since; both are
    as of `at`. `count` is all deaths ever seen, the latest at `last_at`.
    """

    weight: float = 0.0
    up_s: float = 0.0
    at: float = 0.0
    count: int = 0
    last_at: float = 0.0

    def after(self, event: AgentEvent, run: Run | None, *, ends: bool) -> Deaths:
        """With the time up to an event; `run` is what ran until then, `ends` whether such runs end by themselves.

        A run that has done its work, and one that was ended on purpose, did not die.
        """
        lived = self.until(event.at, up=run is not None)
        match event:
            case AgentExited(expected=False) if run is not None and event.generation == run.generation:
                return lived if ends and event.code == 0 else lived.died()
            case _:
                return lived

    def until(self, at: float, *, up: bool) -> Deaths:
        """With the time up to `at`, in which it was up or not."""
        span = max(0.0, at - self.at) if self.at else 0.0
        kept = 0.5 ** (span / HALF_LIFE_S)
        lived = (1.0 - kept) * HALF_LIFE_S / _LN2 if up else 0.0
        return replace(self, weight=self.weight * kept, up_s=self.up_s * kept + lived, at=max(at, self.at))

    def died(self) -> Deaths:
        """With one more death, just now."""
        return replace(self, weight=self.weight + 1.0, count=self.count + 1, last_at=self.at)
