"""How long was each agent well, minute by minute, and how long should it have been?"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from selfheal.history.rings import Fresh
from selfheal.ledger import Ledger
from selfheal.world.agents import uptime_until
from selfheal.world.uptime import Uptime

# A daemon that is killed loses no more of it than this.
EACH_S = 60.0
HEALTHY, WANTED = "uptime.healthy", "uptime.wanted"
"""Signals that are on the disk alone: whole milliseconds healthy, and wanted up, since the point before."""

Counts = tuple[int, int]
"""Milliseconds healthy, and wanted up."""


class Uptimes:
    """What has come to the uptime of each agent since it was written last."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._last = {name: _ms(agent.uptime) for name, agent in ledger.world.agents.items()}
        self._seen: dict[str, Counts] = {}
        self._at = 0.0

    def is_due(self, now: float) -> bool:
        """Whether a minute has passed since it was all written, or the clock was set back."""
        return not 0.0 <= now - self._at < EACH_S

    def more(self, names: Iterable[str], now: float) -> list[Fresh]:
        """What is to be written of these agents."""
        agents = self._ledger.world.agents
        self._seen = {name: _ms(uptime_until(agents[name], now)) for name in names if name in agents}
        return [
            (agent, signal, array("d", (now, more)))
            for agent, counts in self._seen.items()
            for signal, more in self._since(agent, counts)
            if more
        ]

    def unwritten(self, name: str, now: float) -> Counts:
        """What has come to the uptime of one agent since it was written."""
        agent = self._ledger.world.agents.get(name)
        if agent is None:
            return 0, 0
        healthy, wanted = (more for _, more in self._since(name, _ms(uptime_until(agent, now))))
        return healthy, wanted

    def written(self) -> None:
        """The latest `more` is on the disk."""
        self._last.update(self._seen)

    def all_written(self, now: float) -> None:
        """It is so of every agent; those that are gone are forgotten."""
        self._at = now
        self._last = {name: counts for name, counts in self._last.items() if name in self._ledger.world.agents}

    def _since(self, agent: str, counts: Counts) -> Iterator[tuple[str, int]]:
        """What was healthy may turn out not to have been, and be less; less is wanted only of another agent."""
        healthy, wanted = self._last.get(agent, (0, 0))
        if counts[1] < wanted:
            healthy = wanted = 0
        yield HEALTHY, counts[0] - healthy
        yield WANTED, counts[1] - wanted


def _ms(uptime: Uptime) -> Counts:
    return round(uptime.healthy_s * 1000), round(uptime.wanted_s * 1000)
