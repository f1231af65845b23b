"""Random schedules of trouble, persons and acts, over all that decides: the healer, the guards, the triage, the ledger.

No process, no check and no file: those have tests of their own, and ten thousand schedules have to take a minute. Time
is virtual, what is ready at the same moment runs in an order that the seed gives, and timers are a little late by it,
so that the same seed is the same schedule and another one another interleaving.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar, cast

from selfheal.causes import NOT_CURED_BY_RESTART
from selfheal.compose.control import FleetControl
from selfheal.decide.choice import Belief
from selfheal.decide.guard import Rules
from selfheal.decide.incident import Healing, next_step
from selfheal.detect.triage import triage
from selfheal.errors import FixFailed, SelfhealError
from selfheal.events import (
    ActStarted,
    AgentDeclared,
    AgentExited,
    AgentReady,
    AgentRemoved,
    AgentStarted,
    BreakerOpened,
    Cause,
    DaemonStarted,
    Event,
    FixEnded,
    FixStarted,
    HealthChanged,
    MaintenanceBegan,
    MaintenanceOver,
    Run,
    UndoStarted,
)
from selfheal.kinds import Act, Apply, Fix, Hands, Observation, Target
from selfheal.ledger import Ledger, replay
from selfheal.plans import Clues, Diagnosis, Step
from selfheal.recover.engine import Healer
from selfheal.rehearse.virtual import VirtualClock
from selfheal.verify import first_good_at, verify
from selfheal.vitals import CheckRecord, Vitals
from selfheal.vocabulary import Mode, Tier
from selfheal.world import EMPTY, Incident, World
from tests.sim.guard_rules import Begun, Known, Limits
from tests.sim.shuffled import ShuffledLoop, SlowJournal

T = TypeVar("T")

# Most are short, so that there are many; some are long enough for every budget to be spent.
STEPS = (5, 8, 8, 12, 30)
DEPENDS: dict[str, tuple[str, ...]] = {
    "db": (), "cache": (), "api": ("db",), "web": ("api", "cache"), "mail": ("cache",), "jobs": (), "feed": (),
    "site": (), "geo": (), "auth": (), "docs": (), "shop": ("db",),
}  # fmt: skip
CAUSES = ("hung", "wrong_answer", "crashed", "disk_full", "corrupted", "unknown")
RULES = Rules(
    max_concurrent_recoveries=2, attempts_per_hour=0, dry_run=False, verify_s=5.0, policies={},
    acts_per_agent=2, acts_per_fix=5, acts_per_hour=12, cooldown_s=30.0, storm_share=0.2, storm_floor=3,
)  # fmt: skip


@dataclass
class Schedule:
    """One schedule: the world as it goes, everything that happened, and the acts that really began."""

    loop: ShuffledLoop
    chance: Random
    trace: list[Event] = field(default_factory=list)
    begun: list[Begun] = field(default_factory=list)
    vitals: Vitals = field(default_factory=Vitals)
    running: set[asyncio.Task[Any]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.clock = VirtualClock(self.loop)
        self.fixes = {fix.name: fix for fix in self._catalogue()}
        every = list(self.fixes.values())
        self.fits = {name: tuple(self.chance.sample(every, self.chance.choice((1, 3, 9)))) for name in DEPENDS}
        self._boot(EMPTY)
        now = self.clock.now()
        self.ledger.record(DaemonStarted(now, "1", 1, False))
        for name in DEPENDS:
            self._begin(name, 1)
            if self.chance.random() < 0.3:  # it has a past
                fix, waits_s = self.chance.choice(list(self.fixes)), self.chance.choice((5.0, 90.0))
                self.ledger.record(BreakerOpened(now, name, fix, now + waits_s, "it did not help"))

    def limits(self) -> Limits:
        known = {
            name: Known(fix.tier, fix.mode, _meant(fix), any(act.stoppable for act in fix.acts))
            for name, fix in self.fixes.items()
        }
        return Limits(
            RULES.max_concurrent_recoveries, RULES.acts_per_agent, RULES.acts_per_fix, RULES.acts_per_hour,
            RULES.cooldown_s, RULES.storm_share, RULES.storm_floor, known,
        )  # fmt: skip

    # --- what is built ---

    def _boot(self, world: World) -> None:
        """A daemon, over what its journal holds."""
        self.journal = SlowJournal(clock=self.clock, chance=self.chance)
        self.journal.records = [b""] * world.events
        self.journal.synced = world.events
        self.ledger = Ledger(self.journal, world, world.events)
        healing = Healing(self.fits, RULES, _prior, _verdict, first_good_at)

        def step(world: World, incident: Incident, now: float) -> Step:
            return next_step(world, self.vitals, incident, healing, now)

        self.healer = Healer(
            self.ledger, self.clock, self.fixes, cast("Hands", None), step, self._causes, self._clues, str,
            lambda: self.chance.choice((5.0, 60.0, 900.0)), self._spawn,
        )  # fmt: skip
        none = cast("Any", None)
        self.control = FleetControl(self.ledger, self.clock, none, cast("Any", _Names()), none, none, str)
        self.ledger.subscribe(self._told)

    def _told(self, seq: int, event: Event) -> None:
        self.trace.append(event)
        self.ledger.record(*triage(self.ledger.world, event))
        self.healer.heed(event)

    def _spawn(self, name: str, work: Awaitable[None]) -> object:
        task = self.loop.create_task(cast("Any", work))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return task

    async def _clues(self, incident: Incident) -> Clues:
        await self.clock.sleep(self.chance.choice((0.0, 0.0, 0.05)))
        return Clues()

    async def _causes(self, world: World, incident: Incident, clues: Clues) -> Diagnosis:
        """A diagnosis that is sure, unsure or wrong, by one sign or two; or one that blames another agent."""
        await self.clock.sleep(self.chance.choice((0.0, 0.0, 0.05)))
        first, second = self.chance.sample(CAUSES, 2)
        sure = self.chance.choice((0.35, 0.6, 0.75, 0.9, 0.97))
        channels = self.chance.choice((("log",), ("check", "log"), ("kernel",)))
        where = self.chance.choice([incident.agent, incident.agent, *world.dependencies(incident.agent)])
        if where != incident.agent:
            first, channels = "dependency_down", ("ranking",)
        return Diagnosis(
            (
                Cause(first, sure, where, ("a sign",), cast("Any", channels)),
                Cause(second, 1.0 - sure, incident.agent, ("another",), ("log",)),
            )
        )

    def _catalogue(self) -> tuple[Fix, ...]:
        def fix(name: str, tier: Tier, mode: Mode, *causes: str, own: bool = False, undo: bool = False) -> Fix:
            acts = (
                Act("first", self._act(name, repeatable=not own), repeatable=not own, stoppable=own),
                *((Act("second", self._act(name, repeatable=True)),) if tier > 1 else ()),
            )
            back = Act("undo", self._act(name, repeatable=True)) if undo else None
            return Fix(
                name, "application", frozenset(causes), 2.0, 0.0, 40.0, acts, tier=tier, mode=mode,
                for_any_cause=own, undo=back,
            )  # fmt: skip

        return (
            fix("restart", 1, "auto", "hung", "crashed"),
            fix("mend", 1, "auto", "disk_full", own=True, undo=True),
            fix("reload", 0, "auto", "wrong_answer"),
            fix("roll_back", 2, "auto", "wrong_answer", "crashed", undo=True),
            fix("restore", 3, "auto", "corrupted"),
            fix("failover", 2, "ask", "hung", "crashed"),
            fix("call", 1, "ask", "corrupted", own=True),
            fix("purge", 1, "off", "disk_full", own=True),
            fix("shed", 1, "suggest", "hung", own=True),
        )

    def _act(self, name: str, *, repeatable: bool) -> Apply:
        async def apply(hands: Hands, target: Target) -> str:
            intent = max(i for i, event in enumerate(self.trace, 1) if _is_intent(event, target)) if self.trace else 0
            self.begun.append(Begun(name, repeatable, self.journal.synced, intent))
            await self.clock.sleep(self.chance.choice((0.0, 0.2, 3.0, 20.0, 90.0)))
            if self.chance.random() < 0.3:
                raise FixFailed("it did not work")
            if self.chance.random() < 0.6:
                self._answer(target.agent, ok=True)
                self._settle(target.agent, ok=True)
            return "done"

        return apply

    # --- what happens ---

    def _begin(self, name: str, generation: int) -> None:
        """An agent of the configuration is there, and runs."""
        now, checks = self.clock.now(), ("http", "process")
        declared = AgentDeclared(now, name, "process", "application", DEPENDS[name], checks, True, implicit=checks[1:])
        run = Run(100 + generation, generation, now, 1, "boot")
        self.ledger.record(declared, AgentStarted(now, name, run, "first"), AgentReady(now, name, generation, 0.1))
        self._answer(name, ok=True)

    def _answer(self, name: str, *, ok: bool, check: str = "http") -> None:
        now = self.clock.now()
        for one in {check, "http", "process"} if ok else {check}:
            last = Observation(name, one, now, 0.01, "ok" if ok else "failed")
            self.vitals.put(name, CheckRecord(one, ok, ok, 5, now, last))

    def _settle(self, name: str, *, ok: bool, check: str = "http", local: bool = False) -> None:
        agent, now = self.ledger.world.agents.get(name), self.clock.now()
        if agent is None:
            return
        for one in list(agent.failing) if ok else [check]:
            result = "ok" if ok else "failed"
            self.ledger.record(HealthChanged(now, name, one, ok, cast("Any", result), "it fails", now - 1.0, local))

    def fail(self, name: str) -> None:
        """A check of an agent settles on failure."""
        self._answer(name, ok=False)
        self._settle(name, ok=False)

    async def trouble(self) -> None:
        name = self.chance.choice(list(DEPENDS))
        match self.chance.randrange(8):
            case 0 | 1:
                self.fail(name)
            case 2:
                self._answer(name, ok=False, check="process")
                self._settle(name, ok=False, check="process", local=True)
            case 3:
                for one in self.chance.sample(list(DEPENDS), 7):
                    self.fail(one)
            case 4 | 5:
                self._answer(name, ok=True)
                self._settle(name, ok=True)
            case 6:
                self._die(name)
            case _:
                for one in DEPENDS:
                    self._answer(one, ok=True)
                    self._settle(one, ok=True)

    def _die(self, name: str) -> None:
        """A process that dies, and as a rule is started again by reflex."""
        agent, now = self.ledger.world.agents.get(name), self.clock.now()
        if agent is None or agent.run is None:
            return
        run = agent.run
        self.ledger.record(AgentExited(now, name, run.generation, run.pid, 1, None, 30.0, expected=False))
        if self.chance.random() < 0.7 and not self.ledger.world.paused and not agent.paused:
            again = Run(run.pid + 1, run.generation + 1, now, 1, "boot")
            self.ledger.record(AgentStarted(now, name, again, "reflex"), AgentReady(now, name, again.generation, 0.1))

    async def person(self) -> None:
        """Somebody says something; what is refused is refused."""
        chance, control = self.chance, self.control
        scope = chance.choice((None, *DEPENDS))
        waiting = [one.id for one in self.ledger.world.open_incidents() if one.asking]
        words: list[Callable[[], Awaitable[None]]] = [
            lambda: control.pause(scope, "ann"),
            lambda: control.resume(scope, "ann"),
            lambda: control.resume(None, "bob"),
        ]
        for incident in waiting:
            words += [lambda one=incident: control.approve(one, "ann"), lambda one=incident: control.reject(one, "bob")]  # type: ignore[misc]
        try:
            await chance.choice(words)()
        except SelfhealError:
            pass

    async def rivals(self) -> None:
        """Two persons decide about the same thing in the same moment, each in another way."""
        waiting = [one.id for one in self.ledger.world.open_incidents() if one.asking]
        if waiting:
            name = self.chance.choice(waiting)
            said = [self.control.reject(name, "ann"), self.control.approve(name, "bob")]
            self.chance.shuffle(said)
            await asyncio.gather(*said, return_exceptions=True)

    async def window(self) -> None:
        name, now = self.chance.choice(list(DEPENDS)), self.clock.now()
        known = self.ledger.world.agents.get(name)
        if known is None:
            return
        if known.maintenance_until is None:
            self.ledger.record(MaintenanceBegan(now, name, now + 60.0))
        else:
            self.ledger.record(MaintenanceOver(now, name))

    async def reload(self) -> None:
        name, now = self.chance.choice(list(DEPENDS)), self.clock.now()
        if name in self.ledger.world.agents:
            self.ledger.record(AgentRemoved(now, name))
            return
        self._begin(name, 9)

    async def crash(self) -> None:
        """The daemon dies, and the next one begins with what the journal holds."""
        for task in self.running:
            task.cancel()
        if self.running:
            await asyncio.wait(set(self.running))
        dead = len(self.trace)
        world = replay(self.trace[:dead])
        self._boot(world)
        now = self.clock.now()
        self.ledger.record(DaemonStarted(now, "1", 1, False))
        for incident in self.ledger.world.open_incidents():
            if incident.attempt is not None and incident.attempt.ended_at is None:
                self.ledger.record(
                    FixEnded(now, incident.id, incident.attempt.number, "interrupted", "the daemon ended")
                )

    async def run(self) -> None:
        """So many steps of everything, several at once; then what runs comes to its end."""
        for _ in range(self.chance.choice(STEPS)):
            todo: list[Callable[[], Awaitable[None]]] = [self.healer.heal]
            for likely, what in self._likely():
                if self.chance.random() < likely:
                    todo.append(what)
            self.chance.shuffle(todo)
            await asyncio.gather(*(what() for what in todo))
            if self.chance.random() < 0.02:
                await self.crash()
            await self.clock.sleep(self.chance.choice((0.01, 0.5, 1.0, 5.0, 31.0, 200.0)))
        if self.running:
            await asyncio.wait(set(self.running))

    def _likely(self) -> tuple[tuple[float, Callable[[], Awaitable[None]]], ...]:
        return (
            (0.6, self.trouble), (0.35, self.person), (0.2, self.rivals), (0.05, self.window), (0.04, self.reload),
        )  # fmt: skip


class _Names:
    """The part of a fleet that a person's word is checked against."""

    plans = DEPENDS


def _meant(fix: Fix) -> frozenset[str]:
    """The causes that a fix may be tried against, told again: what is harmless against all that a restart can cure."""
    every = (*CAUSES, "dependency_down")
    if fix.for_any_cause and fix.tier < 2:
        return frozenset(every)
    harmless = frozenset(every) - NOT_CURED_BY_RESTART if fix.tier < 2 else frozenset[str]()
    return fix.causes | harmless


def _is_intent(event: Event, target: Target) -> bool:
    return isinstance(event, FixStarted | ActStarted | UndoStarted) and event.incident == target.incident


def _prior(agent: str, cause: str, fix: str, mean: float, weight: float) -> Belief:
    return Belief(mean)


def _verdict(world: World, vitals: Vitals, incident: Incident, window_s: float, now: float) -> Any:  # noqa: ANN401 - either of two
    found = verify(world, vitals, incident, window_s, now)
    return getattr(found, "until", found)


def perform(seed: int) -> Schedule:
    """Run the schedule of this seed to its end."""

    async def story(one: Schedule) -> Schedule:
        await one.run()
        return one

    return asked(seed, story)


def asked(seed: int, story: Callable[[Schedule], Awaitable[T]]) -> T:
    """Let a story happen to a schedule of this seed."""
    chance = Random(seed)
    loop = ShuffledLoop(chance)
    try:
        return loop.run_until_complete(story(Schedule(loop, chance)))
    finally:
        loop.close()
