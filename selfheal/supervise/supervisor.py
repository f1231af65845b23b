"""Who keeps the processes of the fleet running?

One child for each agent that is a process. A death is answered in the callback that saw it: decide, start, and only
then write it all down. Everything slower (readiness, stopping, trials of an open breaker) happens in tasks of its own.
"""

from __future__ import annotations

import asyncio
import signal as signals
from collections.abc import Callable, Iterable
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
from selfheal.supervise.books import Books
from selfheal.supervise.child import Child, stop_order
from selfheal.supervise.ending import end, exited, kill, log_size
from selfheal.supervise.getting_ready import GettingReady, Ready, Spawn
from selfheal.supervise.launcher import Exit, Launch, Launcher, Process
from selfheal.supervise.tree import end_strays, kill_leftovers
from selfheal.vocabulary import StartReason
from selfheal.world import Agent

# What hangs gets this long to end by itself before it is killed.
HUNG_STOP_S = 1.0
# What an earlier daemon left behind gets this long to end by itself.
LEFT_S = 1.0
# What a stop of the whole fleet keeps back of its time for killing what did not end by itself.
KILL_SHARE_S = 1.0


class Supervisor:
    """Starts, stops and restarts the children, and answers their deaths."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        launcher: Launcher,
        reflex: DecideReflex,
        ready: Ready,
        spawn: Spawn,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._launcher = launcher
        self._reflex = reflex
        self._ready = GettingReady(ledger, clock, ready, spawn)
        self._spawn = spawn
        self._children: dict[str, Child] = {}
        self._books = Books()
        self._stopping = False

    # --- the fleet ---

    def add(self, name: str, config: ProcessConfig, launch: Launch, depends_on: tuple[str, ...]) -> None:
        """Take an agent into care; it is not started yet."""
        generation = self._agent(name).generation
        self._children[name] = Child(name, config, launch, depends_on, generation)

    def run_of(self, name: str) -> Run | None:
        """The current run of an agent; None where it has none."""
        child = self._children.get(name)
        return child.process.run if child is not None and child.process is not None else None

    def launch_of(self, name: str) -> Launch | None:
        child = self._children.get(name)
        return child.launch if child is not None else None

    def children(self) -> Iterable[Child]:
        return self._children.values()

    def adopt(self) -> tuple[tuple[str, Run], ...]:
        """Take over what an earlier daemon left running.

        Returns the runs that nobody wants, and by which agent: they should be ended.
        """
        known = {name: agent.run for name, agent in self._ledger.world.agents.items() if agent.run is not None}
        found = self._launcher.leftovers()
        # A run that was begun and not yet written down is newer than what is known; the others are helpers. Of one
        # generation, the oldest is the agent itself.
        newer = [(name, run) for name, run in found if run.generation > self._agent(name).generation]
        unknown = sorted(newer, key=lambda one: -one[1].generation)
        for name, run in [*known.items(), *unknown]:
            child = self._children.get(name)
            if child is not None and child.process is None and self._agent(name).wanted:
                process = self._launcher.adopt(run, name, self._on_exit(name))
                if process is not None:
                    self._took_over(child, process)
        for name in known:
            if self.run_of(name) is None:
                self._lost(name)
        return tuple((name, run) for name, run in found if not self._belongs(name, run))

    async def end_strays(self) -> None:
        """End what runs of earlier daemons left behind, and everything where no run is left."""

        async def unwanted() -> list[Run]:
            return [run for name, run in await self._launcher.strays() if not self._belongs(name, run)]

        await kill_leftovers(unwanted, timeout_s=0.0 if self._stopping else LEFT_S, clock=self._clock)

    def _belongs(self, name: str, run: Run) -> bool:
        """Whether a process is part of the agent's current run: the run itself, or a helper in a session of its own."""
        current = self.run_of(name)
        return current is not None and current.generation == run.generation

    async def start_fleet(self) -> None:
        """Start every agent that is wanted, each as soon as what it depends on is ready."""
        self._books.settle_all()
        for child in self._children.values():
            agent = self._agent(child.name)
            if agent.finished:
                child.ready.set()
            if child.process is not None or not agent.wanted or agent.finished:
                continue
            if agent.breaker.state == "open":
                self._try_at(child, agent.breaker.retry_at)
            elif child.timer is None and not (_died(agent) and self._stays_down(agent)):
                child.starting = self._spawn(f"start {child.name}", self._start_in_order(child))

    async def stop_fleet(self, timeout_s: float) -> None:
        """Stop all, those that depend on others first. What has not ended in time is killed."""
        self._books.settle_all()
        self._stopping = True
        deadline = self._clock.monotonic() + timeout_s
        try:
            async with asyncio.timeout(max(0.1, timeout_s - KILL_SHARE_S)):
                for wave in stop_order(self._children.values()):
                    await asyncio.gather(*(end(child, child.config.stop.timeout, self._clock) for child in wave))
        except TimeoutError:
            left = max(0.1, deadline - self._clock.monotonic())
            running = [child for child in self._children.values() if child.process is not None]
            await asyncio.gather(*(kill(child, left, self._clock) for child in running))
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
        child = self._children[name]
        async with child.turn:
            self._books.settle(name)
            if child.process is None and not self._begin(child, reason):
                raise FixFailed(self._agent(name).start_error or f"cannot start {name}")

    async def stop(self, name: str) -> None:
        """Stop an agent and all of its process group; returns when they are gone."""
        child = self._children[name]
        async with child.turn:
            self._books.settle(name)
            await end(child, child.config.stop.timeout, self._clock)

    async def restart(self, name: str, reason: StartReason, *, hung: bool = False) -> None:
        """Stop the whole tree, start anew, return when it is ready. What is `hung` is not asked for long.

        Raises FixFailed where it does not get ready in time. A dependent that something holds by now is left alone.
        """
        child = self._children.get(name)
        if child is None:
            raise FixFailed(f"cannot restart {name}: it is no process of ours")
        patience_s = child.config.stop.timeout
        async with child.turn:
            self._books.settle(name)
            if reason == "dependency" and not self._agent(name).touchable:
                return  # something has held it since this was planned
            await end(child, min(patience_s, HUNG_STOP_S) if hung else patience_s, self._clock)
            if not self._begin(child, reason):
                raise FixFailed(self._agent(name).start_error or f"cannot start {name}")
            process = child.process
        await self._ready.outcome(child, process)

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
            if idle and _died(agent) and agent.wanted and not agent.finished and agent.breaker.state == "closed":
                self._follow(child, self._stays_down(agent) or Restart("backoff"), self._clock.now())

    def _stays_down(self, agent: Agent) -> Leave | Finish | None:
        """What keeps an agent down that died; None where it may start now."""
        ended = agent.last_exit
        ending = Ending(ended.code, ended.signal, ended.ran_s) if ended else Ending(None, None, 0.0)
        decision = self._reflex(agent, ending, self._clock.now())
        return decision if isinstance(decision, Leave | Finish) else None

    # --- a death ---

    def _on_exit(self, name: str) -> Callable[[Process, Exit], None]:
        def ended(process: Process, end: Exit) -> None:
            self._ended(self._children[name], process, end)

        return ended

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
        if child.process is None and child.timer is None and agent.wanted and not self._stopping:
            self._begin(child, "first")

    def _begin(self, child: Child, reason: StartReason) -> bool:
        """Start the process and write it down; returns whether it runs."""
        child.forget_timers()
        child.stopping = False
        started = self._launch(child)
        self._book_start(child, reason, started)
        return isinstance(started, Run)

    def _launch(self, child: Child) -> Run | SpawnFailed:
        try:
            child.process = self._launcher.spawn(child.launch, child.generation + 1, self._on_exit(child.name))
        except SpawnFailed as why:
            return why
        child.generation += 1
        return child.process.run

    def _book_start(self, child: Child, reason: StartReason, started: Run | SpawnFailed | None) -> None:
        if isinstance(started, Run):
            how = child.process.how if child.process is not None else "cold"
            self._ledger.record(AgentStarted(started.started_at, child.name, started, reason, how))
            self._ready.begin(child)
        elif started is not None:
            now = self._clock.now()
            wait_s = self._agent(child.name).breaker.next_wait_s
            self._ledger.record(
                AgentStartFailed(now, child.name, str(started), started.cause),
                BreakerOpened(now, child.name, "restart", now + wait_s, str(started)),
            )

    # --- later ---

    def _try_at(self, child: Child, retry_at: float) -> None:
        """One trial of an open breaker, for ever: never a final "fatal"."""
        self._at(child, retry_at, lambda: self._trial(child))

    def _trial(self, child: Child) -> None:
        agent = self._agent(child.name)
        if not self._may_start(child, agent, "trial"):
            return
        self._ledger.record(BreakerTried(self._clock.now(), child.name, "restart"))
        self._begin(child, "trial")

    def _due(self, child: Child, reason: StartReason) -> None:
        if self._may_start(child, self._agent(child.name), reason):
            self._begin(child, reason)

    def _may_start(self, child: Child, agent: Agent, reason: StartReason) -> bool:
        """Whether nothing forbids this start by now; a pause or a window may have begun since it was set."""
        child.timer = None
        if child.process is not None or self._stopping:
            return False
        held = self._reflex(agent, Ending(None, None, 3600.0), self._clock.now())
        if isinstance(held, Leave):
            self._at(child, self._clock.now() + 1.0, lambda: self._later(child, reason))
            return False
        return True

    def _later(self, child: Child, reason: StartReason) -> None:
        if reason == "trial":
            self._trial(child)
        else:
            self._due(child, reason)

    def _at(self, child: Child, due_at: float, act: Callable[[], None]) -> None:
        child.call_in(due_at - self._clock.now(), act)

    # --- adoption ---

    def _took_over(self, child: Child, process: Process) -> None:
        before = self._agent(child.name)
        child.process = process
        child.generation = max(child.generation, process.run.generation)
        self._ledger.record(AgentStarted(self._clock.now(), child.name, process.run, "adopted"))
        if before.ready and before.run == process.run:  # it says so only once
            self._ready.is_ready(child, process.run, 0.0)
        else:
            self._ready.begin(child)

    def _lost(self, name: str) -> None:
        """A run that ended while no daemon watched."""
        run = self._agent(name).run
        if run is None:
            return
        now, child = self._clock.now(), self._children.get(name)
        expected = not self._agent(name).wanted
        log_end = log_size(child) if child is not None else 0
        ran_s = max(0.0, now - run.started_at)
        self._ledger.record(AgentExited(now, name, run.generation, run.pid, None, None, ran_s, expected, log_end))
        if child is not None and not expected:
            decision = self._reflex(self._agent(name), Ending(None, None, ran_s), now)
            self._follow(child, Restart("backoff") if isinstance(decision, Restart | Delay) else decision, now)

    def _agent(self, name: str) -> Agent:
        return self._ledger.world.agents.get(name, Agent(name))


def _died(agent: Agent) -> bool:
    """Whether its latest run ended, and not because we ended it."""
    return agent.run is None and agent.last_exit is not None and not agent.last_exit.expected
