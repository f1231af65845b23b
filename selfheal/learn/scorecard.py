"""How good is the daemon, by what really happened?

Every figure comes with the number of samples behind it and, where samples can be taken as independent, an interval of
95 %. Without samples there is no value: nothing is ever made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import ceil, floor, sqrt

from selfheal.causes import MODE_OF
from selfheal.learn.lift import lift_of
from selfheal.learn.odds import interval
from selfheal.learn.shadow import agreement
from selfheal.world import Incident, World
from selfheal.world.agents import settled
from selfheal.world.anomalies import ANOMALIES_KEPT

GOAL_S = 60.0
# The time over which an alarm of a healthy agent is counted once: one round of prevention.
WINDOW_S = 300.0
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
    return Scorecard(
        event_recall=_event_recall(world, incidents),
        precision=_precision(world),
        false_positive_rate=_false_positive_rate(world, now),
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


def _event_recall(world: World, incidents: Sequence[Incident]) -> Figure:
    """Of the failures that announce themselves (their cause is a failure mode), the share that was foreseen.

    What comes without a sign, such as a kill, cannot be foreseen and is counted in `failures` alone. Averted ones
    are in neither: nobody knows whether they would have come.
    """
    foreseen = world.foresight.ended.get("happened", 0)
    announced = sum(incident.cause in MODE_OF for incident in incidents)
    return _share(foreseen, max(foreseen, announced))


def _precision(world: World) -> Figure:
    """Of the predictions whose outcome is known, the share that came true."""
    ended = world.foresight.ended
    happened = ended.get("happened", 0)
    return _share(happened, happened + ended.get("withdrawn", 0))


def _false_positive_rate(world: World, now: float) -> Figure:
    """Of the windows in which an agent was healthy, the share with an alarm that no trouble followed."""
    anomalies = [one for _, one in world.anomalies.things()]
    truncated = len(world.anomalies.known) >= ANOMALIES_KEPT
    span_s = now - anomalies[0].seen.at if truncated else float("inf")
    agents = [settled(agent, now) for agent in world.agents.values()]
    windows = int(sum(min(agent.uptime.healthy_s, span_s) for agent in agents) / WINDOW_S)
    false = {
        (agent, int(one.seen.at / WINDOW_S))
        for one in anomalies
        if one.seen.at < now - LEAD_S and not any(_followed(world, agent, one.seen.at) for agent in one.agents)
        for agent in one.agents
    }
    return _share(min(windows, len(false) + world.foresight.ended.get("withdrawn", 0)), windows)


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
