"""What runs for ever: how often, how long, and what when it fails?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random

import pytest

from selfheal.loops import GIVEN_UP_RETRY_S, MAX_FAILURES, Failure, Loop, LoopRunner, describe
from selfheal.rehearse.virtual import EPOCH, VirtualClock, VirtualLoop, in_virtual_time


class Bench:
    """A runner in virtual time, and what became of its loops."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.failures: list[Failure] = []
        self.runs: list[tuple[str, float, float]] = []
        self.runner = LoopRunner(self.clock, Random(1), self.failures.append, lambda *run: self.runs.append(run))
        self.began: list[float] = []

    def body(self, *acts: Callable[[], Awaitable[None]] | None) -> Callable[[], Awaitable[None]]:
        """A body that does one of `acts` at each run, and the last again and again; None succeeds at once."""

        async def run() -> None:
            act = acts[min(len(self.began), len(acts) - 1)]
            self.began.append(self.loop.time())
            if act is not None:
                await act()

        return run

    def lasts(self, seconds: float) -> Callable[[], Awaitable[None]]:
        return lambda: self.clock.sleep(seconds)

    def during(self, seconds: float, *loops: Loop) -> None:
        """Run these loops for so long."""

        async def story() -> None:
            self.runner.start(*loops)
            await self.clock.sleep(seconds)

        self.play(story)

    def play(self, story: Callable[[], Coroutine[object, object, None]]) -> None:
        async def whole() -> None:
            async with self.runner:
                await story()

        in_virtual_time(whole(), self.loop)


async def fail() -> None:
    raise ValueError("bad invoice 17")


async def hang() -> None:
    await asyncio.Event().wait()


# --- period ---


def test_a_loop_runs_at_once_and_then_once_a_period_from_start_to_start() -> None:
    bench = Bench()
    bench.during(29.0, Loop("sweep", bench.body(bench.lasts(3.0)), every_s=10.0))
    assert bench.began == [0.0, 10.0, 20.0]
    stats = bench.runner.stats["sweep"]
    assert (stats.runs, stats.duration_s, stats.lag_s, stats.last_run) == (3, 3.0, 0.0, EPOCH + 20.0)
    assert bench.runs == [("sweep", 3.0, 0.0)] * 3


def test_a_loop_that_may_wait_runs_first_after_a_period() -> None:
    bench = Bench()
    bench.during(25.0, Loop("prevent", bench.body(None), every_s=10.0, waits_first=True))
    assert bench.began == [10.0, 20.0]


def test_a_body_that_takes_longer_than_its_period_runs_without_a_pause_and_never_catches_up() -> None:
    bench = Bench()
    bench.during(40.0, Loop("sweep", bench.body(bench.lasts(25.0), None), every_s=10.0))
    assert bench.began == [0.0, 25.0, 35.0]


def test_being_late_is_measured() -> None:
    bench = Bench()

    async def story() -> None:
        bench.runner.start(Loop("sweep", bench.body(None), every_s=10.0))
        await bench.clock.sleep(9.0)
        bench.loop._jumping.now += 4.0  # something blocked the loop
        await bench.clock.sleep(0.0)
        await bench.clock.sleep(0.5)

    bench.play(story)
    assert bench.began == [0.0, 13.0]
    assert bench.runner.stats["sweep"].lag_s == pytest.approx(3.0)


def test_a_woken_loop_runs_now_and_then_a_period_later() -> None:
    bench = Bench()

    async def story() -> None:
        bench.runner.start(Loop("heal", bench.body(None), every_s=10.0))
        await bench.clock.sleep(3.0)
        bench.runner.wake("heal")
        bench.runner.wake("heal")
        bench.runner.wake("nobody")
        await bench.clock.sleep(12.0)

    bench.play(story)
    assert bench.began == [0.0, 3.0, 13.0]


def test_a_wake_during_a_run_is_not_lost() -> None:
    bench = Bench()

    async def story() -> None:
        bench.runner.start(Loop("heal", bench.body(bench.lasts(2.0)), every_s=10.0))
        await bench.clock.sleep(1.0)
        bench.runner.wake("heal")
        await bench.clock.sleep(5.0)

    bench.play(story)
    assert bench.began == [0.0, 2.0]


# --- failure ---


def test_a_loop_that_failed_goes_on_and_says_what_it_was() -> None:
    bench = Bench()
    bench.during(15.0, Loop("heal", bench.body(fail, None), every_s=10.0))
    (failure,) = bench.failures
    assert (failure.loop, failure.error, failure.gave_up) == ("heal", "ValueError: bad invoice 17", False)
    assert bench.began[1] == pytest.approx(failure.retry_s)
    stats = bench.runner.stats["heal"]
    assert (stats.failures, stats.error, stats.down) == (1, "ValueError: bad invoice 17", False)


def test_after_each_failure_in_a_row_the_loop_waits_longer_and_at_last_gives_up() -> None:
    bench = Bench()
    bench.during(50.0, Loop("heal", bench.body(fail), every_s=1.0))
    waits = [failure.retry_s for failure in bench.failures]
    assert len(waits) == MAX_FAILURES
    for wait, limit in zip(waits, (0.5, 1.0, 2.0, 4.0), strict=False):
        assert limit / 2 <= wait <= limit
    assert waits[-1] == GIVEN_UP_RETRY_S
    assert [failure.gave_up for failure in bench.failures] == [False] * 4 + [True]
    assert bench.runner.down == ("heal",)


def test_a_loop_that_gave_up_is_tried_once_a_minute_and_comes_back() -> None:
    bench = Bench()
    bench.during(200.0, Loop("heal", bench.body(*[fail] * 5, None), every_s=50.0))
    assert bench.runner.down == ()
    assert bench.began[5] - bench.began[4] == pytest.approx(GIVEN_UP_RETRY_S)
    assert bench.began[6] - bench.began[5] == pytest.approx(50.0)


def test_failures_that_are_far_apart_are_no_reason_to_give_up() -> None:
    bench = Bench()
    bench.during(1000.0, Loop("heal", bench.body(fail), every_s=20.0, limit_s=5.0))
    slow = Bench()

    async def slowly() -> None:
        await slow.clock.sleep(20.0)
        raise ValueError

    slow.during(1000.0, Loop("heal", slow.body(slowly), every_s=1.0))
    assert not any(failure.gave_up for failure in slow.failures)
    assert len(slow.failures) > 30


def test_one_loop_that_fails_leaves_the_others_alone() -> None:
    bench, well = Bench(), list[float]()

    async def count() -> None:
        well.append(bench.loop.time())

    bench.during(9.5, Loop("bad", bench.body(fail), every_s=1.0), Loop("good", count, every_s=1.0))
    assert well == [float(second) for second in range(10)]


def test_a_body_that_hangs_is_cut_off_at_its_limit() -> None:
    bench = Bench()
    bench.during(20.0, Loop("heal", bench.body(hang, None), every_s=10.0, limit_s=4.0))
    (failure,) = bench.failures
    assert failure.error == "TimeoutError"
    assert 4.0 < bench.began[1] <= 4.5


def test_a_loop_without_which_there_is_no_point_ends_the_daemon_when_it_gives_up() -> None:
    bench = Bench()

    async def story() -> None:
        bench.runner.start(Loop("server", bench.body(fail), every_s=None, on_give_up="stop"))
        assert not bench.runner.fatal
        await bench.runner.gave_up()
        assert bench.runner.fatal

    bench.play(story)
    assert len(bench.began) == MAX_FAILURES


def test_one_that_gives_up_and_may_be_missed_does_not() -> None:
    bench = Bench()
    bench.during(300.0, Loop("notify", bench.body(fail), every_s=1.0))
    assert bench.runner.down == ("notify",)
    assert not bench.runner.fatal


# --- loops that run by themselves ---


def test_a_body_that_ends_by_itself_can_be_joined() -> None:
    bench = Bench()

    async def story() -> None:
        bench.runner.start(Loop("server", bench.body(bench.lasts(5.0)), every_s=None))
        await bench.runner.join("server", "nobody")
        assert bench.loop.time() == 5.0

    bench.play(story)
    assert bench.began == [0.0]


def test_one_that_was_not_waited_for_to_its_end_is_stopped_with_the_runner() -> None:
    bench = Bench()

    async def story() -> None:
        bench.runner.start(Loop("server", bench.body(bench.lasts(1000.0)), every_s=None))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.0):
                await bench.runner.join("server")

    bench.play(story)
    assert bench.loop.time() == 5.0


# --- the end ---


def test_loops_are_stopped_in_reverse_order_each_after_its_clean_up() -> None:
    bench, ended = Bench(), list[tuple[str, float]]()

    def tidy(name: str) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            try:
                await hang()
            finally:
                await bench.clock.sleep(2.0)
                ended.append((name, bench.loop.time()))

        return run

    async def story() -> None:
        bench.runner.start(*(Loop(name, tidy(name), every_s=None) for name in ("a", "b", "c")))
        await bench.clock.sleep(1.0)
        await bench.runner.stop("a", "b")
        assert ended == [("b", 3.0), ("a", 5.0)]

    bench.play(story)
    assert ended[-1] == ("c", 7.0)
    assert bench.failures == []


def test_stopping_is_no_failure_and_leaves_no_task_behind() -> None:
    bench = Bench()

    async def story() -> None:
        bench.runner.start(Loop("heal", bench.body(hang), every_s=1.0), Loop("idle", bench.body(None), every_s=60.0))
        bench.runner.spawn("errand", hang())
        await bench.clock.sleep(1.0)

    bench.play(story)
    assert bench.failures == []


# --- errands ---


def test_an_errand_that_fails_is_reported_and_ends_nothing_else() -> None:
    bench = Bench()

    async def story() -> None:
        bench.runner.start(Loop("heal", bench.body(None), every_s=1.0))
        bench.runner.spawn("fix restart api", fail())
        await bench.clock.sleep(2.5)

    bench.play(story)
    assert bench.failures == [Failure("fix restart api", "ValueError: bad invoice 17", 0.0, gave_up=False)]
    assert len(bench.began) == 3


def test_errands_are_cancelled_together_and_may_clean_up() -> None:
    bench, ended = Bench(), list[float]()

    async def errand() -> None:
        try:
            await hang()
        finally:
            await bench.clock.sleep(1.0)
            ended.append(bench.loop.time())

    async def story() -> None:
        tasks = [bench.runner.spawn("errand", errand()) for _ in range(3)]
        await bench.clock.sleep(1.0)
        await bench.runner.stop_errands()
        assert all(task.cancelled() for task in tasks)

    bench.play(story)
    assert ended == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("why", "words"),
    [
        (ValueError("no"), "ValueError: no"),
        (TimeoutError(), "TimeoutError"),
        (KeyError("k"), "KeyError: 'k'"),
        (ExceptionGroup("several", [ValueError("no")]), "ValueError: no"),
    ],
)
def test_an_exception_is_described_by_its_type_and_text(why: Exception, words: str) -> None:
    assert describe(why) == words


def test_an_errand_that_is_cancelled_before_it_began_leaves_nothing_behind() -> None:
    bench, begun = Bench(), []

    async def work() -> None:
        begun.append("work")

    async def story() -> None:
        async with bench.runner as runner:
            runner.spawn("work", work()).cancel()
        with pytest.raises(RuntimeError):
            runner.spawn("work", work())

    in_virtual_time(story(), bench.loop)
    assert begun == []


def test_a_loop_that_is_idle_looks_now_and_then_and_at_once_when_it_is_woken() -> None:
    bench, busy = Bench(), [False]
    loop = Loop("heal", bench.body(None), every_s=1.0, idle=lambda: not busy[0], idle_s=60.0)

    async def story() -> None:
        async with bench.runner as runner:
            runner.start(loop)
            await bench.clock.sleep(130.0)
            assert bench.began == [0.0, 60.0, 120.0]
            busy[0] = True
            runner.wake("heal")
            await bench.clock.sleep(2.5)
            assert bench.began[3:] == [130.0, 131.0, 132.0]

    in_virtual_time(story(), bench.loop)


def test_a_loop_that_is_woken_again_and_again_keeps_its_least_pause() -> None:
    bench = Bench()
    loop = Loop("save", bench.body(None), every_s=1.0, idle=lambda: True, idle_s=60.0, least_s=1.0)

    async def story() -> None:
        async with bench.runner as runner:
            runner.start(loop)
            for _ in range(25):
                await bench.clock.sleep(0.1)
                runner.wake("save")
            await bench.clock.sleep(10.0)
        assert bench.began == pytest.approx([0.0, 1.0, 2.0, 3.0])

    in_virtual_time(story(), bench.loop)
