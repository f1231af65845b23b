"""How good is the daemon, by what really happened?

Every figure comes with the number of samples behind it and, where samples can be taken as independent, an interval of
95 %. Without samples there is no value: nothing is ever made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import ceil, floor, sqrt

from selfheal.learn.foreseen import IN_TIME_S, WINDOW_S, Alarm, Failure, alarms, failures, windows, without_precursor
from selfheal.learn.lift import lift_of
from selfheal.learn.odds import interval
from selfheal.learn.shadow import agreement
from selfheal.world import Incident, World
from selfheal.world.agents import settled
from selfheal.world.foresight import ANOMALIES_KEPT

GOAL_S = 60.0
# An anomaly was no false alarm if its agent was in trouble not long after, or just before.
LEAD_S, LATE_S = 1800.0, 60.0
Z95 = 1.96
# From here on a diagnosis counts as sure.
SURE = 0.7


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure. `value` is None and `count` 0 where there are no samples."""

    value: float | None = None
    count: int = 0
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The daemon's own figures; section by section what each counts is said where it is computed."""

    event_recall: Figure
    precision: Figure
    false_positive_rate: Figure
    foreseen_in_time: Figure
    lead_p50_seconds: Figure
    accuracy: Figure
    accuracy_of_no_alarms: Figure
    failures_without_precursor: Figure
    recovery_p50_seconds: Figure
    recovery_p95_seconds: Figure
    recovered_within_60_seconds: Figure
    uptime: Figure
    rca_accuracy: Figure
    rca_accuracy_when_sure: Figure
    failures: Figure
    shadow_agreement: Figure
    model_lift: Figure


def scorecard(world: World, now: float) -> Scorecard:
    """Return what real incidents and predictions gave so far."""
    incidents = [incident for incident in world.incidents.values() if incident.merged_into is None]
    recoveries = sorted(one.recovery_s for one in incidents if one.recovery_s is not None)
    known = alarms(world, incidents, now)
    came = failures(world, incidents, known)
    unannounced = without_precursor(incidents)
    return Scorecard(
        event_recall=_share(sum(one.lead_s is not None for one in came), len(came)),
        precision=_precision(known),
        false_positive_rate=_false_positive_rate(world, known, now),
        foreseen_in_time=_share(sum((one.lead_s or 0.0) >= IN_TIME_S for one in came), len(came)),
        lead_p50_seconds=_percentile(sorted(one.lead_s for one in came if one.lead_s is not None), 0.5),
        accuracy=_accuracy(world, came, known, now),
        accuracy_of_no_alarms=_accuracy_of_no_alarms(world, came, known, now),
        failures_without_precursor=Figure(float(unannounced), len(incidents)) if incidents else Figure(),
        recovery_p50_seconds=_percentile(recoveries, 0.5),
        recovery_p95_seconds=_percentile(recoveries, 0.95),
        recovered_within_60_seconds=_within_goal(incidents, recoveries, now),
        uptime=_uptime(world, now),
        rca_accuracy=_rca_accuracy(incidents),
        rca_accuracy_when_sure=_rca_accuracy(incidents, SURE),
        failures=Figure(float(len(incidents)), len(incidents)) if incidents else Figure(),
        shadow_agreement=_share(*agreement(incidents)),
        model_lift=_model_lift(incidents),
    )


def figures(world: World, now: float) -> dict[str, Figure]:
    """The scorecard by the name of each figure."""
    card = scorecard(world, now)
    return {field.name: getattr(card, field.name) for field in fields(card)}


def _precision(known: Sequence[Alarm]) -> Figure:
    """Of the alarms whose outcome is known, the share that came true."""
    told = [one.right for one in known if one.right is not None]
    return _share(sum(told), len(told))


def _false_positive_rate(world: World, known: Sequence[Alarm], now: float) -> Figure:
    """Of the windows in which an agent was healthy, the share with an alarm that no trouble followed: something
    strange, or a failure that was foreseen and did not come.
    """
    anomalies = list(world.foresight.anomalies.values())
    truncated = len(anomalies) >= ANOMALIES_KEPT
    span_s = now - anomalies[0].seen.at if truncated else float("inf")
    count = _healthy_windows(world, now, span_s)
    false = {
        (one.seen.agent, int(one.seen.at / WINDOW_S))
        for one in anomalies
        if one.seen.at < now - LEAD_S and not _followed(world, one.seen.agent, one.seen.at)
    }
    foreseen = windows(count, (), [one for one in known if one.end >= now - span_s]).false
    return _share(min(count, len(false) + foreseen), count)


def _accuracy(world: World, came: Sequence[Failure], known: Sequence[Alarm], now: float) -> Figure:
    """Of the windows of agents, the share in which an alarm stood before a failure, or none where none was to come."""
    all_of_them = windows(_healthy_windows(world, now), came, known)
    return _share(all_of_them.hits, all_of_them.count)


def _accuracy_of_no_alarms(world: World, came: Sequence[Failure], known: Sequence[Alarm], now: float) -> Figure:
    """What never alarming would score, for who would be told of accuracy alone: failures are rare."""
    all_of_them = windows(_healthy_windows(world, now), came, known)
    return _share(all_of_them.count - all_of_them.positive, all_of_them.count)


def _healthy_windows(world: World, now: float, span_s: float = float("inf")) -> int:
    agents = (settled(agent, now) for agent in world.agents.values())
    return int(sum(min(agent.uptime.healthy_s, span_s) for agent in agents) / WINDOW_S)


def _followed(world: World, agent: str, at: float) -> bool:
    return any(
        agent in incident.agents and incident.onset - LEAD_S <= at <= (incident.resolved_at or at) + LATE_S
        for incident in world.incidents.values()
    )


def _within_goal(incidents: Sequence[Incident], recoveries: Sequence[float], now: float) -> Figure:
    """Of the failures, the share recovered from in time. What never recovered counts once it has had that time."""
    late = sum(one.recovery_s is None and (one.resolved_at or now) - one.onset > GOAL_S for one in incidents)
    return _share(sum(recovery <= GOAL_S for recovery in recoveries), len(recoveries) + late)


def _model_lift(incidents: Sequence[Incident]) -> Figure:
    """How much more often a language model was right than the engine, where somebody has said what it truly was."""
    found = lift_of(incidents)
    return Figure(found.mean, found.count, (found.low, found.high)) if found.count else Figure()


def _rca_accuracy(incidents: Sequence[Incident], least: float = 0.0) -> Figure:
    """Of the incidents of which somebody has said what the cause was, the share where the diagnosis had put it first,
    at the right agent; with `least` of those where it was so sure.
    """
    told = [one.label for one in incidents if one.label is not None and one.label.probability >= least]
    return _share(sum(label.right for label in told), len(told))


def _uptime(world: World, now: float) -> Figure:
    """Agent-seconds healthy over agent-seconds wanted up. Seconds are no independent samples: no interval."""
    uptimes = [settled(agent, now).uptime for agent in world.agents.values()]
    wanted = sum(uptime.wanted_s for uptime in uptimes)
    if wanted <= 0.0:
        return Figure()
    return Figure(sum(uptime.healthy_s for uptime in uptimes) / wanted, ceil(wanted))


def _share(hits: int, count: int) -> Figure:
    """A share with Jeffreys' interval (Brown, Cai and DasGupta, Statistical Science 16, 2001), closed at the ends."""
    if count == 0:
        return Figure()
    low, high = interval(hits + 0.5, count - hits + 0.5)
    return Figure(hits / count, count, (low if hits else 0.0, high if hits < count else 1.0))


def _percentile(ordered: Sequence[float], share: float) -> Figure:
    """The nearest rank, and the ranks about it that a binomial allows; no interval where those were never seen."""
    count = len(ordered)
    if count == 0:
        return Figure()
    reach = Z95 * sqrt(count * share * (1.0 - share))
    low, high = floor(count * share - reach), ceil(count * share + reach) + 1
    seen = low >= 1 and high <= count
    value = ordered[ceil(count * share) - 1]
    return Figure(value, count, (ordered[low - 1], ordered[high - 1]) if seen else None)
