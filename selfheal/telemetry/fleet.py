"""What does Prometheus see of each agent?

These are nearly all of the series, a hundred thousand of a large fleet. What the world and the vitals know is read from
them when somebody asks; an agent's lines are kept and written again only where its numbers, or its frozen `Agent`, are
others. All lines of one agent are of one moment, and between agents the loop has its turn.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from selfheal.clock import Clock
from selfheal.telemetry.counters import Counts
from selfheal.telemetry.exposition import Family, Key, Lines, Numbers, encoded, escaped, number
from selfheal.vitals import Vitals
from selfheal.vocabulary import AGENT_STATES, AgentState
from selfheal.world import Agent, World

# A user's exporter may have thousands of series; they are better scraped there than here.
SIGNALS_PER_AGENT = 32
# What is written without a pause: short beside the 10 ms for which nothing may block the loop.
SLICE_S = 0.003

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
    Family("selfheal_failure_probability", "gauge", "Of that failure within its horizon.", ("mode",)),
    Family("selfheal_failure_eta_seconds", "gauge", "Time left until the limit is reached, as foreseen.", ("mode",)),
    Family("selfheal_signal", "gauge", "The latest value of a signal.", ("signal",)),
    Family("selfheal_checks", "counter", "Checks that ran, by result.", ("check", "result")),
    Family("selfheal_incidents", "counter", "Incidents, by their first diagnosis.", ("cause",)),
    Family("selfheal_recoveries", "counter", "Fixes applied, by outcome.", ("fix", "outcome")),
    Family("selfheal_anomalies", "counter", "Anomalies seen."),
)
FAMILIES = (*_TOLD, *_NUMBERED)

# Stand for the name and a number in lines that are the same for all agents.
_AGENT, _NUMBER = b"$", b"#"

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

    async def columns(self) -> list[list[bytes]]:
        """Write all lines, in slices: of each of FAMILIES the pieces that make up those of all agents."""
        world = self._world()
        self._keep(world.agents)
        sources, left = self._sources(world), deque(world.agents)
        columns: list[list[bytes]] = [[] for _ in FAMILIES]
        while left:
            blocks = self._slice(left, world, sources)
            for column, pieces in zip(columns, zip(*blocks, strict=True), strict=bool(blocks)):
                column.append(b"".join(pieces))  # while they are still in the cache
            await self._clock.sleep(0)
            then, world = world, self._world()
            if (world.foresight, world.anomalies) != (then.foresight, then.anomalies):
                sources = self._sources(world)
        return columns

    def _slice(self, left: deque[str], world: World, sources: Sequence[Source]) -> list[list[bytes]]:
        """The lines of the next agents, for as long as a slice takes. Who is gone by now is left out, and not kept."""
        began = self._clock.monotonic()
        written: list[list[bytes]] = []
        while left:
            agent = world.agents.get(left.popleft())
            if agent is not None:
                written.append(self._block(agent.name).lines(agent, sources))
            if self._clock.monotonic() - began > SLICE_S:
                break
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
        return (
            partial(_strangest, _worst(world), self._vitals),
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

    def lines(self, agent: Agent, sources: Sequence[Source]) -> list[bytes]:
        """A piece for each of FAMILIES, as things are now."""
        if agent is not self._agent:
            self._agent, self._told = agent, _told(agent)
        pieces = [*self._told]
        for at, source in enumerate(sources):
            numbers = source(agent.name)
            pieces.append(self._of(at).of(_NUMBERED[at], agent.name, numbers) if numbers else b"")
        return pieces

    def _of(self, at: int) -> Lines:
        lines = self._numbered[at]
        if lines is None:
            lines = self._numbered[at] = Lines()
        return lines


def _told(agent: Agent) -> tuple[bytes, ...]:
    """The lines that hang on nothing but the agent, in the order of _TOLD."""
    name = encoded(escaped(agent.name))
    texts = (
        _STATES[agent.state],
        _UP_OR_NOT[agent.state in ("healthy", "degraded")],
        _BROKEN_OR_NOT[agent.breaker.state == "open"],
        _RESTARTED.replace(_NUMBER, b"%d" % agent.restarts),
    )
    return tuple([text.replace(_AGENT, name) for text in texts])


def _sample(family: Family, key: Key, value: str) -> bytes:
    """A line that is the same for all agents, but for the name."""
    return family.line(_AGENT.decode(), key, value).encode()


def _states(state: AgentState) -> bytes:
    return b"".join(_sample(_STATE, other, number(other == state)) for other in AGENT_STATES)


_STATES = {state: _states(state) for state in AGENT_STATES}
_UP_OR_NOT, _BROKEN_OR_NOT = ([_sample(family, (), number(flag)) for flag in (0, 1)] for family in (_UP, _BROKEN))
_RESTARTED = _sample(_RESTARTS, (), _NUMBER.decode())


def _worst(world: World) -> Mapping[str, float]:
    """The score of the strongest anomaly that lasts, of every agent."""
    strongest = world.anomalies.strongest()
    return {name: strongest.get(name, 0.0) for name in world.agents}


def _strangest(worst: Mapping[str, float], vitals: Vitals, agent: str) -> Numbers | None:
    """The score of an agent: by its strongest anomaly, or by its forest where that says more."""
    if agent not in worst:
        return None
    together = vitals.strangeness(agent)
    forest = together.score if together is not None else None
    score: dict[Key, float] = {(): max(worst[agent], forest or 0.0)}
    return score


def _predictions(world: World, now: float) -> tuple[Mapping[str, Numbers], Mapping[str, Numbers]]:
    """The probability of each failure that is foreseen, and the seconds left until then, by agent and mode."""
    probability: defaultdict[str, dict[Key, float]] = defaultdict(dict)
    eta: defaultdict[str, dict[Key, float]] = defaultdict(dict)
    for (agent, mode), foreseen in world.foresight.predictions.items():
        probability[agent][mode] = foreseen.probability
        eta[agent][mode] = max(0.0, foreseen.at + foreseen.eta_s - now)
    return probability, eta
