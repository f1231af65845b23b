"""How does a running daemon take to another configuration?

The file read again, or another number of instances: both come down to what is different, and only that is touched.
The new configuration holds as a whole before anything is done, else nothing is. Then, in this order: what is gone is
stopped, the configuration is in force, what is changed is told, what is new is started, and what needs another process
is restarted, one after the other, each once the one before it is ready.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from selfheal.compose.care import Care
from selfheal.compose.changes import Changes, bounded, compare
from selfheal.compose.fleet import AgentPlan, Fleet, waves
from selfheal.compose.limits import limits_over
from selfheal.compose.reactions import Log
from selfheal.compose.secrets import secrets_of
from selfheal.config.load import Loaded
from selfheal.config.models import MAX_INSTANCES, process_of
from selfheal.errors import ConfigInvalid, RefusedByPolicy, SelfhealError, UnknownName
from selfheal.events import AgentRemoved, BreakerClosed, ConfigReloaded, ScaleAsked
from selfheal.ledger import Ledger
from selfheal.ports import Ports
from selfheal.serve.ports import Reloaded
from selfheal.supervise.supervisor import Supervisor
from selfheal.world import Agent, World

SIGHUP = "SIGHUP"
THE_FILE = "the file"


Learn = Callable[[Iterable[str]], None]
"""Takes secrets that are to be masked from now on."""
Renew = Callable[[Collection[str]], Awaitable[None]]
"""Lets the daemon follow its settings once they are in force; takes the dotted keys of those that are new."""


class Reloader:
    """Takes configurations, one at a time. Nothing is taken before `open`: the fleet has to be there first."""

    def __init__(
        self,
        ledger: Ledger,
        ports: Ports,
        fleet: Fleet,
        supervisor: Supervisor,
        care: Care,
        learn: Learn,
        renew: Renew,
        log: Log,
    ) -> None:
        self._ledger = ledger
        self._clock = ports.clock
        self._fleet = fleet
        self._supervisor = supervisor
        self._run_in_thread = ports.run_in_thread
        self._care = care
        self._learn = learn
        self._renew = renew
        self._log = log
        self._turn = asyncio.Semaphore(0)
        self._asked = asyncio.Event()

    def open(self) -> None:
        """The fleet is there."""
        self._turn.release()

    def soon(self) -> None:
        """Reload without an answer, as a signal asks for; several wishes at a time are one."""
        self._asked.set()

    async def heed(self) -> None:
        """The loop that answers these wishes. What is wrong with the file is in the log."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self.reload(SIGHUP)
            except ConfigInvalid as why:
                problems = [str(problem) for problem in why.problems]
                self._log.error(
                    "reload.refused", why="the configuration is wrong, the old one stays", problems=problems
                )
            except SelfhealError as why:
                self._log.error("reload.failed", why=str(why))

    async def reload(self, by: str) -> Reloaded:
        """Read the file again and take what has changed. Raises ConfigInvalid where it is wrong: nothing is changed."""
        async with self._turn:
            old, world = self._fleet.loaded, self._ledger.world
            loaded, plans = await self._run_in_thread(
                lambda: self._drafted(with_scales(old.again({}, fresh=True), world))
            )
            found = self._without_idle(compare(old.config, loaded.config, self._fleet.plans, plans))
            await self._ledger.durable()  # a disk that is full refuses before anything is changed
            self._ledger.record(*scales_over(world, loaded, self._clock.now()))
            self._ledger.record(*limits_over(self._ledger.world, plans, self._clock.now()))
            await self._ledger.durable(self._told(found, loaded, by))
            return await self._apply(found, bounded(old, loaded), plans)

    async def scale(self, agent: str, instances: int, by: str) -> Reloaded:
        """Let an agent have so many instances until the file says another number. Nothing else is read again."""
        async with self._turn:
            old = self._fleet.loaded
            declared = self._scalable(agent, instances)
            counts = {name: scale.instances for name, scale in self._ledger.world.scales.items()} | {agent: instances}
            loaded, drafted = await self._run_in_thread(lambda: self._drafted(old.again(counts, fresh=False)))
            plans = {name: self._kept(plan, loaded) for name, plan in drafted.items()}
            found = compare(old.config, loaded.config, self._fleet.plans, plans)
            await self._ledger.durable()
            await self._ledger.durable(ScaleAsked(self._clock.now(), agent, instances, declared, by))
            return await self._apply(replace(found, settings=(), pending=()), bounded(old, loaded), plans)

    def _drafted(self, loaded: Loaded) -> tuple[Loaded, Mapping[str, AgentPlan]]:
        """What of it can be in force, with the agents of that; `loaded` itself is kept to say what cannot."""
        return loaded, self._fleet.draft(bounded(self._fleet.loaded, loaded))

    def _kept(self, drafted: AgentPlan, loaded: Loaded) -> AgentPlan:
        """The agent as it is in force, unless its configuration is another: its environment file is for a reload."""
        plan = self._fleet.plans.get(drafted.name)
        return plan if plan is not None and plan.config == drafted.config else drafted

    def _scalable(self, agent: str, instances: int) -> int:
        """How many instances the file gives an agent. Raises where it cannot have so many."""
        loaded = self._fleet.loaded
        if agent not in loaded.groups:
            raise UnknownName(f"cannot find agent {agent!r} in the file; 'selfheal agents' lists what it has made")
        declared = loaded.declared.get(agent)
        if declared is None:
            kind = self._fleet.plans[loaded.groups[agent][0]].kind.name
            raise RefusedByPolicy(f"cannot scale {agent!r}: it is a {kind}, not a process of this daemon")
        if instances == 0:
            raise RefusedByPolicy(f"cannot scale {agent!r} to nothing: use 'selfheal stop {agent}'")
        if not 0 < instances <= MAX_INSTANCES:
            raise RefusedByPolicy(f"cannot scale {agent!r} to {instances}: it may have 1 to {MAX_INSTANCES} instances")
        return declared

    def _without_idle(self, found: Changes) -> Changes:
        """What does not run, and is not about to, has no process to restart: it takes the change as it is."""
        agents = self._ledger.world.agents
        idle = tuple(name for name in found.restarted if not _has_begun(agents.get(name)))
        restarted = tuple(name for name in found.restarted if name not in idle)
        return replace(found, restarted=restarted, changed=(*found.changed, *idle))

    def _told(self, found: Changes, loaded: Loaded, by: str) -> ConfigReloaded:
        return ConfigReloaded(
            self._clock.now(),
            by,
            loaded.config.guard.dry_run,
            found.added,
            found.removed,
            found.restarted,
            found.changed,
            len(found.unchanged),
            found.settings,
            found.pending,
        )

    async def _apply(self, found: Changes, loaded: Loaded, plans: Mapping[str, AgentPlan]) -> Reloaded:
        before = dict(self._fleet.plans)
        # Before anything with one of them in it can be said.
        await self._run_in_thread(lambda: self._learn(secrets_of(loaded)))
        held = self._supervisor.hold_starts((*found.changed, *found.restarted))  # they wait for what may be gone soon
        for wave in reversed(waves(before, found.removed)):
            await asyncio.gather(*(self._remove(before[name]) for name in wave))
        self._fleet.take(loaded, plans)
        await self._renew(found.settings)
        for name in (*found.changed, *found.restarted):
            self._change(before[name], plans[name])
        for name in found.added:
            self._add(plans[name])
        await self._supervisor.start_fleet({*found.added, *held})
        failed, left = await self._restart(found.restarted)
        restarted = tuple(name for name in found.restarted if name not in failed and name not in left)
        return Reloaded(
            added=found.added,
            removed=found.removed,
            restarted=restarted,
            changed=found.changed,
            unchanged=found.unchanged,
            failed=failed,
            left=left,
            settings=found.settings,
            pending=found.pending,
        )

    async def _remove(self, plan: AgentPlan) -> None:
        if plan.launch is not None:
            await self._supervisor.remove(plan.name)
        self._care.forget(plan.name)
        self._fleet.forget(plan.name)
        self._ledger.record(AgentRemoved(self._clock.now(), plan.name))

    def _change(self, before: AgentPlan, after: AgentPlan) -> None:
        now = self._clock.now()
        if before.declared(now) != after.declared(now):
            self._ledger.record(after.declared(now))
        process = process_of(after.config)
        if after.launch is not None and process is not None:
            self._supervisor.replace(after.name, process, after.launch, after.config.depends_on)
        self._care.renew(before, after)

    def _add(self, plan: AgentPlan) -> None:
        now = self._clock.now()
        self._ledger.record(plan.declared(now), *plan.held_back(now))
        process = process_of(plan.config)
        if plan.launch is not None and process is not None:
            self._supervisor.add(plan.name, process, plan.launch, plan.config.depends_on)
        self._care.watch(plan)

    async def _restart(self, names: Sequence[str]) -> tuple[Mapping[str, str], tuple[str, ...]]:
        """Restart one after the other; where one does not get ready the other instances of it are left alone."""
        group_of = {name: group for group, members in self._fleet.loaded.groups.items() for name in members}
        failed: dict[str, str] = {}
        left: list[str] = []
        for name in names:
            if group_of.get(name) in {group_of.get(other) for other in failed}:
                left.append(name)
                continue
            self._give_another_chance(name)
            try:
                await self._supervisor.restart(name, "reload")
            except SelfhealError as why:
                failed[name] = str(why)
        return failed, tuple(left)

    def _give_another_chance(self, name: str) -> None:
        """What did not help before may well help with another configuration."""
        now, agent = self._clock.now(), self._ledger.world.agents[name]
        for fix in agent.breakers:
            self._ledger.record(BreakerClosed(now, name, fix, "its configuration has changed"))


def with_scales(loaded: Loaded, world: World) -> Loaded:
    """The configuration with as many instances as persons have asked for, where the file says what it said then."""
    counts = {name: one.instances for name, one in world.scales.items() if loaded.declared.get(name) == one.declared}
    return loaded.again(counts, fresh=False) if counts else loaded


def as_scaled(loaded: Loaded, world: World, learn: Learn, log: Log) -> Loaded:
    """As `with_scales`, for a start of the daemon: what the file does not allow any more is left out, and said."""
    try:
        scaled = with_scales(loaded, world)
    except ConfigInvalid as why:
        log.error("scale.refused", why=str(why))
        return loaded
    learn(secrets_of(scaled) if scaled is not loaded else ())
    return scaled


def scales_over(world: World, loaded: Loaded, now: float) -> tuple[ScaleAsked, ...]:
    """The ends of words about the number of instances that the file has overruled since."""
    declared = {name: loaded.declared.get(name, 1) for name in world.scales}
    return tuple(
        ScaleAsked(now, name, declared[name], declared[name], THE_FILE)
        for name, scale in world.scales.items()
        if loaded.declared.get(name) != scale.declared
    )


def _has_begun(agent: Agent | None) -> bool:
    """Whether an agent is wanted and has been started, or tried to be; what waits for its first start has not.

    Between two runs of a schedule nothing has, however the last one went: the next one begins at its time.
    """
    if agent is None or not agent.wanted or agent.finished:
        return False
    if agent.schedule:
        return agent.run is not None
    return agent.run is not None or bool(agent.start_error) or agent.last_exit is not None
