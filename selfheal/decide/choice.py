"""Which fix gets the agent well soonest?

Pure. For each fix that fits, the expected seconds to recovery are its cost, its risk and the verification, divided by
the chance that it helps, and the wait for a person where one must be asked first; that chance is what was learned for
(agent, cause, fix), starting from a prior. The smallest wins, among equals the one that was listed first; what failed
in this incident already comes after everything that did not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from selfheal.events import Alternative
from selfheal.kinds import Fix
from selfheal.plans import Plan
from selfheal.vocabulary import NOT_CURED_BY_RESTART
from selfheal.world import Agent, Attempt, Incident, World

# Priors, each worth a few observations: what people who run such fleets would bet.
PRIOR_WEIGHT = 4.0
PRIOR_MEANT_FOR_IT, PRIOR_RESTART, PRIOR_ANY, PRIOR_NO_CURE = 0.85, 0.8, 0.5, 0.08
# Whoever wrote a fix for just this cause has seen that the built-in ones do not do.
PRIOR_OUTDONE = 0.2
# Who is on call and awake answers in about this time. It puts whatever may be done at once first, but for what is as
# good as hopeless: a restart against a full disk (160 s) is not tried before the fix that was written for that.
ASKING_S = 120.0

# (agent, cause, fix, prior mean, prior weight) -> the chance that the fix helps.
Success = Callable[[str, str, str, float, float], float]


@dataclass(frozen=True, slots=True)
class Choice:
    """The best plan, or None with every alternative and why it was barred; `retry_at` is when one may be again."""

    plan: Plan | None
    alternatives: tuple[Alternative, ...]
    retry_at: float | None = None


def choose(
    world: World,
    incident: Incident,
    agent: Agent,
    fixes: tuple[Fix, ...],
    success: Success,
    verify_s: float,
    barred: Mapping[str, str],
    now: float,
) -> Choice:
    """Weigh `fixes`, all that fit `agent`, for the likeliest cause of `incident`.

    `barred` are those that the guard rules out, and why.
    """
    failed = failed_fixes(incident, agent.name)
    outdone = any(_written_for(fix, incident.cause) for fix in fixes)
    weighed = [_weigh(world, incident, agent, fix, outdone, success, verify_s, barred, now) for fix in fixes]
    ranked = sorted(weighed, key=lambda one: (bool(one.barred), failed.get(one.fix, 0), one.expected_s))
    if not ranked or ranked[0].barred:
        return Choice(None, tuple(ranked), _earliest(agent))
    best = ranked[0]
    trial = _open(agent, best.fix)
    cause = incident.cause
    chance = f"{best.success * 100:.0f} %"
    reason = f"expected to be well in {best.expected_s:.0f} s: {best.fix} helps against {cause} in {chance}"
    if any(fix.name == best.fix and amid(incident, fix) is not None for fix in fixes):
        reason += "; it was interrupted, nobody knows how far it came, and it may do harm when it is done twice"
    return Choice(Plan(best.fix, agent.name, cause, reason, tuple(ranked[1:]), trial), tuple(ranked))


def failed_fixes(incident: Incident, agent: str) -> Mapping[str, int]:
    """How often each fix failed on `agent` in this incident."""
    counts: dict[str, int] = {}
    for attempt in incident.attempts:
        if attempt.agent == agent and attempt.outcome not in (None, "succeeded", "interrupted"):
            counts[attempt.fix] = counts.get(attempt.fix, 0) + 1
    return counts


def must_ask(incident: Incident, fix: Fix) -> bool:
    """Whether a person has to allow it: because it says so, or since it was interrupted in an act that may not be
    repeated, and nobody knows how far that came.
    """
    return fix.mode == "ask" or amid(incident, fix) is not None


def amid(incident: Incident, fix: Fix) -> Attempt | None:
    """The attempt of a fix that was interrupted where it may not be repeated; None where there is none."""
    attempts = (one for one in reversed(incident.attempts) if one.fix == fix.name)
    latest = next(attempts, None)
    stuck = latest is not None and latest.outcome == "interrupted" and not fix.repeats(latest.act)
    return latest if stuck else None


def _weigh(
    world: World,
    incident: Incident,
    agent: Agent,
    fix: Fix,
    outdone: bool,
    success: Success,
    verify_s: float,
    barred: Mapping[str, str],
    now: float,
) -> Alternative:
    prior = _prior(fix, incident.cause, outdone)
    chance = max(0.01, success(agent.name, incident.cause, fix.name, prior, PRIOR_WEIGHT))
    dependents = len(world.dependents(agent.name)) if fix.name == "restart_with_dependents" else 0
    expected_s = (fix.cost_s * (1 + dependents) + fix.risk_s + verify_s) / chance
    if must_ask(incident, fix) and not _approved(incident, agent, fix):
        expected_s += ASKING_S
    return Alternative(fix.name, chance, expected_s, _bar(incident, agent, fix, dependents, barred, now))


def _prior(fix: Fix, cause: str, outdone: bool) -> float:
    """`outdone` says that the user wrote a fix for this very cause."""
    if cause in fix.causes and (fix.for_any_cause or not outdone):
        return PRIOR_MEANT_FOR_IT
    if fix.for_any_cause:
        return PRIOR_ANY
    if cause in NOT_CURED_BY_RESTART:
        return PRIOR_NO_CURE
    if outdone:
        return PRIOR_OUTDONE
    return PRIOR_ANY if fix.causes else PRIOR_RESTART


def _written_for(fix: Fix, cause: str) -> bool:
    return fix.for_any_cause and cause in fix.causes and fix.mode != "ask"  # what must ask first is no faster


def _bar(incident: Incident, agent: Agent, fix: Fix, dependents: int, barred: Mapping[str, str], now: float) -> str:
    breaker = agent.breakers.get(fix.name)
    if breaker is not None and breaker.state == "open" and now < breaker.retry_at:
        return f"its breaker is open: {breaker.why}"
    refused_by = incident.refused.get((fix.name, agent.name))
    if refused_by is not None:
        return f"rejected by {refused_by}"
    if fix.only_its_causes and incident.cause not in fix.causes:
        return f"it is no help against {incident.cause}"
    if fix.name == "restart_with_dependents" and not dependents:
        return "nothing depends on it"
    return barred.get(fix.name, "")


def _approved(incident: Incident, agent: Agent, fix: Fix) -> bool:
    answer = incident.approval
    return answer is not None and (answer.fix, answer.agent, answer.approved) == (fix.name, agent.name, True)


def _open(agent: Agent, fix: str) -> bool:
    breaker = agent.breakers.get(fix)
    return breaker is not None and breaker.state == "open"


def _earliest(agent: Agent) -> float | None:
    return min((breaker.retry_at for breaker in agent.breakers.values() if breaker.state == "open"), default=None)
