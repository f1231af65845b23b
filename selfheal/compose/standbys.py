"""When does a standby wait for an agent, and what is known of it?

From the moment that a run is ready: what never got so far would not get further with its imports done. None while the
breaker is open, none of an agent that nobody wants. One that failed is told once, and tried again when a person, a fix
or another configuration starts the agent; one that had waited for a while is replaced at once.
"""

from __future__ import annotations

from functools import partial

from selfheal.clock import Clock
from selfheal.events import (
    AgentFinished,
    AgentReady,
    AgentStarted,
    BreakerOpened,
    Event,
    StandbyFailed,
    StopAsked,
)
from selfheal.ledger import Ledger
from selfheal.supervise.launcher import Launcher
from selfheal.supervise.supervisor import Supervisor
from selfheal.vitals import Standing, Vitals

# One that ends sooner after it was ready would do so again and again.
LASTED_S = 60.0


class Standbys:
    """Called with every event."""

    def __init__(
        self, ledger: Ledger, clock: Clock, vitals: Vitals, launcher: Launcher, supervisor: Supervisor
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._vitals = vitals
        self._launcher = launcher
        self._supervisor = supervisor
        self._failed: set[str] = set()
        self._ready_since: dict[str, float] = {}

    def heed(self, event: Event) -> None:
        """Let a standby come or go because of what happened."""
        match event:
            case AgentStarted(agent=name, reason="person" | "fix" | "first" | "reload"):
                self._failed.discard(name)
            case AgentReady(agent=name):
                self._stand_by(name)
            case BreakerOpened(fix="restart", agent=name):
                self._stand_down(name)
            case StopAsked(agent=name) | AgentFinished(agent=name):
                self._stand_down(name)
            case _:
                pass
        if isinstance(event, AgentStarted):
            standing = self._vitals.standby(event.agent)
            if standing is not None and standing.ready:  # used up, or no longer what is wanted
                self._vitals.put_standby(event.agent, Standing(standing.kind))

    def renew(self, name: str) -> None:
        """Let what stands by be what the agent's configuration says now."""
        launch, agent = self._supervisor.launch_of(name), self._ledger.world.agents.get(name)
        if launch is None or launch.standby is None:
            self.forget(name)
        elif agent is not None and agent.ready:
            self._failed.discard(name)
            self._stand_by(name)

    def forget(self, name: str) -> None:
        """Nothing shall stand by for this agent any more."""
        self._launcher.stand_down(name)
        self._vitals.drop_standby(name)
        self._failed.discard(name)
        self._ready_since.pop(name, None)

    def _stand_by(self, name: str) -> None:
        launch, agent = self._supervisor.launch_of(name), self._ledger.world.agents.get(name)
        if launch is None or agent is None or not agent.wanted or name in self._failed:
            return
        if launch.standby is not None and agent.breaker.state != "open":
            if self._vitals.standby(name) is None:
                self._vitals.put_standby(name, Standing(launch.standby.kind))
            self._launcher.stand_by(launch, partial(self._changed, name))

    def _stand_down(self, name: str) -> None:
        launch = self._supervisor.launch_of(name)
        if launch is not None and launch.standby is not None:
            self._launcher.stand_down(name)
            self._vitals.put_standby(name, Standing(launch.standby.kind))

    def _changed(self, name: str, standing: Standing) -> None:
        now = self._clock.monotonic()
        self._vitals.put_standby(name, standing)
        if standing.ready:
            self._ready_since[name] = now
            return
        lasted = name in self._ready_since and now - self._ready_since.pop(name) >= LASTED_S
        if not lasted:
            self._failed.add(name)
        self._ledger.record(StandbyFailed(self._clock.now(), name, standing.kind, standing.why))
        if lasted:
            self._stand_by(name)
