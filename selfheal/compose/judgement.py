"""What do the pure decisions need, and where do they get it? Rules and policies of the configuration in force."""

from __future__ import annotations

from operator import is_
from random import Random

from selfheal.compose.fleet import Fleet
from selfheal.config.healing import ALL_FIXES
from selfheal.config.models import process_of
from selfheal.decide.ahead import Chosen, choose_ahead, next_act
from selfheal.decide.choice import PRIOR_WEIGHT, Belief, prior
from selfheal.decide.guard import Rules
from selfheal.decide.incident import Healing, next_step
from selfheal.decide.reflex import ReflexRules, reflex
from selfheal.diagnose.look import look
from selfheal.diagnose.signatures import Signatures
from selfheal.diagnose.similar import Past, remembered
from selfheal.diagnose.telling import telling
from selfheal.diagnose.verdict import diagnose, heard
from selfheal.events import Verified
from selfheal.gateway.wire import Terms
from selfheal.kinds import Fix
from selfheal.learn.decisions import decisions
from selfheal.learn.odds import Counts, posterior
from selfheal.learn.policy import trusts
from selfheal.learn.pools import Pools
from selfheal.learn.precision import precisions
from selfheal.learn.strategies import Lessons
from selfheal.learn.waits import Waits, settle_s
from selfheal.ledger import Ledger
from selfheal.plans import Clues, Diagnosis, Ending, Reflex, Step
from selfheal.signatures import shipped
from selfheal.verify import SETTLE_S, first_good_at, verify
from selfheal.vitals import Vitals
from selfheal.vocabulary import Mode, Policy
from selfheal.world import Agent, Incident, Odds, World


class Judgement:
    """The decisions, with all that they ask for bound to them."""

    def __init__(self, ledger: Ledger, vitals: Vitals, fleet: Fleet, chance: Random) -> None:
        self._ledger = ledger
        self._vitals = vitals
        self._fleet = fleet
        self._chance = chance
        self._pools = Pools()
        self._waits = Waits()
        self._past = Past()
        self._taught: tuple[object, ...] = (None,) * 4
        self._speaking = shipped()
        self._judged = -1
        self._terms: tuple[object, object, Terms] = (None, None, Terms())
        self._policy: Policy = "look_ahead"
        self._healing = self._as_configured()

    def renew(self) -> None:
        """Follow a configuration that has changed."""
        self._healing = self._as_configured()

    def reflex(self, agent: Agent, ending: Ending, now: float) -> Reflex:
        """A process has ended: what now?"""
        guard = self._fleet.config.guard
        rules = ReflexRules(guard.attempts_per_hour, guard.dry_run, self._ledger.world.paused)
        process = process_of(self._fleet.plans[agent.name].config)
        policy = process.restart if process is not None else "never"
        return reflex(agent, ending, policy, rules, now, self._chance)

    def diagnosis(self, world: World, incident: Incident, clues: Clues) -> Diagnosis:
        """Why did it happen, what did it look like, and when was that seen before?"""
        known = self.signatures(world)
        agent = world.agents.get(incident.agent, Agent(incident.agent))
        lines = heard(agent, incident, telling(clues.log))
        seen = look(world, incident, lines, (hit.signature.id for hit in known.hits(lines)))
        near = self._past.follow(world.knowledge.past).nearest(seen, incident.id)
        votes = [*remembered(near, incident)]
        return Diagnosis(diagnose(world, self._vitals, incident, clues, known, votes), seen, near)

    def signatures(self, world: World) -> Signatures:
        """The signatures that speak, each for as much as it has been worth."""
        known = world.knowledge
        taught = known.own, known.off, known.tallies, known.lent
        if not all(map(is_, taught, self._taught)):
            own = tuple(known.own.values())
            learned = precisions(world, (*shipped(), *own))
            self._taught, self._speaking = taught, Signatures.of(shipped(), own, learned, known.off)
        return self._speaking

    def next_step(self, world: World, incident: Incident, now: float) -> Step:
        """An incident is open, or work is planned: what comes next?"""
        work = world.foresight.work.get(incident.id)
        if work is not None:
            return next_act(world, self._vitals, work, incident, self._healing, now)
        return next_step(world, self._vitals, incident, self._healing, now)

    def ahead(self, world: World, case: Incident, now: float) -> Chosen | None:
        """A failure is foreseen, told as the case that work on it would be: what should be done before it?"""
        return choose_ahead(world, case, world.agents[case.agent], self._healing, now)

    def lessons(self, world: World, now: float) -> Lessons:
        """What `world` teaches, seen as the decisions see it; safe to ask in a thread."""
        return Lessons(world, now, self._prior, self._fleet.config.guard.verify + SETTLE_S)

    def terms(self, world: World) -> Terms:
        """What the lessons of `world` depend on besides it, for who draws them elsewhere; safe to ask in a thread."""
        odds, loaded, known = self._terms
        if odds is world.odds and loaded is self._fleet.loaded:
            return known
        loaded = self._fleet.loaded
        windows = tuple(window.model_dump_json().encode() for window in self._fleet.config.guard.maintenance)
        priors = tuple((*case, *self._prior(*case)) for case in world.odds)
        known = Terms(windows, priors, self._fleet.config.guard.verify + SETTLE_S)
        self._terms = world.odds, loaded, known
        return known

    def _prior(self, agent: str, cause: str, fix: str) -> Counts:
        plan = self._fleet.plans.get(agent)
        mean = prior(plan.fixes if plan is not None else (), fix, cause)
        return mean * PRIOR_WEIGHT, (1.0 - mean) * PRIOR_WEIGHT

    def _as_configured(self) -> Healing:
        guard, plans = self._fleet.config.guard, self._fleet.plans
        processes = {name: process_of(plan.config) for name, plan in plans.items()}
        rules = Rules(
            guard.max_concurrent_recoveries,
            guard.attempts_per_hour,
            guard.dry_run,
            guard.verify,
            {name: process.restart for name, process in processes.items() if process is not None},
            guard.acts_per_agent,
            guard.acts_per_fix,
            guard.acts_per_hour,
            guard.cooldown,
            guard.storm,
            guard.storm_floor,
            self._mode,
        )
        fixes = {name: plan.fixes for name, plan in plans.items()}
        return Healing(fixes, rules, self._success, self._verdict, first_good_at, self._rule)

    def _mode(self, agent: str, fix: Fix) -> Mode:
        """How far a fix may go on an agent: what is said of it there comes before what is said of all of them, and the
        agent's own word before the guard's.
        """
        guard, plan = self._fleet.config.guard, self._fleet.plans.get(agent)
        said = (plan.config.modes if plan is not None else {}, guard.modes)
        word = next((modes[key] for modes in said for key in (fix.name, ALL_FIXES) if key in modes), fix.mode)
        return "suggest" if guard.shadow and word in ("auto", "ask") else word

    def _success(self, agent: str, cause: str, fix: str, mean: float, weight: float) -> Belief:
        before, world = (mean * weight, (1.0 - mean) * weight), self._ledger.world
        known = posterior(self._pools.follow(world.odds), agent, cause, fix, before, now=world.at)
        seen = world.odds.get((agent, cause, fix), Odds()).faded(world.at)
        return Belief(known.mean, seen.took_s, seen.helped)

    def _rule(self) -> Policy:
        """By which rule fixes are chosen: the fixed order where what was chosen has provably lost time to it."""
        world = self._ledger.world
        if world.incidents_opened != self._judged:
            self._judged = world.incidents_opened
            self._policy = "look_ahead" if trusts(decisions(world.incidents.values())) else "ladder"
        return self._policy

    def _verdict(
        self, world: World, vitals: Vitals, incident: Incident, window_s: float, now: float
    ) -> Verified | float:
        """Did the latest attempt help? A fix that helps this agent soon, as a rule, is not waited for any longer."""
        attempt = incident.attempt
        wait_s = SETTLE_S
        if attempt is not None:
            self._waits.follow(world.odds)
            wait_s = settle_s(self._waits, attempt.agent, attempt.fix, SETTLE_S, now=now)
        found = verify(world, vitals, incident, window_s, now, wait_s)
        return found if isinstance(found, Verified) else found.until
