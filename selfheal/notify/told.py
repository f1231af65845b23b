"""What has a person been told already, and in which words are shares told?"""

from __future__ import annotations

from selfheal.events import AlertRaised
from selfheal.vocabulary import FailureMode
from selfheal.world import World


def is_told(world: World, key: str) -> bool:
    """Whether a person was told that it began, and not yet that it is over."""
    last = last_told(world, key)
    return last is not None and not last.resolved


def last_told(world: World, key: str) -> AlertRaised | None:
    """The latest alert of this key that is remembered."""
    return next((alert for alert in reversed(world.alerts) if alert.key == key), None)


def foreseen_key(agent: str, mode: FailureMode) -> str:
    """The key of all that is told of a failure that is foreseen, what is done about it among that."""
    return f"foreseen-{agent}-{mode}"


def share_text(probability: float) -> str:
    """Nothing is certain: what would round to 100 % is told as what it is."""
    return f"{100 * probability:.0f} %" if probability < 0.995 else "over 99 %"
