"""When is each check asked, and what came of it?

Checks stand on the wheel; one that is due is asked, at most so many at once, and ends as exactly one `Observation`: a
`Probe` by callbacks, with its deadline on the wheel, any other check as a task. The same check of the same agent is
never asked twice at a time: a wish for it while it runs joins it. After a first miss, and while a fallen agent comes
back, it is asked at a faster pace until the matter is settled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import partial

from selfheal.clock import Clock
from selfheal.config.address import Endpoint
from selfheal.errors import CheckFailed
from selfheal.kinds import Observation, Probe, Tell
from selfheal.observe.doubt import Doubt
from selfheal.observe.lane import Lane
from selfheal.observe.pulse import Pulse
from selfheal.observe.scheduled import Pace, ScheduledCheck
from selfheal.observe.wheel import Alarm, Wheel
from selfheal.observe.wording import Unwell

# The pace while a check is in doubt: three misses are known in two seconds instead of in two intervals.
FAST_S = 1.0
# What is inconclusive is asked again at once, unless it was that before.
AT_ONCE_S = 0.1


class _Watched:
    """One check of one agent on the wheel.

    `asked` are those who wait for its next run, `answering` those who wait for the one in flight, which began at
    `began` (monotonic). `said` and `deadline` are made once, for each run of a probe. `failing` says that it may well
    use up its whole timeout, `suspect` how it was counted when it was asked last, `unsure` whether its last result was
    inconclusive, `was_well` whether it ever was.
    """

    __slots__ = (
        "agent", "answering", "asked", "began", "deadline", "failing", "key", "lane", "pace", "plan", "probe", "queued",
        "said", "suspect", "unsure", "was_well",
    )  # fmt: skip

    def __init__(self, agent: str, plan: ScheduledCheck, probe: Probe | None, lane: Lane[_Watched]) -> None:
        self.agent = agent
        self.plan = plan
        self.probe = probe
        self.lane = lane
        self.key = f"{agent}/{plan.name}"
        self.pace = Pace()
        self.queued = False
        self.suspect = False
        self.failing = False
        self.unsure = False
        self.was_well = False
        self.began = 0.0
        self.asked: list[_Answer] = []
        self.answering: list[_Answer] = []
        self.said: Tell = _unheard
        self.deadline = Alarm(_nothing)


class Scheduler:
    """Asks the checks of every agent.

    `spawn` gives a task its parent. `sink` gets each observation once, in the loop, except of agents forgotten since.
    At most `max_probes` probes, each of which takes a descriptor, and `max_in_flight` other checks, each of which takes
    a task, are asked at once. Without `doubt` every failure is believed.
    """

    def __init__(
        self,
        clock: Clock,
        wheel: Wheel,
        spawn: Callable[[str, Coroutine[object, object, None]], object],
        sink: Callable[[Observation], None],
        max_in_flight: int = 256,
        max_probes: int = 2048,
        doubt: Doubt | None = None,
    ) -> None:
        self._clock = clock
        self._wheel = wheel
        self._doubt = doubt
        self._spawn = spawn
        self._sink = sink
        self._probing: Lane[_Watched] = Lane(max_probes)
        self._working: Lane[_Watched] = Lane(max_in_flight)
        self._agents: dict[str, dict[str, _Watched]] = {}
        self._in_flight: dict[str, _Watched] = {}
        self._pulse = Pulse(asyncio.get_running_loop(), lambda: bool(self._in_flight))
        self._emptying = False

    def watch(self, agent: str, checks: Sequence[ScheduledCheck]) -> None:
        """Ask these checks of an agent from now on, in place of those it had."""
        self.forget(agent)
        self._agents[agent] = {plan.name: self._watched(agent, plan) for plan in checks}
        for watched in self._agents[agent].values():
            self._wheel.add(watched.key, watched.plan.interval_s, partial(self._start, watched))

    def forget(self, agent: str) -> None:
        """Ask nothing of this agent any more. What is in flight ends unheard."""
        for watched in self._agents.pop(agent, {}).values():
            self._wheel.remove(watched.key)
            _settle(watched.asked, None)
            if watched.probe is not None:
                self._give_up(watched, watched.probe)

    def close(self) -> None:
        """Ask nothing any more, and leave no connection open."""
        for agent in tuple(self._agents):
            self.forget(agent)
        self._pulse.close()

    def sweep(self, agents: Iterable[str] | None = None) -> None:
        """Ask every check of these agents now, of all agents where none are named."""
        for agent in tuple(self._agents if agents is None else agents):
            for watched in self._checks(agent):
                self._start(watched)

    def soon(self, agent: str, check: str, in_s: float) -> None:
        """Ask this check early."""
        watched = self._agents.get(agent, {}).get(check)
        if watched is not None:
            self._wheel.reschedule(watched.key, in_s)

    async def ask(self, agent: str) -> tuple[Observation, ...]:
        """Ask every check of an agent and return what they saw, none of it older than this call.

        A check in flight is asked again when it ends. Empty for an agent without checks, or forgotten meanwhile.
        """
        answers: list[_Answer] = []
        for watched in self._checks(agent):
            answers.append(asyncio.get_running_loop().create_future())
            watched.asked.append(answers[-1])
            self._start(watched)
        seen = await asyncio.gather(*answers)
        return tuple(observation for observation in seen if observation is not None)

    def _watched(self, agent: str, plan: ScheduledCheck) -> _Watched:
        probe = plan.probe
        watched = _Watched(agent, plan, probe, self._working if probe is None else self._probing)
        if probe is not None:
            watched.said = partial(self._said, watched)
            watched.deadline = Alarm(partial(self._overdue, watched, probe))
        return watched

    def _checks(self, agent: str) -> Iterator[_Watched]:
        return iter(tuple(self._agents.get(agent, {}).values()))

    def _current(self, watched: _Watched) -> _Watched | None:
        """The one that is watched under this key now: the same, or what took its place."""
        return self._agents.get(watched.agent, {}).get(watched.plan.name)

    # --- asking ---

    def _start(self, watched: _Watched) -> None:
        """Let a check run now, or as soon as there is room, unless it does already."""
        if watched.queued or watched.key in self._in_flight:
            return
        suspect = watched.failing
        if not watched.lane.enter(suspect=suspect):
            watched.queued = True
            watched.lane.wait(watched, suspect=suspect)
            return
        self._in_flight[watched.key] = watched
        watched.suspect = suspect
        if watched.asked:
            watched.answering, watched.asked = watched.asked, []
        watched.began = self._clock.monotonic()
        if watched.probe is None:
            self._spawn(f"check {watched.key}", self._run(watched))
        else:
            self._ask(watched, watched.probe)
            if watched.key not in self._in_flight:  # it was told at once
                return
            self._wheel.set(watched.deadline, watched.plan.timeout_s)
        self._pulse.begin()

    def _ask(self, watched: _Watched, probe: Probe) -> None:
        try:
            probe.ask(watched.said)
        except Exception as why:  # noqa: BLE001 - a check is other people's code, and must not end the others
            self._said(watched, {}, why)

    def _said(self, watched: _Watched, signals: Mapping[str, float], failure: Exception | None) -> None:
        """Take what a probe tells."""
        self._wheel.unset(watched.deadline)
        if failure is None:
            self._end(watched, self._seen(watched, signals, None))
        else:
            self._failed(watched, signals, failure)

    def _overdue(self, watched: _Watched, probe: Probe) -> None:
        probe.give_up()
        self._failed(watched, {}, _too_late(watched.plan))

    def _give_up(self, watched: _Watched, probe: Probe) -> None:
        probe.give_up()
        self._wheel.unset(watched.deadline)
        if self._in_flight.get(watched.key) is watched:
            self._left(watched, None)

    async def _run(self, watched: _Watched) -> None:
        """Ask once by a task. Whatever the check does is an observation; only cancellation escapes."""
        plan = watched.plan
        ended = False
        try:
            async with asyncio.timeout(plan.timeout_s):
                signals = dict(await plan.check.run())
            ended = True
            self._end(watched, self._seen(watched, signals, None))
        except TimeoutError:
            ended = True
            self._failed(watched, {}, _too_late(plan))
        except Exception as why:  # noqa: BLE001 - a check is other people's code, and must not end the others
            ended = True
            self._failed(watched, {}, why)
        finally:
            if not ended:
                self._left(watched, None)

    # --- what came of it ---

    def _seen(self, watched: _Watched, signals: Mapping[str, float], failure: Exception | None) -> Observation:
        took_s = self._clock.monotonic() - watched.began
        at = self._clock.now() - took_s
        if failure is None:
            return Observation(watched.agent, watched.plan.name, at, took_s, "ok", "", signals)
        if not isinstance(failure, CheckFailed):
            reason = f"{type(failure).__name__}: {failure}"
            return Observation(watched.agent, watched.plan.name, at, took_s, "error", reason)
        if isinstance(failure, Unwell):
            signals = failure.signals
        return Observation(
            watched.agent, watched.plan.name, at, took_s, failure.result, failure.reason, signals, failure.cause
        )

    def _failed(self, watched: _Watched, signals: Mapping[str, float], failure: Exception) -> None:
        """It is in flight until it is known whose failure that is."""
        seen = self._seen(watched, signals, failure)
        if self._doubt is None:
            self._end(watched, seen)
            return
        lag_s = self._pulse.lag_s(watched.began)
        self._doubt.weigh(seen, failure, lag_s, watched.plan.target, self._well, partial(self._end, watched))

    def _well(self) -> list[Endpoint]:
        """What the checks ask that were well until now. While all are unsure, they are still the ones to ask."""
        all_watched = (watched for checks in self._agents.values() for watched in checks.values())
        well = (one.plan for one in all_watched if one.was_well and not one.pace.fallen)
        return [plan.target for plan in well if plan.target is not None]

    def _end(self, watched: _Watched, seen: Observation) -> None:
        if self._in_flight.get(watched.key) is not watched:  # it was forgotten while others were asked about it
            return
        self._left(watched, seen)
        current = self._current(watched)
        if current is not None and current.asked:
            self._start(current)
        if current is watched:
            self._keep_pace(watched, seen)
            self._sink(seen)

    def _left(self, watched: _Watched, seen: Observation | None) -> None:
        """It is in flight no more: others may be."""
        del self._in_flight[watched.key]
        watched.lane.leave(suspect=watched.suspect)
        if watched.answering:
            _settle(watched.answering, seen)
            watched.answering = []
        if not self._emptying:
            self._start_queued(watched.lane)

    def _keep_pace(self, watched: _Watched, seen: Observation) -> None:
        plan = watched.plan
        if seen.result == "ok" and not watched.failing:  # as it is nearly always
            watched.was_well = True
            if plan.again_s is not None:
                self._wheel.reschedule(watched.key, plan.again_s(seen.signals))
            return
        pace = watched.pace = watched.pace.after(seen.result, plan.fall, plan.rise)
        unsure, watched.unsure = watched.unsure, seen.result == "inconclusive"
        watched.failing = pace.fallen or pace.in_doubt or watched.unsure
        if watched.unsure:
            self._wheel.reschedule(watched.key, FAST_S if unsure else AT_ONCE_S)
        elif pace.against:  # from start to start: an answer that never came has taken its time already
            self._wheel.reschedule(watched.key, max(0.0, min(plan.interval_s, FAST_S) - seen.took_s))
        elif plan.again_s is not None and seen.result == "ok":
            self._wheel.reschedule(watched.key, plan.again_s(seen.signals))

    def _start_queued(self, lane: Lane[_Watched]) -> None:
        self._emptying = True  # a probe that fails at once gives its place back within: the loop goes on
        try:
            while (watched := lane.next()) is not None:
                watched.queued = False
                if self._current(watched) is watched:
                    self._start(watched)
        finally:
            self._emptying = False


def _too_late(plan: ScheduledCheck) -> CheckFailed:
    return CheckFailed(f"no answer within {plan.timeout_s:g} s", "timeout")


_Answer = asyncio.Future[Observation | None]


def _settle(answers: list[_Answer], seen: Observation | None) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_result(seen)


def _nothing() -> None:
    """What is called of a check that has no deadline on the wheel."""


def _unheard(signals: Mapping[str, float], failure: Exception | None) -> None:
    """What hears a check that is no probe."""
