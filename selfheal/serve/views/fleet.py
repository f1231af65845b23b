"""How is the fleet, and how is the daemon?"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from selfheal.serve.models.fleet import (
    AgentCounts,
    AgentDetail,
    AgentView,
    AlertView,
    BreakerView,
    BucketView,
    CheckView,
    ExitView,
    Figure,
    HistoryView,
    IncidentCounts,
    LatencyView,
    LoopView,
    QuantilesView,
    RecoveryView,
    SignalsView,
    StandbyView,
    Summary,
    UptimesView,
    UptimeView,
)
from selfheal.serve.times import moment, rfc3339, span
from selfheal.serve.views.anomalies import anomalies_of
from selfheal.serve.views.data import data_view
from selfheal.serve.views.foresight import finite, prediction_counts, predictions, risks, share
from selfheal.serve.views.incidents import incident_view, incidents
from selfheal.serve.views.strangeness import anomaly_counts, strangeness_view, strangest
from selfheal.vitals import CheckRecord, Standing
from selfheal.vocabulary import AGENT_STATES, FleetStatus
from selfheal.world import Holdings

if TYPE_CHECKING:
    from selfheal.events import AlertRaised
    from selfheal.loops import LoopStats
    from selfheal.serve.ports import Drawing, Measure, Past
    from selfheal.vitals import Vitals
    from selfheal.world import Agent, Breaker, Incident, LastExit, Uptime, World

T = TypeVar("T")

HOUR_S, DAY_S = 3600.0, 86400.0
INCIDENTS_OF_AN_AGENT = 20  # its detail is for a person; the whole list is one question away
ALERTS_SHOWN = 20

# What is stopped or in maintenance is as somebody wished.
_AS_WISHED = frozenset({"healthy", "stopped", "maintenance"})


def status(world: World) -> FleetStatus:
    """Critical where a person is needed, degraded where an agent is not healthy."""
    states = {agent.state for agent in world.agents.values()}
    if "quarantined" in states or any(one.state == "escalated" for one in world.incidents.values()):
        return "critical"
    return "degraded" if states - _AS_WISHED else "ok"


def agents(world: World, vitals: Vitals, names: Iterable[str] | None = None) -> list[AgentView]:
    """Show agents, all or those named, in the order of the configuration."""
    risk, strange = risks(world), strangest(world)
    suffering = _suffering(world)
    return [
        _agent(world, world.agents[name], vitals, risk.get(name, 0.0), strange.get(name, 0.0), suffering.get(name))
        for name in (world.agents if names is None else names)
    ]


def agent_detail(world: World, vitals: Vitals, name: str, now: float, past: Past | None = None) -> AgentDetail:
    """Show everything that concerns an agent, which must be there; without its `past` where nothing is known of it."""
    (agent,) = agents(world, vitals, (name,))
    concerned = [one for one in incidents(world) if name in one.agents]
    return AgentDetail(
        **{
            **dict(agent),
            "uptime": UptimesView.model_validate({**dict(agent.uptime), **_windows(past.uptime if past else {})}),
            "latency": _latency(past),
        },
        dependents=list(world.dependents(name)),
        incidents=[incident_view(one) for one in concerned[:INCIDENTS_OF_AN_AGENT]],
        predictions=[one for one in predictions(world, now, vitals) if one.agent == name],
        anomalies=anomalies_of(world, name, now),
    )


def summary(
    world: World,
    now: float,
    *,
    loops: Mapping[str, LoopStats],
    scorecard: Mapping[str, Measure],
    ready: bool,
    trouble: str | None,
    vitals: Vitals | None = None,
) -> Summary:
    """Show everything at a glance."""
    return Summary(
        status=_told(status(world), trouble),
        version=world.version,
        at=rfc3339(now),
        started_at=moment(world.started_at),
        uptime_seconds=round(max(0.0, now - world.started_at), 3) if world.started_at else 0.0,
        ready=ready,
        paused=world.paused,
        dry_run=world.dry_run,
        trouble=trouble,
        agents=_counts(world),
        incidents=IncidentCounts(
            open=len(world.open_incidents()),
            last_24h=sum(one.opened_at > now - DAY_S and one.state != "suppressed" for one in world.incidents.values()),
        ),
        predictions=prediction_counts(world, vitals),
        anomalies=anomaly_counts(world, vitals, now),
        recovery=recovery(world),
        scorecard=figures(scorecard),
        loops={name: _loop(stats) for name, stats in loops.items()},
        alerts=[_alert(alert) for alert in reversed(world.alerts[-ALERTS_SHOWN:])],
    )


def _told(fleet: FleetStatus, trouble: str | None) -> FleetStatus:
    """The fleet may be well while nothing that happens to it is saved."""
    return "degraded" if fleet == "ok" and trouble else fleet


def recovery(world: World) -> RecoveryView:
    """Measure the kept incidents: how long recoveries took, and which share of the attempts helped."""
    attempts = [one for incident in world.incidents.values() for one in incident.attempts]
    judged = Counter(one.outcome == "succeeded" for one in attempts if _is_judged(one.outcome, one.verified))
    took = sorted(_recoveries(world.incidents.values()))
    return RecoveryView(
        count=len(took),
        p50_seconds=_quantile(took, 0.5),
        p95_seconds=_quantile(took, 0.95),
        success_rate=judged[True] / judged.total() if judged else None,
    )


def figures(scorecard: Mapping[str, Measure]) -> dict[str, Figure]:
    """Show measured figures."""
    return {
        name: Figure(
            value=None if one.value is None else finite(one.value),
            count=one.count,
            interval=one.interval,
        )
        for name, one in scorecard.items()
    }


def signals(world: World, vitals: Vitals, since: float = 0.0) -> list[SignalsView]:
    """Show the latest value of every signal of the agents at which a check looked at `since` or later."""
    return [
        SignalsView(agent=name, signals=_signals(vitals, name))
        for name in world.agents
        if max((one.last_at for one in vitals.checks(name).values()), default=0.0) >= since
    ]


def history(agent: str, signal: str, since: float, until: float, drawing: Drawing) -> HistoryView:
    """Show a signal over time."""
    return HistoryView.model_validate(
        {
            "agent": agent,
            "signal": signal,
            "since": rfc3339(since),
            "until": rfc3339(until),
            "grain": drawing.grain,
            "items": [
                BucketView(
                    at=rfc3339(one.at),
                    count=one.count,
                    mean=finite(one.mean),
                    min=finite(one.least),
                    max=finite(one.most),
                )
                for one in drawing.buckets
            ],
        }
    )


def _counts(world: World) -> AgentCounts:
    seen = Counter(agent.state for agent in world.agents.values())
    by_state = {state: seen[state] for state in AGENT_STATES}
    return AgentCounts.model_validate({"total": len(world.agents), "by_state": by_state, **by_state})


def _is_judged(outcome: str | None, verified: bool) -> bool:
    """A success counts once it is verified; a failure is one at once; an interruption says nothing."""
    return verified if outcome == "succeeded" else outcome in ("failed", "relapsed", "timed_out")


def _recoveries(known: Iterable[Incident]) -> list[float]:
    return [
        incident.recovery_s
        for incident in known
        if incident.recovery_s is not None and any(one.outcome == "succeeded" for one in incident.attempts)
    ]


def _quantile(ordered: list[float], q: float) -> float | None:
    """The nearest-rank quantile: a value that was really measured."""
    return ordered[max(0, -int(-q * len(ordered) // 1) - 1)] if ordered else None


def _suffering(world: World) -> dict[str, str]:
    """Which open incident each agent suffers from: its own before another's, the oldest first."""
    known: dict[str, str] = {}
    still_open = world.open_incidents()
    for incident in still_open:
        known.setdefault(incident.agent, incident.id)
    for incident in still_open:
        for name in incident.agents:
            known.setdefault(name, incident.id)
    return known


def _agent(world: World, agent: Agent, vitals: Vitals, risk: float, strange: float, incident: str | None) -> AgentView:
    records = vitals.checks(agent.name)
    waits_for = world.waits_for(agent.name)
    return AgentView(
        name=agent.name,
        kind=agent.kind,
        layer=agent.layer,
        state=agent.state,
        since=moment(agent.since),
        reason=_waiting(world, waits_for) or reason(agent),
        pid=agent.run.pid if agent.run else None,
        started_at=moment(agent.run.started_at) if agent.run else None,
        restarts=agent.restarts,
        wanted=agent.wanted,
        ordered_by=agent.ordered_by,
        ordered_at=moment(agent.ordered_at),
        paused=agent.paused,
        depends_on=list(agent.depends_on),
        waits_for=list(waits_for),
        checks=[_check(agent, name, records.get(name)) for name in agent.checks],
        signals=_signals(vitals, agent.name),
        risk=risk,
        strangeness=strangeness_view(vitals.strangeness(agent.name), strange),
        breaker=_breaker(agent.breaker),
        breakers={fix: _breaker(one) for fix, one in agent.breakers.items()},
        uptime=_uptime(agent.uptime),
        incident=incident,
        last_exit=_exit(agent.last_exit) if agent.last_exit else None,
        next_start_at=moment(agent.delayed_until),
        next_run=moment(agent.next_run),
        maintenance_until=moment(agent.maintenance_until),
        memory_limit=agent.memory_limit,
        fds_limit=agent.fds_limit,
        standby=_standby(vitals.standby(agent.name)),
        held_for=agent.held_for or None,
        data=data_view(world.holdings.get(agent.name, Holdings())) if agent.layer == "data" else None,
    )


def _waiting(world: World, names: Iterable[str]) -> str:
    told = ", and ".join(f"for {name}, which is {world.agents[name].state}" for name in names)
    return f"waits {told}" if told else ""


def reason(agent: Agent) -> str:
    """Say in words why an agent is not well; empty where it is."""
    if agent.held_for and agent.state == "recovering":
        return f"stopped for the sake of {agent.held_for}, until that is well"
    if agent.state == "stopped" and agent.wanted and not agent.finished:
        return _last_run(agent)
    if agent.state in ("healthy", "stopped", "maintenance"):
        return ""
    if agent.state == "quarantined":
        return agent.breaker.why
    if agent.failing:
        return "; ".join(f"{one.check}: {one.reason or one.result}" for one in agent.failing.values())
    if agent.start_error:
        return agent.start_error
    if agent.broken:
        return "; ".join(f"check {check} cannot run: {why}" for check, why in agent.broken.items())
    if agent.run is None and agent.last_exit is not None:
        return ended(agent.last_exit)
    return ""


def _last_run(agent: Agent) -> str:
    """What was wrong with the last run of an agent that waits for its next one; nothing where it ended well."""
    if agent.start_error:
        return agent.start_error
    last = agent.last_exit
    return f"its last run failed: {ended(last)}" if last is not None and not last.expected else ""


def ended(run: LastExit) -> str:
    """Say how a run ended."""
    if run.signal is not None:
        how = f"ended by {_signal_name(run.signal)}"
    else:
        how = "ended, nobody knows how" if run.code is None else f"ended with code {run.code}"
    return f"{how} after {span(run.ran_s)}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # the real-time signals between the first and the last have no name
        return f"signal {number}"


def _check(agent: Agent, name: str, record: CheckRecord | None) -> CheckView:
    """A check from its record; before there is one, from what the events say."""
    failing, broken = agent.failing.get(name), agent.broken.get(name)
    if record is None or record.last is None:
        if failing is None:
            return CheckView(name=name, ok=None, result=None if broken is None else "error", reason=broken or "")
        return CheckView(name=name, ok=False, result=failing.result, reason=failing.reason, since=moment(failing.since))
    return CheckView(
        name=name,
        ok=False if failing is not None else record.settled if broken is None else None,
        result=record.last.result,
        reason=record.last.reason,
        since=moment(record.since),
        streak=record.streak,
        flapping=name in agent.flapping,
        last_run=rfc3339(record.last.at),
        took_seconds=record.last.took_s,
    )


def _signals(vitals: Vitals, name: str) -> dict[str, float | None]:
    return {signal: finite(value) for signal, value in vitals.signals(name).items()}


def _standby(one: Standing | None) -> StandbyView | None:
    if one is None:
        return None
    return StandbyView(kind=one.kind, ready=one.ready, pid=one.pid, rss=one.rss_bytes, why=one.why)


def _breaker(one: Breaker) -> BreakerView:
    return BreakerView(state=one.state, opened=one.opened, retry_at=moment(one.retry_at), why=one.why)


def _uptime(one: Uptime) -> UptimeView:
    return UptimeView(
        ratio=share(one.healthy_s / one.wanted_s) if one.wanted_s else None,
        healthy_seconds=round(one.healthy_s, 3),
        wanted_seconds=round(one.wanted_s, 3),
    )


def _windows(known: Mapping[str, T]) -> dict[str, T]:
    """By the names of the fields that hold the windows."""
    return {f"last_{window}": value for window, value in known.items()}


def _latency(past: Past | None) -> LatencyView:
    paces = {window: pace for window, pace in past.latency.items() if pace is not None} if past else {}
    shown = {name: QuantilesView(p50=one.p50, p95=one.p95, p99=one.p99) for name, one in paces.items()}
    return LatencyView(**_windows(shown))


def _exit(one: LastExit) -> ExitView:
    return ExitView(at=rfc3339(one.at), code=one.code, signal=one.signal, ran_seconds=one.ran_s, expected=one.expected)


def _loop(stats: LoopStats) -> LoopView:
    return LoopView(
        last_run=moment(stats.last_run),
        duration=stats.duration_s,
        lag=stats.lag_s,
        runs=stats.runs,
        failures=stats.failures,
        down=stats.down,
        error=stats.error,
    )


def _alert(one: AlertRaised) -> AlertView:
    return AlertView(
        at=rfc3339(one.at),
        key=one.key,
        severity=one.severity,
        title=one.title,
        text=one.text,
        agent=one.agent,
        incident=one.incident,
        resolved=one.resolved,
    )
