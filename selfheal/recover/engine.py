"""Who carries out what was decided?

The healer: for every open incident it asks for the next step and takes it, and so it does for planned work, when it is
told to attend to that. Every act passes one door, `_apply`: the
intent is recorded before the act (durable before one that cannot be repeated), the act has a deadline, one at a time
per incident, and its outcome is recorded whatever happens. Verification is the next step's affair.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace

from selfheal.clock import Clock
from selfheal.config.models import Section
from selfheal.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Attributed,
    BreakerTried,
    Diagnosed,
    Event,
    FixStarted,
    HealingPaused,
    Held,
    IncidentEscalated,
    IncidentResolved,
    IncidentSuppressed,
    Planned,
    UndoEnded,
    UndoStarted,
    WorkDone,
)
from selfheal.kinds import Fix, Hands, Target
from selfheal.ledger import Ledger
from selfheal.plans import (
    Ask,
    Attribute,
    Close,
    Clues,
    Diagnose,
    Diagnosis,
    Escalate,
    Hold,
    Judge,
    NextStep,
    Plan,
    Resolve,
    Rest,
    Step,
    Suggest,
    Suppress,
    Switch,
    Undo,
)
from selfheal.recover.applying import Answers, Applying
from selfheal.world import Incident, World

FindCauses = Callable[[World, Incident, Clues], Awaitable[Diagnosis]]
FindClues = Callable[[Incident], Awaitable[Clues]]
Told = Callable[[str, str], Section | None]
"""What a fix is told about an agent: takes the names of both."""
Spawn = Callable[[str, Coroutine[object, object, None]], object]
# One pass over an incident takes a handful of steps; more would be a circle in the decision.
STEPS_AT_MOST = 10


class Healer:
    """Takes the next step of every open incident, again and again."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        fixes: Mapping[str, Fix],
        hands: Hands,
        next_step: NextStep,
        causes: FindCauses,
        clues: FindClues,
        redact: Callable[[str], str],
        approval_timeout_s: Callable[[], float],
        spawn: Spawn,
        told: Told = lambda agent, fix: None,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._fixes = fixes
        self._hands = hands
        self._next_step = next_step
        self._causes = causes
        self._clues = clues
        self._redact = redact
        self._approval_timeout_s = approval_timeout_s
        self._spawn = spawn
        self._told = told
        self._answers = Answers({})
        self._under_way: dict[str, Applying] = {}

    def has_nothing_open(self) -> bool:
        """Whether there will be no step to take before an incident is opened."""
        return not self._ledger.world.open_incidents()

    async def heal(self) -> None:
        """Take all steps that can be taken now."""
        for incident in self._ledger.world.open_incidents():
            await self._take_steps(incident.id)
        self._heed_answers()

    async def attend(self, work: str) -> None:
        """Take all steps that can be taken now with planned work, which no incident stands for."""
        await self._take_steps(work)
        self._heed_answers()

    async def _take_steps(self, name: str) -> None:
        for _ in range(STEPS_AT_MOST):
            incident = self._ledger.world.case(name)
            if incident is None or incident.over:
                return
            self._expire_approval(incident)
            incident = self._ledger.world.case(name) or incident
            step = self._next_step(self._ledger.world, incident, self._clock.now())
            if not await self._take(incident, step):
                return

    async def _take(self, incident: Incident, step: Step) -> bool:
        """Take one step; returns whether there may be another at once."""
        now = self._clock.now()
        match step:
            case Rest():
                return False
            case Hold():
                self._hold(incident, step)
                return False
            case Undo(attempt=number):
                self._undo(incident, number)
                return False
            case Ask(plan=plan, until=until):
                self._planned(incident, plan)
                expires_at = until if until is not None else now + self._approval_timeout_s()
                await self._ledger.durable(ApprovalAsked(now, incident.id, plan.fix, plan.agent, expires_at))
                return False
            case Plan():
                self._planned(incident, step)
                await self._start(incident, step)
                return False
            case Diagnose():
                await self._diagnose(incident)
            case Suggest(plan=plan):
                self._planned(incident, plan, shadow=True)
            case Judge() | Switch() | Attribute() | Resolve() | Suppress() | Escalate() | Close():
                self._ledger.record(_event(incident, step, now))
        return True

    def _hold(self, incident: Incident, hold: Hold) -> None:
        """Write down why nothing is done, where that is news."""
        known = incident.hold
        if known is None or (known.code, known.reason) != (hold.code, hold.reason):
            held = Held(self._clock.now(), incident.id, hold.reason, hold.until, hold.code, hold.fix)
            self._ledger.record(held)

    def _expire_approval(self, incident: Incident) -> None:
        asked, now = incident.approval, self._clock.now()
        if asked is not None and asked.approved is None and now >= asked.expires_at:
            self._ledger.record(ApprovalAnswered(now, incident.id, approved=False, by="nobody in time"))

    async def _diagnose(self, incident: Incident) -> None:
        clues = await self._clues(incident)
        clues = replace(clues, log=tuple(map(self._redact, clues.log)))
        found = await self._causes(self._ledger.world, incident, clues)
        causes = found.causes
        if incident.causes and all(cause.slug == "unknown" for cause in causes):
            causes = incident.causes  # what is not seen any more was seen all the same
        if found.ranked is not None:
            self._ledger.record(found.ranked)
        if not (found.again and causes == incident.found):
            self._ledger.record(Diagnosed(self._clock.now(), incident.id, causes, found.look, found.similar))

    def _planned(self, incident: Incident, plan: Plan, *, shadow: bool = False) -> None:
        """Say what was decided; `shadow` says that nothing comes of it."""
        planned = Planned(
            self._clock.now(), incident.id, plan.fix, plan.agent, plan.reason, plan.alternatives,
            plan.policy, plan.ladder, shadow, plan.passed,
        )  # fmt: skip
        self._ledger.record(planned)

    async def _start(self, incident: Incident, plan: Plan) -> None:
        """Record the intent and let the act run on its own."""
        now = self._clock.now()
        fix = self._fixes[plan.fix]
        if plan.trial:
            self._ledger.record(BreakerTried(now, plan.agent, plan.fix))
        if plan.fix != "restart" and self._ledger.world.agents[plan.agent].breaker.state == "open":
            self._ledger.record(BreakerTried(now, plan.agent, "restart"))  # what starts it again is a trial of that too
        number = incident.attempt.number + 1 if incident.attempt else 1
        self._ledger.record(FixStarted(now, incident.id, number, fix.name, fix.layer, plan.agent, plan.cause))
        applying = self._applying(incident, number, fix, plan.agent, plan.cause)
        self._under_way[incident.id] = applying
        self._spawn(f"fix {fix.name} {plan.agent}", self._to_its_end(incident.id, applying.apply()))

    def _undo(self, incident: Incident, number: int) -> None:
        """Take back what an attempt did; a daemon that ended in the midst of it has left that to this one."""
        attempt = next((one for one in incident.attempts if one.number == number), None)
        if attempt is None or incident.id in self._under_way:
            return
        fix = self._fixes.get(attempt.fix)
        if attempt.undone is None:
            self._ledger.record(UndoStarted(self._clock.now(), incident.id, number))
        if fix is None:  # another configuration knows nothing of it
            gone = f"{attempt.fix} is no longer in the configuration"
            self._ledger.record(UndoEnded(self._clock.now(), incident.id, number, done=False, output=gone))
            return
        applying = self._applying(incident, number, fix, attempt.agent, attempt.cause)
        self._under_way[incident.id] = applying
        self._spawn(f"undo {fix.name} {attempt.agent}", self._to_its_end(incident.id, applying.undo()))

    def _applying(self, incident: Incident, number: int, fix: Fix, agent: str, cause: str) -> Applying:
        settings = self._told(agent, fix.name)
        ahead = incident.trigger == "foreseen"
        target = Target(agent, cause, self._dependents(agent), incident.id, settings, ahead)
        return Applying(
            self._ledger, self._clock, self._hands, self._ask, self._redact, incident.id, number, fix, target
        )

    async def _to_its_end(self, incident: str, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        finally:
            self._under_way.pop(incident, None)

    def heed(self, event: Event) -> None:
        """The kill switch holds in the midst of an attempt too: no act is begun, and one that may be cut short is."""
        if isinstance(event, HealingPaused):
            for applying in tuple(self._under_way.values()):
                if event.agent in (None, applying.agent):
                    applying.halt(f"healing was paused by {event.by}")

    async def _ask(self, name: str, fix: Fix, target: Target) -> str:
        """Ask a person about an act in the midst of a fix; returns who refused, empty where it is allowed."""
        now = self._clock.now()
        await self._ledger.durable(ApprovalAsked(now, name, fix.name, target.agent, now + self._approval_timeout_s()))
        await self._answers.wait(name)
        incident = self._ledger.world.case(name)
        answer = incident.approval if incident is not None else None
        if answer is not None and answer.approved:
            return ""
        return answer.by if answer is not None and answer.approved is False else "nobody: the incident is over"

    def _heed_answers(self) -> None:
        for name in tuple(self._answers.waiting):
            incident = self._ledger.world.case(name)
            if incident is None or incident.over or not incident.asking:
                self._answers.answered(name)

    def _dependents(self, agent: str) -> tuple[str, ...]:
        """Those who may be touched along with `agent`: nobody has stopped them, and nothing holds the healer back."""
        world = self._ledger.world
        return tuple(name for name in world.dependents(agent) if world.agents[name].touchable)


def _event(
    incident: Incident, step: Judge | Switch | Attribute | Resolve | Suppress | Escalate | Close, now: float
) -> Event:
    """The event that a step is, where it is nothing else."""
    match step:
        case Judge(verdict=verdict):
            return verdict
        case Switch(event=event):
            return event
        case Attribute(shares=shares):
            return Attributed(now, incident.id, shares)
        case Resolve(reason=reason, good_at=good_at):
            return IncidentResolved(now, incident.id, reason, max(0.0, good_at - incident.onset))
        case Suppress(reason=reason):
            return IncidentSuppressed(now, incident.id, reason)
        case Escalate(reason=reason):
            return IncidentEscalated(now, incident.id, reason)
        case Close(outcome=outcome, state=state, reason=reason):
            return WorkDone(now, incident.id, outcome, reason, state)
