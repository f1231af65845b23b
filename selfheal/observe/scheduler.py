"""When is each check asked, and what came of it?

Checks stand on the wheel; one that is due becomes a task, at most so many at once, and ends as exactly one
`Observation`. The same check of the same agent is never asked twice at a time: a wish for it while it runs joins it.
After a first miss, and while a fallen agent comes back, it is asked at a faster pace until the matter is settled.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from selfheal.clock import Clock
from selfheal.config.models import CheckConfig
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind, Observation
from selfheal.observe.deadline import Deadline
from selfheal.observe.wheel import Wheel
from selfheal.observe.wording import Unwell
from selfheal.vocabulary import CheckResult

# The pace while a check is in doubt: three misses are known in two seconds instead of in two intervals.
FAST_S = 1.0
# A timeout that is noticed this much too late was missed by us, not by the agent: its answer may lie unread.
_OWN_LAG_S = 0.25


@dataclass(frozen=True, slots=True)
class ScheduledCheck:
    """A check, and when to ask it. `fall` and `rise` are the results in a row that settle a matter.

    `again_s` is as in `CheckKind`, for this one.
    """

    name: str
    check: Check
    interval_s: float
    timeout_s: float
    fall: int
    rise: int
    again_s: Callable[[Mapping[str, float]], float] | None = None


def scheduled(config: CheckConfig, context: CheckContext, kinds: Sequence[CheckKind]) -> ScheduledCheck:
    """Build a check from its configuration. It is named after its kind where it has no name of its own."""
    kind = next(kind for kind in kinds if isinstance(config, kind.model))
    return ScheduledCheck(
        name=config.name or kind.name,
        check=kind.build(config, context),
        interval_s=config.interval,
        timeout_s=config.timeout,
        fall=config.fall,
        rise=config.rise,
        again_s=partial(kind.again_s, config) if kind.again_s is not None else None,
    )


@dataclass(frozen=True, slots=True)
class Pace:
    """Whether a check is in doubt. Results that say nothing about the agent leave it as it is."""

    fallen: bool = False
    against: int = 0  # results in a row that speak against how it stands

    def after(self, result: CheckResult, fall: int, rise: int) -> Pace:
        """The pace after one more result."""
        if result in ("error", "inconclusive"):
            return self
        if (result == "ok") is not self.fallen:
            return Pace(self.fallen)
        needed = rise if self.fallen else fall
        return Pace(self.fallen, self.against + 1) if self.against + 1 < needed else Pace(not self.fallen)

    @property
    def in_doubt(self) -> bool:
        return self.against > 0


@dataclass(slots=True, eq=False)
class _Watched:
    """One check of one agent on the wheel. `asked` are those who wait for its next run."""

    agent: str
    plan: ScheduledCheck
    pace: Pace = Pace()
    queued: bool = False
    asked: list[asyncio.Future[Observation | None]] = field(default_factory=list)

    @property
    def key(self) -> str:
        return f"{self.agent}/{self.plan.name}"


class Scheduler:
    """Asks the checks of every agent.

    `spawn` gives a task its parent. `sink` gets each observation once, in the loop, except of agents forgotten since.
    """

    def __init__(
        self,
        clock: Clock,
        wheel: Wheel,
        spawn: Callable[[str, Coroutine[object, object, None]], object],
        sink: Callable[[Observation], None],
        max_in_flight: int = 256,
    ) -> None:
        self._clock = clock
        self._wheel = wheel
        self._spawn = spawn
        self._sink = sink
        self._max_in_flight = max_in_flight
        self._agents: dict[str, dict[str, _Watched]] = {}
        self._in_flight: set[str] = set()
        self._queue: deque[_Watched] = deque()

    def watch(self, agent: str, checks: Sequence[ScheduledCheck]) -> None:
        """Ask these checks of an agent from now on, in place of those it had."""
        self.forget(agent)
        self._agents[agent] = {plan.name: _Watched(agent, plan) for plan in checks}
        for watched in self._agents[agent].values():
            self._wheel.add(watched.key, watched.plan.interval_s, partial(self._start, watched))

    def forget(self, agent: str) -> None:
        """Ask nothing of this agent any more. What is in flight ends unheard."""
        for watched in self._agents.pop(agent, {}).values():
            self._wheel.remove(watched.key)
            _settle(watched.asked, None)

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
        answers: list[asyncio.Future[Observation | None]] = []
        for watched in self._checks(agent):
            answers.append(asyncio.get_running_loop().create_future())
            watched.asked.append(answers[-1])
            self._start(watched)
        seen = await asyncio.gather(*answers)
        return tuple(observation for observation in seen if observation is not None)

    def _checks(self, agent: str) -> Iterator[_Watched]:
        return iter(tuple(self._agents.get(agent, {}).values()))

    def _current(self, watched: _Watched) -> _Watched | None:
        """The one that is watched under this key now: the same, or what took its place."""
        return self._agents.get(watched.agent, {}).get(watched.plan.name)

    def _start(self, watched: _Watched) -> None:
        """Let a check run now, or as soon as there is room, unless it does already."""
        if watched.queued or watched.key in self._in_flight:
            return
        if len(self._in_flight) >= self._max_in_flight:
            watched.queued = True
            self._queue.append(watched)
            return
        self._in_flight.add(watched.key)
        self._spawn(f"check {watched.key}", self._run(watched))

    async def _run(self, watched: _Watched) -> None:
        asked, watched.asked = watched.asked, []
        seen: Observation | None = None
        try:
            seen = await self._observe(watched)
        finally:
            self._in_flight.discard(watched.key)
            _settle(asked, seen)
        self._start_queued()
        current = self._current(watched)
        if current is not None and current.asked:
            self._start(current)
        if current is watched:
            self._keep_pace(watched, seen)
            self._sink(seen)

    async def _observe(self, watched: _Watched) -> Observation:
        """Ask once. Whatever the check does is an observation; only cancellation escapes."""
        plan, at, began = watched.plan, self._clock.now(), self._clock.monotonic()
        result: CheckResult = "ok"
        reason = cause = ""
        signals: Mapping[str, float] = {}
        deadline = Deadline(plan.timeout_s)
        try:
            async with deadline:
                signals = dict(await plan.check.run())
        except CheckFailed as why:
            result, reason, cause = why.result, why.reason, why.cause
            signals = why.signals if isinstance(why, Unwell) else {}
        except TimeoutError:
            result, reason = _overdue(plan.timeout_s, deadline.lag_s)
        except Exception as why:  # noqa: BLE001 - a check is other people's code, and must not end the others
            result, reason = "error", f"{type(why).__name__}: {why}"
        took_s = self._clock.monotonic() - began
        return Observation(watched.agent, plan.name, at, took_s, result, reason, signals, cause)

    def _keep_pace(self, watched: _Watched, seen: Observation) -> None:
        plan = watched.plan
        watched.pace = watched.pace.after(seen.result, plan.fall, plan.rise)
        if watched.pace.in_doubt:  # from start to start: an answer that never came has taken its time already
            self._wheel.reschedule(watched.key, max(0.0, min(plan.interval_s, FAST_S) - seen.took_s))
        elif seen.result == "ok" and plan.again_s is not None:
            self._wheel.reschedule(watched.key, plan.again_s(seen.signals))

    def _start_queued(self) -> None:
        while self._queue and len(self._in_flight) < self._max_in_flight:
            watched = self._queue.popleft()
            watched.queued = False
            if self._current(watched) is watched:
                self._start(watched)


def _overdue(timeout_s: float, lag_s: float) -> tuple[CheckResult, str]:
    if lag_s > _OWN_LAG_S:
        return "inconclusive", f"no answer within {timeout_s:g} s, but selfheal itself was {lag_s:.2g} s late to look"
    return "timeout", f"no answer within {timeout_s:g} s"


def _settle(answers: list[asyncio.Future[Observation | None]], seen: Observation | None) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_result(seen)
