"""What becomes of an agent's limits when a fix raises them, and when that is over?

What was raised is written down first, holds for each run from then on, also after a restart of the daemon, and for the
one that goes on where this machine lets us. It ends when it is taken back, or when the file says another limit.
"""

from __future__ import annotations

from collections.abc import Mapping

from selfheal.clock import Clock
from selfheal.compose.care import Care
from selfheal.compose.fleet import AgentPlan, Fleet
from selfheal.config.models import process_of
from selfheal.errors import FixFailed
from selfheal.events import LimitLowered, LimitRaised
from selfheal.ledger import Ledger
from selfheal.observe.wording import size_text
from selfheal.supervise.supervisor import Supervisor
from selfheal.vocabulary import Limit
from selfheal.world import World
from selfheal.world.limits import half_more


class Limits:
    """Raises them, and takes that back."""

    def __init__(self, ledger: Ledger, clock: Clock, supervisor: Supervisor, fleet: Fleet, care: Care) -> None:
        self._ledger = ledger
        self._clock = clock
        self._supervisor = supervisor
        self._fleet = fleet
        self._care = care

    async def more(self, agent: str, limit: Limit, most: int, incident: str) -> str:
        """Let an agent use half as much again, up to `most`, once in an incident. Raises FixFailed."""
        plan = self._fleet.plans.get(agent)
        configured = _configured(plan, limit) if plan is not None else None
        if configured is None:
            raise FixFailed(f"cannot raise {limit} of {agent}: no such limit is configured any more")
        self._heed_the_file(agent)
        known = self._ledger.world.agents[agent].raised.get(limit)
        if known is None or known.incident != incident:  # else it is the daemon before us that raised it
            now = known.value if known is not None else configured
            value = known.next(most) if known is not None else half_more(configured, most)
            if value <= now:
                raise FixFailed(
                    f"cannot raise {limit} of {agent}: {_text(limit, now)} is the most that it may be raised to; find "
                    f"out what uses it up, or raise healing.raise_limit.{limit}"
                )
            self._ledger.record(LimitRaised(self._clock.now(), agent, limit, value, configured, incident))
        try:
            self._apply(agent)
            return await (self._of_memory(agent) if limit == "memory" else self._of_files(agent))
        except FixFailed:
            self._lower(agent, limit, in_vain=False, why="it could not be raised")
            raise

    async def take_back(self, agent: str, incident: str) -> str:
        """Let the limits that were raised in an incident be what they were before."""
        self._heed_the_file(agent)
        known = self._ledger.world.agents.get(agent)
        raised = known.raised.items() if known is not None and agent in self._fleet.plans else ()
        mine = {limit: one.before for limit, one in raised if incident and one.incident == incident}
        for limit in mine:
            self._lower(agent, limit, in_vain=True, why="it did not help")
        told = [f"{limit} is {_text(limit, before)} again" for limit, before in mine.items()]
        return "; ".join(told) or "nothing of it is in force any more"

    async def _of_memory(self, agent: str) -> str:
        """It is watched by us, and held by the kernel where there is a group: both follow at once."""
        told = self._told(agent, "memory")
        if self._supervisor.process_of(agent) is None:
            await self._supervisor.restart(agent, "fix")
            return f"{told}; it was started with that"
        return f"{told}, without a restart"

    async def _of_files(self, agent: str) -> str:
        one = self._ledger.world.agents[agent].raised["fds"]
        told = self._told(agent, "fds")
        process = self._supervisor.process_of(agent)
        now, anew = process.allow_files(one.value) if process is not None else (0, one.value)
        if now >= one.value:
            return f"{told}, without a restart"
        if anew <= one.before:  # a restart would be for nothing
            raise FixFailed(
                f"cannot raise fds of {agent} from {one.before} to {one.value}: this machine lets us give no more "
                f"than {anew}; raise the hard limit of open files of selfheal itself (LimitNOFILE= in its unit)"
            )
        await self._supervisor.restart(agent, "fix")
        process = self._supervisor.process_of(agent)
        now = process.allow_files(one.value)[0] if process is not None else one.value
        return f"{told}; it was restarted with that" + (f", and was given {now}" if 0 < now < one.value else "")

    def _heed_the_file(self, agent: str) -> None:
        """What was raised while a reload was read may be over another limit than the one in force by now."""
        plan = self._fleet.plans.get(agent)
        if plan is not None:
            self._ledger.record(*limits_over(self._ledger.world, {agent: plan}, self._clock.now()))

    def _lower(self, agent: str, limit: Limit, *, in_vain: bool, why: str) -> None:
        known = self._ledger.world.agents.get(agent)
        one = known.raised.get(limit) if known is not None else None
        if one is None:
            return  # the file has overruled it meanwhile
        now = self._clock.now()
        self._ledger.record(LimitLowered(now, agent, limit, one.before, undone=True, in_vain=in_vain, why=why))
        self._apply(agent)
        process = self._supervisor.process_of(agent)
        if limit == "fds" and process is not None:
            process.allow_files(one.before)

    def _apply(self, agent: str) -> None:
        """Let everybody follow what the world says of the limits: the next run, this one, and who watches it."""
        before, after = self._fleet.hold(agent)
        process = process_of(after.config)
        if process is not None and after.launch is not None:
            self._supervisor.replace(agent, process, after.launch, after.config.depends_on)
        self._care.renew(before, after)

    def _told(self, agent: str, limit: Limit) -> str:
        one = self._ledger.world.agents[agent].raised[limit]
        return f"{limit} was raised from {_text(limit, one.before)} to {_text(limit, one.value)}"


def limits_over(world: World, plans: Mapping[str, AgentPlan], now: float) -> tuple[LimitLowered, ...]:
    """The ends of raises that another limit in the file has overruled."""
    kept = ((name, agent) for name, agent in world.agents.items() if name in plans)
    return tuple(
        LimitLowered(now, name, limit, configured, undone=False, in_vain=False, why="the file says another limit")
        for name, agent in kept
        for limit, one in agent.raised.items()
        if (configured := _configured(plans[name], limit)) != one.configured
    )


def _configured(plan: AgentPlan, limit: Limit) -> int | None:
    process = process_of(plan.config)
    if process is None:
        return None
    return process.limits.memory if limit == "memory" else process.limits.fds


def _text(limit: Limit, value: int) -> str:
    return size_text(value) if limit == "memory" else str(value)
