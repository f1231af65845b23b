"""A small world, and an application that serves it: what the tests of the server share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from fastapi import FastAPI

from selfheal.clock import RealClock
from selfheal.config.models import WindowConfig
from selfheal.data.asset import Proof
from selfheal.data.backup import Backup
from selfheal.errors import NotSaved, RefusedByPolicy, UnknownName
from selfheal.events import (
    AgentDeclared,
    AgentExited,
    AgentReady,
    AgentStarted,
    Alternative,
    ApprovalAsked,
    BreakerOpened,
    Cause,
    DaemonStarted,
    DataRestored,
    Diagnosed,
    Event,
    FixEnded,
    FixStarted,
    HealthChanged,
    IncidentOpened,
    IncidentResolved,
    Planned,
    Run,
    Signature,
    Verified,
    decode,
)
from selfheal.history.rollup import Bucket
from selfheal.learn.strategies import Lessons
from selfheal.ledger import Ledger
from selfheal.loops import LoopStats
from selfheal.serve.app import create_app
from selfheal.serve.auth import Access
from selfheal.serve.listener import bind_tcp, serve
from selfheal.serve.ports import (
    DataJob,
    Drawing,
    Learnt,
    Order,
    Pace,
    Past,
    Reloaded,
    RestorePlan,
    Sources,
    Tail,
    Taught,
)
from selfheal.vitals import Vitals
from selfheal.world import World

T0 = 1_767_323_045.0  # 2026-01-02T03:04:05Z
TOKEN = "correct horse battery staple, and more"


class MemoryJournal:
    """A journal that is durable when the test says so."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.trouble: str | None = None
        self.disk = asyncio.Event()
        self.disk.set()

    def append(self, payload: bytes) -> int:
        self.records.append(payload)
        return len(self.records)

    async def sync(self, seq: int | None = None) -> None:
        await self.disk.wait()


class DataOrders:
    """A `DataControl` that knows one agent and one backup of it."""

    backup = Backup("b1", "ledger", "sqlite", T0, 1000, 100, Proof(T0, {"orders": 3.0}), verified_at=T0)

    async def backups(self, agent: str | None) -> Sequence[Backup]:
        return [self._known(agent or "ledger")]

    async def jobs(self) -> Sequence[DataJob]:
        return [DataJob("ledger", "backup", T0, "copying", 0.5)]

    async def back_up(self, agent: str, by: str) -> Backup:
        return self._known(agent)

    async def verify(self, agent: str, backup: str, by: str) -> Backup:
        return self._known(agent)

    async def accept(self, agent: str, by: str) -> str:
        return f"{self._known(agent).agent} is as it should be"

    async def plan_restore(self, agent: str, backup: str, until: float | None) -> RestorePlan:
        return RestorePlan(self._known(agent), ("api",))

    async def restore(self, agent: str, backup: str, by: str) -> DataRestored:
        return DataRestored(T0, self._known(agent).agent, backup, "ledger.db.damaged-1", 12.5, by, {"orders": 1.0})

    def _known(self, agent: str) -> Backup:
        if agent != self.backup.agent:
            raise UnknownName(f"cannot find agent {agent!r}")
        return self.backup


class Lectures:
    """A `KnowledgeControl` that takes whatever is taught."""

    async def add(self, signature: Signature, by: str) -> None: ...
    async def remove(self, signature: str, by: str) -> None:
        if signature != "node.in_use":
            raise UnknownName(f"cannot find signature {signature!r}")

    async def restore(self, signature: str, by: str) -> None:
        raise RefusedByPolicy(f"cannot restore {signature!r}: it speaks already")

    async def take_over(self, taught: Taught, by: str) -> Learnt:
        return Learnt(len(taught.signatures), len(taught.tallies), len(taught.incidents))


@dataclass
class Orders:
    """A `Control` that writes down what it is asked, and knows one agent and one incident."""

    given: list[tuple[str, str | None, str]] = field(default_factory=list)
    unsaved: bool = False

    async def start(self, agent: str, by: str) -> None:
        self._agent("start", agent, by)

    async def stop(self, agent: str, by: str) -> None:
        self._agent("stop", agent, by)

    async def restart(self, agent: str, by: str) -> None:
        self._agent("restart", agent, by)

    async def approve(self, incident: str, by: str) -> None:
        if incident != "i1":
            raise UnknownName(f"cannot approve {incident!r}: there is no such incident")
        self.given.append(("approve", incident, by))

    async def reject(self, incident: str, by: str) -> None:
        raise RefusedByPolicy(f"cannot reject {incident!r}: it waits for nobody")

    async def label(self, incident: str, cause: str | None, agent: str, by: str) -> None:
        self.given.append((f"label {cause} {agent}".rstrip(), incident, by))

    async def mute(self, agent: str | None, seconds: float, by: str) -> None:
        self.given.append((f"mute {seconds:g}", agent, by))

    async def dismiss(self, anomaly: str, by: str) -> None:
        if anomaly != "ano-1":
            raise UnknownName(f"cannot find anomaly {anomaly!r}")
        self.given.append(("dismiss", anomaly, by))

    async def restore(self, anomaly: str, by: str) -> None:
        self.given.append(("restore", anomaly, by))

    async def pause(self, agent: str | None, by: str) -> None:
        self.given.append(("pause", agent, by))

    async def resume(self, agent: str | None, by: str) -> None:
        self.given.append(("resume", agent, by))

    async def order(self, order: Order, agents: Sequence[str], by: str) -> Sequence[str]:
        for agent in agents:
            self._agent(order, agent, by)
        return agents

    async def scale(self, agent: str, instances: int, by: str) -> Reloaded:
        self._agent(f"scale to {instances}", agent, by)
        return Reloaded(added=("api:1",), unchanged=("api", "cache"))

    async def reload(self, by: str) -> Reloaded:
        self.given.append(("reload", None, by))
        return Reloaded(restarted=("api",), failed={"cache": "it is not well"}, pending=("daemon.listen",))

    async def heartbeat(self, agent: str) -> None:
        self._agent("heartbeat", agent, agent)

    async def external_failure(self, agent: str, text: str) -> None:
        self._agent("failure", agent, text)

    def _agent(self, order: str, agent: str, by: str) -> None:
        if agent not in ("api", "cache"):
            raise UnknownName(f"cannot find agent {agent!r}: there is none of that name")
        self.given.append((order, agent, by))
        if self.unsaved:
            raise NotSaved("No space left on device")


@dataclass(frozen=True)
class Measured:
    value: float | None
    count: int
    interval: tuple[float, float] | None


@dataclass
class Daemon:
    """Everything that stands around the application in a test."""

    access: Access = field(default_factory=lambda: Access(key=b"k" * 32))
    orders: Orders = field(default_factory=Orders)
    vitals: Vitals = field(default_factory=Vitals)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    loops: dict[str, LoopStats] = field(default_factory=lambda: {"observe": LoopStats(last_run=T0)})
    ready: bool = True

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.journal)
        self.sources = Sources(
            clock=RealClock(),
            stopping=self.stopping,
            vitals=self.vitals,
            shown=self.ledger.shown,
            subscribe=self.ledger.subscribe,
            events_after=self._events_after,
            log_tail=_log_tail,
            metrics_text=_metrics_text,
            loops=lambda: self.loops,
            down=lambda: [name for name, stats in self.loops.items() if stats.down],
            ready=lambda: self.ready,
            trouble=lambda: self.ledger.trouble,
            windows=lambda: (WindowConfig(agents=("api",), cron="0 3 * * sun", minutes=30),),
            scorecard=_scorecard,
            lessons=Lessons,
            draw=_draw,
            past=_past,
            patterns=(Signature("any.port", "port_taken", ("already in use",), 0.8),),
        )
        self.app: FastAPI = create_app(self.sources, self.orders, DataOrders(), Lectures(), self.access)

    @asynccontextmanager
    async def client(self, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        """A client that talks to the application without a socket."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=named) as client:
            yield client

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """A real server on loopback; yields its base URL."""
        sock = bind_tcp("127.0.0.1:0")
        port = sock.getsockname()[1]
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(self.app, sock, trusted=False, stopping=self.stopping))
            try:
                yield f"http://127.0.0.1:{port}"
            finally:
                self.stopping.set()

    async def _events_after(self, seq: int, limit: int) -> Sequence[tuple[int, Event]]:
        page = enumerate(self.journal.records[seq : seq + limit], seq + 1)
        return [(number, event) for number, record in page if isinstance(event := decode(record), Event)]


async def _metrics_text(accept: str) -> tuple[bytes, str]:
    """A page that is small, and one that is large for who wants OpenMetrics."""
    if accept.startswith("application/openmetrics-text"):
        return b"selfheal_agent_up 1\n" * 10_000, "application/openmetrics-text; version=1.0.0; charset=utf-8"
    return b"selfheal_agent_up 1\n", "text/plain; version=0.0.4; charset=utf-8"


async def _log_tail(agent: str | None, limit: int, cursor: str, since: float) -> Tail:
    if agent == "nobody":
        raise UnknownName("cannot find agent 'nobody': there is none of that name")
    lines = [f"line {number}" for number in range(limit)][-3:] if since <= T0 else []
    return Tail(lines, "3")


async def _draw(agent: str, signal: str, since: float, until: float, count: int) -> Drawing:
    width_s = (until - since) / count
    return Drawing("minutes", [Bucket(since + place * width_s, 6, 0.5, 0.1, 0.9) for place in range(count)])


async def _past(agent: str) -> Past:
    return Past({"24h": 0.999, "7d": None}, {"24h": Pace(0.1, 0.2, 0.3), "7d": None})


def _scorecard(world: World, now: float) -> Mapping[str, Measured]:
    return {"uptime": Measured(0.999, 120, (0.99, 1.0)), "event_recall": Measured(None, 0, None)}


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def protected(**changes: bool) -> Access:
    return Access(key=b"k" * 32, token=TOKEN, scrape_token="scrape me", **changes)


def declared(name: str, at: float = T0, depends_on: tuple[str, ...] = ()) -> AgentDeclared:
    return AgentDeclared(at, name, "process", "application", depends_on, ("http",), True)


def started(name: str, at: float, generation: int = 1) -> tuple[Event, ...]:
    run = Run(4710 + generation, generation, at, 1, "boot")
    return AgentStarted(at, name, run, "first" if generation == 1 else "reflex"), AgentReady(at, name, generation, 0.1)


def crash_and_recovery(at: float = T0 + 10) -> tuple[Event, ...]:
    """An agent that died and was well again within a second."""
    return (
        AgentExited(at, "api", 1, 4711, 1, None, 9.0, False),
        IncidentOpened(at + 0.002, "i1", "api", "exit", "exited with code 1", at),
        *started("api", at + 0.004, 2),
        FixStarted(at + 0.004, "i1", 1, "restart", "application", "api", "crashed", True),
        FixEnded(at + 0.01, "i1", 1, "succeeded", "started again as process 4712"),
        Diagnosed(at + 0.02, "i1", (Cause("crashed", 0.92, "api", ("it ended with code 1",)),)),
        Verified(at + 10.9, "i1", 1, "succeeded", "", at + 0.9),
        IncidentResolved(at + 10.9, "i1", "", 0.9),
    )


def waiting_for_a_person(at: float = T0 + 40) -> tuple[Event, ...]:
    """An agent that does not come back, whose fix needs leave."""
    weighed = (Alternative("purge", 0.7, 12.0), Alternative("restart", 0.1, 40.0, "it was tried three times"))
    return (
        HealthChanged(at, "cache", "http", False, "timeout", "no answer within 2 s", at - 2),
        BreakerOpened(at, "cache", "restart", at + 30, "3 restarts did not help"),
        IncidentOpened(at, "i2", "cache", "check", "http: no answer within 2 s", at - 2),
        Diagnosed(at + 0.1, "i2", (Cause("hung", 0.6, "cache", ("it is alive",)), Cause("slow", 0.2, "cache"))),
        Planned(at + 0.2, "i2", "purge", "cache", "best odds", weighed),
        ApprovalAsked(at + 0.3, "i2", "purge", "cache", at + 3600),
    )


def story_of_a_day() -> tuple[Event, ...]:
    return (
        DaemonStarted(T0, "0.1.0", 1, False),
        declared("cache"),
        declared("api", depends_on=("cache",)),
        *started("cache", T0 + 1),
        *started("api", T0 + 1),
        *crash_and_recovery(),
        *waiting_for_a_person(),
    )


def assets() -> Path:
    return Path(__file__).parents[2] / "selfheal" / "serve" / "page"
