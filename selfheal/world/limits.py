"""What may an agent use for now, that the file does not give it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from selfheal.events import LimitLowered, LimitRaised
from selfheal.vocabulary import Limit


@dataclass(frozen=True, slots=True)
class Raised:
    """A limit as a fix has set it. `configured` is what the file said then, `before` what was in force.

    `incident` is the one in which it was raised, empty once that was taken back; `tried` the most that was in vain.
    """

    value: int
    configured: int
    before: int
    incident: str = ""
    tried: int = 0

    def next(self, most: int) -> int:
        """What it is raised to next: by half, and past what did not help, up to `most`."""
        return half_more(max(self.value, self.tried), most)


def half_more(value: int, most: int) -> int:
    """Half as much again, up to `most`."""
    return min(most, value + max(1, value // 2))


def limited(raised: Mapping[Limit, Raised], event: LimitRaised | LimitLowered) -> Mapping[Limit, Raised]:
    """Return what is raised after `event`."""
    then = raised.get(event.limit)
    others = {limit: one for limit, one in raised.items() if limit != event.limit}
    if isinstance(event, LimitRaised):
        before, tried = (then.value, then.tried) if then is not None else (event.configured, 0)
        return {**others, event.limit: Raised(event.value, event.configured, before, event.incident, tried)}
    if then is None or event.value is None or not event.undone:
        return others
    tried = max(then.tried, then.value) if event.in_vain else then.tried
    return {**others, event.limit: replace(then, value=event.value, before=event.value, incident="", tried=tried)}
