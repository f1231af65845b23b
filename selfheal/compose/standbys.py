"""When does a standby wait for an agent, and what is known of it?

From the moment that a run is ready: what never got so far would not get further with its imports done. None while the
breaker is open, none of an agent that nobody wants. One that failed is told once, and tried again when a person, a fix
or another configuration starts the agent, or with a start that comes much later; one that had waited for a while is
replaced at once.
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
# What was missing, memory perhaps, may be there by then.
RETRY_S = 600.0


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
        self._failed_at: dict[str, float] = {}
        self._ready_since: dict[str, float] = {}

    def heed(self, event: Event) -> None:
        """Let a standby come or go because of what happened."""
        match event:
            case AgentStarted(agent=name, reason=reason):
                self._begins(name, by_order=reason in {"person", "fix", "first", "reload"})
            case AgentReady(agent=name):
                self._stand_by(name)
            case BreakerOpened(fix="restart", agent=name):
                self._stand_down(name)
            case StopAsked(agent=name) | AgentFinished(agent=name):
                self._stand_down(name)
            case _:
                pass

    def renew(self, name: str) -> None:
        """Let what stands by be what the agent's configuration says now."""
        launch, agent = self._supervisor.launch_of(name), self._ledger.world.agents.get(name)
        if launch is None or launch.standby is None:
            self.forget(name)
            return
        self._failed_at.pop(name, None)
        if agent is not None and agent.ready:
            self._stand_by(name)
        else:
            self._stand_down(name)

    def forget(self, name: str) -> None:
        """Nothing shall stand by for this agent any more."""
        self._launcher.stand_down(name)
        self._vitals.drop_standby(name)
        self._failed_at.pop(name, None)
        self._ready_since.pop(name, None)

    def _begins(self, name: str, *, by_order: bool) -> None:
        if by_order:
            self._failed_at.pop(name, None)
        self._ready_since.pop(name, None)
        standing = self._vitals.standby(name)
        if standing is not None and standing.ready:  # used up, or no longer what is wanted
            self._vitals.put_standby(name, Standing(standing.kind))

    def _stand_by(self, name: str) -> None:
        launch, agent = self._supervisor.launch_of(name), self._ledger.world.agents.get(name)
        failed_at = self._failed_at.get(name)
        if failed_at is not None and self._clock.monotonic() - failed_at < RETRY_S:
            return
        if launch is None or launch.standby is None or agent is None:
            return
        if agent.wanted and agent.breaker.state != "open":
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
            self._failed_at.pop(name, None)
            self._ready_since[name] = now
        elif standing.why:
            self._has_failed(name, standing, now)

    def _has_failed(self, name: str, standing: Standing, now: float) -> None:
        lasted = name in self._ready_since and now - self._ready_since.pop(name) >= LASTED_S
        if not lasted:
            self._failed_at[name] = now
        self._ledger.record(StandbyFailed(self._clock.now(), name, standing.kind, standing.why))
        if lasted:
            self._stand_by(name)
