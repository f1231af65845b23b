"""What does this room get from the daemon, and what may it ask of it?

`Sources` are things to read, `Control` are orders. The daemon fills both in; nothing in here reaches further.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from selfheal.clock import Clock
from selfheal.config.models import WindowConfig
from selfheal.data.backup import Backup
from selfheal.events import DataRestored, Event, Fingerprint, Signature, Similar
from selfheal.events import Tally as Counted
from selfheal.ledger import Subscriber
from selfheal.loops import LoopStats
from selfheal.vitals import Vitals
from selfheal.world import Incident, World


class Measure(Protocol):
    """A figure of the scorecard: None where nothing was counted yet, with its interval of 95 %."""

    @property
    def value(self) -> float | None: ...
    @property
    def count(self) -> int: ...
    @property
    def interval(self) -> tuple[float, float] | None: ...


class Learned(Protocol):
    """What is known of a fix against a cause on an agent: the chance that it helps with its interval of 95 %, its own
    attempts as they count by now, and seconds to the first good sign; None where it never helped.
    """

    @property
    def fix(self) -> str: ...
    @property
    def mean(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def helped(self) -> float: ...
    @property
    def failed(self) -> float: ...
    @property
    def took_s(self) -> float | None: ...
    @property
    def slowest_s(self) -> float | None: ...
    @property
    def expected_s(self) -> float: ...
    @property
    def settle_s(self) -> float: ...


class Strategy(Protocol):
    """The fixes for an agent and a cause, best first; one of them was last judged at `used_at`."""

    @property
    def agent(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def fixes(self) -> Sequence[Learned]: ...
    @property
    def used_at(self) -> float: ...


class Tally(Protocol):
    """What became of the suggestions of a fix."""

    @property
    def fix(self) -> str: ...
    @property
    def agreed(self) -> int: ...
    @property
    def needless(self) -> int: ...
    @property
    def sooner(self) -> int: ...
    @property
    def open(self) -> int: ...
    @property
    def longer_s(self) -> float: ...


class Precise(Protocol):
    """How often the cause of a signature is the true one, and how often it was seen to be, as it counts by now."""

    @property
    def mean(self) -> float: ...
    @property
    def right(self) -> float: ...
    @property
    def wrong(self) -> float: ...


class Lessons(Protocol):
    """What a world teaches. Takes the names of an agent, a cause and a fix; about a millisecond for each fix."""

    def fix(self, agent: str, cause: str, fix: str) -> Learned: ...
    def strategy(self, agent: str, cause: str) -> Strategy: ...
    def shadows(self) -> Sequence[Tally]: ...
    def precision(self, signature: Signature) -> Precise: ...


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a log. With `cursor` the next question is answered by what was written since."""

    lines: Sequence[str]
    cursor: str = ""


class Stretch(Protocol):
    """What a signal was from `at` on, for one width of what is drawn."""

    @property
    def at(self) -> float: ...
    @property
    def count(self) -> int: ...
    @property
    def mean(self) -> float: ...
    @property
    def least(self) -> float: ...
    @property
    def most(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Drawing:
    """A signal over time, from the `grain` raw, minutes or hours; what is older than that reaches is coarser."""

    grain: str
    buckets: Sequence[Stretch]


@dataclass(frozen=True, slots=True)
class Pace:
    """Quantiles of latency, in seconds."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Past:
    """How an agent was over the windows 24h, 7d, 30d and 90d: share of uptime, and latency; None where nobody knows."""

    uptime: Mapping[str, float | None] = field(default_factory=dict)
    latency: Mapping[str, Pace | None] = field(default_factory=dict)


Scoring = Callable[[World, float], Mapping[str, Measure]]
"""Measured figures of a world at a time, by name."""
Learning = Callable[[World, float], Lessons]
"""From a world, and the time to which what it has seen fades."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything that can be read. What is called here must be quick; what may take time is awaited.

    shown        the world that can no longer be lost: every answer is made from it
    events_after (seq, n): the first n events of the journal with a greater number
    log_tail     (agent, n, cursor, since): at most n lines of an agent, of the daemon where the name is None: the last
                 ones where the cursor is empty, else those written behind it; none from before a time, as far as
                 that is known. Raises UnknownName
    metrics_text the body and content type of /metrics for a request's Accept header; written while the loop goes on
    loops        how the daemon's loops are doing
    down         the loops of this very process that have given up: what /healthz goes by
    trouble      why the journal or the state files cannot be written now; None when all is well
    windows      the maintenance windows in force
    draw         (agent, signal, since, until, n): a signal in at most n buckets
    past         uptime and latency of an agent, by name
    patterns     the signatures that are shipped; they may have to be read first
    similar      which incidents of the past look like one, by what is known of them now
    tables       by cause, the fixes that have to be told something about an agent
    forgotten    the number of the latest event that `events_after` should have and has not; 0 where it has all
    """

    clock: Clock
    stopping: asyncio.Event
    vitals: Vitals
    shown: Callable[[], Awaitable[World]]
    subscribe: Callable[[Subscriber], None]
    events_after: Callable[[int, int], Awaitable[Sequence[tuple[int, Event]]]]
    log_tail: Callable[[str | None, int, str, float], Awaitable[Tail]]
    metrics_text: Callable[[str], Awaitable[tuple[bytes, str]]]
    loops: Callable[[], Mapping[str, LoopStats]]
    down: Callable[[], Sequence[str]]
    ready: Callable[[], bool]
    trouble: Callable[[], str | None]
    windows: Callable[[], Sequence[WindowConfig]]
    scorecard: Scoring
    lessons: Learning
    draw: Callable[[str, str, float, float, int], Awaitable[Drawing]]
    past: Callable[[str], Awaitable[Past]]
    patterns: Collection[Signature]
    tables: Mapping[str, Sequence[str]] = field(default_factory=dict)
    forgotten: Callable[[], int] = lambda: 0
    similar: Callable[[World, Incident], Sequence[Similar]] = lambda world, incident: ()


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of a configuration that was read again, or of a change of scale.

    Agents by name: `restarted` have another process, `changed` took the change as they run, `failed` did not get
    ready after their restart, with the reason, and `left` were to follow those and were left as they are. `settings`
    changed by dotted key, `pending` are those that only a restart of the daemon changes.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


Order = Literal["start", "stop", "restart"]


class Control(Protocol):
    """Everything that a person, or a program with the token, may order.

    To start, stop and restart, an agent is its name, the name of the file that stands for all its instances, or a
    pattern such as `api:*`; what leads to no agent is refused. Several are stopped in the reverse order of their
    dependencies, started in that order, and restarted one after the other, each once the one before is ready.

    `by` says who. Raises UnknownName, RefusedByPolicy, ConfigInvalid, or another SelfhealError where it did not work;
    NotSaved where it did, and is lost if the daemon ends before the disk has room.
    """

    async def start(self, agent: str, by: str) -> None: ...
    async def stop(self, agent: str, by: str) -> None: ...
    async def restart(self, agent: str, by: str) -> None: ...

    async def order(self, order: Order, agents: Sequence[str], by: str) -> Sequence[str]:
        """Give an order to all of these; returns the names of those that it was given to."""
        ...

    async def scale(self, agent: str, instances: int, by: str) -> Reloaded:
        """Add or take away instances of an agent, at the end of their list."""
        ...

    async def approve(self, incident: str, by: str) -> None: ...
    async def reject(self, incident: str, by: str) -> None: ...

    async def label(self, incident: str, cause: str | None, agent: str, by: str) -> None:
        """Say what the cause was, at which agent: None for what the diagnosis says, empty for only that it is wrong.

        An empty agent is the one that the diagnosis has with that cause, else the incident's own.
        """
        ...

    async def pause(self, agent: str | None, by: str) -> None:
        """Turn healing off, for all where `agent` is None."""
        ...

    async def resume(self, agent: str | None, by: str) -> None: ...

    async def mute(self, agent: str | None, seconds: float, by: str) -> None:
        """Let nothing that begins be told for so long, of all where `agent` is None; 0 ends that."""
        ...

    async def dismiss(self, anomaly: str, by: str) -> None:
        """Say that an anomaly was not worth telling: the same again is told less easily."""
        ...

    async def restore(self, anomaly: str, by: str) -> None:
        """Take back that an anomaly was dismissed."""
        ...

    async def reload(self, by: str) -> Reloaded:
        """Take the changed configuration; a bad one raises ConfigInvalid and changes nothing."""
        ...

    async def heartbeat(self, agent: str) -> None:
        """An agent said that it is alive."""
        ...

    async def external_failure(self, agent: str, text: str) -> None:
        """Somebody else's monitoring says that an agent fails. `text` is not redacted yet."""
        ...


@dataclass(frozen=True, slots=True)
class DataJob:
    """Work on the data of an agent that is under way: what it is `doing`, and which share of that is done."""

    agent: str
    name: str
    since: float
    doing: str = ""
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """Which backup would be put in place, and who would be stopped meanwhile."""

    backup: Backup
    writers: Sequence[str]


class DataControl(Protocol):
    """What may be asked and ordered of the data layer.

    Raises UnknownName, RefusedByPolicy where an agent is no data, DataFailed and FixFailed where it did not work.
    """

    async def backups(self, agent: str | None) -> Sequence[Backup]: ...
    async def jobs(self) -> Sequence[DataJob]: ...
    async def back_up(self, agent: str, by: str) -> Backup: ...
    async def verify(self, agent: str, backup: str, by: str) -> Backup: ...
    async def accept(self, agent: str, by: str) -> str: ...
    async def plan_restore(self, agent: str, backup: str, until: float | None) -> RestorePlan: ...
    async def restore(self, agent: str, backup: str, by: str) -> DataRestored: ...


@dataclass(frozen=True, slots=True)
class Taught:
    """What one daemon tells another: signatures, counts by origin and signature, incidents of the past."""

    signatures: tuple[Signature, ...] = ()
    tallies: Mapping[str, Mapping[str, Counted]] = field(default_factory=dict)
    incidents: tuple[Fingerprint, ...] = ()


@dataclass(frozen=True, slots=True)
class Learnt:
    """How much of what was told is new: signatures, daemons with other counts, incidents."""

    signatures: int = 0
    tallies: int = 0
    incidents: int = 0


class KnowledgeControl(Protocol):
    """What a person may teach. `by` says who. Raises UnknownName, KnowledgeInvalid with nothing changed, NotSaved."""

    async def add(self, signature: Signature, by: str) -> None: ...

    async def remove(self, signature: str, by: str) -> None:
        """Let a signature speak no more: one's own is gone, one that was shipped is switched off."""
        ...

    async def restore(self, signature: str, by: str) -> None:
        """Let a shipped signature speak again."""
        ...

    async def take_over(self, taught: Taught, by: str) -> Learnt:
        """Learn what another daemon knows; twice the same is once."""
        ...
