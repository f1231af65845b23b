"""Did it help?

Pure. A fix has helped when the agent it was applied to was well, by every check that works, for a whole window after
it: a process that is up again for a moment proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from selfheal.events import Verified
from selfheal.vitals import CheckRecord, Vitals
from selfheal.world import Agent, Attempt, Incident, World

# How long after a fix a check may take to settle on good, beyond the window itself.
SETTLE_S = 20.0
# So many good answers of each check in a row say that it is well, and being well for so long says it as well.
ANSWERS, LONG_ENOUGH_S = 3, 120.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """It cannot be told yet; `until` is when to look again."""

    until: float


def verify(world: World, vitals: Vitals, incident: Incident, window_s: float, now: float) -> Verified | Waiting:
    """Judge the latest attempt of `incident`, which has ended and whose act went through."""
    attempt = incident.attempt
    if attempt is None or attempt.ended_at is None:
        return Waiting(now + window_s)
    agent = world.agents.get(attempt.agent)
    if agent is not None and agent.stand_in:
        agent = world.agents.get(agent.stand_in)
    if agent is None:
        return _verdict(incident, attempt, now, "the agent is gone")
    good_at = first_good_at(agent, vitals, attempt.ended_at)
    if good_at is not None:
        well_s = now - good_at
        if well_s < window_s or not _enough(agent, vitals, window_s, well_s):
            return Waiting(max(good_at + window_s, now + 1.0))
        return Verified(now, incident.id, attempt.number, "succeeded", f"well for {well_s:.0f} s", good_at)
    if any(failing.local and failing.since > attempt.ended_at for failing in agent.failing.values()):
        return _verdict(incident, attempt, now, _what_is_wrong(agent))  # what its own process does is no aftermath
    if _excused(world, agent):
        return Waiting(now + 1.0)
    if now - attempt.ended_at > window_s + SETTLE_S and agent.delayed_until is None:
        return _verdict(incident, attempt, now, _what_is_wrong(agent))
    return Waiting(now + 1.0)


def _excused(world: World, agent: Agent) -> bool:
    """Whether a running agent cannot be well now, whatever was done to it: something it depends on is down."""
    if (agent.has_process and agent.run is None) or any(failing.local for failing in agent.failing.values()):
        return False
    known = (world.agents.get(name) for name in world.dependencies(agent.name))
    return any(one.down for one in known if one is not None)


def first_good_at(agent: Agent, vitals: Vitals, since: float) -> float | None:
    """When every check of `agent` that works had turned good after `since`; None while one has not, or it is down."""
    if not agent.well or (agent.has_process and not agent.ready):
        return None
    records = [vitals.check(agent.name, check) for check in agent.telling]
    if not all(record.ok and record.last_at >= since for record in records):
        return None
    return max([since, *(record.since for record in records)] if records else [since, agent.since])


def _enough(agent: Agent, vitals: Vitals, window_s: float, well_s: float) -> bool:
    """Three good answers of each check, not time alone. What is asked seldom is not waited for so long, but where a
    breaker is to close on it.
    """
    closed = all(breaker.state == "closed" for breaker in agent.breakers.values())
    if closed and (not window_s or well_s >= max(window_s, LONG_ENOUGH_S)):
        return True
    return all(_streak(vitals.check(agent.name, check)) >= ANSWERS for check in agent.telling)


def _streak(record: CheckRecord) -> int:
    return record.streak if record.ok else 0


def _verdict(incident: Incident, attempt: Attempt, now: float, reason: str) -> Verified:
    return Verified(now, incident.id, attempt.number, "failed", reason)


def _what_is_wrong(agent: Agent) -> str:
    if agent.failing:
        return "; ".join(f"check {failing.check}: {failing.reason}" for failing in agent.failing.values())
    if agent.has_process and agent.run is None:
        return agent.start_error or "the process is not running"
    return "it did not become ready" if not agent.ready else "no good answer in time"
