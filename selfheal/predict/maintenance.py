"""What is to be done before a foreseen failure, when, and what is no longer needed?

A failure that is likely gets work: in a quiet time that somebody has named, else in the hour in which the agent has
least to do, else when most of the time is over, for the trend may end by itself. What is chosen to be done, and whether
that may be done, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from selfheal.causes import foreseen_cause
from selfheal.events import FailurePredicted, WorkDone
from selfheal.modes import HIGH_RISK, MODES, rate_text
from selfheal.predict.load import Load, quietest
from selfheal.world import Agent, Work, World
from selfheal.world.foresight import latest_start

# Less time than this is no time to wait in: a check round, a slow stop and a slow start have to fit into it.
URGENT_S = 60.0
PREVENTION_INTERVAL_S = 300.0
# With more time the work waits in case the trend ends by itself; the rest is for a stop that drags on.
WAIT_SHARE = 0.6
# It is shifted to a quieter time within these shares of the time that is left.
FROM_SHARE, TO_SHARE, STEPS = 0.25, 0.85, 24
# Before a window opens there is room for the work, and for the look whether the agent is well after it.
ROOM_S = 180.0
# After work that failed the same work is not tried at once again.
AFTER_FAILURE_S = 300.0

Open = Callable[[float], bool]
"""Whether a window is open at a moment, wall time."""


@dataclass(frozen=True, slots=True)
class Times:
    """What is known of an agent's time: its `load`, when nothing may be done to it, and when it is best done."""

    load: Load | None = None
    closed: Open = lambda moment: False
    quiet: Open = lambda moment: False


@dataclass(frozen=True, slots=True)
class Slot:
    """When work is begun, by when at the latest, and why then."""

    due_at: float
    until: float
    why: str


def wanted(world: World, now: float) -> tuple[FailurePredicted, ...]:
    """The predictions against which something should be planned, the nearest first.

    Of an agent it is the first against which anything helps: one thing at a time is done to it.
    """
    known = sorted(world.foresight.predictions.values(), key=lambda one: one.at + one.eta_low_s)
    agents = world.agents
    return tuple(one for one in known if one.agent in agents and _is_wanted(world, one, agents[one.agent], now))


def slot(
    prediction: FailurePredicted, now: float, times: Times, interval_s: float = PREVENTION_INTERVAL_S,
    useful_from: float = 0.0,
) -> Slot:  # fmt: skip
    """When to do something about a prediction. `interval_s` is how long it takes until this is asked again.

    `useful_from` is the share of the limit that has to be used up before there is anything to do.
    """
    until, left = latest_start(prediction), prediction.at + prediction.eta_low_s - now
    earliest = _reached_at(prediction, useful_from)
    if left < max(URGENT_S, 2 * interval_s) or earliest >= until:
        return Slot(max(now, min(earliest, until)), until, "there is no time to wait")
    ideal = max(now + WAIT_SHARE * left, earliest)
    steps = (now + left * (FROM_SHARE + (TO_SHARE - FROM_SHARE) * step / STEPS) for step in range(STEPS + 1))
    moments = [moment for moment in (ideal, *steps) if moment >= earliest and _is_free(times, moment)]
    quiet = [moment for moment in moments if times.quiet(moment)]
    if quiet:
        return Slot(min(quiet, key=lambda one: abs(one - ideal)), until, "it is a quiet time, as configured")
    if not moments:
        return Slot(ideal, until, "a maintenance window lasts for all the time that is left")
    load = times.load
    due_at = quietest(moments, ideal, load.at if load is not None else lambda moment: 1.0)
    return Slot(due_at, until, _why(due_at, ideal, until, load))


def void(world: World, now: float) -> tuple[WorkDone, ...]:
    """Return the end of work that is not needed any more. What was begun comes to its own end."""
    return tuple(
        WorkDone(now, name, "rejected", f"called off: {why}", "called_off")
        for name, work in world.foresight.work.items()
        if not work.over and not is_begun(world, work) and (why := _needless(world, work))
    )


def is_begun(world: World, work: Work) -> bool:
    """Whether anything was done of it yet."""
    case = world.cases.get(work.planned.work)
    return case is not None and bool(case.attempts)


def in_words(prediction: FailurePredicted) -> str:
    """The reason for the work, as a person reads it."""
    amount = MODES[prediction.mode].amount
    minute = 60.0 if prediction.eta_s >= 120.0 else 1.0
    low, mid, high = (round(eta / minute) for eta in (prediction.eta_low_s, prediction.eta_s, prediction.eta_high_s))
    return (
        f"{prediction.signal} grows {rate_text(prediction.mode, prediction.slope, prediction.eta_s)} and reaches "
        f"{amount(prediction.limit)} in {mid} {'min' if minute > 1 else 's'} ({low}-{high})"
    )


def _is_wanted(world: World, prediction: FailurePredicted, agent: Agent, now: float) -> bool:
    key = prediction.agent, prediction.mode
    if prediction.probability < HIGH_RISK or foreseen_cause(prediction.mode) is None:
        return False
    if world.foresight.arms.get(key) == "left" or not _fit(world, agent):
        return False
    earlier = [work for work in world.foresight.work.values() if work.planned.agent == agent.name]
    return not any(_stands(work, prediction, world, now) for work in earlier)


def _stands(work: Work, prediction: FailurePredicted, world: World, now: float) -> bool:
    """Whether earlier work speaks against new: it is under way, has just failed, or was given up."""
    if work.done_at is None:
        return True
    if work.ended == "skipped" and work.planned.mode == prediction.mode:
        return (prediction.agent, prediction.mode) in world.foresight.arms  # as long as that lasts
    return work.ended == "failed" and work.done_at > now - AFTER_FAILURE_S


def _needless(world: World, work: Work) -> str:
    """Why work need not be done any more; empty where it does."""
    agent, planned = world.agents.get(work.planned.agent), work.planned
    if agent is None or not agent.wanted:
        return "the agent is not wanted any more"
    of_process = planned.mode is None or MODES[planned.mode].restart_prevents
    if agent.run is not None and agent.run.started_at > planned.at and of_process:
        return "it was restarted since"
    feared = any(name == agent.name and planned.mode in (None, mode) for name, mode in world.foresight.predictions)
    return "" if feared else "what it should prevent is no longer foreseen"


def _fit(world: World, agent: Agent) -> bool:
    """Whether something may be planned for an agent: it is there, it is wanted, and nobody is healing it."""
    return (
        (agent.run is not None or not agent.has_process)
        and agent.wanted
        and not agent.fixing
        and agent.maintenance_until is None
        and world.open_incident_of(agent.name) is None
    )


def _is_free(times: Times, moment: float) -> bool:
    """Whether work may be done then, and looked at for a while after it."""
    return not (times.closed(moment) or times.closed(moment + ROOM_S))


def _reached_at(prediction: FailurePredicted, share: float) -> float:
    """When so large a share of the limit will be used up."""
    level = share * prediction.limit
    if prediction.value >= level or prediction.slope <= 0:
        return prediction.at
    return prediction.at + (level - prediction.value) / prediction.slope


def _why(due_at: float, ideal: float, until: float, load: Load | None) -> str:
    if load is None or due_at == ideal:
        return "the trend may end by itself until then"
    return f"least is to be done then before {_clock(until)}: {load.at(due_at):.0%} of the usual {load.signal}"


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%a %H:%M UTC")
