"""Does nothing happen when somebody sets the machine's clock, by an hour ahead or back?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest

from selfheal.clock import SteadyClock
from selfheal.decide.reflex import BACKOFF_LAST_S
from selfheal.events import AgentExited, AgentStarted, AgentStartFailed
from selfheal.rehearse.machine import Program
from selfheal.rehearse.virtual import EPOCH, VirtualClock, VirtualLoop
from tests.sim.fleets import SHOP, agent, service
from tests.sim.rehearsal import Rehearsal, rehearse

HOUR_S = 3600.0
JUMPS = pytest.mark.parametrize("jump", [HOUR_S, -HOUR_S])
ASKING = service("site", 'fixes = ["purge"]') + '[fixes.purge]\ncommand = ["purge"]\napproval = true\n'


class Adjusted(VirtualClock):
    """What the daemon has on a machine whose wall clock is set anew: `ahead` is by how much in all."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__(loop)
        self.ahead = 0.0
        self._steady = SteadyClock(lambda: EPOCH + loop.time() + self.ahead, loop.time)

    def now(self) -> float:
        return self._steady.now()

    def wall(self) -> float:
        return self._steady.wall()

    def of_file(self, modified_at: float) -> float:
        return self._steady.of_file(modified_at)


Story = Callable[[Rehearsal, Callable[[], None]], Awaitable[None]]


def adjusted(state_dir: Path, toml: str, jump: float, tell: Story, program: Program | None = None) -> None:
    """Rehearse a story in which it is said when the clock jumps."""

    async def story(r: Rehearsal) -> None:
        clock = r.clock
        assert isinstance(clock, Adjusted)

        def set_anew() -> None:
            clock.ahead += jump

        await tell(r, set_anew)

    programs = {"site": Program(remote=True)} | ({} if program is None else {"api": program})
    rehearse(state_dir, toml, story, programs, clock=Adjusted)


@JUMPS
def test_a_fleet_that_is_well_stays_so(tmp_path: Path, jump: float) -> None:
    async def story(r: Rehearsal, set_anew: Callable[[], None]) -> None:
        await r.all_healthy()
        set_anew()
        await r.wait(600.0)
        assert r.seen(AgentExited) == []
        assert r.world.incidents == {}
        assert {one.state for one in r.world.agents.values()} == {"healthy"}

    adjusted(tmp_path, SHOP, jump, story)


@JUMPS
def test_a_long_run_is_no_short_one_and_a_death_is_answered_at_once(tmp_path: Path, jump: float) -> None:
    async def story(r: Rehearsal, set_anew: Callable[[], None]) -> None:
        await r.all_healthy()
        for _ in range(6):  # more in a row than would be answered at once if they were short
            await r.wait(60.0)
            set_anew()
            r.machine.kill("api")
            assert await r.until(lambda: r.machine.alive("api") == 1) < 0.2
            set_anew()

    adjusted(tmp_path, agent("api") + "[guard]\nattempts_per_hour = 0", jump, story)


@JUMPS
def test_a_crash_loop_is_slowed_down_as_before(tmp_path: Path, jump: float) -> None:
    async def story(r: Rehearsal, set_anew: Callable[[], None]) -> None:
        await r.wait(100.0)
        set_anew()
        moments: list[float] = []
        r.watchers.append(lambda _, event: moments.extend([r.clock.monotonic()] * isinstance(event, AgentStarted)))
        await r.wait(600.0)
        assert max(later - earlier for earlier, later in pairwise(moments)) < BACKOFF_LAST_S + 2.0
        assert len(moments) < 600.0 / 5

    toml = agent("api") + "[guard]\nattempts_per_hour = 0"
    adjusted(tmp_path, toml, jump, story, Program(dies_after_s=0.3))


@JUMPS
def test_a_trial_of_an_open_breaker_comes_neither_sooner_nor_later(tmp_path: Path, jump: float) -> None:
    async def story(r: Rehearsal, set_anew: Callable[[], None]) -> None:
        await r.wait(5.0)
        set_anew()
        await r.wait(20.0)
        assert len(r.seen(AgentStartFailed)) == 1
        await r.wait(20.0)
        assert len(r.seen(AgentStartFailed)) == 2

    adjusted(tmp_path, agent("api"), jump, story, Program(missing=True))


@JUMPS
def test_a_hang_is_healed_and_verified_as_before(tmp_path: Path, jump: float) -> None:
    async def story(r: Rehearsal, set_anew: Callable[[], None]) -> None:
        await r.all_healthy()
        r.machine.hang("mailer")
        await r.wait(8.0)
        set_anew()
        assert (await r.healed("mailer")).state == "resolved"

    adjusted(tmp_path, SHOP, jump, story)


def started(r: Rehearsal, clock: Callable[[], float]) -> list[float]:
    """By the clock on the wall, in minutes after the beginning, when runs of the job begin: filled while it goes on."""
    moments: list[float] = []
    r.watchers.append(
        lambda _, event: moments.extend([(clock() - EPOCH) // 60.0] * isinstance(event, AgentStarted)),
    )
    return moments


@pytest.mark.parametrize(("jump", "runs"), [(HOUR_S, [72.0, 90.0, 120.0]), (-HOUR_S, [30.0, 60.0])])
def test_a_schedule_goes_by_the_clock_on_the_wall(tmp_path: Path, jump: float, runs: list[float]) -> None:
    """Set on at :12, it makes up for what was jumped over by one run; set back, it waits for its next time."""

    async def story(r: Rehearsal, set_anew: Callable[[], None]) -> None:
        moments = started(r, r.clock.wall)
        await r.wait(12 * 60.0)
        set_anew()
        await r.wait(50 * 60.0 if jump > 0 else 110 * 60.0)
        assert moments == runs

    toml = agent("api", checked=False, more='schedule = "*/30 * * * *"')
    adjusted(tmp_path, toml, jump, story, Program(dies_after_s=5.0, exit_code=0))


@JUMPS
def test_a_question_to_a_person_neither_ends_nor_is_answered(tmp_path: Path, jump: float) -> None:
    async def story(r: Rehearsal, set_anew: Callable[[], None]) -> None:
        await r.all_healthy()
        r.machine.outages["site"] = "stale content"
        await r.until(lambda: any(one.state == "waiting_approval" for one in r.incidents("site")))
        set_anew()
        await r.wait(60.0)
        assert (r.incident("site").state, r.machine.commands_run) == ("waiting_approval", [])

    adjusted(tmp_path, ASKING, jump, story)
