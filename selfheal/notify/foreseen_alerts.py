"""What does a person want to know of a failure that is foreseen, and how often?

Once for each episode, from when the risk is high: how much time is left, what speaks for it, and what will be done and
when. Another plan changes that message; the end of it is told to whom the beginning was told.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from selfheal.events import AlertRaised, FailurePredicted, PredictionEnded, WorkDone, WorkPlanned
from selfheal.modes import HIGH_RISK, MODES
from selfheal.notify.told import is_told, last_told, share_text
from selfheal.vocabulary import FAILURE_MODES, FailureMode, PredictionOutcome
from selfheal.world import Agent, Work, World

# A forecast that comes and goes, and a leak that is renewed again and again, wake nobody more often than this.
QUIET_S = 600.0
ENDS: Mapping[PredictionOutcome, str] = {
    "averted": "{agent} will not {will}: something was done before",
    "happened": "{agent} has failed as foreseen: it would {will}",
    "withdrawn": "{agent} is no longer expected to {will}",
}


def about_foreseen(
    world: World, event: FailurePredicted | PredictionEnded | WorkPlanned | WorkDone
) -> tuple[AlertRaised, ...]:
    """Return the alerts that `event`, which is already part of `world`, is worth."""
    match event:
        case FailurePredicted():
            return _foreseen(world, event)
        case PredictionEnded(agent=agent, mode=mode):
            return _over(world, event.at, agent, mode, event.outcome, event.why)
        case WorkPlanned(agent=agent):
            return _planned(world, event.at, agent)
        case WorkDone(work=name, outcome="succeeded") if name in world.foresight.work:
            return _prevented(world, event, world.foresight.work[name].planned.agent)
        case WorkDone(work=name) if name in world.foresight.work:
            return _planned(world, event.at, world.foresight.work[name].planned.agent)
        case _:
            return ()


def _foreseen(world: World, event: FailurePredicted) -> tuple[AlertRaised, ...]:
    """Once for each episode, however often it moves; in a maintenance window not at all."""
    agent = world.agents.get(event.agent)
    if event.probability < HIGH_RISK or (agent is not None and agent.maintenance_until is not None):
        return ()
    last = last_told(world, _key(event.agent, event.mode))
    if last is not None and event.at - last.at < (QUIET_S if last.resolved else event.eta_high_s + QUIET_S):
        return ()
    return (_alert(world, event, event.at),)


def _planned(world: World, at: float, agent: str) -> tuple[AlertRaised, ...]:
    """What is told of this agent and not over says what is planned now, where that is something else than it said."""
    known = (world.foresight.predictions[key] for key in world.foresight.predictions if key[0] == agent)
    told = [one for one in known if is_told(world, _key(agent, one.mode)) and MODES[one.mode].restart_prevents]
    changed = (_alert(world, one, at) for one in told)
    return tuple(one for one in changed if one.text != _said(world, one.key))


def _prevented(world: World, event: WorkDone, agent: str) -> tuple[AlertRaised, ...]:
    """A restart in good time ends all that it cures. The prediction itself ends later, when that is looked at again."""
    cured = (mode for mode in FAILURE_MODES if MODES[mode].restart_prevents)
    return tuple(alert for mode in cured for alert in _over(world, event.at, agent, mode, "averted", event.output))


def _over(
    world: World, at: float, agent: str, mode: FailureMode, outcome: PredictionOutcome, why: str
) -> tuple[AlertRaised, ...]:
    key = _key(agent, mode)
    if not is_told(world, key):
        return ()
    title = ENDS[outcome].format(agent=agent, will=MODES[mode].will)
    return (AlertRaised(at, key, "info", title, why, agent, None, resolved=True),)


def _alert(world: World, event: FailurePredicted, at: float) -> AlertRaised:
    eta_s, low_s, high_s = (max(0.0, event.at + eta - at) for eta in (event.eta_s, event.eta_low_s, event.eta_high_s))
    title = f"{event.agent} will {MODES[event.mode].will} in about {_span(eta_s)}"
    between = f" (between {_span(low_s)} and {_span(high_s)})" if low_s < high_s else ""
    text = f"expected at {_time(at + eta_s)}{between}, {share_text(event.probability)} likely: {_seen(event)}"
    text += f". {_what_is_done(world, event)}"
    return AlertRaised(at, _key(event.agent, event.mode), "warning", title, text, event.agent, None)


def _seen(event: FailurePredicted) -> str:
    """What speaks for it, since when, and when it came before."""
    seen = "; ".join(f"{one.signal}: {one.what}" for one in event.contributions) or _amounts(event)
    since = f", since {_time(event.since)}" if event.since else ""
    return seen + since + (f"; it came before, in {event.case}" if event.case else "")


def _what_is_done(world: World, event: FailurePredicted) -> str:
    """What will be done, and when, by what is planned now."""
    if not MODES[event.mode].restart_prevents:
        return "Nothing is done by itself: a restart would not prevent it"
    work = next((one for one in world.foresight.work.values() if _is_for(one, event.agent)), None)
    if work is None:
        return f"Nothing is planned yet{_why_not(world.agents.get(event.agent), world)}"
    return f"A {work.planned.action} is planned for {_time(work.planned.due_at)}, before that"


def _why_not(agent: Agent | None, world: World) -> str:
    if world.paused or (agent is not None and agent.paused):
        return ": healing is paused"
    return ": it is a dry run" if world.dry_run else ""


def _is_for(work: Work, agent: str) -> bool:
    return work.done_at is None and work.planned.agent == agent


def _said(world: World, key: str) -> str:
    last = last_told(world, key)
    return last.text if last is not None else ""


def _amounts(event: FailurePredicted) -> str:
    """What an event of an earlier version can tell."""
    value, limit = (MODES[event.mode].amount(amount) for amount in (event.value, event.limit))
    return f"{event.signal} is {value} of {limit}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3 * 3600 else f"{seconds / 3600:.1f} h"


def _key(agent: str, mode: FailureMode) -> str:
    return f"foreseen-{agent}-{mode}"
