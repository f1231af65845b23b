"""What is a fleet with a long past, for who measures what is written of it?"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from selfheal.config.models import WindowConfig
from selfheal.events import (
    AgentDeclared,
    AgentReady,
    AgentStarted,
    Alternative,
    AnomalySeen,
    Cause,
    DaemonStarted,
    Diagnosed,
    Event,
    FailurePredicted,
    FixEnded,
    FixStarted,
    IncidentOpened,
    IncidentResolved,
    Planned,
    Run,
    Verified,
    WorkPlanned,
)
from selfheal.kinds import Observation
from selfheal.vitals import CheckRecord, Vitals
from selfheal.world import EMPTY, World, fold

BEGIN = 1_767_323_045.0
WINDOWS = (WindowConfig(agents=("agent-0",), cron="0 3 * * sun", minutes=30),)
CAUSES = ("crashed", "hung", "port_taken", "out_of_memory", "unreachable")
FIXES = ("restart", "clear_cache", "restart_with_dependents", "rotate_logs")
CHECKS = ("http", "tcp", "process")
SIGNALS = ("cpu", "rss", "fds", "threads", "latency", "error_rate")
TRIES = 9  # in each incident: most of what is written is about those


@dataclass
class Now:
    """The world and the vitals at a time."""

    world: World
    vitals: Vitals
    now: float


class Past:
    """A fleet whose last five hundred incidents are kept, and which goes on from second to second."""

    def __init__(self, agents: int, incidents: int) -> None:
        self.chance = Random(1)
        self.names = [f"agent-{number}" for number in range(agents)]
        self.world, self.vitals, self.at, self.opened = EMPTY, Vitals(), BEGIN, 0
        self._take(DaemonStarted(self.at, "0.1.0", 1, False))
        for number, name in enumerate(self.names):
            self._declare(number, name)
        for _ in range(incidents):
            self.fail()

    def go_on(self) -> Now:
        """One second: an agent fails and is healed, and every check has given an answer."""
        self.at += 1.0
        self.fail()
        for name in self.names:
            self._observe(name)
        return Now(self.world, self.vitals, self.at)

    def fail(self) -> None:
        """One incident from its first sign to its end."""
        self.opened += 1
        name, cause, incident = self.chance.choice(self.names), self.chance.choice(CAUSES), f"inc-{self.opened}"
        self._take(IncidentOpened(self.at, incident, name, "check", "check http: no answer within 1 s", self.at))
        for number in range(1, TRIES + 1):
            self._try(incident, name, cause, number, "succeeded" if number == TRIES else "failed")
        self._take(IncidentResolved(self.at, incident, f"{FIXES[0]} helped", 12.5))

    def _try(self, incident: str, name: str, cause: str, number: int, outcome: str) -> None:
        fix = self.chance.choice(FIXES)
        evidence = tuple(f"its log says 'line {line} of what went wrong: {self.chance.random()}'" for line in range(3))
        causes = (Cause(cause, 0.8, name, evidence), Cause("unknown", 0.2, name))
        others = tuple(Alternative(one, 0.5, 30.0, "its breaker is open: it did not help") for one in FIXES)
        self.at += 0.01
        self._take(Diagnosed(self.at, incident, causes))
        self._take(Planned(self.at, incident, fix, name, f"expected to be well in 7 s: {fix} helps", others))
        self._take(FixStarted(self.at, incident, number, fix, "application", name, cause))
        self._take(FixEnded(self.at, incident, number, "succeeded", f"{name} was stopped and started again"))
        self._take(Verified(self.at, incident, number, outcome, "no good answer since", self.at))  # type: ignore[arg-type]

    def _declare(self, number: int, name: str) -> None:
        depends_on = (self.names[number // 10],) if number >= 10 else ()
        self._take(AgentDeclared(self.at, name, "process", "application", depends_on, CHECKS, True))
        self._take(AgentStarted(self.at, name, Run(1000 + number, 1, self.at, number, "boot"), "first"))
        self._take(AgentReady(self.at, name, 1, 0.1))
        if number % 10 == 0:
            self._take(FailurePredicted(self.at, name, "out_of_fds", "fds", 0.8, 60, 30, 90, 300, 900, 0.1))
            self._take(AnomalySeen(self.at, f"a{number}", name, "latency", 2.0, 0.1, 0.97))
            self._take(WorkPlanned(self.at, f"w{number}", name, "restart", self.at + 60, "it runs out of descriptors"))
        self._observe(name)

    def _observe(self, name: str) -> None:
        for check in CHECKS:
            seen = Observation(name, check, self.at, 0.01, "ok")
            self.vitals.put(name, CheckRecord(check, True, True, 3, BEGIN, seen))
        self.vitals.put_signals(name, {signal: self.chance.random() for signal in SIGNALS})

    def _take(self, event: Event) -> None:
        self.world = fold(self.world, event)


def big_world(agents: int = 500, incidents: int = 520) -> Past:
    """A fleet of so many agents, with more incidents behind it than are kept."""
    return Past(agents, incidents)
