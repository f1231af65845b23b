"""What is usual of each agent, all of its signals together: when is that learned, kept, and asked?

An order for the child where an agent's turn has come, its answer looked at before it is believed, and every few seconds
a score of each agent that has a forest. Whatever goes wrong costs the forests alone: the statistics of each signal go
on without them, and it is said once why. A score is a number to look at; nothing is done because of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from zlib import crc32

from selfheal.compose.backoff import Backoff
from selfheal.compose.foretelling import Foretelling
from selfheal.compose.models import MOST_MODELS, ModelFiles
from selfheal.compose.outlook import Outlook
from selfheal.compose.reactions import Log
from selfheal.history.rings import History
from selfheal.ledger import Ledger
from selfheal.loops import Loop
from selfheal.ml.client import ChildFailed
from selfheal.ml.drift import LEAST_ROWS as ROWS_TO_DRIFT
from selfheal.ml.drift import drift
from selfheal.ml.model import Model, ModelRefused, decode
from selfheal.ml.quiet import left_out
from selfheal.ml.rows import LEAST_ROWS, MOST_ROWS, STEP_S, WINDOW_S, Points, quiet_moments, row, tells
from selfheal.ml.wire import Fit, Fitted, Garbage, NotFitted, columns_for
from selfheal.ports import Ports, RecallPoints
from selfheal.telemetry.learning import LearningMetrics
from selfheal.vitals import Strangeness, Vitals

LOOK_S = 60.0
# As far back as rows reach.
LEARN_FROM_S = MOST_ROWS * STEP_S
# One order takes a second or two; a machine that needs longer than this for it has no time for us.
LIMIT_S = 60.0
# After it has found too little, whatever could be hoped for.
TOO_LITTLE_S = 600.0
# What has drifted is learned again after this share of the time after which it would be anyway.
SOONER = 1 / 6
# An exporter that is read each second for eight hours has more; an order has to fit into a frame.
MOST_POINTS = 12_000
# Rows of the last hour, to see whether they have drifted.
RECENT = int(3600 / STEP_S)
# What is scored without a pause, short beside the 10 ms for which nothing may block the loop.
SLICE_S = 0.003
# Of so many agents it is told without a pause why they have none.
AT_ONCE = 500

NO_CHILD = "there is no process that learns"
NO_MODEL = "nothing was learned of it yet"
FULL = f"forests are kept of {MOST_MODELS} agents, and of no more"
UNSEEN = "most of what was learned of it is not seen now"


class _Known:
    """A forest and what was seen since it was grown."""

    __slots__ = ("model", "recent")

    def __init__(self, model: Model) -> None:
        self.model = model
        self.recent: deque[tuple[float, ...]] = deque(maxlen=RECENT)


class Learning:
    """Has forests grown, keeps them, and asks them."""

    def __init__(
        self,
        ledger: Ledger,
        ports: Ports,
        vitals: Vitals,
        history: History,
        recall: RecallPoints,
        state_dir: Path,
        interval_s: Callable[[], float],
        metrics: LearningMetrics,
        log: Log,
        redact: Callable[[str], str],
        outlook: Outlook,
    ) -> None:
        self.foretelling = Foretelling(
            ledger, ports, vitals, outlook, state_dir / "models", interval_s, metrics, log, redact
        )
        self._ledger = ledger
        self._ports = ports
        self._clock = ports.clock
        self._vitals = vitals
        self._history = history
        self._recall = recall
        self._files = ModelFiles(state_dir / "models")
        self._interval_s = interval_s
        self._metrics = metrics
        self._log = log
        self._backoff = Backoff("learning.statistics", ports.clock, interval_s, metrics, log, redact)
        self._known: dict[str, _Known] = {}
        self._loaded = False
        self._next_at: dict[str, float] = {}
        self._job = 0
        self.loops = (
            Loop("learn", self.learn, every_s=LOOK_S),
            Loop("strangeness", self.look, every_s=STEP_S, idle=lambda: not self._known),
        )

    async def learn(self) -> None:
        """Learn what is due, one agent after the other."""
        if not self._loaded:
            await self._load()
        await self._forget_gone()
        for agent in await self._due(self._clock.now()):
            if self._backoff.is_resting(self._clock.now()):
                break
            await self._learn(agent)
        await self._say_why()
        await self.foretelling.learn()  # by the same child, which does one thing after the other

    async def look(self) -> None:
        """Score every agent that has a forest, in slices."""
        began = self._clock.monotonic()
        for agent in tuple(self._known):
            known = self._known.get(agent)
            if known is not None and agent in self._ledger.world.agents:
                self._vitals.put_strangeness(agent, self._judged(agent, known))
            if self._clock.monotonic() - began > SLICE_S:
                await self._clock.sleep(0)
                began = self._clock.monotonic()

    async def close(self) -> None:
        """End the child, if there is one."""
        if self._ports.learner is not None:
            await self._ports.learner.close()

    # --- what is known ---

    async def _load(self) -> None:
        """Take the forests that an earlier daemon has kept."""
        found, refused = await self._ports.run_in_thread(self._files.load)
        self._known = {agent: _Known(model) for agent, model in found.items()}
        self._next_at = {agent: model.told.trained_at + self._interval_s() for agent, model in found.items()}
        for agent, why in refused.items():
            self._metrics.refused(why.slug)
            self._log.warning("learning.refused", agent=agent, reason=why.slug, why=str(why))
        self._loaded = True
        self._metrics.models(len(self._known))

    async def _forget_gone(self) -> None:
        agents = self._ledger.world.agents
        for agent in [one for one in (self._known.keys() | self._next_at.keys()) if one not in agents]:
            self._known.pop(agent, None)
            self._next_at.pop(agent, None)
            await self._ports.run_in_thread(lambda gone=agent: self._files.forget(gone))  # type: ignore[misc]
        self._metrics.models(len(self._known))

    def _judged(self, agent: str, known: _Known) -> Strangeness:
        now = self._clock.now()
        points = {name: (times, values) for name, times, values in self._history.columns(agent, now - WINDOW_S)}
        seen = row(points, known.model.told.signals, now)
        score = known.model.score(seen)
        if score is None:
            return Strangeness(now, None, UNSEEN)
        if quiet_moments(left_out(self._ledger.world, agent, now - WINDOW_S), now, now):
            known.recent.append(seen)
        return Strangeness(now, round(score, 3), "", known.model.strangest(seen) if score > 0.0 else ())

    async def _say_why(self) -> None:
        """Tell of each agent without a forest why it has none."""
        for number, agent in enumerate(self._history.agents(), 1):
            if number % AT_ONCE == 0:
                await self._clock.sleep(0)
            if agent in self._ledger.world.agents and agent not in self._known:
                before = self._vitals.strangeness(agent)
                why = self._why(agent) or (before.why if before is not None else "") or NO_MODEL
                if before is None or (before.score, before.why) != (None, why):
                    self._vitals.put_strangeness(agent, Strangeness(self._clock.now(), None, why))

    def _why(self, agent: str) -> str:
        """Why there is no forest of an agent, where that is no matter of its own."""
        if self._ports.learner is None:
            return NO_CHILD
        if self._backoff.trouble:
            return self._backoff.trouble
        return FULL if len(self._known) >= MOST_MODELS else ""

    # --- what is learned ---

    async def _due(self, now: float) -> list[str]:
        """Whose turn it is, who waits longest first."""
        if self._ports.learner is None or self._backoff.is_resting(now):
            return []
        agents = [one for one in self._history.agents() if one in self._ledger.world.agents]
        room = MOST_MODELS - len(self._known)
        new = [one for one in agents if one not in self._known and self._next_at.get(one, 0.0) <= now][: max(0, room)]
        old = [one for one in agents if one in self._known and await self._is_old(one, now)]
        return sorted(old, key=lambda one: self._next_at.get(one, 0.0)) + new

    async def _is_old(self, agent: str, now: float) -> bool:
        """Whether it is time, or time for what has drifted: some milliseconds to find out, so in a thread."""
        due = self._next_at.get(agent, 0.0)
        if due <= now:
            return True
        told, recent = self._known[agent].model.told, tuple(self._known[agent].recent)
        if due - self._interval_s() * (1.0 - SOONER) > now or len(recent) < ROWS_TO_DRIFT:
            return False
        return (await self._ports.run_in_thread(lambda: drift(told, recent))).drifted

    async def _learn(self, agent: str) -> None:
        now, world = self._clock.now(), self._ledger.world
        since = now - LEARN_FROM_S
        spans = left_out(world, agent, since)
        # The disk is not read before there can be enough: whoever has just begun has others to read it for.
        quiet = quiet_moments(spans, max(since, world.started_at + WINDOW_S), now)
        if quiet < LEAST_ROWS:
            why = f"{quiet} quiet rows of {LEAST_ROWS} that are needed"
            self._put_off(agent, "too_little", why, max(LOOK_S, STEP_S * (LEAST_ROWS - quiet)))
            return
        await self._order(agent, await self._recall(agent, since, now), spans, since, now)

    async def _order(
        self, agent: str, points: Mapping[str, Points], spans: tuple[tuple[float, float], ...], since: float, now: float
    ) -> None:
        learner = self._ports.learner
        assert learner is not None
        self._job += 1
        latest = {
            name: (times[-MOST_POINTS:], values[-MOST_POINTS:])
            for name, (times, values) in points.items()
            if tells(name)
        }
        order = Fit(
            job=self._job, agent=agent, points=columns_for(latest), left_out=spans, since=since, until=now,
            seed=crc32(agent.encode(errors="surrogatepass")), limit_s=LIMIT_S,
        )  # fmt: skip
        try:
            answer = await learner.fit(order)
        except ChildFailed as why:
            self._backoff.failed(why.slug, str(why))
        except Garbage as why:  # an order that is too large for the wire is nobody's failure but this agent's
            self._put_off(agent, "error", str(why))
        else:
            await self._take(agent, answer)

    async def _take(self, agent: str, answer: Fitted | NotFitted) -> None:
        if isinstance(answer, NotFitted):
            if answer.slug == "too_little":
                self._put_off(agent, answer.slug, answer.why)
            else:
                self._backoff.failed(answer.slug, answer.why)
            return
        try:
            model = await self._ports.run_in_thread(lambda: decode(answer.model, agent))
        except ModelRefused as why:
            self._backoff.failed("refused", f"what it learned is no model: {why}")
            return
        await self._keep(agent, model, answer.model)

    async def _keep(self, agent: str, model: Model, data: bytes) -> None:
        self._known[agent] = _Known(model)
        self._next_at[agent] = self._clock.now() + self._interval_s()
        self._metrics.trained("fitted")
        self._metrics.models(len(self._known))
        if self._backoff.trouble:
            self._log.info("learning.again", agent=agent)
        self._backoff.succeeded()
        try:
            await self._ports.run_in_thread(lambda: self._files.save(agent, data))
        except OSError as why:  # it is learned again after the next start
            self._log.warning("learning.unsaved", agent=agent, why=str(why))

    def _put_off(self, agent: str, outcome: str, why: str, rest_s: float = TOO_LITTLE_S) -> None:
        """Not now: there is too little of this agent, and a forest that it has is kept."""
        now = self._clock.now()
        self._next_at[agent] = now + rest_s
        self._metrics.trained(outcome)
        if agent not in self._known:
            self._vitals.put_strangeness(agent, Strangeness(now, None, why))
