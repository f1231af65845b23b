"""A whole daemon over a simulated machine, for the tests in here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TypeVar

from selfheal.agents import AGENT_KINDS
from selfheal.config.load import Overrides, load
from selfheal.daemon import Daemon
from selfheal.events import Event, Unknown, decode, encode
from selfheal.kinds import Alert, NotifyFailed
from selfheal.ledger import replay
from selfheal.ports import Ports
from selfheal.recover import FIXES
from selfheal.rehearse.machine import Program, SimulatedLauncher, SimulatedMachine
from selfheal.rehearse.outside import NoViews, Silent, outside
from selfheal.rehearse.virtual import VirtualClock, VirtualLoop, in_virtual_time
from selfheal.telemetry.redact import Redactor
from selfheal.world import Agent, Incident, World

E = TypeVar("E", bound=Event)
T = TypeVar("T")

# What the checks and the guard take to see that an agent is well again, with room: nothing here is about speed.
SOON_S = 120.0


@dataclass
class Inbox:
    """A notifier that keeps what it is sent, while it is not `down`."""

    name: str = "inbox"
    one_by_one: bool = True
    alerts: list[Alert] = field(default_factory=list)
    down: bool = False

    async def send(self, alert: Alert, earlier: str) -> str:
        if self.down:
            raise NotifyFailed("cannot reach the inbox: it is down")
        self.alerts.append(alert)
        return ""


@dataclass
class Life:
    """One daemon from its start to its end."""

    daemon: Daemon
    launcher: SimulatedLauncher
    running: asyncio.Task[None]
    dead: bool = False


@dataclass
class Rehearsal:
    """A machine, the daemons that live on it one after the other, and everything that happened.

    `disk` is what the port of the disk answers, so that a test may let it fail.
    """

    state_dir: Path
    machine: SimulatedMachine
    clock: VirtualClock
    chance: Random
    tasks: asyncio.TaskGroup
    kind: type[Daemon]
    inbox: Inbox = field(default_factory=Inbox)
    told: list[Event] = field(default_factory=list)
    watchers: list[Callable[[World, Event], None]] = field(default_factory=list)
    disk: Callable[[], float] = lambda: 0.5
    lives: list[Life] = field(default_factory=list)

    # --- the daemon ---

    async def boot(self, toml: str | None = None) -> None:
        """Start a daemon, with another configuration where one is given; returns when its first sweep is done."""
        file = self.state_dir / "selfheal.toml"
        if toml is not None:
            file.write_text(toml)
        launcher = self.machine.launcher()
        ports = self._ports(launcher)
        loaded = load(
            file,
            self.machine.calls.environment,
            Overrides(state_dir=self.state_dir),
            {kind.name: kind.model for kind in AGENT_KINDS},
            {kind.name: kind.model for kind in ports.checks},
            fix_models={fix.name: fix.settings for fix in FIXES},
        )
        daemon = self.kind(loaded, ports, Redactor(), Silent(), narrator=self._tell(launcher))
        self.lives.append(Life(daemon, launcher, self.tasks.create_task(daemon.run())))
        await self.until(lambda: daemon.swept)

    def write(self, toml: str) -> None:
        """Edit the configuration; the daemon that lives knows nothing of it yet."""
        (self.state_dir / "selfheal.toml").write_text(toml)

    async def stop(self) -> None:
        """Stop the daemon as SIGTERM does."""
        life = self.lives[-1]
        if not life.dead:
            life.dead = True
            life.daemon.stop()
            await life.running
            self.replays()

    async def crash(self) -> None:
        """Let the daemon die as by `kill -9`: the machine and the files stay as they are at this very moment."""
        life = self.lives[-1]
        life.dead = True
        self.replays()
        life.launcher.sever()
        life.daemon.journal.close()
        life.running.cancel()
        await asyncio.wait({life.running})

    def replays(self) -> None:
        """What the journal holds is the world, exactly."""
        journal, world = self.daemon.journal, self.world
        events = [decode(record.payload) for record in journal.read()]
        known = [event for event in events if not isinstance(event, Unknown)]
        assert len(known) == len(events) == world.events
        assert replay(known) == world

    @property
    def daemon(self) -> Daemon:
        """The one that lives now, or the last one."""
        return self.lives[-1].daemon

    # --- what there is ---

    @property
    def world(self) -> World:
        return self.daemon.ledger.world

    @property
    def trace(self) -> list[bytes]:
        """What happened, byte for byte."""
        return [encode(event) for event in self.told]

    def agent(self, name: str) -> Agent:
        return self.world.agents[name]

    def incidents(self, agent: str) -> list[Incident]:
        return [incident for incident in self.world.incidents.values() if incident.agent == agent]

    def incident(self, agent: str) -> Incident:
        """The only incident of an agent."""
        (incident,) = self.incidents(agent)
        return incident

    def seen(self, kind: type[E], agent: str | None = None) -> list[E]:
        """The events of a kind, of one agent where it is named."""
        found = [event for event in self.told if isinstance(event, kind)]
        return [event for event in found if agent is None or getattr(event, "agent", None) == agent]

    def pid(self, agent: str) -> int | None:
        run = self.agent(agent).run
        return run.pid if run is not None else None

    def pids(self) -> dict[str, int | None]:
        """The process of each agent."""
        return {name: self.pid(name) for name in self.world.agents}

    # --- time ---

    async def wait(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    async def until(self, condition: Callable[[], bool], within_s: float = SOON_S) -> float:
        """Wait for a condition; returns the seconds that it took."""
        began = self.clock.monotonic()
        while not condition():
            if self.clock.monotonic() - began > within_s:
                raise AssertionError(f"not within {within_s:g} s of virtual time")
            await self.clock.sleep(0.05)
        return self.clock.monotonic() - began

    async def all_healthy(self, within_s: float = SOON_S) -> float:
        """Wait until the whole fleet is well and no incident is open."""

        def well() -> bool:
            agents = self.world.agents.values()
            return bool(agents) and all(a.state == "healthy" for a in agents) and not self.world.open_incidents()

        return await self.until(well, within_s)

    async def healed(self, agent: str, within_s: float = SOON_S) -> Incident:
        """Wait for the end of an incident of this agent that is not over yet; returns it."""
        before = {incident.id for incident in self.incidents(agent) if incident.over}

        def ended() -> list[Incident]:
            return [one for one in self.incidents(agent) if one.over and one.id not in before]

        await self.until(lambda: bool(ended()), within_s)
        return ended()[-1]

    # --- how it is put together ---

    def _tell(self, launcher: SimulatedLauncher) -> Callable[[World, Event], None]:
        def tell(world: World, event: Event) -> None:
            if not launcher.severed:
                self.told.append(event)
                for watcher in self.watchers:
                    watcher(world, event)

        return tell

    def _disk_used(self) -> float:
        return self.disk()  # a test may set another one later

    def _ports(self, launcher: SimulatedLauncher) -> Ports:
        return outside(
            self.machine, launcher, self.clock, self.chance, len(self.lives) + 1, (self.inbox,), self._disk_used
        )


Story = Callable[[Rehearsal], Coroutine[object, object, None]]


def rehearse(
    state_dir: Path,
    toml: str,
    story: Story,
    programs: Mapping[str, Program] | None = None,
    seed: int = 1,
    views: bool = False,
    clock: Callable[[VirtualLoop], VirtualClock] = VirtualClock,
    prepare: Callable[[SimulatedMachine], None] = lambda machine: None,
) -> Rehearsal:
    """Run a daemon over `toml` while `story` happens to it, and stop it; returns what is left.

    `prepare` is given the machine before the first daemon lives on it. With `views` that also writes those, and rotates
    logs, which the other half of the time goes to.
    After each daemon that lived, and whatever the story: what the journal holds is the world.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    loop = VirtualLoop()
    return in_virtual_time(
        _perform(
            state_dir, toml, story, programs or {}, seed, loop, clock(loop), Daemon if views else NoViews, prepare
        ),
        loop,
    )


async def _perform(
    state_dir: Path,
    toml: str,
    story: Story,
    programs: Mapping[str, Program],
    seed: int,
    loop: VirtualLoop,
    clock: VirtualClock,
    kind: type[Daemon],
    prepare: Callable[[SimulatedMachine], None],
) -> Rehearsal:
    async with asyncio.TaskGroup() as tasks:
        machine = SimulatedMachine(loop, clock, programs)
        prepare(machine)
        rehearsal = Rehearsal(state_dir, machine, clock, Random(seed), tasks, kind)
        await rehearsal.boot(toml)
        failure: Exception | None = None
        try:
            await story(rehearsal)
        except Exception as why:  # noqa: BLE001 - raised below, outside the group, which would wrap it
            failure = why
        await rehearsal.stop()
    if failure is not None:
        raise failure
    return rehearsal
