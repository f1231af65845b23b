"""Which processes did an earlier daemon leave behind, and what is each of them to us?

A run that is known, or that was begun and not yet written down, is taken over as it is. A known one that is gone has
ended while nobody watched. Whatever else carries our mark belongs to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from selfheal.clock import Clock
from selfheal.events import AgentExited, AgentStarted, Run
from selfheal.ledger import Ledger
from selfheal.plans import Ending
from selfheal.supervise.books import Books
from selfheal.supervise.child import Child
from selfheal.supervise.ending import log_size
from selfheal.supervise.getting_ready import GettingReady
from selfheal.supervise.launcher import Launcher, OnExit, Process
from selfheal.world import Agent


class Adoption:
    """Looks for them once, at the start, and for what is left of them."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        launcher: Launcher,
        children: Mapping[str, Child],
        books: Books,
        ready: GettingReady,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._launcher = launcher
        self._children = children
        self._books = books
        self._ready = ready

    def take_over(self, on_exit: Callable[[Child], OnExit]) -> tuple[tuple[str, Run], ...]:
        """Take over what is ours. Returns the runs that nobody wants, and by which agent: they should be ended."""
        known = {name: agent.run for name, agent in self._ledger.world.agents.items() if agent.run is not None}
        found = self._launcher.leftovers()
        # A run that was begun and not yet written down is newer than what is known; the others are helpers. Of one
        # generation, the oldest is the agent itself.
        newer = [(name, run) for name, run in found if run.generation > self._agent(name).generation]
        unknown = sorted(newer, key=lambda one: -one[1].generation)
        for name, run in [*known.items(), *unknown]:
            child = self._children.get(name)
            if child is not None and child.process is None and self._agent(name).wanted:
                process = self._launcher.adopt(run, name, on_exit(child))
                if process is not None:
                    self._takes(child, process)
        return tuple((name, run) for name, run in found if not self.belongs(name, run))

    def lost(self) -> Iterator[tuple[Child, Ending]]:
        """Write down the end of every run that is known and was not found. Gives those that should run again."""
        now = self._clock.now()
        for agent in tuple(self._ledger.world.agents.values()):
            run, child = agent.run, self._children.get(agent.name)
            if run is None or (child is not None and child.process is not None):
                continue
            expected = not agent.wanted
            log_end = log_size(child) if child is not None else 0
            ran_s = max(0.0, now - run.started_at)
            exited = AgentExited(now, agent.name, run.generation, run.pid, None, None, ran_s, expected, log_end)
            self._ledger.record(exited)
            if child is not None and not expected:
                yield child, Ending(None, None, ran_s)

    async def strays(self) -> list[Run]:
        """What runs of earlier daemons have left, and everything of an agent of which no run is left."""
        return [run for name, run in await self._launcher.strays() if not self.belongs(name, run)]

    def belongs(self, name: str, run: Run) -> bool:
        """Whether a process is part of the agent's current run: the run itself, or a helper in a session of its own."""
        child = self._children.get(name)
        return child is not None and child.process is not None and child.process.run.generation == run.generation

    def _takes(self, child: Child, process: Process) -> None:
        child.process = process
        child.generation = max(child.generation, process.run.generation)
        # The daemon before may have died before it held this run, or had other limits.
        self._launcher.limit(process.run, child.launch)
        self._books.enter(child.name, partial(self._book, child, process, self._clock.now()))

    def _book(self, child: Child, process: Process, at: float) -> None:
        before = self._agent(child.name)
        self._ledger.record(AgentStarted(at, child.name, process.run, "adopted"))
        if before.ready and before.run == process.run and not child.config.ends:  # it says so only once
            self._ready.is_ready(child, process.run, 0.0)
        else:
            self._ready.begin(child)

    def _agent(self, name: str) -> Agent:
        return self._ledger.world.agents.get(name, Agent(name))
