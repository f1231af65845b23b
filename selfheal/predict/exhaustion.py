"""What of an agent will be used up: memory, descriptors, disk, inodes, connections, a queue, a certificate?

Needs no history: a trend that is seen from day one on. What is foreseen is told once, and again when it has moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from selfheal.causes import is_failure
from selfheal.events import Contribution, FailurePredicted, PredictionEnded
from selfheal.modes import HIGH_RISK, MODES, rate_text
from selfheal.predict.dying import death_foreseen
from selfheal.predict.foretold import Said, joined
from selfheal.predict.hazard import Prior, prior_of
from selfheal.predict.maintenance import is_begun
from selfheal.predict.outcomes import outcome_of, why_over
from selfheal.predict.resources import Resource, resources
from selfheal.predict.slopes import Point as Point
from selfheal.predict.timeleft import Forecast as Forecast
from selfheal.predict.timeleft import foresee as foresee
from selfheal.vocabulary import FailureMode
from selfheal.world import Agent, World

# From here on a forecast is told, and kept until it falls below the second: between them it would flap.
TOLD_FROM, KEPT_FROM = 0.3, 0.1
# A forecast that moved by more is told again, but seconds are never news.
MOVED_SHARE, MOVED_S = 0.1, 5.0
# What was silent for longer than this and than so many of its usual gaps is not known any more: its check may be gone.
SILENT_S, SILENT_GAPS = 900.0, 4.0

Told = FailurePredicted | PredictionEnded
Learned = Mapping[str, Mapping[FailureMode, Said]]


class Signals(Protocol):
    """Where the past of a signal is had from: `History`, which stages do not import from each other."""

    def recent(self, agent: str, signal: str, since: float = 0.0) -> list[Point]:
        """The points (time, value) from `since` on, in order of time."""
        ...

    def signals(self, agent: str) -> Iterable[str]:
        """The names of the signals of which there are points."""
        ...


def forecasts(world: World, history: Signals, now: float) -> tuple[Told, ...]:
    """Return what is foreseen anew, what moved, and what is over; to be recorded as it is.

    For who would rather not look at a large fleet in one go there are its parts.
    """
    prior = fleet_prior(world, now)
    told = [one for agent in world.agents.values() for one in forecasts_of(agent, world, history, now, prior)]
    return (*told, *forecasts_of_the_gone(world, now))


def fleet_prior(world: World, now: float) -> Prior:
    """Return how often the agents of the fleet die."""
    return prior_of(agent.deaths.until(now, up=agent.run is not None) for agent in world.agents.values())


def forecasts_of_the_gone(world: World, now: float) -> tuple[PredictionEnded, ...]:
    """Return the ends of what was foreseen of agents that are there no more."""
    gone = (key for key in world.foresight.predictions if key[0] not in world.agents)
    return tuple(PredictionEnded(now, agent, mode, "averted", "the agent is gone") for agent, mode in gone)


def forecasts_of(
    agent: Agent,
    world: World,
    history: Signals,
    now: float,
    prior: Prior,
    learned: Mapping[FailureMode, Said] = MappingProxyType({}),
) -> tuple[Told, ...]:
    """Return what is foreseen of one agent anew, what moved, and what is over.

    `learned` is what a model that was trained says, of the modes for which it is better than the trend.
    """
    works = (work for work in world.foresight.work.values() if work.planned.agent == agent.name)
    if any(not work.over and is_begun(world, work) for work in works):
        return ()  # something is being done by us: the work's outcome says what became of the prediction
    found = _seen(agent, history, now, prior)
    seen = joined(agent, found, learned, now) if _watched(agent) else found
    known = (mode for name, mode in world.foresight.predictions if name == agent.name)
    told = (_told(agent, mode, seen.get(mode), world, history, now) for mode in dict.fromkeys((*known, *seen)))
    return tuple(event for event in told if event is not None)


def worth_a_longer_look(agent: Agent, world: World, history: Signals, now: float) -> Iterator[tuple[str, float]]:
    """Yield the signals of an agent that seem to run out, and since when their points count: what is longer ago may
    say that they do not.
    """
    for resource in resources(agent, history.signals(agent.name)) if _watched(agent) else ():
        known = (agent.name, resource.mode) in world.foresight.predictions
        seen = _trend(agent, resource, history, now)
        if resource.mode != "certificate_expired" and (known or (seen and seen.probability >= KEPT_FROM)):
            yield resource.signal, _since(agent, resource)


def _seen(agent: Agent, history: Signals, now: float, prior: Prior) -> dict[FailureMode, FailurePredicted]:
    """What speaks for each way to fail, however little; of two signals for the same one that which is used up first."""
    if not _watched(agent):
        return {}
    found: dict[FailureMode, FailurePredicted] = {}
    for one in _each_seen(agent, history, now, prior):
        if one.mode not in found or one.eta_s < found[one.mode].eta_s:
            found[one.mode] = one
    return found


def _each_seen(agent: Agent, history: Signals, now: float, prior: Prior) -> Iterator[FailurePredicted]:
    for resource in resources(agent, history.signals(agent.name)):
        seen = _trend(agent, resource, history, now)
        if seen is not None:
            yield _predicted(agent, resource, seen, now)
    death = death_foreseen(agent, now, prior)
    if death is not None:
        yield death


def _told(
    agent: Agent, mode: FailureMode, seen: FailurePredicted | None, world: World, history: Signals, now: float
) -> Told | None:
    then = world.foresight.predictions.get((agent.name, mode))
    if then is not None:
        points = history.recent(agent.name, then.signal, now - MODES[mode].horizon_s)
        limit = seen.limit if seen is not None else _limit(agent, then)
        outcome = outcome_of(then, agent, world, points[-1][1] if points else None, limit)
        if outcome is None and (seen is None or seen.probability < KEPT_FROM * _bar(mode)):
            outcome = why_over(then, agent, world)
        if outcome is not None:
            return PredictionEnded(now, agent.name, mode, outcome.outcome, outcome.why)
    if seen is None or (then is None and (seen.probability < TOLD_FROM * _bar(mode) or _is_here(seen))):
        return None
    return replace(seen, case=seen.case or _case(seen, world)) if then is None or _moved(then, seen, now) else None


def _is_here(seen: FailurePredicted) -> bool:
    """What has reached its limit is foreseen no more."""
    return seen.model == "trend" and (seen.value <= 0.0 if seen.slope < 0.0 else seen.value >= seen.limit)


def _trend(agent: Agent, resource: Resource, history: Signals, now: float) -> Forecast | None:
    points = history.recent(agent.name, resource.signal, _since(agent, resource))
    horizon_s = MODES[resource.mode].horizon_s
    if resource.mode == "certificate_expired":
        return _expiry(points, now, horizon_s)
    return foresee(points, resource.limit, now, horizon_s) if not _is_silent(points, now) else None


def _is_silent(points: Sequence[Point], now: float) -> bool:
    """Whether nothing was measured for so long that going on from there would be to make numbers up."""
    if not points:
        return True
    usual_s = (points[-1][0] - points[0][0]) / len(points)
    return now - points[-1][0] > max(SILENT_S, SILENT_GAPS * usual_s)


def _expiry(points: list[Point], now: float, horizon_s: float) -> Forecast | None:
    """What is left falls by a second each second, and nothing else: that is certain, unless it is renewed."""
    if not points:
        return None
    at, left_s = points[-1]
    eta_s = max(0.0, left_s - (now - at))
    return Forecast(-1.0, eta_s, eta_s, eta_s, 1.0, eta_s, points[0][0]) if eta_s <= horizon_s else None


def _predicted(agent: Agent, resource: Resource, seen: Forecast, now: float) -> FailurePredicted:
    mode = MODES[resource.mode]
    if resource.mode == "certificate_expired":
        what = f"{mode.amount(seen.value)} are left"
    else:
        rate = rate_text(resource.mode, seen.slope, seen.eta_s)
        what = f"it grows {rate} and is {mode.amount(seen.value)} of {mode.amount(resource.limit)}"
    return FailurePredicted(
        now,
        agent.name,
        resource.mode,
        resource.signal,
        seen.probability,
        seen.eta_s,
        seen.eta_low_s,
        seen.eta_high_s,
        seen.value,
        resource.limit,
        seen.slope,
        seen.since,
        "trend",
        mode.horizon_s,
        (Contribution(resource.signal, 1.0, what),),
    )


def _case(seen: FailurePredicted, world: World) -> str:
    """The latest incident in which that failure came: of the agent itself, else of another."""
    cases = [one for one in world.incidents.values() if is_failure(one.cause, seen.mode)]
    own = [one for one in cases if one.agent == seen.agent]
    return max(own or cases, key=lambda one: one.opened_at).id if cases else ""


def _bar(mode: FailureMode) -> float:
    """Deaths are told at a sixth of the probability of the rest: they are rare, and no trend leads up to them."""
    return 1 / 6 if mode == "crash" else 1.0


def _watched(agent: Agent) -> bool:
    return agent.state not in ("stopped", "maintenance") and (agent.run is not None or not agent.has_process)


def _since(agent: Agent, resource: Resource) -> float:
    """A new process starts with nothing; what lies elsewhere stays."""
    return agent.run.started_at if agent.run is not None and resource.process else 0.0


def _limit(agent: Agent, then: FailurePredicted) -> float:
    return next((one.limit for one in resources(agent, (then.signal,)) if one.mode == then.mode), then.limit)


def _moved(then: FailurePredicted, seen: FailurePredicted, now: float) -> bool:
    """Whether a forecast says something else than the one before, less the time that has passed."""
    left = max(0.0, then.eta_s - (now - then.at))
    shift = abs(seen.eta_s - left)
    by_time = shift > max(MOVED_S, MOVED_SHARE * left) and seen.model != "hazard"
    is_high = seen.probability >= HIGH_RISK
    return (
        by_time or is_high != (then.probability >= HIGH_RISK) or abs(seen.probability - then.probability) > MOVED_SHARE
    )
