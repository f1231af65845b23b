"""Who keeps the processes of the fleet running?

One child for each agent that is a process. A death is answered in the callback that saw it: decide, start, and only
then write it all down. Everything slower (readiness, stopping, trials of an open breaker) happens in tasks of its own.
"""

from __future__ import annotations

import signal as signals
from collections.abc import AsyncIterator, Callable, Container, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from selfheal.clock import Clock
from selfheal.config.models import ProcessConfig
from selfheal.errors import FixFailed, SpawnFailed
from selfheal.events import (
    AgentExited,
    AgentFinished,
    AgentStarted,
    AgentStartFailed,
    BreakerOpened,
    BreakerTried,
    Event,
    HealingResumed,
    MaintenanceOver,
    RestartDelayed,
    Run,
)
from selfheal.ledger import Ledger
from selfheal.plans import DecideReflex, Delay, Ending, Finish, Leave, Quarantine, Reflex, Restart
from selfheal.supervise.adoption import Adoption
from selfheal.supervise.books import Books
from selfheal.supervise.child import Child
from selfheal.supervise.ending import end, end_all, exited, log_size
from selfheal.supervise.getting_ready import GettingReady, Ready, Spawn
from selfheal.supervise.launcher import Exit, Launch, Launcher, Process
from selfheal.supervise.tree import end_strays, kill_leftovers
from selfheal.vocabulary import StartReason
from selfheal.world import Agent

# What an earlier daemon left behind gets this long to end by itself.
LEFT_S = 1.0


class Supervisor:
    """Starts, stops and restarts the children, and answers their deaths."""

    def __init__(
        self, ledger: Ledger, clock: Clock, launcher: Launcher, reflex: DecideReflex, ready: Ready, spawn: Spawn
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._launcher = launcher
        self._reflex = reflex
        self._books = Books()
        self._ready = GettingReady(ledger, clock, ready, spawn, self._books.settle)
        self._spawn = spawn
        self._children: dict[str, Child] = {}
        self._adoption = Adoption(ledger, clock, launcher, self._children, self._books, self._ready)
        self._stopping = False

    # --- the fleet ---

    def add(self, name: str, config: ProcessConfig, launch: Launch, depends_on: tuple[str, ...]) -> None:
        """Take an agent into care; it is not started yet."""
        generation = self._agent(name).generation
        self._children[name] = Child(name, config, launch, depends_on, generation)

    def replace(self, name: str, config: ProcessConfig, launch: Launch, depends_on: tuple[str, ...]) -> None:
        """Take what is new about an agent; what runs goes on, and the next run is as said here."""
        child = self._children[name]
        if child.process is not None and launch.limits != child.launch.limits:
            self._launcher.limit(child.process.run, launch)
        child.config, child.launch, child.depends_on = config, launch, depends_on

    def hold_starts(self, names: Iterable[str]) -> tuple[str, ...]:
        """Let first starts that wait for dependencies not happen; returns whose: `start_fleet` begins them anew."""
        return tuple(name for name in names if name in self._children and self._children[name].forget_start())

    async def remove(self, name: str) -> None:
        """Stop an agent and all of its tree, and let it out of care."""
        async with self._turn(name) as child:
            child.forget_start()
            await end(child, child.config.stop.timeout, self._clock)
            del self._children[name]
            child.ready.set()  # nobody waits for it any more

    def process_of(self, name: str) -> Process | None:
        """The process of an agent as it runs now; None where it has none."""
        child = self._children.get(name)
        return child.process if child is not None else None

    def run_of(self, name: str) -> Run | None:
        """The current run of an agent; None where it has none."""
        process = self.process_of(name)
        return process.run if process is not None else None

    def helpers_of(self, name: str) -> Sequence[int]:
        """The pids of what the current run of an agent has started."""
        child = self._children.get(name)
        return child.process.helpers() if child is not None and child.process is not None else ()

    def launch_of(self, name: str) -> Launch | None:
        child = self._children.get(name)
        return child.launch if child is not None else None

    def children(self) -> Iterable[Child]:
        return self._children.values()

    def adopt(self) -> tuple[tuple[str, Run], ...]:
        """Take over what an earlier daemon left running.

        Returns the runs that nobody wants, and by which agent: they should be ended.
        """
        unwanted = self._adoption.take_over(lambda child: partial(self._ended, child))
        for child, ending in self._adoption.lost():
            now = self._clock.now()
            decision = self._reflex(self._agent(child.name), ending, now)
            self._follow(child, Restart("backoff") if isinstance(decision, Restart | Delay) else decision, now)
        return unwanted

    async def end_strays(self) -> None:
        """End what runs of earlier daemons left behind, and everything where no run is left."""
        await kill_leftovers(self._adoption.strays, timeout_s=0.0 if self._stopping else LEFT_S, clock=self._clock)

    async def start_fleet(self, only: Container[str] | None = None) -> None:
        """Start what is wanted, of all or of some, once what it depends on is ready; by schedule, at its time."""
        self._books.settle_all()
        for child in [one for one in self._children.values() if only is None or one.name in only]:
            agent = self._agent(child.name)
            if agent.finished or child.config.schedule is not None:
                child.ready.set()
                continue
            if child.process is not None or not agent.wanted or agent.held_for:
                continue
            if agent.breaker.state == "open":
                self._try_at(child, agent.breaker.retry_at)
            elif child.timer is None and not (agent.died and self._stays_down(agent)):
                child.starting = self._spawn(f"start {child.name}", self._start_in_order(child))

    async def stop_fleet(self, timeout_s: float) -> None:
        """Stop all, those that depend on others first. What has not ended in time is killed."""
        self._books.settle_all()
        self._stopping = True
        await end_all(self._children.values(), timeout_s, self._clock)
        await self.end_strays()

    def kill_fleet(self) -> None:
        """Kill all at once, and wait for nothing."""
        self._stopping = True
        for child in self._children.values():
            if child.process is not None:
                child.process.signal_group(signals.SIGKILL)

    def leave_fleet(self) -> None:
        """Let the processes live on, for the next daemon to adopt."""
        self._books.settle_all()
        self._stopping = True
        for child in self._children.values():
            child.forget_timers()
        self._launcher.close()

    # --- acts ---

    async def start(self, name: str, reason: StartReason) -> None:
        """Start an agent that is not running. Raises FixFailed where it cannot be."""
        async with self._turn(name) as child:
            self._may_run(name)
            if child.process is None and not self._begin(child, reason):
                raise FixFailed(self._agent(name).start_error or f"cannot start {name}")

    async def stop(self, name: str) -> None:
        """Stop an agent and all of its process group; returns when they are gone."""
        async with self._turn(name) as child:
            await end(child, child.config.stop.timeout, self._clock)

    async def restart(self, name: str, reason: StartReason, *, hung: bool = False) -> str:
        """Stop the whole tree, start anew, return when it is ready: with the stack that it wrote where it was `hung`.

        Raises FixFailed where it does not get ready in time. A dependent that something holds by now is left alone.
        """
        async with self._turn(name) as child:
            if reason == "dependency" and not self._agent(name).touchable:
                return ""  # something has held it since this was planned
            self._may_run(name)
            stack = await end(child, child.config.stop.timeout, self._clock, hung=hung)
            self._goes_on(name)
            if not self._begin(child, reason):
                raise FixFailed(self._agent(name).start_error or f"cannot start {name}")
            process = child.process
        await self._ready.outcome(child, process)
        return stack

    async def is_ready(self, name: str) -> None:
        """Return when an agent that was started is ready. Raises FixFailed where it does not get so in time."""
        child = self._children[name]
        await self._ready.outcome(child, child.process)

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[Child]:
        """The child of an agent, for one act at a time. Raises FixFailed where there is none, or none any more."""
        child = self._children.get(name)
        if child is not None:
            async with child.turn:
                if self._children.get(name) is child:
                    self._goes_on(name)
                    self._books.settle(name)
                    yield child
                    return
        raise FixFailed(f"cannot touch {name}: it is no process of ours")

    def _goes_on(self, name: str) -> None:
        if self._stopping:
            raise FixFailed(f"cannot touch {name}: the daemon is stopping")

    def _may_run(self, name: str) -> None:
        data = self._agent(name).held_for
        if data:
            raise FixFailed(
                f"cannot start {name}: it is stopped for the sake of {data}; it is started when that is done, and "
                f"'selfheal why {data}' says how far it is"
            )

    def heed(self, event: Event) -> None:
        """React to what others recorded: a breaker that opened, a hold that ended."""
        match event:
            case BreakerOpened(fix="restart", agent=name, retry_at=retry_at) if name in self._children:
                child = self._children[name]
                if child.process is None:
                    self._try_at(child, retry_at)
            case HealingResumed() | MaintenanceOver():
                self.reconsider()
            case _:
                pass

    def reconsider(self) -> None:
        """Start what is down and nothing holds any more: what died while healing was paused, say."""
        self._books.settle_all()
        for child in self._children.values():
            agent = self._agent(child.name)
            idle = child.process is None and child.timer is None and not child.stopping and child.turn.locked() is False
            if idle and agent.died and agent.wanted and not agent.finished and agent.breaker.state == "closed":
                self._follow(child, self._stays_down(agent) or Restart("backoff"), self._clock.now())

    def _stays_down(self, agent: Agent) -> Leave | Finish | None:
        """What keeps an agent down that died; None where it may start now."""
        ended = agent.last_exit
        ending = Ending(ended.code, ended.signal, ended.ran_s) if ended else Ending(None, None, 0.0)
        decision = self._reflex(agent, ending, self._clock.now())
        return decision if isinstance(decision, Leave | Finish) else None

    # --- a death ---

    def _ended(self, child: Child, process: Process, end: Exit) -> None:
        """The reflex: decide and start; the books come after."""
        if child.process is not process:
            return
        self._books.settle(child.name)
        now = self._clock.now()
        child.process = None
        child.forget_timers()
        if child.stopping or self._stopping:
            self._ledger.record(exited(child, process.run, end, now, expected=True))
            return
        self._kill_rest(child, process)  # helpers of a dead main process would hold its port
        ran_s = max(0.0, now - process.run.started_at)
        decision = self._reflex(self._agent(child.name), Ending(end.code, end.signal, ran_s), now)
        death = exited(child, process.run, end, now, expected=isinstance(decision, Finish))
        started = self._launch(child) if isinstance(decision, Restart) else None
        self._books.enter(child.name, partial(self._book_death, child, death, decision, started))

    def _kill_rest(self, child: Child, process: Process) -> None:
        """Kill what a dead process has left; what that started meanwhile is looked for once more, a moment later."""
        process.signal_group(signals.SIGKILL)
        if process.signal_strays(signals.SIGKILL) or process.adopted:
            rest = end_strays(process, signal=signals.SIGKILL, timeout_s=0.0, clock=self._clock)
            self._spawn(f"strays of {child.name}", rest)

    def _book_death(
        self, child: Child, death: AgentExited, decision: Reflex, started: Run | SpawnFailed | None
    ) -> None:
        self._ledger.record(death)
        if isinstance(decision, Restart):
            self._book_start(child, decision.reason, started)
        else:
            self._follow(child, decision, death.at)

    def _follow(self, child: Child, decision: Reflex, now: float) -> None:
        match decision:
            case Restart(reason=reason):
                self._begin(child, reason)
            case Delay(due_at=due_at, why=why):
                self._ledger.record(RestartDelayed(now, child.name, due_at, why))
                self._at(child, due_at, lambda: self._due(child, "backoff"))
            case Quarantine(retry_at=retry_at, why=why):
                if self._agent(child.name).breaker.state == "open":
                    self._try_at(child, retry_at)
                else:
                    self._ledger.record(BreakerOpened(now, child.name, "restart", retry_at, why))
            case Finish():
                self._ledger.record(AgentFinished(now, child.name))
                child.ready.set()  # its work is done, and that is what others have waited for
            case Leave():
                pass

    # --- a start ---

    async def _start_in_order(self, child: Child) -> None:
        await self._ready.needs(self._children, child.depends_on)
        agent = self._agent(child.name)
        free = agent.wanted and not agent.held_for and not self._stopping
        if child.process is None and child.timer is None and free:
            started = self._launch(child)  # the rest of the fleet first, the books later: there may be a thousand
            self._books.enter(child.name, partial(self._book_start, child, "first", started))

    def _begin(self, child: Child, reason: StartReason) -> bool:
        """Start the process and write it down; returns whether it runs."""
        started = self._launch(child)
        self._book_start(child, reason, started)
        return isinstance(started, Run)

    def _launch(self, child: Child) -> Run | SpawnFailed:
        child.forget_timers()
        child.stopping = False
        child.log_begin = log_size(child)
        try:
            child.process = self._launcher.spawn(child.launch, child.generation + 1, partial(self._ended, child))
        except SpawnFailed as why:
            return why
        child.generation += 1
        return child.process.run

    def _book_start(self, child: Child, reason: StartReason, started: Run | SpawnFailed | None) -> None:
        if isinstance(started, Run):
            how = child.process.how if child.process is not None else "cold"
            started_now = AgentStarted(started.started_at, child.name, started, reason, child.log_begin, how)
            self._ledger.record(started_now)
            self._ready.begin(child)
        elif started is not None:
            now = self._clock.now()
            wait_s = self._agent(child.name).breaker.next_wait_s
            failed = AgentStartFailed(now, child.name, str(started), started.cause)
            if child.config.restart == "never":  # no trial would ever be allowed: a person starts it, or its schedule
                self._ledger.record(failed)
            else:
                opened = BreakerOpened(now, child.name, "restart", now + wait_s, str(started))
                self._ledger.record(failed, opened)

    # --- later ---

    def _try_at(self, child: Child, retry_at: float) -> None:
        """One trial of an open breaker, for ever: never a final "fatal"."""
        self._at(child, retry_at, lambda: self._due(child, "trial"))

    def _due(self, child: Child, reason: StartReason) -> None:
        if not self._may_start(child, self._agent(child.name), reason):
            return
        if reason == "trial":
            self._ledger.record(BreakerTried(self._clock.now(), child.name, "restart"))
        self._begin(child, reason)

    def _may_start(self, child: Child, agent: Agent, reason: StartReason) -> bool:
        """Whether nothing forbids this start by now; a pause or a window may have begun since it was set."""
        child.timer = None
        if child.process is not None or self._stopping:
            return False
        held = self._reflex(agent, Ending(None, None, 3600.0), self._clock.now())
        if isinstance(held, Leave):
            self._at(child, self._clock.now() + 1.0, lambda: self._due(child, reason))
            return False
        return True

    def _at(self, child: Child, due_at: float, act: Callable[[], None]) -> None:
        child.call_in(due_at - self._clock.now(), act)

    def _agent(self, name: str) -> Agent:
        return self._ledger.world.agents.get(name, Agent(name))
