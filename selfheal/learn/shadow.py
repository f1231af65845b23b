"""What became of that which was only suggested?

Pure. Where nothing may be done by itself a plan is only said, and what happens then is what people, or time, do in its
place. That says how far one could have trusted it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from selfheal.events import Planned
from selfheal.world import Incident

Verdict = Literal["agreed", "needless", "sooner", "open"]

# What a person does who starts an agent anew, by hand. That is all that is known of what people do.
STARTS_IT: frozenset[str] = frozenset({"restart", "restart_with_dependents", "replace_by_spare"})


@dataclass(frozen=True, slots=True)
class Shadow:
    """One suggestion and what came of it.

    `agreed`: it was done after all, by a person or with a person's leave. `needless`: the agent was well again within
    the time that the fix would have taken. `sooner`: it took `longer_s` more than that. `open`: nobody knows yet.
    """

    incident: str
    fix: str
    agent: str
    at: float
    verdict: Verdict
    longer_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Tally:
    """How often what came of the suggestions of a fix; `longer_s` sums up all by which it would have been sooner."""

    fix: str
    agreed: int = 0
    needless: int = 0
    sooner: int = 0
    open: int = 0
    longer_s: float = 0.0

    @property
    def judged(self) -> int:
        return self.agreed + self.needless + self.sooner


def shadows(incidents: Iterable[Incident]) -> list[Shadow]:
    """The first suggestion of each fix in each incident, in their order.

    Those of an incident that was closed with its agent stopped, or as part of another, are left out: nobody will know.
    """
    return [shadow for incident in incidents for shadow in _of(incident)]


def tallies(incidents: Iterable[Incident]) -> tuple[Tally, ...]:
    """What became of the suggestions of each fix, the most suggested first."""
    by_fix: dict[str, list[Shadow]] = {}
    for shadow in shadows(incidents):
        by_fix.setdefault(shadow.fix, []).append(shadow)
    told = [_tally(fix, of_fix) for fix, of_fix in by_fix.items()]
    return tuple(sorted(told, key=lambda one: (-one.judged - one.open, one.fix)))


def agreement(incidents: Iterable[Incident]) -> tuple[int, int]:
    """How many suggestions people followed, and of how many it is known what came of them."""
    known = [one for one in shadows(incidents) if one.verdict != "open"]
    return sum(one.verdict == "agreed" for one in known), len(known)


def _tally(fix: str, shadows: list[Shadow]) -> Tally:
    words = [one.verdict for one in shadows]
    return Tally(
        fix,
        agreed=words.count("agreed"),
        needless=words.count("needless"),
        sooner=words.count("sooner"),
        open=words.count("open"),
        longer_s=sum(one.longer_s for one in shadows),
    )


def _of(incident: Incident) -> Iterator[Shadow]:
    said: set[tuple[str, str]] = set()
    for event in incident.story:
        if isinstance(event, Planned) and event.shadow and (event.fix, event.agent) not in said:
            said.add((event.fix, event.agent))
            if _followed(incident, event):
                yield Shadow(incident.id, event.fix, event.agent, event.at, "agreed")
            elif incident.state != "suppressed":
                yield _judged(incident, event)


def _judged(incident: Incident, plan: Planned) -> Shadow:
    if incident.recovery_s is None:
        return Shadow(incident.id, plan.fix, plan.agent, plan.at, "open")
    longer_s = incident.onset + incident.recovery_s - plan.at - _expected_s(plan)
    if longer_s <= 0.0:
        return Shadow(incident.id, plan.fix, plan.agent, plan.at, "needless")
    return Shadow(incident.id, plan.fix, plan.agent, plan.at, "sooner", longer_s)


def _followed(incident: Incident, plan: Planned) -> bool:
    """Whether it was done after it was said: by hand, or since somebody let it be done."""
    by_hand = bool(incident.ordered_by) and incident.ordered_at >= plan.at and incident.agent == plan.agent
    tried = any(
        (one.fix, one.agent) == (plan.fix, plan.agent) and one.started_at >= plan.at and not one.reflex
        for one in incident.attempts
    )
    return tried or (by_hand and plan.fix in STARTS_IT)


def _expected_s(plan: Planned) -> float:
    """What the fix would have taken, verified; old plans tell no more than the time with all that follows a failure."""
    chosen = next((one for one in plan.alternatives if one.fix == plan.fix), None)
    return (chosen.cost_s or chosen.expected_s) if chosen is not None else 0.0
