"""When is it quiet on purpose? Maintenance windows begin and end."""

from __future__ import annotations

from collections.abc import Sequence

from selfheal.config.cron import first_after
from selfheal.config.models import WindowConfig
from selfheal.events import MaintenanceBegan, MaintenanceOver
from selfheal.world import World


def window_changes(
    world: World, windows: Sequence[WindowConfig], now: float
) -> tuple[MaintenanceBegan | MaintenanceOver, ...]:
    """Return what begins or ends at `now`, wall time, for the agents of `windows`."""
    until: dict[str, float] = {}
    for window in windows:
        end = open_until(window, now)
        if end is not None:
            for name in window.agents:
                until[name] = max(end, until.get(name, end))
    changes: list[MaintenanceBegan | MaintenanceOver] = []
    for agent in world.agents.values():
        end = until.get(agent.name)
        if end is not None and agent.maintenance_until != end:
            changes.append(MaintenanceBegan(now, agent.name, end))
        elif end is None and agent.maintenance_until is not None:
            changes.append(MaintenanceOver(now, agent.name))
    return tuple(changes)


def open_until(window: WindowConfig, now: float) -> float | None:
    """When the window that is open at `now` ends; None while it is closed."""
    lasts_s = 60.0 * window.minutes
    begins = first_after(window.cron, window.timezone, now - lasts_s)
    return begins + lasts_s if begins <= now else None
