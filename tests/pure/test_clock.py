"""Does a daemon's time go on as if nothing had happened when the machine's clock is set anew?"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.clock import FOLLOWS, WRONG_S, SteadyClock

HOUR_S = 3600.0
NEVER_BACK = st.lists(st.tuples(st.floats(0.0, 500.0), st.floats(-WRONG_S / 20, WRONG_S / 20)), max_size=15)


@dataclass
class Machine:
    """Its time, and what its wall clock shows beyond that."""

    passed: float = 0.0
    ahead: float = 1000.0

    def wall(self) -> float:
        return self.passed + self.ahead

    def clock(self) -> SteadyClock:
        return SteadyClock(self.wall, lambda: self.passed)


def test_it_shows_the_wall_clock_while_nobody_touches_that() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(100):
        machine.passed += 7.3
        assert clock.now() == pytest.approx(machine.wall())


@pytest.mark.parametrize("jump", [HOUR_S, -HOUR_S])
def test_a_jump_is_followed_by_a_tenth_of_the_time_that_passes(jump: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.ahead += jump
    assert clock.now() == 1000.0
    machine.passed += 100.0
    assert clock.now() == pytest.approx(1100.0 + (10.0 if jump > 0 else -10.0))
    machine.passed += HOUR_S / FOLLOWS
    assert clock.now() == pytest.approx(machine.wall())


def test_a_clock_that_was_wrong_altogether_is_followed_at_once() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.ahead += 50 * 365 * WRONG_S
    assert clock.now() == machine.wall()


@pytest.mark.parametrize("jump", [HOUR_S, -HOUR_S])
def test_the_age_of_a_file_is_right_whatever_the_wall_clock_did(jump: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.ahead += jump
    written_at = machine.wall()
    machine.passed += 3.0
    assert clock.now() - clock.of_file(written_at) == pytest.approx(3.0, rel=0.11)


@given(NEVER_BACK)
def test_it_never_goes_back_and_no_wait_is_more_than_a_tenth_off(steps: list[tuple[float, float]]) -> None:
    machine = Machine()
    clock = machine.clock()
    for passing, jump in steps:
        before = clock.now()
        machine.ahead += jump
        machine.passed += passing
        assert (1 - FOLLOWS) * passing - 1e-6 <= clock.now() - before <= (1 + FOLLOWS) * passing + 1e-6
