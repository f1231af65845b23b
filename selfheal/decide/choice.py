"""Which fix gets the agent well soonest?

Pure. What is believed of the causes, and of what helps against each, comes in; the fixes come out in the order of the
expected seconds to recovery, a failed try and what it teaches counted in (`decide.lookahead`). Where that has proved
worse than the fixed order, the fixed order is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from selfheal.causes import NOT_CURED_BY_RESTART
from selfheal.decide.bars import Bar, is_meant_for
from selfheal.decide.lookahead import Option, Worth, rank, updated
from selfheal.events import Alternative
from selfheal.kinds import Fix
from selfheal.plans import Plan
from selfheal.vocabulary import Policy
from selfheal.world import Agent, Attempt, Incident, World

# Priors, each worth a few observations: what people who run such fleets would bet.
PRIOR_WEIGHT = 4.0
PRIOR_MEANT_FOR_IT, PRIOR_RESTART, PRIOR_ANY, PRIOR_NO_CURE = 0.85, 0.8, 0.5, 0.08
# Whoever wrote a fix for just this cause has seen that the built-in ones do not do.
PRIOR_OUTDONE = 0.2
# Who is on call and awake answers in about this time. It puts whatever may be done at once first, but for what is as
# good as hopeless: a restart against a full disk is not tried before the fix that was written for that.
ASKING_S = 120.0
# Somebody who is woken at night is at work after so long. It is what all tries in vain lead to.
PAGING_S = 1800.0
TRIES_AT_MOST = 5
# How many observations the cost that a fix says of itself is worth, beside what it was seen to take.
COST_WEIGHT = 4.0


@dataclass(frozen=True, slots=True)
class Belief:
    """What is known of a fix against a cause on an agent: the chance that it helps, how soon it did, and how often it
    was `seen` to be tried.
    """

    helps: float
    took_s: float = 0.0
    seen: float = 0.0


# (agent, cause, fix, prior mean, prior weight) -> what is believed.
Success = Callable[[str, str, str, float, float], Belief]


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
    barred: Mapping[str, Bar],
    asks: Callable[[Fix], bool],
    policy: Policy = "look_ahead",
) -> Choice:
    """Weigh `fixes`, all that fit `agent`, against what the causes of `incident` may be.

    `barred` are those that may not be applied, and why, and `asks` says for which a person is asked first. With the
    policy `ladder` the fixed order decides.
    """
    outdone = any(_written_for(fix, incident.cause) for fix in fixes)
    weighing = _Weighing(world, incident, agent, success, verify_s, outdone, asks)
    options = {fix.name: weighing.option(fix) for fix in fixes}
    belief = updated(causes_of(incident), [options[name].helps for name in _failed(incident, agent, options)])
    free = [options[fix.name] for fix in fixes if fix.name not in barred]
    left = max(1, TRIES_AT_MOST - sum(one.in_vain for one in incident.attempts))
    worth = rank(free, belief, tries=left, paging_s=PAGING_S, draw=_draw(incident))
    ladder = by_ladder([fix for fix in fixes if fix.name not in barred])
    if policy == "ladder":
        worth = tuple(sorted(worth, key=lambda one: ladder.index(one.fix)))
    told = [
        *(_free(one, options[one.fix]) for one in worth),
        *(_barred(options[name], belief, bar) for name, bar in barred.items() if name in options),
    ]
    if not worth:
        return Choice(
            None, tuple(told), min((bar.until for bar in barred.values() if bar.until is not None), default=None)
        )
    best = worth[0]
    reason, trial = _reason(incident, fixes, best), _is_trial(agent, best.fix)
    plan = Plan(best.fix, agent.name, incident.cause, reason, tuple(told), trial, policy, ladder[0])
    return Choice(plan, tuple(told))


def by_ladder(fixes: Sequence[Fix]) -> list[str]:
    """The fixed order: what risks least first, among equals as they are listed."""
    return [fix.name for fix in sorted(fixes, key=lambda fix: fix.tier)]


def prior(fixes: Sequence[Fix], name: str, cause: str) -> float:
    """How likely a fix is to help against a cause before anything was seen, among all that fit an agent; even where it
    is none of them.
    """
    fix = next((one for one in fixes if one.name == name), None)
    return PRIOR_ANY if fix is None else _prior(fix, cause, any(_written_for(one, cause) for one in fixes))


def must_ask(incident: Incident, fix: Fix, mode: str) -> bool:
    """Whether a person has to allow it: because that is its mode, or since it was interrupted in an act that may not be
    repeated, and nobody knows how far that came.
    """
    return mode == "ask" or amid(incident, fix) is not None


def amid(incident: Incident, fix: Fix) -> Attempt | None:
    """The attempt of a fix that was interrupted where it may not be repeated; None where there is none."""
    attempts = (one for one in reversed(incident.attempts) if one.fix == fix.name)
    latest = next(attempts, None)
    stuck = latest is not None and latest.outcome == "interrupted" and not fix.repeats(latest.act)
    return latest if stuck else None


@dataclass(frozen=True, slots=True)
class _Weighing:
    world: World
    incident: Incident
    agent: Agent
    success: Success
    verify_s: float
    outdone: bool
    asks: Callable[[Fix], bool]

    def option(self, fix: Fix) -> Option:
        """What `fix` costs and what it helps against."""
        slugs = dict.fromkeys(cause.slug for cause in self.incident.causes) or {"unknown": None}
        known = {slug: self._believed(fix, slug) for slug in slugs}
        return Option(
            fix.name, self._cost_s(fix, known[self.incident.cause]), {slug: one.helps for slug, one in known.items()}
        )

    def _believed(self, fix: Fix, cause: str) -> Belief:
        return self.success(self.agent.name, cause, fix.name, _prior(fix, cause, self.outdone), PRIOR_WEIGHT)

    def _cost_s(self, fix: Fix, believed: Belief) -> float:
        """What it takes and risks, in seconds, whether or not it helps."""
        touched = 1 + (len(self.world.dependents(self.agent.name)) if fix.name == "restart_with_dependents" else 0)
        said_s = fix.cost_s * touched
        cost_s = (said_s * COST_WEIGHT + believed.took_s * believed.seen) / (COST_WEIGHT + believed.seen)
        waits_s = ASKING_S if self.asks(fix) and not self._approved(fix) else 0.0
        return cost_s + fix.risk_s + self.verify_s + waits_s

    def _approved(self, fix: Fix) -> bool:
        answer = self.incident.approval
        return answer is not None and (answer.fix, answer.agent, answer.approved) == (fix.name, self.agent.name, True)


def _prior(fix: Fix, cause: str, outdone: bool) -> float:
    """`outdone` says that the user wrote a fix for the likeliest cause."""
    if cause in fix.causes and (fix.for_any_cause or not outdone):
        return PRIOR_MEANT_FOR_IT
    if fix.for_any_cause:
        return PRIOR_ANY
    if cause in NOT_CURED_BY_RESTART or not is_meant_for(fix, cause):
        return PRIOR_NO_CURE
    if outdone:
        return PRIOR_OUTDONE
    return PRIOR_ANY if fix.causes else PRIOR_RESTART


def _written_for(fix: Fix, cause: str) -> bool:
    return fix.for_any_cause and cause in fix.causes and fix.mode != "ask"  # what must ask first is no faster


def causes_of(incident: Incident) -> Mapping[str, float]:
    """The probability of each cause, wherever it is."""
    belief: dict[str, float] = {}
    for cause in incident.causes:
        belief[cause.slug] = belief.get(cause.slug, 0.0) + cause.probability
    return belief or {"unknown": 1.0}


def _failed(incident: Incident, agent: Agent, options: Mapping[str, Option]) -> list[str]:
    """The fixes that failed on the agent in this incident, as often as they did: each says something of the cause."""
    return [one.fix for one in incident.attempts if one.in_vain and one.agent == agent.name and one.fix in options]


def _draw(incident: Incident) -> float:
    """A number in [0, 1) that is the same however often one asks, and another one after each attempt."""
    return crc32(f"{incident.id}/{len(incident.attempts)}".encode()) / 2**32


def _free(worth: Worth, option: Option) -> Alternative:
    return Alternative(worth.fix, worth.helps, worth.value_s, propensity=worth.propensity, cost_s=option.cost_s)


def _barred(option: Option, belief: Mapping[str, float], bar: Bar) -> Alternative:
    """What is barred is told with what it would be worth as the only try."""
    helps = sum(share * option.helps.get(cause, 0.0) for cause, share in belief.items())
    return Alternative(
        option.fix, helps, option.cost_s + (1.0 - helps) * PAGING_S, bar.reason, bar.code, cost_s=option.cost_s
    )


def _reason(incident: Incident, fixes: Sequence[Fix], best: Worth) -> str:
    reason = f"it helps in {best.helps:.0%}"
    if incident.cause != "unknown":
        reason += f" where the cause is most likely {incident.cause}"
    if any(fix.name == best.fix and amid(incident, fix) is not None for fix in fixes):
        reason += "; it was interrupted, nobody knows how far it came, and it may do harm when it is done twice"
    return reason


def _is_trial(agent: Agent, fix: str) -> bool:
    breaker = agent.breakers.get(fix)
    return breaker is not None and breaker.state == "open"
