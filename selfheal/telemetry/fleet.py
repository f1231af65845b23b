"""What does Prometheus see of each agent?

These are nearly all of the series, a hundred thousand of a large fleet. What the world and the vitals know is read from
them when somebody asks; an agent's lines are kept and written again only where its numbers, or its frozen `Agent`, are
others. All lines of one agent are of one moment, and between agents the loop has its turn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from selfheal.clock import Clock
from selfheal.telemetry.counters import Counts
from selfheal.telemetry.exposition import Family, Key, Lines, Numbers, encoded, escaped
from selfheal.vitals import Vitals
from selfheal.vocabulary import AGENT_STATES, AgentState
from selfheal.world import Agent, World

# A user's exporter may have thousands of series; they are better scraped there than here.
SIGNALS_PER_AGENT = 32
# What is written without a pause: short beside the 10 ms for which nothing may block the loop.
SLICE_S = 0.004

_STATE = Family(
    "selfheal_agent_state", "gauge", "1 for the state that the agent is in, 0 for the others.", labels=("state",)
)
_UP = Family("selfheal_agent_up", "gauge", "Whether the agent is healthy or degraded.")
_BROKEN = Family("selfheal_breaker_open", "gauge", "Whether it is not restarted any more.")
_RESTARTS = Family("selfheal_agent_restarts", "counter", "Restarts, but a person's.")
# Those that hang on the frozen agent alone, and those that have numbers of their own; the order is that of the page.
_TOLD = (_STATE, _UP, _BROKEN, _RESTARTS)
_NUMBERED = (
    Family("selfheal_anomaly_score", "gauge", "The strongest anomaly that lasts, 0 to 1."),
    Family("selfheal_failure_probability", "gauge", "Of reaching the limit within the horizon.", ("mode",)),
    Family("selfheal_failure_eta_seconds", "gauge", "Time left until the limit is reached, as foreseen.", ("mode",)),
    Family("selfheal_signal", "gauge", "The latest value of a signal.", ("signal",)),
    Family("selfheal_checks", "counter", "Checks that ran, by result.", ("check", "result")),
    Family("selfheal_incidents", "counter", "Incidents, by their first diagnosis.", ("cause",)),
    Family("selfheal_recoveries", "counter", "Fixes applied, by outcome.", ("fix", "outcome")),
    Family("selfheal_anomalies", "counter", "Anomalies seen."),
)
FAMILIES = (*_TOLD, *_NUMBERED)

_AGENT = "$"  # stands for the name in lines that are the same for all agents
_CALM: Mapping[Key, float] = {(): 0.0}

Source = Callable[[str], Numbers | None]
"""The numbers of an agent in one family; None where it has none."""


class FleetText:
    """The text of all agents' series."""

    def __init__(self, world: Callable[[], World], vitals: Vitals, clock: Clock) -> None:
        self.checks, self.incidents, self.recoveries, self.anomalies = (Counts() for _ in range(4))
        self._world = world
        self._vitals = vitals
        self._clock = clock
        self._blocks: dict[str, _Block] = {}

    def forget(self, agent: str) -> None:
        """Drop everything of an agent that is no longer there."""
        self._blocks.pop(agent, None)
        for counts in self._counts:
            counts.forget(agent)

    async def columns(self) -> list[bytes]:
        """Write all lines, in slices: of each of FAMILIES those of all agents."""
        self._keep(self._world().agents)
        blocks = await self._written()
        columns: list[bytes] = []
        for column in zip(*blocks, strict=True):
            columns.append(b"".join(column))
            await self._clock.sleep(0)
        return columns or [b""] * len(FAMILIES)

    async def _written(self) -> list[tuple[bytes, ...]]:
        """The lines of each agent, one piece a family. Who is removed meanwhile is left out, and not kept again."""
        world = self._world()
        sources, began = self._sources(world), self._clock.monotonic()
        written: list[tuple[bytes, ...]] = []
        for name in tuple(world.agents):
            if self._clock.monotonic() - began > SLICE_S:
                await self._clock.sleep(0)
                began, then, world = self._clock.monotonic(), world, self._world()
                if world.foresight is not then.foresight:
                    sources = self._sources(world)
            if name in world.agents:
                written.append(self._block(name).lines(world.agents[name], sources))
        return written

    @property
    def _counts(self) -> tuple[Counts, ...]:
        return (self.checks, self.incidents, self.recoveries, self.anomalies)

    def _keep(self, agents: Mapping[str, Agent]) -> None:
        for counts in self._counts:
            counts.keep(agents.keys())
        for gone in self._blocks.keys() - agents.keys():
            del self._blocks[gone]

    def _block(self, agent: str) -> _Block:
        block = self._blocks.get(agent)
        if block is None:
            block = self._blocks[agent] = _Block()
        return block

    def _sources(self, world: World) -> Sequence[Source]:
        """Where the numbers of each of _NUMBERED come from."""
        probability, eta = _predictions(world, self._clock.now())
        worst = _worst(world)
        return (
            lambda agent: worst.get(agent, _CALM),
            probability.get,
            eta.get,
            self._signals,
            *(counts.of for counts in self._counts),
        )

    def _signals(self, agent: str) -> Numbers:
        signals = self._vitals.signals(agent)
        if len(signals) <= SIGNALS_PER_AGENT:
            return signals
        return {signal: signals[signal] for signal in sorted(signals)[:SIGNALS_PER_AGENT]}


class _Block:
    """The lines of one agent."""

    __slots__ = ("_agent", "_numbered", "_told")

    def __init__(self) -> None:
        self._agent: Agent | None = None
        self._told: tuple[bytes, ...] = ()
        self._numbered: list[Lines | None] = [None] * len(_NUMBERED)

    def lines(self, agent: Agent, sources: Sequence[Source]) -> tuple[bytes, ...]:
        """A piece for each of FAMILIES, as things are now."""
        if agent is not self._agent:
            self._agent, self._told = agent, _told(agent)
        return (*self._told, *[self._lines(at, agent.name, source) for at, source in enumerate(sources)])

    def _lines(self, at: int, agent: str, source: Source) -> bytes:
        numbers = source(agent)
        if not numbers:
            return b""
        lines = self._numbered[at]
        if lines is None:
            lines = self._numbered[at] = Lines()
        return lines.of(_NUMBERED[at], agent, numbers)


def _told(agent: Agent) -> tuple[bytes, ...]:
    """The lines that hang on nothing but the agent, in the order of _TOLD."""
    name = escaped(agent.name)
    texts = (
        _STATES[agent.state],
        _UP_OR_NOT[agent.state in ("healthy", "degraded")],
        _BROKEN_OR_NOT[agent.breaker.state == "open"],
        _RESTARTS.line(_AGENT, (), repr(float(agent.restarts))),
    )
    return tuple(encoded(text.replace(_AGENT, name)) for text in texts)


def _states(state: AgentState) -> str:
    return "".join(_STATE.line(_AGENT, other, repr(float(other == state))) for other in AGENT_STATES)


def _flags(family: Family) -> tuple[str, str]:
    return family.line(_AGENT, (), "0.0"), family.line(_AGENT, (), "1.0")


_STATES = {state: _states(state) for state in AGENT_STATES}
_UP_OR_NOT, _BROKEN_OR_NOT = _flags(_UP), _flags(_BROKEN)


def _worst(world: World) -> Mapping[str, Numbers]:
    """The score of the strongest anomaly that lasts, by agent."""
    worst: dict[str, Mapping[Key, float]] = {}
    for anomaly in world.foresight.anomalies.values():
        if anomaly.over_at is None:
            seen = anomaly.seen
            worst[seen.agent] = {(): max(worst.get(seen.agent, _CALM)[()], seen.score)}
    return worst


def _predictions(world: World, now: float) -> tuple[Mapping[str, Numbers], Mapping[str, Numbers]]:
    """The probability of each failure that is foreseen, and the seconds left until then, by agent and mode."""
    probability: defaultdict[str, dict[Key, float]] = defaultdict(dict)
    eta: defaultdict[str, dict[Key, float]] = defaultdict(dict)
    for (agent, mode), foreseen in world.foresight.predictions.items():
        probability[agent][mode] = foreseen.probability
        eta[agent][mode] = max(0.0, foreseen.at + foreseen.eta_s - now)
    return probability, eta
