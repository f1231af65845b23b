"""Which news of a check itself should a person know of: that nothing is seen by it, or that it keeps changing sides?

Pure. What depends on something that is in trouble itself is not told about; that it is over is, where its begin was.
"""

from __future__ import annotations

from collections.abc import Iterator

from selfheal.events import AlertRaised, CheckBroke, CheckMended, FlappingBegan, FlappingOver, MaintenanceOver
from selfheal.notify.told import is_told, share_text
from selfheal.world import Agent, World


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
    """Each check that cannot run is told once, after a maintenance window where it broke within."""
    for check, reason in agent.broken.items():
        key = _broken(agent.name, check)
        if agent.maintenance_until is None and not is_told(world, key):
            title = f"{agent.name} is not watched by its check {check}"
            text = (
                f"the check cannot run: {reason}; mend or remove it, for nothing is known by it, nor done because of it"
            )
            yield AlertRaised(at, key, "warning", title, text, agent.name, None)


def _broken(agent: str, check: str) -> str:
    return f"broken-{agent}-{check}"


def _sees_again(world: World, event: CheckMended) -> tuple[AlertRaised, ...]:
    key = _broken(event.agent, event.check)
    if not is_told(world, key):
        return ()
    title = f"{event.agent} is watched by its check {event.check} again"
    return (AlertRaised(event.at, key, "info", title, "the check runs again", event.agent, None, resolved=True),)


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
    return (AlertRaised(event.at, _flapping(event), "info", title, text, event.agent, None, resolved=True),)


def _flapping(event: FlappingBegan | FlappingOver) -> str:
    return f"flapping-{event.agent}-{event.check}"
