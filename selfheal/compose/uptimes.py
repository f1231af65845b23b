"""How long was each agent well, minute by minute, and how long should it have been?"""

from __future__ import annotations

from array import array

from selfheal.history.rings import Fresh
from selfheal.ledger import Ledger
from selfheal.world.agents import settled

# A daemon that is killed loses no more of it than this.
EACH_S = 60.0
HEALTHY, WANTED = "uptime.healthy", "uptime.wanted"
"""Signals that are on the disk alone: whole milliseconds healthy, and wanted up, since the point before."""

_Counts = dict[str, tuple[int, int]]


class Uptimes:
    """What has come to the uptime of each agent since it was written last."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._last = {name: _ms(one.uptime.healthy_s, one.uptime.wanted_s) for name, one in ledger.world.agents.items()}
        self._now = self._last
        self._at = self._now_at = 0.0

    def due(self, now: float, *, last: bool = False) -> list[Fresh]:
        """What is to be written, if anything is before `EACH_S` have passed; `last` is at the daemon's end."""
        if 0.0 <= now - self._at < EACH_S and not last:
            return []
        counted = {name: settled(agent, now).uptime for name, agent in self._ledger.world.agents.items()}
        self._now = {name: _ms(uptime.healthy_s, uptime.wanted_s) for name, uptime in counted.items()}
        self._now_at = now
        return [
            (agent, signal, array("d", (now, more)))
            for agent, counts in self._now.items()
            for signal, more in zip((HEALTHY, WANTED), self._more(agent, counts), strict=True)
            if more
        ]

    def written(self) -> None:
        """What was due is on the disk."""
        self._last, self._at = self._now, self._now_at

    def _more(self, agent: str, counts: tuple[int, int]) -> tuple[int, int]:
        """What has been healthy may turn out not to have been, and be less; what is wanted is less of another agent."""
        healthy, wanted = self._last.get(agent, (0, 0))
        if counts[1] < wanted:
            return counts
        return counts[0] - healthy, counts[1] - wanted


def _ms(healthy_s: float, wanted_s: float) -> tuple[int, int]:
    return round(healthy_s * 1000), round(wanted_s * 1000)
