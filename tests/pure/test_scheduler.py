"""Is every check asked in time, never twice at once, and does each asking end as one observation?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.errors import CheckFailed
from selfheal.kinds import Check, Observation
from selfheal.observe.scheduler import Pace, ScheduledCheck, Scheduler
from selfheal.observe.wheel import TICK_S, Wheel
from selfheal.observe.wording import Unwell
from selfheal.vocabulary import CheckResult
from tests.pure.virtual_loop import EPOCH, VirtualClock, VirtualLoop, in_virtual_time

Answer = Callable[[], Awaitable[Mapping[str, float]]]


@dataclass
class Bench:
    """A scheduler in virtual time, and what its sink got."""

    loop: VirtualLoop
    clock: VirtualClock
    tasks: asyncio.TaskGroup
    room: int = 256
    seen: list[Observation] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wheel = Wheel(self.loop)
        self.scheduler = Scheduler(self.clock, self.wheel, self.spawn, self.seen.append, self.room)

    def spawn(self, name: str, work: Coroutine[object, object, None]) -> None:
        self.names.append(name)
        self.tasks.create_task(work, name=name)

    def results(self, check: str) -> list[CheckResult]:
        return [observation.result for observation in self.seen if observation.check == check]

    def times(self, check: str) -> list[float]:
        return [observation.at - EPOCH for observation in self.seen if observation.check == check]


@dataclass
class Scripted:
    """A check that takes a while, and fails where it is told to."""

    clock: VirtualClock
    takes_s: float = 0.0
    failing: bool = False
    runs: int = 0
    at_once: int = 0
    most_at_once: int = 0

    async def run(self) -> Mapping[str, float]:
        self.runs += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.clock.sleep(self.takes_s)
        finally:
            self.at_once -= 1
        if self.failing:
            raise CheckFailed("it is not well")
        return {"runs": float(self.runs)}


@dataclass
class Doing:
    """A check that does what it is given."""

    run_once: Answer

    async def run(self) -> Mapping[str, float]:
        return await self.run_once()


def play(story: Callable[[Bench], Awaitable[None]], room: int = 256) -> Bench:
    loop = VirtualLoop()

    async def run() -> Bench:
        async with asyncio.TaskGroup() as tasks:
            bench = Bench(loop, VirtualClock(loop), tasks, room)
            await story(bench)
            bench.wheel.close()
        return bench

    return in_virtual_time(run(), loop)


def plan(
    check: Check, name: str = "check", interval_s: float = 10.0, timeout_s: float = 2.0, fall: int = 3, rise: int = 2
) -> ScheduledCheck:
    return ScheduledCheck(name, check, interval_s, timeout_s, fall, rise)


def test_a_check_is_asked_once_an_interval_and_each_asking_is_one_observation() -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.watch("api", [plan(Scripted(bench.clock, takes_s=0.5))])
        await bench.clock.sleep(61.0)

    bench = play(story)
    assert 6 <= len(bench.seen) <= 8
    first = bench.seen[0]
    assert (first.agent, first.check, first.result, first.signals) == ("api", "check", "ok", {"runs": 1.0})
    assert first.took_s == pytest.approx(0.5)
    assert bench.times("check")[0] <= 1.0 + TICK_S
    gaps = [after - before for before, after in pairwise(bench.times("check"))]
    assert gaps[1:] == [pytest.approx(10.0)] * (len(gaps) - 1)
    assert set(bench.names) == {"check api/check"}


def test_a_check_that_raises_is_an_error_with_its_type_and_text_and_disturbs_no_other() -> None:
    async def broken() -> Mapping[str, float]:
        raise ZeroDivisionError("by nought")

    async def story(bench: Bench) -> None:
        good = plan(Scripted(bench.clock), "good")
        bench.scheduler.watch("api", [plan(Doing(broken), "bad"), good])
        await bench.clock.sleep(25.0)

    bench = play(story)
    assert bench.results("good") == ["ok"] * bench.results("good").count("ok")
    assert len(bench.results("good")) >= 3
    assert {(seen.result, seen.reason) for seen in bench.seen if seen.check == "bad"} == {
        ("error", "ZeroDivisionError: by nought")
    }
    assert len(bench.results("bad")) == pytest.approx(len(bench.results("good")), abs=1)


def test_what_is_no_mapping_of_signals_is_an_error_of_the_check() -> None:
    async def nothing() -> Mapping[str, float]:
        return None  # type: ignore[return-value] # what other people's code does

    async def story(bench: Bench) -> None:
        bench.scheduler.watch("api", [plan(Doing(nothing))])
        (seen,) = await bench.scheduler.ask("api")
        assert (seen.result, seen.signals) == ("error", {})

    play(story)


def test_a_failure_keeps_its_result_its_reason_and_what_was_measured() -> None:
    async def unsure() -> Mapping[str, float]:
        raise CheckFailed("who knows", "inconclusive")

    async def slow() -> Mapping[str, float]:
        raise Unwell("too slow", {"latency": 0.7})

    async def story(bench: Bench) -> None:
        bench.scheduler.watch("api", [plan(Doing(unsure), "unsure"), plan(Doing(slow), "slow")])
        seen = await bench.scheduler.ask("api")
        assert [(one.result, one.reason, one.signals) for one in seen] == [
            ("inconclusive", "who knows", {}),
            ("failed", "too slow", {"latency": 0.7}),
        ]

    play(story)


def test_a_check_that_hangs_is_cut_off_at_its_timeout() -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.watch("api", [plan(Scripted(bench.clock, takes_s=1e6))])
        (seen,) = await bench.scheduler.ask("api")
        assert (seen.result, seen.reason) == ("timeout", "no answer within 2 s")
        assert seen.took_s == pytest.approx(2.0)

    play(story)


def test_a_timeout_that_we_ourselves_were_late_to_see_says_nothing_about_the_agent() -> None:
    async def story(bench: Bench) -> None:
        async def answered_while_we_stood_still() -> Mapping[str, float]:
            bench.loop.stall(30.0)
            await bench.clock.sleep(1e6)
            return {}

        bench.scheduler.watch("api", [plan(Doing(answered_while_we_stood_still))])
        (seen,) = await bench.scheduler.ask("api")
        assert seen.result == "inconclusive"
        assert seen.reason == "no answer within 2 s, but selfheal itself was 28 s late to look"

    play(story)


def test_cancellation_escapes_and_leaves_the_check_free_to_be_asked_again() -> None:
    loop = VirtualLoop()

    async def story() -> None:
        clock, tasks, seen = VirtualClock(loop), [], list[Observation]()
        wheel = Wheel(loop)

        def spawn(name: str, work: Coroutine[object, object, None]) -> None:
            tasks.append(loop.create_task(work))

        scheduler = Scheduler(clock, wheel, spawn, seen.append)
        check = Scripted(clock, takes_s=1.0)
        scheduler.watch("api", [plan(check)])
        scheduler.sweep()
        await clock.sleep(0.01)
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        assert seen == []
        scheduler.sweep()
        await tasks[1]
        assert [one.result for one in seen] == ["ok"]
        wheel.close()

    in_virtual_time(story(), loop)


@given(
    checks=st.lists(
        st.tuples(st.floats(0.05, 20.0), st.floats(0.0, 8.0), st.floats(0.1, 6.0), st.booleans()),
        min_size=1,
        max_size=6,
    ),
    sweeps=st.lists(st.floats(0.0, 30.0), max_size=4),
    room=st.integers(1, 4),
)
@settings(max_examples=50)
def test_whatever_happens_a_check_is_never_in_flight_twice_and_every_run_is_seen_once(
    checks: list[tuple[float, float, float, bool]], sweeps: list[float], room: int
) -> None:
    scripts: list[Scripted] = []

    async def story(bench: Bench) -> None:
        for number, (interval_s, takes_s, timeout_s, failing) in enumerate(checks):
            scripts.append(Scripted(bench.clock, takes_s, failing))
            one = plan(scripts[-1], interval_s=interval_s, timeout_s=timeout_s)
            bench.scheduler.watch(f"agent {number}", [one])
        for pause_s in sweeps:
            await bench.clock.sleep(pause_s)
            bench.scheduler.sweep()
            assert sum(script.at_once for script in scripts) <= room
        await bench.clock.sleep(60.0)

    bench = play(story, room)
    for number, script in enumerate(scripts):
        assert script.most_at_once == 1
        assert script.runs == sum(seen.agent == f"agent {number}" for seen in bench.seen)


def test_no_more_are_in_flight_than_there_is_room_for_and_the_others_follow_in_order() -> None:
    async def story(bench: Bench) -> None:
        scripts = [Scripted(bench.clock, takes_s=1.0) for _ in range(10)]
        for number, script in enumerate(scripts):
            bench.scheduler.watch(str(number), [plan(script, interval_s=1000.0)])
        bench.scheduler.sweep()
        for _ in range(5):
            await bench.clock.sleep(0.5)
            assert sum(script.at_once for script in scripts) == 2
            await bench.clock.sleep(0.5)
        await bench.clock.sleep(0.5)

    seen = play(story, room=2).seen[:10]
    assert {one.agent: one.at - EPOCH for one in seen} == {str(n): pytest.approx(float(n // 2)) for n in range(10)}


def misses_and_recovery(fall: int, rise: int) -> tuple[list[float], list[float]]:
    """Times of the probes from the first miss on, and of those from the first success on."""
    marks: list[float] = []

    async def story(bench: Bench) -> None:
        check = Scripted(bench.clock)
        bench.scheduler.watch("api", [plan(check, interval_s=30.0, fall=fall, rise=rise)])
        await bench.clock.sleep(100.0)
        for failing in (True, False):
            check.failing = failing
            marks.append(bench.loop.time())
            await bench.clock.sleep(100.0)

    times = play(story).times("check")
    return [time for time in times if marks[0] < time < marks[1]], [time for time in times if time > marks[1]]


def test_after_a_first_miss_it_is_asked_each_second_until_the_matter_is_settled() -> None:
    failing, recovering = misses_and_recovery(fall=3, rise=2)
    fast = pytest.approx(1.0, abs=2 * TICK_S)
    assert [after - before for before, after in pairwise(failing[:3])] == [fast, fast]
    assert failing[3] - failing[2] > 20.0
    assert recovering[1] - recovering[0] == fast
    assert recovering[2] - recovering[1] > 20.0


def test_where_one_result_settles_it_there_is_no_fast_pace() -> None:
    failing, recovering = misses_and_recovery(fall=1, rise=1)
    assert all(after - before > 20.0 for before, after in pairwise(failing + recovering))


def test_results_that_say_nothing_leave_the_pace_as_it_is() -> None:
    doubting = Pace().after("timeout", 3, 2)
    assert doubting.in_doubt
    assert doubting.after("error", 3, 2) == doubting.after("inconclusive", 3, 2) == doubting
    assert doubting.after("ok", 3, 2) == Pace()
    fallen = doubting.after("failed", 3, 2).after("failed", 3, 2)
    assert fallen == Pace(fallen=True)
    assert fallen.after("ok", 3, 2).after("failed", 3, 2) == fallen
    assert fallen.after("ok", 3, 2).after("ok", 3, 2) == Pace()


def test_asking_runs_every_check_now_and_waits_for_all() -> None:
    async def story(bench: Bench) -> None:
        slow = Scripted(bench.clock, takes_s=1.5)
        bench.scheduler.watch("api", [plan(Scripted(bench.clock), "quick"), plan(slow, "slow")])
        await bench.clock.sleep(5.0)
        bench.seen.clear()
        asked_at = bench.clock.now()
        seen = await bench.scheduler.ask("api")
        assert [(one.check, one.result, one.at) for one in seen] == [
            ("quick", "ok", asked_at),
            ("slow", "ok", asked_at),
        ]
        assert all(bench.seen.count(one) == 1 for one in seen)
        assert await bench.scheduler.ask("nobody") == ()

    play(story)


def test_an_answer_is_never_older_than_the_question() -> None:
    async def story(bench: Bench) -> None:
        check = Scripted(bench.clock, takes_s=1.0)
        bench.scheduler.watch("api", [plan(check)])
        bench.scheduler.sweep()
        await bench.clock.sleep(0.5)
        asked_at = bench.clock.now()
        first, second = await asyncio.gather(bench.scheduler.ask("api"), bench.scheduler.ask("api"))
        assert first == second
        assert first[0].at >= asked_at
        assert (check.runs, check.most_at_once, len(bench.seen)) == (2, 1, 2)

    play(story)


def test_who_asks_an_agent_that_is_forgotten_meanwhile_does_not_wait_for_ever() -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.watch("api", [plan(Scripted(bench.clock, takes_s=1.0))])
        bench.scheduler.sweep()
        await bench.clock.sleep(0.5)
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(bench.scheduler.ask("api"))
            await bench.clock.sleep(0.1)
            bench.scheduler.forget("api")
        assert asking.result() == ()

    play(story)


def test_of_a_forgotten_agent_nothing_is_heard_any_more() -> None:
    async def story(bench: Bench) -> None:
        check = Scripted(bench.clock, takes_s=1.0)
        bench.scheduler.watch("api", [plan(check)])
        bench.scheduler.sweep()
        await bench.clock.sleep(0.5)
        bench.scheduler.forget("api")
        bench.scheduler.forget("nobody")
        await bench.clock.sleep(60.0)
        assert (check.runs, bench.seen) == (1, [])

    play(story)


def test_a_check_that_replaces_another_waits_for_it_to_end() -> None:
    async def story(bench: Bench) -> None:
        old, new = Scripted(bench.clock, takes_s=1.0), Scripted(bench.clock, takes_s=1.0)
        bench.scheduler.watch("api", [plan(old)])
        bench.scheduler.sweep()
        await bench.clock.sleep(0.5)
        bench.scheduler.watch("api", [plan(new)])
        (seen,) = await bench.scheduler.ask("api")
        assert seen.at - EPOCH == pytest.approx(1.0)
        assert (old.runs, new.runs, len(bench.seen)) == (1, 1, 1)

    play(story)


def test_a_sweep_of_some_agents_leaves_the_others_alone() -> None:
    async def story(bench: Bench) -> None:
        for agent in ("a", "b", "c"):
            bench.scheduler.watch(agent, [plan(Scripted(bench.clock), interval_s=1000.0)])
        await bench.clock.sleep(2.0)
        bench.seen.clear()
        bench.scheduler.sweep(["a", "c", "nobody"])
        await bench.clock.sleep(1.0)
        assert [seen.agent for seen in bench.seen] == ["a", "c"]

    play(story)


def test_soon_brings_one_check_forward() -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.watch(
            "api",
            [plan(Scripted(bench.clock), name, interval_s=1000.0) for name in ("this", "that")],
        )
        await bench.clock.sleep(2.0)
        bench.seen.clear()
        bench.scheduler.soon("api", "this", 0.5)
        bench.scheduler.soon("api", "nothing", 0.5)
        bench.scheduler.soon("nobody", "this", 0.5)
        await bench.clock.sleep(1.0)
        assert bench.times("this") == [pytest.approx(2.5, abs=TICK_S)]
        assert bench.times("that") == []

    play(story)
