"""How does the daemon watch a fleet of services, with nothing else around it?

Its own parts, joined as daemon.py does it: wheel, scheduler, the checks as they are configured, senses, ledger, vitals,
history, anomalies, metrics. What is absent is the API, and the disk: what is recorded goes nowhere.
"""

from __future__ import annotations

import asyncio
import math
import zlib
from array import array
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from selfheal.clock import SteadyClock
from selfheal.compose.alarms import Alarms
from selfheal.compose.fleet import Settling
from selfheal.compose.senses import Senses
from selfheal.detect.anomalies import AnomalyWatch
from selfheal.events import AgentDeclared
from selfheal.history.rings import History
from selfheal.kinds import CheckContext, Completed, Observation, Probe, Tell
from selfheal.ledger import Ledger
from selfheal.net import Dialer
from selfheal.observe.http import HTTP
from selfheal.observe.http_config import HttpCheckConfig
from selfheal.observe.probe import ask_once
from selfheal.observe.scheduled import ScheduledCheck, scheduled
from selfheal.observe.scheduler import Scheduler
from selfheal.observe.wheel import TICK_S, Wheel
from selfheal.telemetry.metrics import Metrics
from selfheal.vitals import Vitals
from selfheal.world import EMPTY

GOOD = "good"
TIMEOUT_S = 5.0
# What is due so soon after it was asked is left out, as the wheel has it; so no period may be shorter here.
NEAR_S = 0.5
CHECK = "http"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of the services of one kind: the URLs, one service each, how often, and what is expected."""

    urls: tuple[str, ...]
    interval_s: float
    state: str = "up"
    """What the document should say of its database: "up" is what it says."""
    timeout_s: float = TIMEOUT_S
    name: str = GOOD

    def config(self, url: str) -> HttpCheckConfig:
        """The status, two values, one of them compared, a text and a time: each must be as expected."""
        return HttpCheckConfig.model_validate(
            {
                "http": url,
                "interval": self.interval_s,
                "timeout": self.timeout_s,
                "expect": {
                    "status": 200,
                    "json": {"db.state": self.state, "queue.depth": {"<": 100}},
                    "body": '"status":"ok"',
                    "latency": "4s",
                },
            }
        )

    def agents(self) -> Iterable[str]:
        return (f"{self.name}-{at}" for at in range(len(self.urls)))


class _Nowhere:
    """A journal that keeps nothing: where nothing changes nothing is written, and that is the path that is measured."""

    trouble = None

    def append(self, payload: bytes) -> int:
        return 0

    async def sync(self, seq: int | None = None) -> None:
        return None


class Lateness:
    """How many seconds after its time each probe began, the first of each check apart: that one has no time."""

    def __init__(self) -> None:
        self.seconds = array("f")

    def timed(self, key: str, plan: ScheduledCheck) -> ScheduledCheck:
        """The same check, watched."""
        probe = plan.probe
        assert probe is not None
        return replace(plan, check=_Timed(probe, self, phase_s(key, plan.interval_s), plan.interval_s))


class _Timed:
    """A probe that notes when it is asked."""

    __slots__ = ("_began", "_interval_s", "_lateness", "_loop", "_phase_s", "_probe", "give_up")

    def __init__(self, probe: Probe, lateness: Lateness, phase_s: float, interval_s: float) -> None:
        self._probe = probe
        self._lateness = lateness
        self._phase_s = phase_s
        self._interval_s = interval_s
        self._loop = asyncio.get_running_loop()
        self._began: float | None = None
        self.give_up = probe.give_up

    async def run(self) -> Mapping[str, float]:
        return await ask_once(self)

    def ask(self, tell: Tell) -> None:
        now = self._loop.time()
        if self._began is not None:
            self._lateness.seconds.append(self._late_s(self._began, now))
        self._began = now
        self._probe.ask(tell)

    def _late_s(self, before: float, now: float) -> float:
        """Since the first of its times after it was asked `before`: what waits for room may miss some of them."""
        interval_s = self._interval_s
        due = self._phase_s + interval_s * math.ceil((before + NEAR_S - self._phase_s) / interval_s)
        if now < due - interval_s / 2:  # it was asked so late the last time that the next came at once
            due -= interval_s
        return max(0.0, now - due)


def phase_s(key: str, interval_s: float) -> float:
    """When in its period a check is due, as the wheel has it."""
    return math.floor(zlib.crc32(key.encode()) / 2**32 * interval_s / TICK_S) * TICK_S


class Watching:
    """A fleet that is watched, until it is closed.

    `results` counts what came of the checks, by the name of the plan and the result; `took_s` is how long each good
    answer of a plan named `GOOD` took, and
    `first_round_s` when each of these had ended once; 0 before.
    """

    def __init__(self, plans: Iterable[Plan], max_in_flight: int, lateness: Lateness | None = None) -> None:
        """`lateness` is noted of the plan named `GOOD`."""
        self.ledger = Ledger(_Nowhere(), EMPTY)
        self.results: Counter[tuple[str, str]] = Counter()
        self.took_s = array("f")
        self.all_asked = asyncio.Event()
        self.first_round_s = 0.0
        self._unasked: set[str] = set()
        self._lateness = lateness
        self._clock = SteadyClock()
        self._began = self._clock.monotonic()
        self._dialer = Dialer()
        self._settling: dict[tuple[str, str], Settling] = {}
        self._senses = self._join()
        self._wheel = Wheel(asyncio.get_running_loop())
        self._scheduler = Scheduler(self._clock, self._wheel, _no_task, self._sense, max_probes=max_in_flight)
        for plan in plans:
            for url, agent in zip(plan.urls, plan.agents(), strict=True):
                self._watch(agent, plan.config(url))

    def close(self) -> None:
        self._scheduler.close()
        self._wheel.close()
        self._dialer.close()

    def unhealthy(self) -> int:
        """How many agents are known to be."""
        return sum(agent.state == "unhealthy" for agent in self.ledger.world.agents.values())

    def _join(self) -> Senses:
        vitals = Vitals()
        metrics = Metrics(lambda: self.ledger.world, vitals, self._clock, "bench")
        alarms = Alarms(self.ledger, AnomalyWatch())
        return Senses(self.ledger, vitals, History(), alarms, metrics, self._settling, str)

    def _watch(self, agent: str, config: HttpCheckConfig) -> None:
        now = self._clock.now()
        self.ledger.record(AgentDeclared(now, agent, "service", "application", (), (CHECK,), has_process=False))
        self._settling[agent, CHECK] = Settling(config.fall, config.rise, local=False)
        context = CheckContext(
            agent, self._clock, Path(), {}, self._dialer, run=_none, last_beat=_none, run_command=_no_command
        )
        plan = scheduled(config, context, (HTTP,))
        if self._lateness is not None and _kind(agent) == GOOD:
            plan = self._lateness.timed(f"{agent}/{CHECK}", plan)
        if _kind(agent) == GOOD:
            self._unasked.add(agent)
        self._scheduler.watch(agent, [plan])

    def _sense(self, seen: Observation) -> None:
        self._senses.observe(seen)
        name = _kind(seen.agent)
        self.results[name, seen.result] += 1
        if seen.result == "ok" and name == GOOD:
            self.took_s.append(seen.took_s)
        if self._unasked:
            self._unasked.discard(seen.agent)
            if not self._unasked:
                self.first_round_s = self._clock.monotonic() - self._began
                self.all_asked.set()


def _kind(agent: str) -> str:
    """The name of the plan that it is of."""
    return agent.partition("-")[0]


def _none() -> None:
    """What is known of the process of a service, which has none."""


def _no_task(name: str, work: Coroutine[object, object, None]) -> None:
    work.close()
    raise RuntimeError(f"{name}: an HTTP check needs no task")


async def _no_command(*words: object, **more: object) -> Completed:
    raise RuntimeError(f"an HTTP check needs no command, such as {words}, {more}")
