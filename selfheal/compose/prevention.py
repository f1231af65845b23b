"""What is done before anything fails?

The prevention loop: forecasts from the history, work planned from the forecasts, and the work done when it is due. It
passes the same guards as a fix: no act while healing is paused, in maintenance, or on a dry run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from selfheal.clock import Clock
from selfheal.compose.courses import Courses
from selfheal.errors import SelfhealError
from selfheal.events import WorkDone
from selfheal.kinds import Hands
from selfheal.ledger import Ledger
from selfheal.predict.exhaustion import fleet_prior, forecasts_of, forecasts_of_the_gone
from selfheal.predict.maintenance import due, plan, void
from selfheal.world import Work

# A stop and a start of one agent; what takes longer is a failure of the work, and the incident that follows heals it.
WORK_LIMIT_S = 60.0
# Agents that are looked at in one go: at most five milliseconds, as a rule.
AT_ONCE = 25


class Prevention:
    """Foresees, plans, and does the work."""

    def __init__(
        self, ledger: Ledger, clock: Clock, courses: Courses, hands: Hands, interval_s: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._courses = courses
        self._hands = hands
        self._interval_s = interval_s
        self._doing: set[str] = set()

    async def foresee(self) -> None:
        """Renew the forecasts and what is planned because of them."""
        now = self._clock.now()
        await self._forecast(now)
        self._ledger.record(*void(self._ledger.world, now, self._doing))
        self._ledger.record(*plan(self._ledger.world, now, self._interval_s()))

    async def _forecast(self, now: float) -> None:
        """Agent by agent: between some of them the loop gets its turn."""
        self._courses.begin()
        prior = fleet_prior(self._ledger.world, now)
        for place, name in enumerate(tuple(self._ledger.world.agents)):
            world = self._ledger.world
            if name in world.agents:
                await self._courses.renew(world.agents[name], world, now)
            world = self._ledger.world
            if name in world.agents:
                self._ledger.record(*forecasts_of(world.agents[name], world, self._courses, now, prior))
            if place % AT_ONCE == AT_ONCE - 1:
                await self._clock.sleep(0)
        self._ledger.record(*forecasts_of_the_gone(self._ledger.world, now))

    def has_nothing_planned(self) -> bool:
        """Whether there will be nothing to do before something is planned."""
        return all(work.outcome is not None for work in self._ledger.world.foresight.work.values())

    async def work(self) -> None:
        """Do what is due, one after the other."""
        for work in due(self._ledger.world, self._clock.now()):
            world = self._ledger.world
            agent = world.agents[work.planned.agent]
            if not (world.paused or agent.paused or world.dry_run):
                await self._do(work)

    async def _do(self, work: Work) -> None:
        agent = work.planned.agent
        self._doing.add(work.planned.work)
        try:
            async with asyncio.timeout(WORK_LIMIT_S):
                await self._hands.restart(agent, "maintenance")
        except (SelfhealError, TimeoutError) as why:
            done = WorkDone(self._clock.now(), work.planned.work, "failed", str(why) or "not done in time")
        else:
            done = WorkDone(self._clock.now(), work.planned.work, "succeeded", f"{agent} was restarted in good time")
        finally:
            self._doing.discard(work.planned.work)
        self._ledger.record(done)
