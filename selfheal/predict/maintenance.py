"""What is done before a foreseen failure, and when?

A failure that is likely, and that a restart prevents, becomes a planned, graceful restart well before the earliest
time at which it may come. Work that nobody needs any more is called off.
"""

from __future__ import annotations

from collections.abc import Collection

from selfheal.events import FailurePredicted, WorkDone, WorkPlanned
from selfheal.modes import MODES, rate_text
from selfheal.world import Agent, Work, World

LIKELY = 0.7  # from here on a risk is called high
# Less time than this is no time to wait in: a check round, a slow stop and a slow start have to fit into it.
URGENT_S = 60.0
PREVENTION_INTERVAL_S = 300.0
# With more time the work waits in case the trend ends by itself; the rest is for a stop that drags on.
WAIT_SHARE = 0.6
# After work that failed the same work is not tried at once again.
AFTER_FAILURE_S = 300.0


def plan(world: World, now: float, interval_s: float = PREVENTION_INTERVAL_S) -> tuple[WorkPlanned, ...]:
    """Return the work to plan. `interval_s` is how long it takes until this is asked again."""
    planned: list[WorkPlanned] = []
    for prediction in sorted(world.foresight.predictions.values(), key=lambda one: one.at + one.eta_low_s):
        agent = world.agents.get(prediction.agent)
        if agent is None or not _wanted(world, prediction, agent, now):
            continue
        if any(work.agent == agent.name for work in planned):
            continue
        work = f"work-{world.foresight.work_planned + len(planned) + 1}"
        due_at = _due_at(prediction, now, interval_s)
        planned.append(WorkPlanned(now, work, agent.name, "restart", due_at, in_words(prediction)))
    return tuple(planned)


def due(world: World, now: float) -> tuple[Work, ...]:
    """Return the planned work whose time has come, on agents that are fit for it, most urgent first."""
    ready = (work for work in world.foresight.work.values() if work.done_at is None and work.planned.due_at <= now)
    fit = (work for work in ready if _fit(world, world.agents.get(work.planned.agent)))
    return tuple(sorted(fit, key=lambda work: work.planned.due_at))


def void(world: World, now: float, doing: Collection[str]) -> tuple[WorkDone, ...]:
    """Return the end of work that is not needed any more. `doing` names the work that is in hand: it is left alone."""
    return tuple(
        WorkDone(now, name, "rejected", f"called off: {why}")
        for name, work in world.foresight.work.items()
        if work.done_at is None and name not in doing and (why := _needless(world, work))
    )


def in_words(prediction: FailurePredicted) -> str:
    """The reason for the work, as a person reads it."""
    amount = MODES[prediction.mode].amount
    minute = 60.0 if prediction.eta_s >= 120.0 else 1.0
    low, mid, high = (round(eta / minute) for eta in (prediction.eta_low_s, prediction.eta_s, prediction.eta_high_s))
    return (
        f"{prediction.signal} grows {rate_text(prediction.mode, prediction.slope, prediction.eta_s)} and reaches "
        f"{amount(prediction.limit)} in {mid} {'min' if minute > 1 else 's'} ({low}-{high})"
    )


def _wanted(world: World, prediction: FailurePredicted, agent: Agent, now: float) -> bool:
    if prediction.probability < LIKELY or not MODES[prediction.mode].restart_prevents or not _fit(world, agent):
        return False
    earlier = [work for work in world.foresight.work.values() if work.planned.agent == agent.name]
    return not any(
        work.done_at is None or (work.outcome not in ("succeeded", "rejected") and work.done_at > now - AFTER_FAILURE_S)
        for work in earlier
    )


def _needless(world: World, work: Work) -> str:
    """Why work need not be done any more; empty where it does."""
    agent = world.agents.get(work.planned.agent)
    if agent is None or not agent.wanted:
        return "the agent is not wanted any more"
    if agent.run is not None and agent.run.started_at > work.planned.at:
        return "it was restarted since"
    feared = any(name == agent.name and MODES[mode].restart_prevents for name, mode in world.foresight.predictions)
    return "" if feared else "what it should prevent is no longer foreseen"


def _fit(world: World, agent: Agent | None) -> bool:
    """Whether an agent may be restarted in peace: it runs, it is wanted, and nobody is healing it."""
    return (
        agent is not None
        and agent.has_process
        and agent.run is not None
        and agent.wanted
        and not agent.fixing
        and agent.maintenance_until is None
        and world.open_incident_of(agent.name) is None
    )


def _due_at(prediction: FailurePredicted, now: float, interval_s: float) -> float:
    left = prediction.at + prediction.eta_low_s - now
    return now if left < max(URGENT_S, 2 * interval_s) else now + WAIT_SHARE * left
