"""Is every check asked in time, never twice at once, and does each asking end as one observation?"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.errors import CheckFailed
from selfheal.kinds import Observation
from selfheal.observe.scheduled import Pace
from selfheal.observe.scheduler import Scheduler
from selfheal.observe.wheel import TICK_S, Wheel
from selfheal.observe.wording import Unwell
from selfheal.rehearse.virtual import EPOCH, VirtualClock, VirtualLoop, in_virtual_time
from tests.pure.scheduler_bench import Bench, Doing, Scripted, plan, play


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
        assert seen.reason == "no answer within 2 s, but selfheal itself was held up for 29.9 s"

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
