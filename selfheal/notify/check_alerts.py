"""Which news of a check itself should a person know of: that nothing is seen by it, or that it keeps changing sides?

Pure. What depends on something that is in trouble itself is not told about; that it is over is, where its begin was.
"""

from __future__ import annotations

from collections.abc import Iterator

from selfheal.events import AlertRaised, CheckBroke, CheckMended, FlappingBegan, FlappingOver, MaintenanceOver
from selfheal.notify.told import is_told, share_text
from selfheal.world import Agent, World

BLIND = "blind"


def about_checks(
    world: World, event: CheckBroke | CheckMended | FlappingBegan | FlappingOver | MaintenanceOver
) -> tuple[AlertRaised, ...]:
    """Return the alerts that `event`, which is already part of `world`, is worth."""
    agent = world.agents.get(event.agent)
    match event:
        case CheckMended():
            return _sees_again(world, event)
        case FlappingOver():
            return _settled(world, event)
        case _ if agent is None:
            return ()
        case FlappingBegan():
            return _flaps(world, event, agent)
        case _:
            return tuple(_blind(world, agent, event.at))


def _blind(world: World, agent: Agent, at: float) -> Iterator[AlertRaised]:
    """Each check that cannot run is told once, after a maintenance window where it broke within.

    All that are unsure are told together, once: it is one network that is lost, and one machine that is starved.
    """
    for check, reason in agent.broken.items():
        key = BLIND if check in agent.unsure else _broken(agent.name, check)
        if agent.maintenance_until is None and not is_told(world, key):
            yield _lost_sight(at, agent, check, reason) if key == BLIND else _cannot_run(at, agent, check, reason)
            if key == BLIND:
                return


def _lost_sight(at: float, agent: Agent, check: str, reason: str) -> AlertRaised:
    text = f"{agent.name}, check {check}: {reason}; others may be hidden as well, and nothing is done about them"
    return AlertRaised(at, BLIND, "critical", "selfheal cannot tell how what it watches is", text, "selfheal", None)


def _cannot_run(at: float, agent: Agent, check: str, reason: str) -> AlertRaised:
    title = f"{agent.name} is not watched by its check {check}"
    text = f"the check cannot run: {reason}; mend or remove it, for nothing is known by it, nor done because of it"
    return AlertRaised(at, _broken(agent.name, check), "warning", title, text, agent.name, None)


def _broken(agent: str, check: str) -> str:
    return f"broken-{agent}-{check}"


def _sees_again(world: World, event: CheckMended) -> tuple[AlertRaised, ...]:
    told: list[AlertRaised] = []
    if is_told(world, BLIND) and not any(agent.unsure for agent in world.agents.values()):
        told.append(_over(event.at, BLIND, "selfheal sees what it watches again", "", "selfheal"))
    key = _broken(event.agent, event.check)
    if is_told(world, key):
        title = f"{event.agent} is watched by its check {event.check} again"
        told.append(_over(event.at, key, title, "the check runs again", event.agent))
    return tuple(told)


def _flaps(world: World, event: FlappingBegan, agent: Agent) -> tuple[AlertRaised, ...]:
    """Told once for all the ups and downs; not in maintenance, nor while something that it depends on is in trouble."""
    troubled = any(world.open_incident_of(name) is not None for name in world.dependencies(agent.name))
    if agent.maintenance_until is not None or troubled:
        return ()
    title = f"{agent.name} keeps changing between well and failed"
    text = f"its check {event.check} changed sides in {share_text(event.share)} of its latest results"
    return (AlertRaised(event.at, _flapping(event), "warning", title, text, agent.name, None),)


def _settled(world: World, event: FlappingOver) -> tuple[AlertRaised, ...]:
    if not is_told(world, _flapping(event)):
        return ()
    title = f"{event.agent} no longer changes between well and failed"
    text = f"its check {event.check} stays on one side"
    return (_over(event.at, _flapping(event), title, text, event.agent),)


def _flapping(event: FlappingBegan | FlappingOver) -> str:
    return f"flapping-{event.agent}-{event.check}"


def _over(at: float, key: str, title: str, text: str, agent: str) -> AlertRaised:
    return AlertRaised(at, key, "info", title, text, agent, None, resolved=True)
