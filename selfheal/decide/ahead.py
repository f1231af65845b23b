"""Something will fail: what is done before that, and is now the time?

Pure. Planned work is a case of the same form as an incident, and passes the same bars and guards. Nothing has failed
yet, so there is time to ask a person, to wait for a guard, and to let one instance follow the other. What cannot be
done in time is given up, with the guard that held it as the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from selfheal.decide.bars import Bar, bars
from selfheal.decide.choice import choose, must_ask
from selfheal.decide.guard import PASSED, held, overspent
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
    """What is to be done, whether a person is asked, why this, and what else was weighed, the best first."""

    fix: Fix
    asks: bool
    reason: str
    backups: tuple[str, ...]
    alternatives: tuple[Alternative, ...]


def choose_ahead(world: World, case: Incident, agent: Agent, healing: Healing, now: float) -> Chosen | None:
    """Choose by what helps against the cause that is foreseen; None where nothing that may be applied does.

    A question costs nothing as long as there is time, so that it speaks against no fix here.
    """
    fixes = healing.fixes.get(agent.name, ())
    barred = bars(world, case, agent, fixes, healing.rules, False, now)
    choice = choose(world, case, agent, fixes, healing.success, healing.rules.verify_s, barred, lambda fix: False)
    if choice.plan is None:
        return None
    fix = next(one for one in fixes if one.name == choice.plan.fix)
    backups = tuple(_at_risk(world, agent)) if case.cause in RISKS_DATA else ()
    return Chosen(fix, _asks(case, fix, healing, agent), choice.plan.reason, backups, choice.alternatives)


def next_act(world: World, vitals: Vitals, work: Work, case: Incident, healing: Healing, now: float) -> Step:
    """Say what is to be done about planned work now, or until when nothing is."""
    attempt = case.attempt
    if attempt is not None and attempt.undone is False:
        return Undo(attempt.number)
    if work.over or case.acting:
        return Rest()
    if attempt is not None and not attempt.verified:
        verdict = _judged(world, vitals, case, attempt, healing, now)
        if verdict is not None:
            return Judge(verdict) if isinstance(verdict, Verified) else Rest(verdict)
    if attempt is not None and attempt.verified and attempt.outcome != "succeeded" and not _may_go_on(work, attempt):
        return _failed(attempt, healing)
    target = _next(work, case)
    if target is None:
        return Close("succeeded", "done", attempt.output if attempt is not None else "nothing was left to do")
    return _begin(world, vitals, work, case, healing, now, *target)


def until(world: World, work: Work) -> float:
    """By when work has to be begun, as the forecast is now: it may have moved since it was planned."""
    planned = work.planned
    foreseen = world.foresight.predictions.get((planned.agent, planned.mode)) if planned.mode is not None else None
    return latest_start(foreseen) if foreseen is not None else planned.until or planned.due_at


def _begin(
    world: World, vitals: Vitals, work: Work, case: Incident, healing: Healing, now: float, fix_name: str, name: str
) -> Step:
    agent, planned = world.agents.get(name), work.planned
    known = {one.name: one for one in healing.fixes.get(name, ())}
    fix = known.get(fix_name)
    if agent is None or (fix is None and fix_name != BACK_UP):
        return Close("rejected", "skipped", f"{fix_name} of {name} is no longer in the configuration")
    plan = Plan(fix_name, name, case.cause, planned.why, planned.alternatives, passed=PASSED)
    asking = _question(case, fix, healing, agent, plan, until(world, work), now) if fix is not None else None
    if asking is not None:
        return asking
    if now < min(planned.due_at, until(world, work)):
        return Rest(planned.due_at)
    if fix is not None and healing.rules.mode(name, fix) == "suggest":
        told = Close("rejected", "skipped", f"{fix_name} is only suggested (mode = suggest)")
        return told if fix_name in case.suggested else Suggest(plan)
    hold = _hold(world, vitals, case, healing, agent, fix, plan, now)
    if hold is None:
        return plan
    late = now >= until(world, work)
    return Close("rejected", "skipped", f"not done in time: {hold.reason}") if late else hold


def _question(
    case: Incident, fix: Fix, healing: Healing, agent: Agent, plan: Plan, latest: float, now: float
) -> Step | None:
    """Ask as soon as it is planned: a person has all the time that there is. None where nothing is asked any more."""
    refused_by = case.refused.get((fix.name, agent.name))
    if refused_by is not None:
        return Close("rejected", "skipped", f"{fix.name} was rejected by {refused_by}")
    if not _asks(case, fix, healing, agent) or (fix.name, agent.name) in case.allowed:
        return None
    asked = case.approval
    if asked is not None and asked.approved is None:
        return Rest(asked.expires_at)
    return Ask(plan, max(latest, now + AGAIN_S))


def _asks(case: Incident, fix: Fix, healing: Healing, agent: Agent) -> bool:
    return fix.tier >= ASKED_FROM_TIER or must_ask(case, fix, healing.rules.mode(agent.name, fix))


def _hold(
    world: World, vitals: Vitals, case: Incident, healing: Healing, agent: Agent, fix: Fix | None, plan: Plan,
    now: float,
) -> Hold | None:  # fmt: skip
    """Why it is not done now. First whether the agent is fit for it, then what holds every fix."""
    hold = _unfit(world, agent, plan.fix, now) or _rolling(world, agent, plan.fix, now)
    if hold is not None:
        return hold
    if fix is not None:
        bar = bars(world, case, agent, (fix,), healing.rules, False, now).get(fix.name)
        if bar is not None:
            return _as_hold(bar, fix.name, now)
    hold = held(world, vitals, case, plan, healing.rules, now)
    if hold is not None:
        return hold
    opened = overspent(agent, plan, healing.rules, now)
    return Hold(opened.why, opened.retry_at, "breaker", plan.fix) if opened is not None else None


def _as_hold(bar: Bar, fix: str, now: float) -> Hold:
    return Hold(f"{fix}: {bar.reason}", bar.until or now + AGAIN_S, bar.code, fix)


def _unfit(world: World, agent: Agent, fix: str, now: float) -> Hold | None:
    """Whether an agent may be worked on in peace: it is wanted and there, and nobody is healing it."""
    if not agent.wanted or (agent.has_process and agent.run is None):
        return Hold(f"{agent.name} does not run", now + AGAIN_S, "precondition", fix)
    incident = world.open_incident_of(agent.name)
    if incident is not None:
        return Hold(f"{agent.name} is in {incident.id}, which comes first", now + AGAIN_S, "duplicate", fix)
    return None


def _rolling(world: World, agent: Agent, fix: str, now: float) -> Hold | None:
    """Of several instances one at a time, and the next one only when the last is well again."""
    for other in siblings(world, agent.name):
        if other.down or other.fixing or world.open_incident_of(other.name) is not None:
            return Hold(f"{other.name} is not well, which would be alone", now + AGAIN_S, "rolling", fix)
        judged = (case for case in world.cases.values() if case.agent == other.name and not case.over)
        if any(case.attempts for case in judged):
            return Hold(f"{other.name} is worked on", now + AGAIN_S, "rolling", fix)
    return None


def siblings(world: World, name: str) -> tuple[Agent, ...]:
    """The other instances of an agent that shall run: name:0, name:1, …"""
    group, colon, _ = name.partition(":")
    found = (one for key, one in world.agents.items() if colon and key.startswith(f"{group}:") and key != name)
    return tuple(one for one in found if one.wanted)


def _at_risk(world: World, agent: Agent) -> Iterator[str]:
    """The data agents whose data suffer along: itself, and those that it depends on. Each has backups."""
    for name in (agent.name, *world.dependencies(agent.name)):
        if name in world.holdings and world.agents[name].layer == "data" and world.holdings[name].backup is not None:
            yield name


def _next(work: Work, case: Incident) -> tuple[str, str] | None:
    """The fix and the agent that are next; None where all is done."""
    done = {(one.fix, one.agent) for one in case.attempts if one.verified}
    planned = work.planned
    wanted = [*((BACK_UP, name) for name in planned.backups), (planned.action, planned.agent)]
    return next((one for one in wanted if one not in done), None)


def _judged(
    world: World, vitals: Vitals, case: Incident, attempt: Attempt, healing: Healing, now: float
) -> Verified | float | None:
    """The verdict on what was done: it has helped where the agent is well afterwards. None: it is to be done anew."""
    agent = world.agents.get(attempt.agent)
    if attempt.fix == BACK_UP or attempt.outcome not in (None, "succeeded", "interrupted"):
        outcome = attempt.outcome or "interrupted"
        return None if outcome == "interrupted" else Verified(now, case.id, attempt.number, outcome, attempt.output)
    began_anew = agent is not None and agent.run is not None and agent.run.started_at >= attempt.started_at
    if attempt.outcome == "interrupted" and not began_anew:
        return None
    if agent is not None and agent.maintenance_until is not None:
        return agent.maintenance_until  # nothing is known of it before that
    return healing.verify(world, vitals, case, healing.rules.verify_s, now)


def _may_go_on(work: Work, attempt: Attempt) -> bool:
    """What is harmless is done without a backup too, where none could be made: it is what makes room for one."""
    return attempt.fix == BACK_UP and not work.planned.asks


def _failed(attempt: Attempt, healing: Healing) -> Step:
    """It has not worked: take it back where that can be, and leave it at that."""
    fixes = healing.fixes.get(attempt.agent, ())
    if attempt.in_vain and attempt.undone is None and any(one.name == attempt.fix and one.undo for one in fixes):
        return Undo(attempt.number)
    if attempt.outcome == "rejected":
        return Close("rejected", "skipped", attempt.output)
    return Close(attempt.outcome or "failed", "failed", attempt.output or f"{attempt.fix} did not help")
