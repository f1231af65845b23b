"""What does the learned model say of each agent now, and what was each agent in the last week?

Rows look back a day: of each agent whose way to fail the model knows, the means of the latest steps are kept, begun
from the disk and gone on with from memory. They are asked once for each step, one agent after the other, so that the
loop is never held up for longer than one of them takes.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from math import nan

from selfheal.compose.recall import Recall
from selfheal.history.rings import History
from selfheal.ledger import Ledger
from selfheal.ml.drift import drift
from selfheal.ml.forest import packed
from selfheal.ml.wire import Past
from selfheal.ports import Ports
from selfheal.predict.foretold import Said
from selfheal.predict.lately import lately
from selfheal.predict.own_past import TAUGHT, begun_anew, failures_of, left_out
from selfheal.predict.recent import KEPT, STEP_S, Recent, signals_told, step_of
from selfheal.predict.resources import resources
from selfheal.recorded.foreteller import Foreteller, said_of
from selfheal.vocabulary import FailureMode
from selfheal.world import Agent

# With twelve signals each 16 MB; of what is beyond, the trend alone speaks.
MOST_AGENTS = 500
# The latest rows of each mode, to see whether they have drifted.
MOST_ROWS = 240
# The disk is asked for so many agents a round: some ten milliseconds each, in a thread.
MOST_BEGUN = 100
# What is asked without a pause, short beside the 10 ms for which nothing may block the loop.
SLICE_S = 0.003


class Outlook:
    """Asks the model. `model` is the one that there is, None where there is none."""

    def __init__(self, ledger: Ledger, ports: Ports, history: History, recall: Recall) -> None:
        self.model: Foreteller | None = None
        self._ledger = ledger
        self._ports = ports
        self._clock = ports.clock
        self._history = history
        self._recall = recall
        self._recent: dict[str, Recent] = {}
        self._said: dict[str, Mapping[FailureMode, Said]] = {}
        self._rows: dict[FailureMode, deque[tuple[float, ...]]] = {}
        self._asked: tuple[Foreteller | None, int] = (None, 0)

    async def said(self) -> Mapping[str, Mapping[FailureMode, Said]]:
        """What the model says of each agent, by the steps that are over; empty where none is better than the trend."""
        model, step = self.model, step_of(self._clock.now())
        if model is None or not model.speaking:
            self._said, self._asked = {}, (model, step)
        elif self._asked != (model, step):
            await self._ask_all(model)
            self._asked = (model, step)
        return self._said

    async def drifted(self) -> bool:
        """Whether what is seen now is another thing than what was learned from."""
        modes = self.model.modes if self.model is not None else {}
        pairs = [(modes[mode].told.spread, tuple(seen)) for mode, seen in self._rows.items() if mode in modes]
        return await self._ports.run_in_thread(
            lambda: any(drift(spread, rows).drifted for spread, rows in pairs if spread is not None)
        )

    def take(self, model: Foreteller) -> None:
        """Ask this model from now on; what was seen before is no matter of it."""
        self.model = model
        self._rows = {}

    async def taught(self) -> list[str]:
        """The agents that can fail in a way that is learned, those that did first."""
        began, names = self._clock.monotonic(), list[str]()
        for name, agent in tuple(self._ledger.world.agents.items()):
            began = await self._paused(began)
            if self._limits(agent, TAUGHT):
                names.append(name)
        failed = {one.agent for one in self._ledger.world.incidents.values()}
        return sorted(names, key=lambda name: name not in failed)

    async def past(self, agent: str, since: float) -> Past | None:
        """What an agent was since then, to be learned from; None where there is nothing."""
        now, known = self._clock.now(), self._ledger.world.agents.get(agent)
        signals = signals_told(known, self._history.signals(agent)) if known is not None else ()
        if known is None or not signals:
            return None
        first, last = step_of(since) + 1, step_of(now)
        columns = {signal: await self._means(agent, signal, first, last) for signal in signals}
        world = self._ledger.world
        columns |= lately(world, agent, first, last)
        limits = self._limits(known, TAUGHT)
        return Past(
            agent=agent,
            first=first,
            columns={signal: packed(means) for signal, means in columns.items()},
            limits=tuple((mode, name, limit) for mode, some in limits.items() for name, limit in some.items()),
            failures=failures_of(world, agent),
            left_out=left_out(world, agent),
            restarts=begun_anew(world, agent),
        )

    # --- asking ---

    async def _ask_all(self, model: Foreteller) -> None:
        """Ask of every agent that is known well enough, in slices."""
        began, begun = self._clock.monotonic(), 0
        said: dict[str, Mapping[FailureMode, Said]] = {}
        self._forget_gone()
        for name in tuple(self._ledger.world.agents):
            began = await self._paused(began)
            agent = self._ledger.world.agents.get(name)
            limits = self._limits(agent, model.speaking) if agent is not None else {}
            if agent is None or not limits:
                continue
            if name not in self._recent:
                if begun >= MOST_BEGUN or len(self._recent) >= MOST_AGENTS:
                    continue
                begun += 1
                self._recent[name] = await self._begin(agent)
            said[name] = self._ask(model, agent, limits)
        self._said = said

    async def _paused(self, began: float) -> float:
        """Let the loop have its turn where it was held up since `began` for long enough; returns since when it is."""
        if self._clock.monotonic() - began <= SLICE_S:
            return began
        await self._clock.sleep(0)
        return self._clock.monotonic()

    def _ask(
        self, model: Foreteller, agent: Agent, limits: Mapping[FailureMode, Mapping[str, float]]
    ) -> dict[FailureMode, Said]:
        recent, now = self._recent[agent.name], self._clock.now()
        told = signals_told(agent, self._history.signals(agent.name))
        points = self._history.columns(agent.name, (recent.until - 1) * STEP_S)
        recent.go_on((one for one in points if one[0] in told), now)
        world = self._ledger.world
        context = lately(world, agent.name, recent.first, recent.until)
        track = recent.track({}, begun_anew(world, agent.name), context)
        found: dict[FailureMode, Said] = {}
        for mode, some in limits.items():
            said = said_of(model.modes[mode], track, some)
            if said is not None:
                found[mode] = said
                self._rows.setdefault(mode, deque(maxlen=MOST_ROWS)).append(said.row)
        return found

    async def _begin(self, agent: Agent) -> Recent:
        recent = Recent(agent.name, step_of(self._clock.now()))
        for signal in signals_told(agent, self._history.signals(agent.name)):
            recent.begin(signal, await self._means(agent.name, signal, recent.until - KEPT + 1, recent.until))
        return recent

    async def _means(self, agent: str, signal: str, first: int, last: int) -> array[float]:
        """The mean of each step, from the disk and from memory."""
        since = (first - 1) * STEP_S
        drawing = await self._recall.draw(agent, signal, since, last * STEP_S, last - first + 1)
        means = array("d", [nan]) * (last - first + 1)
        for one in drawing.buckets:
            place = round((one.at - since) / STEP_S)
            if 0 <= place < len(means):
                means[place] = one.mean
        return means

    def _limits(
        self, agent: Agent, modes: Sequence[FailureMode] | frozenset[FailureMode]
    ) -> dict[FailureMode, dict[str, float]]:
        """What of an agent can be used up, of these modes."""
        found: dict[FailureMode, dict[str, float]] = {}
        for one in resources(agent, self._history.signals(agent.name)):
            if one.mode in modes and one.limit > 0.0:
                found.setdefault(one.mode, {})[one.signal] = float(one.limit)
        return found

    def _forget_gone(self) -> None:
        for name in [name for name in self._recent if name not in self._ledger.world.agents]:
            del self._recent[name]
