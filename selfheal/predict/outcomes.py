"""What became of a failure that was foreseen?

It happened, or it was averted (something was done, so that nobody knows whether it would have come), or nobody expects
it any more. A death for another reason, long before the time foreseen, does not make a prediction true.
"""

from __future__ import annotations

from dataclasses import dataclass

from selfheal.causes import is_failure
from selfheal.events import FailurePredicted
from selfheal.modes import MODES, OF_PROCESS
from selfheal.vocabulary import FailureMode, PredictionOutcome
from selfheal.world import Agent, Incident, World
from selfheal.world.episodes import Episode


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it, and how that is known."""

    outcome: PredictionOutcome
    why: str


def outcome_of(then: FailurePredicted, agent: Agent, world: World, value: float | None, limit: float) -> Outcome | None:
    """Return what became of a prediction; None while nobody can know.

    `value` is the latest of its signal, None where there is none, and `limit` what it may reach by now.
    """
    episode = world.foresight.episodes.get((then.agent, then.mode)) or Episode(then.at, then)
    return _happened(then, episode, agent, world, value, limit) or _acted_on(then, episode, agent, world, limit)


def why_over(then: FailurePredicted, agent: Agent, world: World) -> Outcome:
    """Return how a prediction ends that is not seen any more: whether something was done since."""
    episode = world.foresight.episodes.get((then.agent, then.mode)) or Episode(then.at, then)
    done = next((fix for one in _incidents(agent, world) for fix, at in _helped(one) if at >= episode.began_at), "")
    if done:
        return Outcome("averted", f"{done} was done")
    if then.mode == "certificate_expired":
        return Outcome("averted", "it was renewed")
    if agent.state in ("stopped", "maintenance"):
        return Outcome("averted", "it was stopped")
    return Outcome("withdrawn", "it is not seen any more")


def _happened(
    then: FailurePredicted, episode: Episode, agent: Agent, world: World, value: float | None, limit: float
) -> Outcome | None:
    if then.mode == "certificate_expired":
        return Outcome("happened", "it has expired") if value is not None and value <= 0.0 else None
    for one in _incidents(agent, world):
        if one.opened_at >= episode.began_at and is_failure(one.cause, then.mode):
            return Outcome("happened", one.id)
    ended = agent.last_exit
    died = ended is not None and not ended.expected
    if ended is not None and died and then.mode == "crash" and ended.at > then.at:
        return Outcome("happened", "it died")
    if ended is not None and died and then.mode in OF_PROCESS and ended.at >= then.at + then.eta_low_s / 2:
        return Outcome("happened", "it died about when it was expected to")
    if value is not None and value >= max(limit, then.limit) and then.mode not in OF_PROCESS and then.mode != "crash":
        return Outcome("happened", f"{then.signal} has reached its limit")
    return None


def _acted_on(then: FailurePredicted, episode: Episode, agent: Agent, world: World, limit: float) -> Outcome | None:
    if then.mode not in ("crash", "certificate_expired") and limit > then.limit:
        return Outcome("averted", "its limit was raised")
    works = (work for work in world.foresight.work.values() if work.planned.agent == agent.name)
    done = [one for one in works if one.outcome == "succeeded" and (one.done_at or 0.0) >= episode.began_at]
    helped = next((one for one in reversed(done) if _prevents(one.planned.mode, then.mode)), None)
    if helped is not None:
        return Outcome("averted", f"{helped.planned.action.replace('_', ' ')} was done in good time")
    if then.mode not in OF_PROCESS:
        return None
    if agent.run is None or agent.run.started_at <= then.at:
        return None
    died = agent.last_exit is not None and not agent.last_exit.expected
    return Outcome("withdrawn", "it died of something else") if died else Outcome("averted", "it was restarted")


def _prevents(done: FailureMode | None, mode: FailureMode) -> bool:
    """Whether what was done against one failure keeps another away: a restart does that for all that it cures."""
    return done == mode or ((done is None or MODES[done].restart_prevents) and MODES[mode].restart_prevents)


def _incidents(agent: Agent, world: World) -> list[Incident]:
    return [one for one in world.incidents.values() if one.agent == agent.name]


def _helped(incident: Incident) -> list[tuple[str, float]]:
    """The fixes that were verified, and when."""
    return [(one.fix, one.ended_at or 0.0) for one in incident.attempts if one.outcome == "succeeded"]
