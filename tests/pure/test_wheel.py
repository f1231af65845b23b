"""Does the wheel fire everything when it is due, once, and nothing else?"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable
from itertools import pairwise
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.observe.wheel import TICK_S, Wheel
from selfheal.rehearse.virtual import VirtualClock, VirtualLoop, in_virtual_time

ROUNDING_S = 1e-6

Story = Callable[[VirtualLoop, Wheel, VirtualClock], Awaitable[None]]


def play(story: Story) -> None:
    loop = VirtualLoop()

    async def run() -> None:
        wheel = Wheel(loop)
        await story(loop, wheel, VirtualClock(loop))
        wheel.close()

    in_virtual_time(run(), loop)


def firings(
    intervals: list[float], lasting_s: float, meanwhile: Callable[[VirtualLoop, Wheel], None] = lambda loop, wheel: None
) -> dict[str, list[float]]:
    """When keys of these intervals fire in the time after they were added."""
    fired: dict[str, list[float]] = {f"key {number}": [] for number in range(len(intervals))}

    async def story(loop: VirtualLoop, wheel: Wheel, clock: VirtualClock) -> None:
        for key, interval_s in zip(fired, intervals, strict=True):
            wheel.add(key, interval_s, lambda key=key: fired[key].append(loop.time()))  # type: ignore[misc]
        meanwhile(loop, wheel)
        await clock.sleep(lasting_s)

    play(story)
    return fired


@given(st.lists(st.floats(0.05, 60.0), min_size=1, max_size=8))
@settings(max_examples=60)
def test_every_key_fires_within_one_tick_of_its_due_time_and_leaves_none_out(intervals: list[float]) -> None:
    fired = firings(intervals, 5 * max(intervals) + 2)
    for (key, times), interval_s in zip(fired.items(), intervals, strict=True):
        phase = floor(zlib.crc32(key.encode()) / 2**32 * interval_s / TICK_S) * TICK_S
        assert times[0] <= min(interval_s, 1.0) + TICK_S
        rounds = [floor((time - phase + ROUNDING_S) / interval_s) for time in times[1:]]
        assert all(
            -ROUNDING_S <= time - (phase + number * interval_s) <= TICK_S + ROUNDING_S
            for time, number in zip(times[1:], rounds, strict=True)
        )
        assert all(after - before == 1 for before, after in pairwise(rounds))
        assert len(times) >= 5


@given(st.lists(st.floats(0.05, 60.0), min_size=1, max_size=8))
@settings(max_examples=30)
def test_the_first_two_firings_are_neither_on_top_of_each_other_nor_much_more_than_a_period_apart(
    intervals: list[float],
) -> None:
    fired = firings(intervals, 3 * max(intervals) + 2)
    for times, interval_s in zip(fired.values(), intervals, strict=True):
        gap_s = min(0.5, interval_s / 2)
        assert gap_s - TICK_S - ROUNDING_S <= times[1] - times[0] <= interval_s + gap_s + TICK_S + ROUNDING_S


def test_keys_of_one_interval_spread_over_it_and_stay_where_they_are() -> None:
    first, again = firings([10.0] * 200, 40.0), firings([10.0] * 200, 40.0)
    assert first == again
    seconds = [int(times[-1] % 10) for times in first.values()]
    assert all(5 <= seconds.count(second) <= 40 for second in range(10))


def test_what_was_missed_while_the_loop_stood_still_is_made_up_for_once() -> None:
    fired: list[float] = []

    async def story(loop: VirtualLoop, wheel: Wheel, clock: VirtualClock) -> None:
        wheel.add("a", 1.0, lambda: fired.append(loop.time()))
        await clock.sleep(5.0)
        fired.clear()
        loop.stall(100.0)
        await clock.sleep(0.01)
        assert len(fired) == 1
        await clock.sleep(3.0)

    play(story)
    assert len(fired) in (3, 4)
    assert all(after - before == pytest.approx(1.0, abs=TICK_S) for before, after in pairwise(fired[1:]))


def test_a_key_can_be_brought_forward_and_then_keeps_its_phase() -> None:
    fired: list[float] = []

    async def story(loop: VirtualLoop, wheel: Wheel, clock: VirtualClock) -> None:
        wheel.add("a", 60.0, lambda: fired.append(loop.time()))
        await clock.sleep(130.0)
        regular = fired[-1]
        wheel.reschedule("a", 1.0)
        await clock.sleep(120.0)
        assert regular + 60 in [pytest.approx(time, abs=ROUNDING_S) for time in fired]
        assert [time for time in fired if time == pytest.approx(131.0, abs=TICK_S)]

    play(story)


def test_a_key_is_never_put_off() -> None:
    fired: list[float] = []

    async def story(loop: VirtualLoop, wheel: Wheel, clock: VirtualClock) -> None:
        wheel.add("a", 10.0, lambda: fired.append(loop.time()), first_s=0.2)
        wheel.reschedule("a", 5.0)
        wheel.reschedule("nobody", 0.0)
        await clock.sleep(1.0)

    play(story)
    assert fired == [pytest.approx(0.2, abs=TICK_S)]


def test_a_removed_key_does_not_fire_even_where_it_was_due() -> None:
    fired: list[str] = []

    async def story(loop: VirtualLoop, wheel: Wheel, clock: VirtualClock) -> None:
        def first() -> None:
            fired.append("first")
            wheel.remove("second")

        wheel.add("first", 1.0, first, first_s=0.1)
        wheel.add("second", 1.0, lambda: fired.append("second"), first_s=0.1)
        await clock.sleep(0.5)

    play(story)
    assert fired == ["first"]


def test_a_key_that_is_added_again_fires_only_as_it_was_added_last() -> None:
    fired: list[str] = []

    async def story(loop: VirtualLoop, wheel: Wheel, clock: VirtualClock) -> None:
        wheel.add("a", 1.0, lambda: fired.append("old"), first_s=0.1)
        wheel.add("a", 1.0, lambda: fired.append("new"), first_s=0.2)
        await clock.sleep(0.5)

    play(story)
    assert fired == ["new"]


def test_a_callback_that_raises_does_not_keep_the_others_from_firing() -> None:
    fired: list[str] = []
    complaints: list[str] = []

    async def story(loop: VirtualLoop, wheel: Wheel, clock: VirtualClock) -> None:
        loop.set_exception_handler(lambda _, context: complaints.append(str(context["exception"])))
        wheel.add("bad", 1.0, lambda: fired.remove("nothing"), first_s=0.1)
        wheel.add("good", 1.0, lambda: fired.append("good"), first_s=0.1)
        await clock.sleep(3.0)

    play(story)
    assert len(fired) >= 3
    assert complaints == ["list.remove(x): x not in list"] * len(complaints)
    assert len(complaints) >= 3


def test_an_empty_wheel_never_wakes_the_loop_and_a_sparse_one_hardly_ever() -> None:
    async def story(loop: VirtualLoop, wheel: Wheel, clock: VirtualClock) -> None:
        wheel.add("a", 0.05, lambda: None)
        wheel.add("b", 600.0, lambda: None)
        await clock.sleep(1.0)
        wheel.remove("a")
        await clock.sleep(1.0)
        waited = loop.waits
        await clock.sleep(3600.0)
        assert loop.waits - waited <= 7
        wheel.remove("b")
        waited = loop.waits
        await clock.sleep(3600.0)
        assert loop.waits - waited <= 2  # our own sleep, and the slot in which it stood

    play(story)


def test_a_closed_wheel_fires_nothing_and_can_be_used_again() -> None:
    fired: list[str] = []

    async def story(loop: VirtualLoop, wheel: Wheel, clock: VirtualClock) -> None:
        wheel.add("old", 0.1, lambda: fired.append("old"), first_s=0.1)
        wheel.close()
        wheel.add("new", 0.1, lambda: fired.append("new"), first_s=0.1)
        await clock.sleep(0.1 + TICK_S)

    play(story)
    assert set(fired) == {"new"}


def test_an_interval_shorter_than_a_tick_is_a_tick() -> None:
    fired = firings([0.001], 1.0)
    assert 18 <= len(fired["key 0"]) <= 22
