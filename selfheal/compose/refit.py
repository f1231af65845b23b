"""When is learned from what people have said of causes? Each night, in a thread, where there is enough of it."""

from __future__ import annotations

from selfheal.diagnose.refit import refit
from selfheal.ledger import Ledger
from selfheal.loops import Loop
from selfheal.ports import Ports

HOUR_S, DAY_S = 3600.0, 86_400.0
# By UTC, when as a rule least is to be done. After a start it is looked at within the first hour, whenever that is.
NIGHT_S = 3 * HOUR_S


class Refit:
    """Looks once a night whether other weights of the channels would have served better."""

    def __init__(self, ledger: Ledger, ports: Ports) -> None:
        self._ledger = ledger
        self._clock = ports.clock
        self._run_in_thread = ports.run_in_thread
        self._night: float | None = None
        self.loop = Loop("refit", self.look, every_s=HOUR_S, waits_first=True)

    async def look(self) -> None:
        """Learn, if that was not done since the last night began."""
        now, world = self._clock.now(), self._ledger.world
        night = (now - NIGHT_S) // DAY_S
        if night == self._night:
            return
        self._night = night
        incidents = tuple(world.incidents.values())
        learned = await self._run_in_thread(lambda: refit(incidents, world.weights, now))
        if learned is not None:
            self._ledger.record(learned)
