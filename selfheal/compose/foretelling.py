"""When is learned what comes before a failure, is it kept, and who speaks of which way to fail?

From simulated fleets alone on the first day, and from what this one went through as soon as there is any of it. The
child does the work and says what came of it; what it says is looked at before it is believed. Whatever goes wrong costs
what was learned alone: trends and the rate of deaths go on without them, and it is said once why.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from selfheal.compose.backoff import Backoff
from selfheal.compose.models import ForetellerFile
from selfheal.compose.outlook import Outlook
from selfheal.compose.reactions import Log
from selfheal.ledger import Ledger
from selfheal.ml.client import ChildFailed
from selfheal.ml.sealed import ModelRefused
from selfheal.ml.wire import MOST_FRAME, Foretell, Foretold, Garbage, NotFitted, Past
from selfheal.ports import Ports
from selfheal.predict.own_past import TAUGHT, failures_of
from selfheal.recorded.foreteller import Foreteller, foreteller_of
from selfheal.telemetry.learning import LearningMetrics
from selfheal.vitals import Speaker, Vitals
from selfheal.vocabulary import FailureMode

# A daemon that has just begun has others to give the machine to.
FIRST_S = 600.0
# So many simulated agents: a minute of a processor that nobody else wants, of which most is for making rows.
RUNS, SEED = 120, 1
LIMIT_S = 900.0
# Of so many agents of one's own, as far back as the disk has minutes: 16 KB a signal, and no more than a frame holds.
MOST_TAUGHT = 40
LEARN_FROM_S = 7 * 86400.0
# Where nothing has failed or drifted since, there is little news: then after so many times the interval.
SLOWER = 24.0
# What an order holds beside the model that there is and the pasts of agents, limits and names above all.
_BESIDE = 200_000

NO_CHILD = "there is no process that learns"
NO_MODEL = "nothing was learned yet"
TREES_SAY = "the reasons that are told with it are what the trees see"
UNTAUGHT = "too few such failures were there to be learned from"


class Foretelling:
    """Has the model made, keeps it, and says who speaks."""

    def __init__(
        self,
        ledger: Ledger,
        ports: Ports,
        vitals: Vitals,
        outlook: Outlook,
        directory: Path,
        interval_s: Callable[[], float],
        metrics: LearningMetrics,
        log: Log,
        redact: Callable[[str], str],
    ) -> None:
        self.outlook = outlook
        self._ledger = ledger
        self._ports = ports
        self._clock = ports.clock
        self._vitals = vitals
        self._file = ForetellerFile(directory)
        self._interval_s = interval_s
        self._metrics = metrics
        self._log = log
        self._backoff = Backoff("foretelling.trend", ports.clock, interval_s, metrics, log, redact)
        self._data = b""
        self._loaded = False
        self._job = 0

    async def learn(self) -> None:
        """Learn where it is time to, and say who speaks."""
        if not self._loaded:
            await self._load()
        now = self._clock.now()
        taught = await self.outlook.taught() if await self._is_time(now) else []
        if taught and self._ports.learner is not None:
            await self._order(taught[:MOST_TAUGHT], now)
        self._say()

    async def _is_time(self, now: float) -> bool:
        """Whether there may be something to learn that is not known yet."""
        world, model = self._ledger.world, self.outlook.model
        if self._ports.learner is None or self._backoff.is_resting(now) or now < world.started_at + FIRST_S:
            return False
        if model is None:
            return True
        age_s = now - model.told.trained_at
        if age_s < self._interval_s():
            return False
        if age_s >= SLOWER * self._interval_s() or self._has_news(model):
            return True
        return await self.outlook.drifted()

    def _has_news(self, model: Foreteller) -> bool:
        """Whether something has failed since."""
        since, world = model.told.trained_at, self._ledger.world
        lately = {one.agent for one in world.incidents.values() if one.onset > since}
        lately |= {one.episode.last.agent for one in world.foresight.over if one.at > since}
        return any(came.at > since for agent in lately for came in failures_of(world, agent))

    # --- what is known ---

    async def _load(self) -> None:
        try:
            data = await self._ports.run_in_thread(self._file.load)
            if data:
                self.outlook.take(await self._ports.run_in_thread(lambda: foreteller_of(data)))
            self._data = data
        except ModelRefused as why:
            await self._ports.run_in_thread(self._file.put_aside)
            self._metrics.refused(why.slug)
            self._log.warning("foretelling.refused", reason=why.slug, why=str(why))
        self._loaded = True

    def _say(self) -> None:
        model = self.outlook.model
        speakers = {mode: self._speaker(mode, model) for mode in TAUGHT}
        if speakers != self._vitals.speakers:
            self._vitals.speakers = speakers

    def _speaker(self, mode: FailureMode, model: Foreteller | None) -> Speaker:
        if model is None:
            return Speaker("trend", self._backoff.trouble or (NO_CHILD if self._ports.learner is None else NO_MODEL))
        known = model.modes.get(mode)
        if known is None:
            return Speaker("trend", UNTAUGHT)
        told, by_lstm = known.told, known.told.speaks and known.model == "lstm"
        why = "; ".join(filter(None, (told.why, told.of_lstm, TREES_SAY if by_lstm else "")))
        return Speaker(known.model if told.speaks else "trend", why)

    # --- what is learned ---

    async def _order(self, agents: list[str], now: float) -> None:
        learner = self._ports.learner
        assert learner is not None
        self._job += 1
        order = Foretell(
            job=self._job, pasts=await self._pasts(agents, now - LEARN_FROM_S), runs=RUNS, before=self._data,
            until=now, seed=SEED, limit_s=LIMIT_S,
        )  # fmt: skip
        try:
            answer = await learner.foretell(order)
        except ChildFailed as why:
            self._backoff.failed(why.slug, str(why))
        except Garbage as why:
            self._backoff.failed("error", str(why))
        else:
            await self._take(answer)

    async def _pasts(self, agents: list[str], since: float) -> tuple[Past, ...]:
        """What the agents were, as far as an order can hold it."""
        pasts: list[Past] = []
        size = 0
        for agent in agents:
            past = await self.outlook.past(agent, since)
            if past is not None:
                more = sum(map(len, past.columns.values()))
                if size + more <= MOST_FRAME - len(self._data) - _BESIDE:
                    size += more
                    pasts.append(past)
        return tuple(pasts)

    async def _take(self, answer: Foretold | NotFitted) -> None:
        if isinstance(answer, NotFitted):
            self._backoff.failed(answer.slug, answer.why)
            return
        try:
            model = await self._ports.run_in_thread(lambda: foreteller_of(answer.model))
        except ModelRefused as why:
            self._backoff.failed("refused", f"what it learned is no model: {why}")
            return
        self._metrics.trained("fitted" if answer.taken else "not_better")
        self._log.info("foretelling.learned", speaks=sorted(model.speaking), taken=answer.taken)
        self.outlook.take(model)
        self._data = answer.model
        self._backoff.succeeded()
        try:
            await self._ports.run_in_thread(lambda: self._file.save(answer.model))
        except OSError as why:  # it is learned again after the next start
            self._log.warning("foretelling.unsaved", why=str(why))
