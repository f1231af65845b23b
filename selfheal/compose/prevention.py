"""What is done before anything fails?

The prevention loop: forecasts from the history, and work planned from the forecasts, at a time when the agent has
little to do. The work itself is the healer's: it passes the same door as a fix.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from selfheal.causes import foreseen_cause
from selfheal.compose.fleet import Fleet
from selfheal.compose.judgement import Judgement
from selfheal.compose.memory import Memory
from selfheal.compose.windows import open_until
from selfheal.config.models import WindowConfig, process_of
from selfheal.decide.ahead import Chosen, siblings
from selfheal.events import FailurePredicted, PredictionLeft, WorkPlanned
from selfheal.ledger import Ledger
from selfheal.notify.rules import quiet_until
from selfheal.ports import Ports
from selfheal.predict.exhaustion import Learned, fleet_prior, forecasts_of, forecasts_of_the_gone
from selfheal.predict.left_alone import why_not_left
from selfheal.predict.load import HOUR_S, Load, learned, telling
from selfheal.predict.maintenance import Slot, Times, in_words, slot, void, wanted
from selfheal.recover.engine import Healer
from selfheal.vitals import Vitals
from selfheal.world import World
from selfheal.world.cases import case_of

# What an hour of the week is like is known from so many of them.
WEEKS_S = 4 * 7 * 24 * HOUR_S
# Agents that are looked at in one go: at most five milliseconds, as a rule.
AT_ONCE = 25


class Prevention:
    """Foresees, plans, and sees to it that the work is done, or given up."""

    def __init__(
        self, ledger: Ledger, ports: Ports, fleet: Fleet, memory: Memory, vitals: Vitals, judgement: Judgement,
        healer: Healer, learned: Callable[[], Awaitable[Learned]],
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._clock = ports.clock
        self._chance = ports.chance
        self._fleet = fleet
        self._memory = memory
        self._vitals = vitals
        self._judgement = judgement
        self._healer = healer
        self._learned = learned

    async def foresee(self) -> None:
        """Renew the forecasts and what is planned because of them."""
        now = self._clock.now()
        await self._forecast(now)
        self._ledger.record(*void(self._ledger.world, now))
        times = {one.agent: await self._times(one.agent, now) for one in wanted(self._ledger.world, now)}
        decided: set[str] = set()
        for prediction in wanted(self._ledger.world, now):
            agent = prediction.agent
            if agent in times and agent not in decided:
                told = self._decided(prediction, times[agent], self._clock.now())
                self._ledger.record(*told)
                decided |= {agent} if told else set()

    async def _forecast(self, now: float) -> None:
        """Agent by agent: between some of them the loop gets its turn."""
        self._memory.courses.begin()
        said = await self._learned()
        prior = fleet_prior(self._ledger.world, now)
        for place, name in enumerate(tuple(self._ledger.world.agents)):
            world = self._ledger.world
            if name in world.agents:
                await self._memory.courses.renew(world.agents[name], world, now)
            world = self._ledger.world
            if name in world.agents:
                told = forecasts_of(world.agents[name], world, self._memory.courses, now, prior, said.get(name, {}))
                self._ledger.record(*told)
            if place % AT_ONCE == AT_ONCE - 1:
                await self._clock.sleep(0)
        self._ledger.record(*forecasts_of_the_gone(self._ledger.world, now))

    def has_nothing_planned(self) -> bool:
        """Whether there will be nothing to do before something is planned."""
        return all(work.over for work in self._ledger.world.foresight.work.values())

    async def work(self) -> None:
        """Call off what nobody needs any more, and let the healer take the next step of the rest, by when it is due."""
        self._ledger.record(*void(self._ledger.world, self._clock.now()))
        planned = [work.planned for work in self._ledger.world.foresight.work.values() if not work.over]
        for one in sorted(planned, key=lambda one: one.due_at):
            await self._healer.attend(one.work)

    # --- one prediction ---

    def _decided(
        self, prediction: FailurePredicted, times: Times, now: float
    ) -> tuple[WorkPlanned | PredictionLeft, ...]:
        """The work on a prediction, or that it is left alone; nothing where nothing helps."""
        world = self._ledger.world
        draft = WorkPlanned(
            now, f"work-{world.foresight.work_planned + 1}", prediction.agent, "", now, in_words(prediction),
            prediction.mode, foreseen_cause(prediction.mode) or "", prediction.probability,
        )  # fmt: skip
        chosen = self._judgement.ahead(world, case_of(draft), now)
        if chosen is None:
            return ()
        share = self._fleet.config.prevention.left_alone
        arm = world.foresight.arms.get((prediction.agent, prediction.mode))
        drawn = arm == "drawn" or (arm is None and bool(share) and self._may_be_left(world, prediction, chosen, times))
        if drawn and arm is None and self._chance.random() < share:
            why = "a restart ends it within seconds"
            return (PredictionLeft(now, prediction.agent, prediction.mode, prediction.probability, share, why),)
        told = self._fleet.told(prediction.agent, chosen.fix.name)
        interval_s = self._fleet.config.daemon.prevention_interval
        when = slot(prediction, now, times, interval_s, chosen.fix.useful_from(told))
        return (_planned(draft, chosen, when, _how(world, prediction.agent, chosen), drawn=drawn),)

    def _may_be_left(self, world: World, prediction: FailurePredicted, chosen: Chosen, times: Times) -> bool:
        plan, standing = self._fleet.plans[prediction.agent], self._vitals.standby(prediction.agent)
        process = process_of(plan.config)
        policy = process.restart if process is not None else "never"
        has_spare = standing is not None and standing.ready
        awake = replace(times, quiet=lambda moment: times.quiet(moment) or self._is_night(moment))
        agent = world.agents[prediction.agent]
        by_itself = not (chosen.asks or chosen.only_suggested)
        return by_itself and not why_not_left(world, prediction, agent, policy, has_spare, awake)

    def _is_night(self, moment: float) -> bool:
        """Whether it is in the quiet hours of alerts, in which nobody shall be needed."""
        quiet = self._fleet.config.notify.quiet
        return quiet is not None and quiet_until(quiet, moment) > moment

    async def _times(self, agent: str, now: float) -> Times:
        config = self._fleet.config
        closed = [one for one in config.guard.maintenance if agent in one.agents]
        quiet = [one for one in config.prevention.quiet if agent in one.agents]
        return Times(await self._load(agent, now), partial(_is_open, closed), partial(_is_open, quiet))

    async def _load(self, agent: str, now: float) -> Load | None:
        signal = telling(self._memory.history.signals(agent))
        if signal is None:
            return None
        begin = (now - WEEKS_S) // HOUR_S * HOUR_S
        drawing = await self._memory.recall.draw(agent, signal, begin, begin + WEEKS_S, int(WEEKS_S / HOUR_S))
        return learned(signal, ((one.at, one.mean) for one in drawing.buckets if one.count))


def _planned(draft: WorkPlanned, chosen: Chosen, when: Slot, how: str, *, drawn: bool) -> WorkPlanned:
    return replace(
        draft,
        action=chosen.fix.name,
        due_at=when.due_at,
        until=when.until,
        timing=when.why,
        how=how,
        asks=chosen.asks,
        backups=chosen.backups,
        alternatives=chosen.alternatives,
        drawn=drawn,
        reason=chosen.reason,
    )


def _how(world: World, agent: str, chosen: Chosen) -> str:
    """What spares those who use the agent, in words; empty where nothing does."""
    backups = f"after a backup of {', '.join(chosen.backups)}" if chosen.backups else ""
    spare = "what stands by takes over" if chosen.fix.name == "replace_by_spare" else ""
    rolling = "one instance after the other" if siblings(world, agent) else ""
    return ", ".join(filter(None, (backups, spare, rolling)))


def _is_open(windows: Sequence[WindowConfig], moment: float) -> bool:
    return any(open_until(window, moment) is not None for window in windows)
