"""A whole daemon over a simulated machine, for the tests in here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from selfheal.agents import AGENT_KINDS
from selfheal.config.load import Overrides, load
from selfheal.daemon import Daemon
from selfheal.events import Event, encode
from selfheal.kinds import Alert
from selfheal.ports import Ports
from selfheal.recover import FIXES
from selfheal.rehearse.machine import Program, SimulatedMachine, inline
from selfheal.rehearse.virtual import VirtualClock, VirtualLoop, in_virtual_time
from selfheal.telemetry.redact import Redactor
from selfheal.world import Incident, World


class Silent:
    """A log that keeps nothing."""

    def debug(self, event: str, /, **facts: object) -> None: ...
    def info(self, event: str, /, **facts: object) -> None: ...
    def warning(self, event: str, /, **facts: object) -> None: ...
    def error(self, event: str, /, **facts: object) -> None: ...


@dataclass
class Inbox:
    """A notifier that keeps what it is sent."""

    name: str = "inbox"
    alerts: list[Alert] = field(default_factory=list)

    async def send(self, alert: Alert) -> None:
        self.alerts.append(alert)


@dataclass
class Rehearsal:
    """A daemon, its machine, and everything that happened."""

    daemon: Daemon
    machine: SimulatedMachine
    clock: VirtualClock
    inbox: Inbox
    told: list[Event]

    @property
    def world(self) -> World:
        return self.daemon.ledger.world

    @property
    def trace(self) -> list[bytes]:
        """What happened, byte for byte."""
        return [encode(event) for event in self.told]

    def incidents(self, agent: str) -> list[Incident]:
        return [incident for incident in self.world.incidents.values() if incident.agent == agent]

    def seen(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.told if isinstance(event, kind)]

    async def wait(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    async def until(self, condition: Callable[[], bool], within_s: float = 120.0) -> float:
        """Wait for a condition; returns the seconds that it took."""
        began = self.clock.monotonic()
        while not condition():
            if self.clock.monotonic() - began > within_s:
                raise AssertionError(f"not within {within_s:g} s of virtual time")
            await self.clock.sleep(0.05)
        return self.clock.monotonic() - began

    async def all_healthy(self, within_s: float = 120.0) -> float:
        """Wait until the whole fleet is well and no incident is open."""

        def well() -> bool:
            agents = self.world.agents.values()
            return bool(agents) and all(a.state == "healthy" for a in agents) and not self.world.open_incidents()

        return await self.until(well, within_s)


Story = Callable[[Rehearsal], Coroutine[object, object, None]]


def rehearse(
    state_dir: Path,
    toml: str,
    story: Story,
    programs: Mapping[str, Program] | None = None,
    seed: int = 1,
    loop: VirtualLoop | None = None,
    machine: SimulatedMachine | None = None,
) -> Rehearsal:
    """Run a daemon over `toml` while `story` happens to it, and stop it; returns what is left."""
    loop = loop or VirtualLoop()
    return in_virtual_time(perform(state_dir, toml, story, programs or {}, seed, loop, machine), loop)


async def perform(
    state_dir: Path,
    toml: str,
    story: Story,
    programs: Mapping[str, Program],
    seed: int,
    loop: VirtualLoop,
    machine: SimulatedMachine | None = None,
) -> Rehearsal:
    clock = VirtualClock(loop)
    machine = machine or SimulatedMachine(loop, clock, programs)
    machine.watching = True
    file = state_dir / "selfheal.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(toml)
    inbox, told = Inbox(), list[Event]()
    ports = Ports(
        pid=1,
        clock=clock,
        chance=Random(seed),
        environment={},
        checks=machine.checks(),
        launcher=machine,
        run_command=machine.run_command,
        probe_http=machine.probe,
        probe_tcp=machine.probe,
        run_in_thread=inline,
        disk_used=lambda path: 0.5,
        notifiers=(inbox,),
    )
    loaded = load(
        file,
        {},
        Overrides(state_dir=state_dir),
        {kind.name: kind.model for kind in AGENT_KINDS},
        {kind.name: kind.model for kind in ports.checks},
        known_fixes=frozenset(fix.name for fix in FIXES),
    )
    daemon = Daemon(loaded, ports, Redactor(), Silent(), narrator=lambda world, event: told.append(event))
    rehearsal = Rehearsal(daemon, machine, clock, inbox, told)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(daemon.run())
        try:
            await story(rehearsal)
        finally:
            daemon.stop()
            await running
    return rehearsal
