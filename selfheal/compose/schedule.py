"""When does an agent run that has a schedule, and what becomes of a time at which it could not?

Every time is one event before it is one run: the next time is written down first, so that no crash and no clock that
is set back runs one time twice. Cron's times are those of the clock on the wall, also while the daemon's own follows it
slowly; a clock that jumps over some of them runs one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress

from selfheal.clock import Clock
from selfheal.config.cron import first_after
from selfheal.config.models import ProcessConfig
from selfheal.errors import FixFailed
from selfheal.events import RunScheduled
from selfheal.ledger import Ledger
from selfheal.supervise.supervisor import Supervisor
from selfheal.world import Agent, World

# A clock that was set back by less is waited for, as cron does: the times in between were run already. One that was
# set back further was wrong before, and the times are counted anew.
SET_BACK_S = 3 * 3600.0
# Cron's times have no seconds: one that came while the daemon was away for a moment is not over yet.
NOT_OVER_S = 60.0

Spawn = Callable[[str, Coroutine[object, object, None]], object]


class Schedules:
    """Begins the runs that are due."""

    def __init__(self, ledger: Ledger, clock: Clock, supervisor: Supervisor, spawn: Spawn) -> None:
        self._ledger = ledger
        self._clock = clock
        self._supervisor = supervisor
        self._spawn = spawn
        self._first_look = True

    async def look(self) -> None:
        """Begin what is due by now, and write down when it is due next."""
        wall, missed = self._clock.wall(), self._first_look
        self._first_look = False
        for child in self._supervisor.children():
            if child.config.schedule is not None:
                self._look(child.name, child.config, wall, missed)

    def has_none(self) -> bool:
        """Whether no agent runs by a schedule."""
        return all(child.config.schedule is None for child in self._supervisor.children())

    def _look(self, name: str, config: ProcessConfig, wall: float, missed: bool) -> None:
        agent = self._ledger.world.agents.get(name)
        if agent is None:
            return
        now, next_at = self._clock.now(), next_run(config, wall)
        if agent.next_run is None or next_at < agent.next_run - SET_BACK_S:
            self._ledger.record(RunScheduled(now, name, next_at))
        elif agent.next_run <= wall:
            down = missed and not config.catch_up and wall - agent.next_run >= NOT_OVER_S
            why = "the daemon was down at that time" if down else left_out(self._ledger.world, agent, config)
            if not why and waits(self._ledger.world, agent):
                return  # it is due, and looked at again in a moment
            self._ledger.record(RunScheduled(now, name, next_at, why))
            if not why:
                self._spawn(f"scheduled run of {name}", self._begin(name))

    async def _begin(self, name: str) -> None:
        """Begin a run, in place of one that still runs. That it cannot be started is in the books by then."""
        with suppress(FixFailed):
            if self._supervisor.run_of(name) is None:
                await self._supervisor.start(name, "schedule")
            else:
                await self._supervisor.restart(name, "schedule")


def next_run(config: ProcessConfig, now: float) -> float:
    """The first time of the schedule after `now`, both wall time."""
    assert config.schedule is not None
    return first_after(config.schedule, config.timezone, now)


def left_out(world: World, agent: Agent, config: ProcessConfig) -> str:
    """Why a run that is due now is not begun; empty where it is."""
    if not agent.wanted:
        return f"{agent.ordered_by or 'a person'} stopped it"
    if world.paused or agent.paused:
        return "healing is paused"
    if agent.maintenance_until is not None:
        return "in maintenance"
    if agent.breaker.state == "open" and config.restart != "never":  # else no trial ever comes but this one
        return f"quarantined: {agent.breaker.why}"
    if agent.run is not None and config.overlap == "skip":
        return "the last run still runs"
    down = next((one.name for one in _needed(world, agent) if one.down and not _on_its_way(one)), None)
    return f"{down}, which it depends on, is not well" if down is not None else ""


def waits(world: World, agent: Agent) -> bool:
    """Whether something that a run depends on is about to be there: with the daemon all of a fleet begins at once."""
    return any(_on_its_way(one) for one in _needed(world, agent))


def _needed(world: World, agent: Agent) -> Iterator[Agent]:
    return (world.agents[name] for name in agent.depends_on if name in world.agents)


def _on_its_way(agent: Agent) -> bool:
    """Whether it begins, or is a job that others wait for and that has not come to its end."""
    return agent.state == "starting" or (agent.ends and not agent.schedule and agent.run is not None and agent.well)
