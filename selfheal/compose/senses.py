"""What becomes of an observation?

Every check ends here, thousands a second: hysteresis, signals, anomalies, metrics. Only what changes something becomes
an event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from selfheal.compose.alarms import Alarms
from selfheal.compose.fleet import Settling
from selfheal.detect.flapping import judge_flapping
from selfheal.detect.health import judge, judge_check
from selfheal.events import AgentReady
from selfheal.history.rings import History
from selfheal.kinds import Observation
from selfheal.ledger import Ledger
from selfheal.telemetry.metrics import Metrics
from selfheal.vitals import CheckRecord, Vitals
from selfheal.world import Agent

# A process that is not ready yet may fail its checks for so long; then it counts, whether or not it was ever ready.
START_GRACE_S = 30.0


class Senses:
    """The sink of all checks and signals."""

    def __init__(
        self,
        ledger: Ledger,
        vitals: Vitals,
        history: History,
        alarms: Alarms,
        metrics: Metrics,
        settling: Mapping[tuple[str, str], Settling],
        redact: Callable[[str], str],
    ) -> None:
        self._ledger = ledger
        self._vitals = vitals
        self._history = history
        self._alarms = alarms
        self._metrics = metrics
        self._settling = settling
        self._redact = redact

    def observe(self, seen: Observation) -> None:
        """Take in one observation."""
        if seen.reason:
            seen = replace(seen, reason=self._redact(seen.reason))
        self._metrics.on_observation(seen)
        agent = self._ledger.world.agents.get(seen.agent)
        if agent is None:
            return
        rule = self._settling.get((seen.agent, seen.check))
        if rule is not None:  # else it is a scrape, which is about numbers and not about health
            self._judge(agent, seen, rule)
        if seen.signals:
            self.signals(seen.agent, seen.at, _named(seen.signals, rule.prefix if rule is not None else ""))

    def _judge(self, agent: Agent, seen: Observation, rule: Settling) -> None:
        before = self._vitals.check(seen.agent, seen.check)
        if seen.result == "ok" and _is_steady(before, agent):  # as it is nearly always
            streak, since = before.streak + 1, before.since
            record = CheckRecord(before.check, True, True, streak, since, seen, misses=before.misses)
            self._vitals.put(seen.agent, record)
            return
        record, told = judge_check(before, seen, rule.fall, broken=seen.check in agent.broken)
        if told is not None:
            self._ledger.record(told)
        if not seen.ok and _starting(agent, record, rule, seen.at):
            self._vitals.put(seen.agent, replace(record, last=seen))
            return
        if record.settled is None and seen.check in agent.failing:
            record = CheckRecord(seen.check, settled=False)  # failing since before this daemon began
        record, change = judge(record, seen, rule.fall, rule.rise, local=rule.local, within_s=rule.within_s)
        self._vitals.put(seen.agent, record)
        if change is not None:
            self._ledger.record(change)
        flapping = judge_flapping(record, seen, flapping=seen.check in agent.flapping)
        if flapping is not None:
            self._ledger.record(flapping)
        if not (agent.has_process or agent.ready):
            self._welcome(self._ledger.world.agents[seen.agent], seen.at)

    def _welcome(self, agent: Agent, at: float) -> None:
        """What runs elsewhere is ready once every check that works has found it well."""
        if agent.failing:
            return
        if all(self._vitals.check(agent.name, check).ok for check in agent.checks if check not in agent.broken):
            self._ledger.record(AgentReady(at, agent.name, agent.generation, max(0.0, at - agent.since)))

    def signals(self, agent: str, at: float, values: Mapping[str, float]) -> None:
        """Take in the values of signals."""
        self._vitals.put_signals(agent, values)
        for signal, value in values.items():
            self._history.append(agent, signal, at, value)
            self._alarms.look(agent, signal, at, value)


def _is_steady(record: CheckRecord, agent: Agent) -> bool:
    """Whether one more good answer changes nothing but the count of them."""
    well = record.settled and record.ok and not (record.errors or record.unsure_since or record.flips)
    return bool(well and (agent.ready or agent.has_process) and not (agent.broken or agent.flapping))


def _named(signals: Mapping[str, float], prefix: str) -> Mapping[str, float]:
    return {f"{prefix}{name}": value for name, value in signals.items()} if prefix else signals


def _starting(agent: Agent, record: CheckRecord, rule: Settling, at: float) -> bool:
    """Ready is not alive: before that, and while there is no process, a failed check says nothing new.

    A grace that is set holds for who is ready, too, until this check has found it well.
    """
    if not agent.has_process:
        return False
    if agent.run is None:
        return not agent.ready
    if agent.ready and (rule.start_grace_s is None or record.settled is not None):
        return False
    grace_s = START_GRACE_S if rule.start_grace_s is None else rule.start_grace_s
    return at - agent.run.started_at < grace_s
