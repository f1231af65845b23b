"""What does an agent stand on? Who shares some of it may suffer from the same."""

from __future__ import annotations

from collections.abc import Iterable

from selfheal.world import World


def ground(world: World, agent: str) -> frozenset[str]:
    """The agent, and everything that it depends on."""
    return frozenset((agent, *world.dependencies(agent)))


def bottom_up(world: World, agents: Iterable[str]) -> tuple[str, ...]:
    """Return `agents` with those first on whom the most of the others stand; among equals the order stays."""
    grounds = {name: ground(world, name) for name in agents}
    carries = {name: sum(name in under for under in grounds.values()) for name in grounds}
    return tuple(sorted(grounds, key=lambda name: -carries[name]))
