"""Do the benchmarks of checking know when a check was due, and which goals are met?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from benchmarks.checks.watching import Lateness
from benchmarks.report import Goal
from selfheal.kinds import Tell
from tests.pure.scheduler_bench import Bench, plan, play


@dataclass
class Answering:
    """A probe that answers at once, unless those who ask are held up."""

    held: list[Tell] = field(default_factory=list)
    holds: bool = False

    async def run(self) -> Mapping[str, float]:
        return {}

    def ask(self, tell: Tell) -> None:
        if self.holds:
            self.held.append(tell)
        else:
            tell({}, None)

    def give_up(self) -> None:
        self.held.clear()


@pytest.mark.parametrize("interval_s", [1.0, 10.0])
def test_what_the_wheel_asks_in_time_is_not_late(interval_s: float) -> None:
    async def story(bench: Bench) -> None:
        lateness = Lateness()
        for number in range(50):
            timed = lateness.timed(f"a-{number}/check", plan(Answering(), interval_s=interval_s))
            bench.scheduler.watch(f"a-{number}", [timed])
        await bench.clock.sleep(6 * interval_s)
        assert len(lateness.seconds) >= 50 * 4
        assert max(lateness.seconds) == pytest.approx(0.0, abs=1e-6)

    play(story)


def test_what_waited_for_room_is_late_by_its_wait() -> None:
    async def story(bench: Bench) -> None:
        lateness, slow = Lateness(), Answering()
        bench.scheduler.watch("a-1", [lateness.timed("a-1/check", plan(Answering()))])
        await bench.clock.sleep(2.0)
        bench.scheduler.watch("slow", [plan(slow, timeout_s=50.0, interval_s=100.0)])
        slow.holds = True
        bench.scheduler.sweep(["slow"])
        await bench.clock.sleep(13.0)
        assert len(lateness.seconds) == 0
        slow.held.pop()({}, None)
        assert 0.0 < lateness.seconds[0] < 13.0
        await bench.clock.sleep(20.0)
        assert list(lateness.seconds)[1:] == pytest.approx([0.0, 0.0], abs=1e-6)

    play(story, room=1)


@pytest.mark.parametrize(("value", "at_least", "met"), [(2.0, False, False), (2.0, True, True), (1.0, True, True)])
def test_a_goal_is_the_most_or_the_least_that_there_may_be(value: float, at_least: bool, met: bool) -> None:
    assert Goal("it", value, 1.0, "times", at_least).met is met
