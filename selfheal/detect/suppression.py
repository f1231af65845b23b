"""Which departures are not worth raising: those that are expected, and those that a person has dismissed?

Expected is what comes of maintenance, and of what was done on purpose to an agent, to what it depends on or to what
depends on it. Nothing is lost by that: it is counted and shown, and what outlasts its reason is raised after all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from selfheal.detect.grouping import Departed
from selfheal.vocabulary import Suppression
from selfheal.world import Agent, Changed, World
from selfheal.world.dismissals import reach_of

# After an act caches are filled and queues emptied, and a check that is asked once a minute needs five good samples to
# be calm again (`watched.CALMS`): what is still out of line then has not come of the act alone.
SETTLE_S = 300.0
# A sample is taken for a while before it is written down: what begins so shortly before an act began with it.
SLACK_S = 5.0
# A window may end early, and a person may take back what was dismissed.
LOOK_AGAIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Why a departure is not raised, and when to ask again."""

    reason: Suppression
    why: str
    until: float


def suppressed(world: World, one: Departed) -> Suppressed | None:
    """Return why a departure is not to be raised at its time `at`; None where it is."""
    agent = world.agents.get(one.agent)
    if agent is None:
        return None
    around = [agent, *(world.agents[name] for name in _around(world, agent.name))]
    return _in_maintenance(around, one) or _after_an_act(world, around, one) or _dismissed(world, one)


def _around(world: World, agent: str) -> Iterator[str]:
    """Whose acts can be felt by an agent: all that it depends on, and who calls it directly."""
    yield from (name for name in world.dependencies(agent) if name in world.agents)
    yield from (other.name for other in world.agents.values() if agent in other.depends_on)


def _in_maintenance(around: list[Agent], one: Departed) -> Suppressed | None:
    for agent in around:
        if agent.maintenance_until is not None:
            return Suppressed("maintenance", f"{agent.name} is in maintenance", one.at + LOOK_AGAIN_S)
    return None


def _after_an_act(world: World, around: list[Agent], one: Departed) -> Suppressed | None:
    """The latest act that it may have come of, where the agents have not settled since."""
    names = {agent.name for agent in around}
    if any(agent.fixing for agent in around):
        return Suppressed("own_act", "a fix is under way", one.at + LOOK_AGAIN_S)
    acts = [act for act in _acts(world, around, names) if act[0] - SLACK_S <= one.since and act[0] + SETTLE_S > one.at]
    if not acts:
        return None
    at, what = max(acts)
    return Suppressed("own_act", f"{what} {max(0.0, one.since - at):.0f} s before", at + SETTLE_S)


def _acts(world: World, around: list[Agent], names: set[str]) -> Iterator[tuple[float, str]]:
    for agent in around:
        if agent.run is not None:
            yield agent.run.started_at, f"{agent.name} was started"
    for case in (*world.incidents.values(), *world.cases.values()):
        for attempt in case.attempts:
            if attempt.ended_at is not None and attempt.agent in names:
                yield attempt.ended_at, f"fix {attempt.fix} of {attempt.agent} ended"
    for change in world.changes:
        if change.agent in names and _on_purpose(change):
            yield change.at, f"{change.agent}: {change.title}"


def _on_purpose(change: Changed) -> bool:
    """An edited file is noticed, and was not changed by us: what comes of it is news."""
    return change.kind != "configuration" or bool(change.by)


def _dismissed(world: World, one: Departed) -> Suppressed | None:
    side: Literal["up", "down"] = "up" if one.value >= one.expected else "down"
    said = world.anomalies.dismissals.get((one.agent, one.signal, side))
    if said is None or reach_of(one.score) >= said.bar(one.at):
        return None
    return Suppressed("dismissed", f"{said.anomaly} was dismissed by {said.by}", one.at + LOOK_AGAIN_S)
