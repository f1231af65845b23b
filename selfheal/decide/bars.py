"""Which fixes may not be applied to an agent, as things are? The next best is weighed instead.

Pure. Each bar has a code that is kept, and a reason that a person can read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from selfheal.causes import NOT_CURED_BY_RESTART
from selfheal.decide.guard import at_once
from selfheal.decide.matter import RESTARTS, Rules, failed_lately, of_its_own
from selfheal.events import Cause
from selfheal.kinds import Fix
from selfheal.vocabulary import DIRECT, NO_SECOND_SIGN, GuardCode, Tier
from selfheal.world import Agent, Incident, World
from selfheal.world.agents import HOUR_S

# How sure of a cause one has to be before a fix against it, by its tier. What breaks nothing may be tried on a guess.
SURE_ENOUGH: Mapping[Tier, float] = {0: 0.0, 1: 0.4, 2: 0.7, 3: 0.85}


@dataclass(frozen=True, slots=True)
class Bar:
    """Why a fix may not be applied, and until when where that is known."""

    code: GuardCode
    reason: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """What the bars look at: the incident as rules see it, and as a `whole`, with whom a ranking blames.

    `repeated` says until when what has failed is not repeated; `looping` that the agent ends again and again, so that
    its restarts are the reflex's affair.
    """

    world: World
    incident: Incident
    whole: Incident
    agent: Agent
    rules: Rules
    now: float
    repeated: Mapping[str, float]
    looping: bool


def bars(
    world: World, incident: Incident, agent: Agent, fixes: tuple[Fix, ...], rules: Rules, looping: bool, now: float
) -> Mapping[str, Bar]:
    """The fixes that are barred, by name, each by the first bar that it meets."""
    own = of_its_own(incident, fixes)
    bench = Bench(world, own, incident, agent, rules, now, failed_lately(world, own, agent.name, now), looping)
    met = {fix.name: next(filter(None, (bar(bench, fix) for bar in _BARS)), None) for fix in fixes}
    return {name: bar for name, bar in met.items() if bar is not None}


def confidence(incident: Incident, fix: Fix) -> float:
    """How likely the trouble is one that `fix` is meant for, by what the engine alone found too: a language model may
    doubt that, and never makes anybody surer of it.
    """
    return min(_meant(fix, causes) for causes in (incident.causes, incident.found or incident.causes))


def _meant(fix: Fix, causes: Iterable[Cause]) -> float:
    return sum(cause.probability for cause in causes if is_meant_for(fix, cause.slug))


def is_meant_for(fix: Fix, cause: str) -> bool:
    """Whether `fix` may be tried against a cause: what is as harmless as a restart against all that a restart can cure,
    and what a user listed for an agent against anything.
    """
    if cause in fix.causes or (fix.for_any_cause and (not fix.causes or fix.tier < 2)):
        return True
    return not fix.only_its_causes and fix.tier < 2 and cause not in NOT_CURED_BY_RESTART


def _mode(bench: Bench, fix: Fix) -> Bar | None:
    mode = bench.rules.mode(bench.agent.name, fix)
    if mode == "off":
        return Bar("mode", "it is turned off (mode = off)")
    if mode == "suggest" and fix.name in bench.incident.suggested:
        return Bar("mode", "it is only suggested (mode = suggest)")
    return None


def _policy(bench: Bench, fix: Fix) -> Bar | None:
    if fix.name not in RESTARTS:
        return None
    if bench.rules.policies.get(bench.agent.name) == "never":
        return Bar("policy", "restart = never: only a person may start it again")
    if fix.name != "restart_with_dependents":
        return None
    dependents = bench.world.dependents(bench.agent.name)
    if any(bench.rules.policies.get(name) == "never" for name in dependents):
        return Bar("policy", "restart = never holds for one of them")
    touched, limit = 1 + len(dependents), at_once(bench.world, bench.rules)
    if dependents and touched > limit:
        return Bar("concurrency", f"it restarts {touched} agents, and {limit} at once is the limit")
    return None


def _breaker(bench: Bench, fix: Fix) -> Bar | None:
    """A breaker that has opened lets nothing through before its time, also where its agent was well for a moment since,
    and then one trial alone.
    """
    breaker = bench.agent.breakers.get(fix.name)
    if breaker is None or breaker.state == "closed":
        return None
    if bench.now < breaker.retry_at:
        return Bar("breaker", f"its breaker is open: {breaker.why}", breaker.retry_at)
    if breaker.state == "half_open" and _on_trial(bench, fix):
        return Bar("breaker", "its breaker has let one trial through, which is not over")
    return None


def _on_trial(bench: Bench, fix: Fix) -> bool:
    """Whether an attempt is under way or still to be judged, which the breaker hears of then; what was cut short is
    judged by nobody, and has tried nothing.
    """
    attempts = (one for incident in bench.world.open_incidents() for one in incident.attempts)
    return any(
        (one.fix, one.agent) == (fix.name, bench.agent.name) and not one.verified and one.outcome != "interrupted"
        for one in attempts
    )


def _rejected(bench: Bench, fix: Fix) -> Bar | None:
    refused_by = bench.incident.refused.get((fix.name, bench.agent.name))
    return Bar("rejected", f"rejected by {refused_by}") if refused_by is not None else None


def _repeated(bench: Bench, fix: Fix) -> Bar | None:
    until = bench.repeated.get(fix.name)
    breaker = bench.agent.breakers.get(fix.name)
    if until is None or (breaker is not None and breaker.state == "open" and bench.now >= breaker.retry_at):
        return None  # a breaker that has waited long enough lets a trial through
    return Bar("repeated", "it has just failed against this", until)


def _looping(bench: Bench, fix: Fix) -> Bar | None:
    if not bench.looping or fix.name not in RESTARTS:
        return None
    return Bar("repeated", "it is started again by reflex, and ends again", bench.agent.delayed_until)


def _precondition(bench: Bench, fix: Fix) -> Bar | None:
    if fix.only_its_causes and bench.incident.cause not in fix.causes:
        return Bar("precondition", f"it is no help against {bench.incident.cause}")
    why = fix.unfit(bench.world, bench.agent)
    return Bar("precondition", why) if why else None


def _confidence(bench: Bench, fix: Fix) -> Bar | None:
    """The more a fix may break, the surer the cause has to be; where it may break data, by more than one sign."""
    judged = bench.incident if fix.tier < 2 else bench.whole  # a doubt is a doubt, where much may be broken
    sure, needed = confidence(judged, fix), SURE_ENOUGH[fix.tier]
    if sure < needed:
        return Bar(
            "confidence", f"what it helps against is {sure:.0%} likely, and {needed:.0%} is asked for what it risks"
        )
    if fix.tier == 3 and not any(_is_proven(bench.incident, fix, place) for place in range(len(bench.incident.causes))):
        return Bar("confidence", "a single sign speaks for what it helps against, and two are asked for what it risks")
    return None


def _is_proven(incident: Incident, fix: Fix, place: int) -> bool:
    cause = incident.causes[place]
    if not is_meant_for(fix, cause.slug):
        return False
    signs = set(cause.channels) - NO_SECOND_SIGN
    return len(signs) > 1 or not DIRECT.isdisjoint(signs)


def _fix_budget(bench: Bench, fix: Fix) -> Bar | None:
    limit = bench.rules.acts_per_fix
    recent = [one.at for one in bench.world.done if one.fix == fix.name and one.at > bench.now - HOUR_S]
    if not limit or len(recent) < limit:
        return None
    until = recent[-limit] + HOUR_S
    return Bar("fix_budget", f"it was applied {len(recent)} times within an hour, and {limit} is the limit", until)


_BARS: tuple[Callable[[Bench, Fix], Bar | None], ...] = (
    _mode, _policy, _breaker, _rejected, _precondition, _looping, _repeated, _confidence, _fix_budget,
)  # fmt: skip
