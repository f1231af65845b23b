"""A shared dependency is down for five minutes, and in the middle of it one agent fails for real: who is restarted?

Fifty agents of a simulated machine in virtual time, looked at each five seconds. Five ways of healing, each over the
same machine with the same seeds: restart after three failed checks; the same at most once in five minutes for each
agent; the same with three at once in the fleet and a pause between; the same but frozen where more than a fifth of the
fleet fails; and the whole daemon. The real failure is of three kinds: a process that dies, one that is stopped, and one
that answers wrong all by itself, which nobody can tell from the outage while that lasts. Then the same with a
dependency whose own check lies: it says well while nobody can use it, and it says down while all can.
"""

from __future__ import annotations

import asyncio
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path
from random import Random
from statistics import fmean, median
from typing import Literal, Protocol

from benchmarks.report import Goal, print_goals, print_table, run, save
from selfheal.agents import AGENT_KINDS
from selfheal.config.load import Overrides, load
from selfheal.events import AgentStarted, Event
from selfheal.recover import FIXES
from selfheal.rehearse.machine import Program, SimulatedLauncher, SimulatedMachine, SimulatedProcess
from selfheal.rehearse.outside import NoViews, Silent, outside
from selfheal.rehearse.virtual import VirtualClock, VirtualLoop, in_virtual_time
from selfheal.telemetry.redact import Redactor
from selfheal.world import World

AGENTS = tuple(f"a{number}" for number in range(50))
DEPENDENCY = "db"
CHECK_S, START_S = 5.0, 2.0
# The story, in seconds: all is well, then the outage; the real failure comes while it lasts.
OUTAGE_S, OUTAGE_LASTS_S, END_S = 60.0, 300.0, 960.0
FLEET = f"""
[agents.{DEPENDENCY}]
kind = "service"
checks = [{{ sim = "it answers", interval = 5, timeout = 2, fall = 3, rise = 2 }}]
""" + "".join(
    f"""
[agents.{name}]
command = "{name}"
depends_on = ["{DEPENDENCY}"]
checks = [{{ sim = "it answers", interval = 5, timeout = 2, fall = 3, rise = 2 }}]
"""
    for name in AGENTS
)

Kind = Literal["dies", "hangs", "answers wrong"]
Signals = Literal["right", "says well", "says down"]
KINDS: tuple[Kind, ...] = ("dies", "hangs", "answers wrong")
SIGNALS: tuple[Signals, ...] = ("right", "says well", "says down")


class Machine(SimulatedMachine):
    """A machine on which a restart ends what is wrong with an agent itself."""

    def __init__(self, loop: VirtualLoop, clock: VirtualClock, programs: Mapping[str, Program]) -> None:
        super().__init__(loop, clock, programs)
        self.wrong: set[str] = set()

    def begin(self, agent: str, generation: int, parent: SimulatedLauncher) -> SimulatedProcess:
        if agent in self.wrong:
            self.outages.pop(agent, None)
        return super().begin(agent, generation, parent)


@dataclass
class Seen:
    """What an observer saw who asks each agent itself every half second."""

    restarts: list[str] = field(default_factory=list)
    away_s: float = 0.0
    healed_s: float = inf


class Healing(Protocol):
    """A way of healing: it runs beside the story until it is cancelled, and says whom it restarts."""

    def __call__(self, machine: Machine, clock: VirtualClock, chance: Random, restarted: Callable[[str], None]
                 ) -> asyncio.Task[None]: ...  # fmt: skip


# --- the other ways ---


@dataclass
class Simple:
    """Restart an agent after three failed checks in a row, if `may` says so."""

    may: Callable[[Simple, str, float], bool]
    failing: dict[str, int] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    busy: int = 0
    acted: float = -inf

    async def watch(
        self, machine: Machine, clock: VirtualClock, chance: Random, restarted: Callable[[str], None]
    ) -> None:
        launcher = machine.launcher()
        for name in AGENTS:
            machine.begin(name, 1, launcher)
        async with asyncio.TaskGroup() as group:
            for name in AGENTS:
                group.create_task(self._look(name, machine, clock, chance.random() * CHECK_S, launcher, restarted))

    async def _look(
        self,
        name: str,
        machine: Machine,
        clock: VirtualClock,
        first_s: float,
        launcher: SimulatedLauncher,
        restarted: Callable[[str], None],
    ) -> None:
        await clock.sleep(first_s)
        generation = 1
        while True:
            self.failing[name] = self.failing.get(name, 0) + 1 if machine.answers(name) is not None else 0
            if self.failing[name] >= 3 and self.may(self, name, clock.monotonic()):
                generation += 1
                self.busy += 1
                restarted(name)
                machine.kill(name)
                machine.begin(name, generation, launcher)
                self.failing[name], self.last[name] = 0, clock.monotonic()
                await clock.sleep(START_S)
                self.busy -= 1
                self.acted = clock.monotonic()
            await clock.sleep(CHECK_S)

    @property
    def failing_share(self) -> float:
        return sum(count > 0 for count in self.failing.values()) / len(AGENTS)


def simple(may: Callable[[Simple, str, float], bool]) -> Callable[[], Healing]:
    """A way of healing that is nothing but a rule."""

    def begin(machine: Machine, clock: VirtualClock, chance: Random, restarted: Callable[[str], None]
              ) -> asyncio.Task[None]:  # fmt: skip
        return asyncio.get_running_loop().create_task(Simple(may).watch(machine, clock, chance, restarted))

    return lambda: begin


# --- selfheal ---


def selfheal() -> Healing:
    """The whole daemon over the machine."""

    def begin(machine: Machine, clock: VirtualClock, chance: Random, restarted: Callable[[str], None]
              ) -> asyncio.Task[None]:  # fmt: skip
        def told(_: World, event: Event) -> None:
            if isinstance(event, AgentStarted) and event.reason != "first":
                restarted(event.agent)

        async def live() -> None:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "selfheal.toml"
                file.write_text(FLEET)
                ports = outside(machine, machine.launcher(), clock, chance)
                loaded = load(
                    file, {}, Overrides(state_dir=Path(folder) / "state"),
                    {kind.name: kind.model for kind in AGENT_KINDS}, {kind.name: kind.model for kind in ports.checks},
                    fix_models={fix.name: fix.settings for fix in FIXES},
                )  # fmt: skip
                (Path(folder) / "state").mkdir()
                daemon = NoViews(loaded, ports, Redactor(), Silent(), narrator=told)
                try:
                    await daemon.run()
                finally:
                    daemon.journal.close()

        return asyncio.get_running_loop().create_task(live())

    return begin


POLICIES: dict[str, Callable[[], Healing]] = {
    "restart after three failures": simple(lambda own, name, now: True),
    "… once in five minutes an agent": simple(lambda own, name, now: now - own.last.get(name, -inf) >= 300.0),
    "… three at once, then a pause": simple(lambda own, name, now: own.busy < 3 and now - own.acted >= 10.0),
    "… frozen above a fifth": simple(lambda own, name, now: own.failing_share <= 0.2),
    "selfheal": selfheal,
}


# --- the story ---


async def story(policy: str, kind: Kind, signals: Signals, seed: int, loop: VirtualLoop) -> Seen:
    clock, chance = VirtualClock(loop), Random(seed)
    needs = (DEPENDENCY,) if signals == "right" else ()
    programs = {name: Program(starts_in_s=START_S, needs=needs) for name in AGENTS}
    machine = Machine(loop, clock, {DEPENDENCY: Program(remote=True), **programs})
    seen = Seen()
    victim = chance.choice(AGENTS)
    healing = POLICIES[policy]()(machine, clock, chance, seen.restarts.append)
    observer = loop.create_task(_observe(machine, clock, victim, seen))
    await clock.sleep(OUTAGE_S)
    _let_it_fail(machine, signals)
    await clock.sleep(OUTAGE_LASTS_S * chance.uniform(0.3, 0.6))
    failed_at = clock.monotonic()
    _let_one_fail(machine, victim, kind)
    healed = loop.create_task(_healed(machine, clock, victim, failed_at, seen))
    await clock.sleep(OUTAGE_S + OUTAGE_LASTS_S - clock.monotonic())
    for name in (*AGENTS, DEPENDENCY):
        if name not in machine.wrong:
            machine.outages.pop(name, None)
    await clock.sleep(END_S - clock.monotonic())
    for task in (healing, observer, healed):
        task.cancel()
    await asyncio.wait({healing, observer, healed})
    # One restart of the victim after its failure is what it needed.
    if victim in seen.restarts and seen.healed_s < inf:
        seen.restarts.remove(victim)
    return seen


def _let_it_fail(machine: Machine, signals: Signals) -> None:
    """The outage: of the dependency as it says itself, of all who use it, or of both."""
    if signals != "says well":
        machine.outages[DEPENDENCY] = "down"
    if signals == "says well":
        machine.outages.update(dict.fromkeys(AGENTS, "no database"))


def _let_one_fail(machine: Machine, victim: str, kind: Kind) -> None:
    match kind:
        case "dies":
            machine.kill(victim)
        case "hangs":
            machine.hang(victim)
        case "answers wrong":
            machine.wrong.add(victim)
            machine.outages[victim] = "wrong by itself"


async def _observe(machine: Machine, clock: VirtualClock, victim: str, seen: Seen) -> None:
    """How long agents were away that had nothing of their own: their process gone, or beginning."""
    await clock.sleep(OUTAGE_S / 2)
    while True:
        own = (name for name in AGENTS if name != victim)
        seen.away_s += 0.5 * sum(machine.ails(name) in ("connection refused", "hung") for name in own)
        await clock.sleep(0.5)


async def _healed(machine: Machine, clock: VirtualClock, victim: str, failed_at: float, seen: Seen) -> None:
    await clock.sleep(0.05)
    while machine.ails(victim) not in (None, "no database"):
        await clock.sleep(0.05)
    seen.healed_s = clock.monotonic() - failed_at


def tell(policy: str, kind: Kind, signals: Signals, seed: int) -> Seen:
    loop = VirtualLoop()
    return in_virtual_time(story(policy, kind, signals, seed, loop), loop)


# --- the report ---


@dataclass(frozen=True)
class Figures:
    """What came of one way of healing: restarts that nobody needed, and how soon the real failure was over."""

    needless: float
    most: int
    away_s: float
    healed_s: float
    worst_s: float


def measure(policy: str, kind: Kind, signals: Signals, seeds: int, pool: ProcessPoolExecutor) -> Figures:
    every = list(pool.map(partial(tell, policy, kind, signals), range(seeds)))
    needless = [len(one.restarts) for one in every]
    healed = [one.healed_s for one in every]
    return Figures(
        fmean(needless), max(needless), fmean(one.away_s for one in every), median(healed), max(healed)
    )  # fmt: skip


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--policies", nargs="+", choices=POLICIES, default=list(POLICIES))
    arguments = parser.parse_args()
    kept: dict[str, object] = {}
    goals: list[Goal] = []
    with ProcessPoolExecutor(2) as pool:
        for signals in SIGNALS:
            for kind in KINDS:
                found = {name: measure(name, kind, signals, arguments.seeds, pool) for name in arguments.policies}
                _show(signals, kind, found)
                kept[f"dependency {signals}, one {kind}"] = {name: vars(one) for name, one in found.items()}
                if "selfheal" in found:
                    goals += _goals(signals, kind, found["selfheal"])
    print_goals(goals)
    save("storm", {"agents": len(AGENTS), "outage_s": OUTAGE_LASTS_S, "seeds": arguments.seeds}, kept, goals)


_OUTAGES = {
    "right": "the dependency is down and says so",
    "says well": "the dependency is down and says it is well",
    "says down": "the dependency is well and says it is down",
}


def _show(signals: Signals, kind: Kind, found: dict[str, Figures]) -> None:
    head = ("", "needless restarts", "most", "downtime by them, agent-s", "real one healed, s", "worst, s")
    rows: list[Sequence[str | float | int]] = [
        (name, one.needless, one.most, one.away_s, one.healed_s, one.worst_s) for name, one in found.items()
    ]
    print_table(f"{_OUTAGES[signals]}, and one agent {kind}", head, rows)


def _goals(signals: Signals, kind: Kind, one: Figures) -> list[Goal]:
    """What only the agent's answers tell is held back by design while its dependency is said to be down."""
    where = f"dependency {signals}, one {kind}"
    budget = 0.0 if signals != "says well" else 3.0
    goals = [Goal(f"needless restarts, {where}", float(one.most), budget, "")]
    return goals if kind == "answers wrong" else [*goals, Goal(f"real one healed, {where}", one.worst_s, 16.0, "s")]


if __name__ == "__main__":
    run(main)
