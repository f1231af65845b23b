"""What does a person want to know of a failure that is foreseen, and how often?

Once for each episode, from when the risk is high: how much time is left, what speaks for it, and what will be done and
when. Another plan changes that message; the end of it is told to whom the beginning was told.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from selfheal.causes import foreseen_cause
from selfheal.events import AlertRaised, FailurePredicted, PredictionEnded, WorkDone, WorkPlanned
from selfheal.modes import HIGH_RISK, MODES
from selfheal.notify.told import foreseen_key, is_told, last_told, share_text
from selfheal.notify.work_alerts import given_up, in_words, no_longer_asked
from selfheal.vocabulary import FAILURE_MODES, FailureMode, PredictionOutcome
from selfheal.world import Agent, Work, World
from selfheal.world.spans import span_text

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
        case WorkDone(work=name) if name in world.foresight.work:
            return _work_over(world, event, world.foresight.work[name])
        case _:
            return ()


def _foreseen(world: World, event: FailurePredicted) -> tuple[AlertRaised, ...]:
    """Once for each episode, however often it moves; in a maintenance window not at all."""
    agent = world.agents.get(event.agent)
    if event.probability < HIGH_RISK or (agent is not None and agent.maintenance_until is not None):
        return ()
    last = last_told(world, foreseen_key(event.agent, event.mode))
    if last is not None and event.at - last.at < (QUIET_S if last.resolved else event.eta_high_s + QUIET_S):
        return ()
    return (_alert(world, event, event.at),)


def _work_over(world: World, event: WorkDone, work: Work) -> tuple[AlertRaised, ...]:
    agent = work.planned.agent
    asked = no_longer_asked(world, work, event.at)
    if work.ended == "called_off":
        return asked  # since nobody needs it: the prediction ends as well
    about = _prevented(world, event, work) if event.outcome == "succeeded" else _planned(world, event.at, agent)
    return (*asked, *about)


def _planned(world: World, at: float, agent: str) -> tuple[AlertRaised, ...]:
    """What is told of this agent and not over says what is planned now, where that is something else than it said."""
    known = (world.foresight.predictions[key] for key in world.foresight.predictions if key[0] == agent)
    told = [one for one in known if is_told(world, foreseen_key(agent, one.mode))]
    changed = (
        one for one in told if not _said(world, foreseen_key(agent, one.mode)).endswith(_what_is_done(world, one))
    )
    return tuple(_alert(world, one, at) for one in changed)


def _prevented(world: World, event: WorkDone, work: Work) -> tuple[AlertRaised, ...]:
    """A restart in good time ends all that it cures. The prediction itself ends later, when that is looked at again."""
    agent, mode = work.planned.agent, work.planned.mode
    is_restart = mode is None or MODES[mode].restart_prevents
    cured = [one for one in FAILURE_MODES if one == mode or (is_restart and MODES[one].restart_prevents)]
    return tuple(alert for one in cured for alert in _over(world, event.at, agent, one, "averted", event.output))


def _over(
    world: World, at: float, agent: str, mode: FailureMode, outcome: PredictionOutcome, why: str
) -> tuple[AlertRaised, ...]:
    key = foreseen_key(agent, mode)
    if not is_told(world, key):
        return ()
    title = ENDS[outcome].format(agent=agent, will=MODES[mode].will)
    return (AlertRaised(at, key, "info", title, why, agent, None, resolved=True),)


def _alert(world: World, event: FailurePredicted, at: float) -> AlertRaised:
    eta_s, low_s, high_s = (max(0.0, event.at + eta - at) for eta in (event.eta_s, event.eta_low_s, event.eta_high_s))
    title = f"{event.agent} will {MODES[event.mode].will} in about {span_text(eta_s)}"
    between = f" (between {span_text(low_s)} and {span_text(high_s)})" if low_s < high_s else ""
    text = f"expected at {_time(at + eta_s)}{between}, {share_text(event.probability)} likely: {_seen(event)}"
    text += f". {_what_is_done(world, event)}"
    return AlertRaised(at, foreseen_key(event.agent, event.mode), "warning", title, text, event.agent, None)


def _seen(event: FailurePredicted) -> str:
    """What speaks for it, since when, and when it came before."""
    seen = "; ".join(f"{one.signal}: {one.what}" for one in event.contributions) or _amounts(event)
    since = f", since {_time(event.since)}" if event.since else ""
    return seen + since + (f"; it came before, in {event.case}" if event.case else "")


def _what_is_done(world: World, event: FailurePredicted) -> str:
    """What will be done, and when, by what is planned now; or why nothing is."""
    works = [one for one in world.foresight.work.values() if _is_for(one, event)]
    planned = next((one for one in reversed(works) if not one.over), None)
    if planned is not None:
        return f"Planned: {in_words(planned.planned)}"
    if foreseen_cause(event.mode) is None:
        return "Nothing is done by itself: a restart would not prevent it"
    if world.foresight.arms.get((event.agent, event.mode)) == "left":
        return "It is left to come, by chance: a restart ends it within seconds"
    if works and works[-1].planned.at >= event.since and (gone := given_up(works[-1])):
        return f"Planned was a {gone}"
    if not MODES[event.mode].restart_prevents:
        return "Nothing is planned: a restart would not prevent it"
    return f"Nothing is planned yet{_why_not(world.agents.get(event.agent), world)}"


def _why_not(agent: Agent | None, world: World) -> str:
    if world.paused or (agent is not None and agent.paused):
        return ": healing is paused"
    return ": it is a dry run" if world.dry_run else ""


def _is_for(work: Work, event: FailurePredicted) -> bool:
    return work.planned.agent == event.agent and work.planned.mode == event.mode


def _said(world: World, key: str) -> str:
    last = last_told(world, key)
    return last.text if last is not None else ""


def _amounts(event: FailurePredicted) -> str:
    """What an event of an earlier version can tell."""
    value, limit = (MODES[event.mode].amount(amount) for amount in (event.value, event.limit))
    return f"{event.signal} is {value} of {limit}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
