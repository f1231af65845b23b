"""Something will fail: what is done before that, and is now the time?

Pure. Planned work is a case of the same form as an incident, and passes the same bars and guards. Nothing has failed
yet, so there is time to ask a person, to wait for a guard, and to let one instance follow the other. What cannot be
done in time is given up, with the guard that held it as the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from selfheal.decide.bars import bars
from selfheal.decide.choice import choose, must_ask
from selfheal.decide.guard import PASSED, held, overspent, paused
from selfheal.decide.incident import Healing
from selfheal.events import Alternative, Verified
from selfheal.kinds import Fix
from selfheal.plans import Ask, Close, Hold, Judge, Plan, Rest, Step, Suggest, Undo
from selfheal.vitals import Vitals
from selfheal.world import Agent, Attempt, Incident, Work, World
from selfheal.world.foresight import latest_start

BACK_UP = "back_up"
# Nothing has failed: what may break more than a restart does is asked about, whatever its mode.
ASKED_FROM_TIER = 2
# What puts the data themselves at risk when it comes.
RISKS_DATA: frozenset[str] = frozenset({"disk_full", "corrupted", "torn_tail", "missing_data", "wal_grown"})
AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be done, whether a person is asked, or has to do it, why this, and what else was weighed, the best
    first.
    """

    fix: Fix
    asks: bool
    only_suggested: bool
    reason: str
    backups: tuple[str, ...]
    alternatives: tuple[Alternative, ...]


def choose_ahead(world: World, case: Incident, agent: Agent, healing: Healing, now: float) -> Chosen | None:
    """Choose by what helps against the cause that is foreseen; None where nothing that may be applied does.

    A question costs nothing as long as there is time, so that it speaks against no fix here. What is not said to help
    against that cause is not tried on who is well.
    """
    known = healing.fixes.get(agent.name, ())
    fixes = tuple(one for one in known if not one.causes or case.cause in one.causes)
    barred = bars(world, case, agent, fixes, healing.rules, False, now)
    choice = choose(world, case, agent, fixes, healing.success, healing.rules.verify_s, barred, lambda fix: False)
    if choice.plan is None:
        return None
    fix = next(one for one in fixes if one.name == choice.plan.fix)
    backups = tuple(_at_risk(world, agent)) if case.cause in RISKS_DATA else ()
    asks, only_suggested = _asks(case, fix, agent, healing), healing.rules.mode(agent.name, fix) == "suggest"
    return Chosen(fix, asks, only_suggested, choice.plan.reason, backups, choice.alternatives)


@dataclass(frozen=True, slots=True)
class _Desk:
    """Planned work, its case, and all that it is judged by at `now`."""

    world: World
    vitals: Vitals
    work: Work
    case: Incident
    healing: Healing
    now: float

    @property
    def until(self) -> float:
        """By when it has to be begun, as the forecast is now: it may have moved since the work was planned."""
        planned = self.work.planned
        if planned.mode is not None and (planned.agent, planned.mode) in self.world.foresight.predictions:
            return latest_start(self.world.foresight.predictions[planned.agent, planned.mode])
        return planned.until or planned.due_at


@dataclass(frozen=True, slots=True)
class _Next:
    """What is next: a fix on an agent. `fix` is None of a backup, which heals nothing and has no bars."""

    plan: Plan
    agent: Agent
    fix: Fix | None


def next_act(world: World, vitals: Vitals, work: Work, case: Incident, healing: Healing, now: float) -> Step:
    """Say what is to be done about planned work now, or until when nothing is."""
    desk, attempt = _Desk(world, vitals, work, case, healing, now), case.attempt
    if attempt is not None and attempt.undone is False:
        return Undo(attempt.number)
    if work.over or case.acting:
        return Rest()
    if attempt is not None and not attempt.verified:
        verdict = _judged(desk, attempt)
        if verdict is not None:
            return Judge(verdict) if isinstance(verdict, Verified) else Rest(verdict)
    if attempt is not None and attempt.verified and attempt.outcome != "succeeded" and not _may_go_on(work, attempt):
        return _failed(desk, attempt)
    target = _target(work, case)
    if target is None:
        return Close("succeeded", "done", attempt.output if attempt is not None else "nothing was left to do")
    found = _next(desk, *target)
    return found if isinstance(found, Close) else _begin(desk, found)


def siblings(world: World, name: str) -> tuple[Agent, ...]:
    """The other instances of an agent that shall run: name:0, name:1, …"""
    group, colon, _ = name.partition(":")
    found = (one for key, one in world.agents.items() if colon and key.startswith(f"{group}:") and key != name)
    return tuple(one for one in found if one.wanted)


# --- whether to begin ------------------------------------------------------------------------------------------------


def _target(work: Work, case: Incident) -> tuple[str, str] | None:
    """The fix and the agent that are next; None where all is done."""
    done = {(one.fix, one.agent) for one in case.attempts if one.verified}
    planned = work.planned
    wanted = [*((BACK_UP, name) for name in planned.backups), (planned.action, planned.agent)]
    return next((one for one in wanted if one not in done), None)


def _next(desk: _Desk, fix_name: str, name: str) -> _Next | Close:
    agent, planned = desk.world.agents.get(name), desk.work.planned
    fix = next((one for one in desk.healing.fixes.get(name, ()) if one.name == fix_name), None)
    if agent is None or (fix is None and fix_name != BACK_UP):
        return Close("rejected", "skipped", f"{fix_name} of {name} is no longer in the configuration")
    plan = Plan(fix_name, name, desk.case.cause, planned.why, planned.alternatives, passed=PASSED)
    return _Next(plan, agent, fix)


def _begin(desk: _Desk, wanted: _Next) -> Step:
    """Ask, wait, only say it, or do it; give it up where something holds it for too long."""
    asking = _question(desk, wanted)
    if asking is not None:
        return asking
    due_at = min(desk.work.planned.due_at, desk.until)
    if desk.now < due_at:
        return Rest(due_at)
    fix, name = wanted.fix, wanted.agent.name
    if fix is not None and desk.healing.rules.mode(name, fix) == "suggest":
        told = Close("rejected", "skipped", f"{fix.name} is only suggested (mode = suggest)")
        return told if fix.name in desk.case.suggested else Suggest(wanted.plan)
    hold = _hold(desk, wanted)
    if hold is None:
        return wanted.plan
    late = desk.now >= desk.until
    return Close("rejected", "skipped", f"not done in time: {hold.reason}") if late else hold


def _question(desk: _Desk, wanted: _Next) -> Step | None:
    """Ask as soon as it is planned: a person has all the time that there is. None where nothing is asked any more."""
    fix, agent, case = wanted.fix, wanted.agent, desk.case
    if fix is None:
        return None
    refused_by = case.refused.get((fix.name, agent.name))
    if refused_by is not None:
        return Close("rejected", "skipped", f"{fix.name} was rejected by {refused_by}")
    if not _asks(case, fix, agent, desk.healing) or (fix.name, agent.name) in case.allowed:
        return None
    asked = case.approval
    if asked is not None and asked.approved is None:
        return Rest(asked.expires_at)
    return Ask(wanted.plan, max(desk.until, desk.now + AGAIN_S))


def _asks(case: Incident, fix: Fix, agent: Agent, healing: Healing) -> bool:
    return fix.tier >= ASKED_FROM_TIER or must_ask(case, fix, healing.rules.mode(agent.name, fix))


def _hold(desk: _Desk, wanted: _Next) -> Hold | None:
    """Why it is not done now: first whether the agent is fit for it, then what holds every fix."""
    fix, agent, plan, rules = wanted.fix, wanted.agent, wanted.plan, desk.healing.rules
    hold = _unfit(desk, agent, plan.fix) or _rolling(desk, agent, plan.fix)
    if hold is not None:
        return hold
    bar = bars(desk.world, desk.case, agent, (fix,), rules, False, desk.now).get(fix.name) if fix is not None else None
    if bar is not None:
        return Hold(f"{plan.fix}: {bar.reason}", bar.until or desk.now + AGAIN_S, bar.code, plan.fix)
    hold = held(desk.world, desk.vitals, desk.case, plan, rules, desk.now)
    if hold is not None:
        return hold
    opened = overspent(agent, plan, rules, desk.now)
    return Hold(opened.why, opened.retry_at, "breaker", plan.fix) if opened is not None else None


def _unfit(desk: _Desk, agent: Agent, fix: str) -> Hold | None:
    """Whether an agent may be worked on in peace: it is wanted and there, and nobody is healing it."""
    if not agent.wanted or (agent.has_process and agent.run is None):
        return Hold(f"{agent.name} does not run", desk.now + AGAIN_S, "precondition", fix)
    incident = desk.world.open_incident_of(agent.name)
    if incident is not None:
        return Hold(f"{agent.name} is in {incident.id}, which comes first", desk.now + AGAIN_S, "duplicate", fix)
    return None


def _rolling(desk: _Desk, agent: Agent, fix: str) -> Hold | None:
    """Of several instances one at a time, and the next one only when the last is well again."""
    for other in siblings(desk.world, agent.name):
        if other.down or other.fixing or desk.world.open_incident_of(other.name) is not None:
            why = f"another instance, {other.name}, is not well"
            return Hold(why, desk.now + AGAIN_S, "rolling", fix)
        cases = (case for case in desk.world.cases.values() if case.agent == other.name and not case.over)
        if any(case.attempts for case in cases):
            return Hold(f"another instance, {other.name}, is worked on", desk.now + AGAIN_S, "rolling", fix)
    return None


def _at_risk(world: World, agent: Agent) -> Iterator[str]:
    """The data agents whose data suffer along: itself, and those that it depends on. Each has backups."""
    for name in (agent.name, *world.dependencies(agent.name)):
        known = world.agents.get(name)
        if known is not None and known.layer == "data" and name in world.holdings and world.holdings[name].backup:
            yield name


# --- what came of it -------------------------------------------------------------------------------------------------


def _judged(desk: _Desk, attempt: Attempt) -> Verified | float | None:
    """The verdict on what was done: it has helped where the agent is well afterwards. None: it is to be done anew."""
    agent = desk.world.agents.get(attempt.agent)
    if attempt.fix == BACK_UP or attempt.outcome not in (None, "succeeded", "interrupted"):
        outcome = attempt.outcome or "interrupted"
        said = Verified(desk.now, desk.case.id, attempt.number, outcome, attempt.output)
        return None if outcome == "interrupted" else said
    began_anew = agent is not None and agent.run is not None and agent.run.started_at >= attempt.started_at
    if attempt.outcome == "interrupted" and not began_anew:
        return None
    if agent is not None and agent.maintenance_until is not None:
        return agent.maintenance_until  # nothing is known of it before that
    return desk.healing.verify(desk.world, desk.vitals, desk.case, desk.healing.rules.verify_s, desk.now)


def _may_go_on(work: Work, attempt: Attempt) -> bool:
    """What is harmless is done without a backup too, where none could be made: it is what makes room for one."""
    return attempt.fix == BACK_UP and not work.planned.asks


def _failed(desk: _Desk, attempt: Attempt) -> Step:
    """It has not worked: take it back where that can be, once healing is not paused, and leave it at that."""
    fixes, agent = desk.healing.fixes.get(attempt.agent, ()), desk.world.agents.get(attempt.agent)
    if attempt.in_vain and attempt.undone is None and any(one.name == attempt.fix and one.undo for one in fixes):
        why = paused(desk.world, agent) if agent is not None else ""
        return Hold(why, None, "paused", attempt.fix) if why else Undo(attempt.number)
    if attempt.outcome == "rejected":
        return Close("rejected", "skipped", attempt.output)
    return Close(attempt.outcome or "failed", "failed", attempt.output or f"{attempt.fix} did not help")
