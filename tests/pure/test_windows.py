"""When do maintenance windows begin and end?"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from selfheal.compose.windows import open_until, window_changes
from selfheal.config.models import WindowConfig
from selfheal.events import MaintenanceBegan, MaintenanceOver
from selfheal.world import World, fold
from tests.pure.situations import fleet

SUNDAY = WindowConfig(agents=("api",), cron="0 3 * * sun", minutes=30)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def passed(world: World, windows: list[WindowConfig], *moments: float) -> World:
    for moment in moments:
        world = reduce(fold, window_changes(world, windows, moment), world)
    return world


def test_a_window_is_open_from_its_first_second_to_just_before_its_last() -> None:
    end = at("2026-11-29T03:30:00")  # a Sunday
    assert open_until(SUNDAY, at("2026-11-29T02:59:59")) is None
    assert open_until(SUNDAY, at("2026-11-29T03:00:00")) == end
    assert open_until(SUNDAY, at("2026-11-29T03:29:59")) == end
    assert open_until(SUNDAY, end) is None
    assert open_until(SUNDAY, at("2026-11-30T03:10:00")) is None


def test_a_window_in_another_zone_follows_its_clocks_over_the_change_of_summer_time() -> None:
    berlin = WindowConfig(agents=("api",), cron="0 3 * * *", minutes=30, timezone="Europe/Berlin")
    assert open_until(berlin, at("2026-07-01T01:10:00")) == at("2026-07-01T01:30:00")
    assert open_until(berlin, at("2026-12-01T02:10:00")) == at("2026-12-01T02:30:00")
    assert open_until(berlin, at("2026-12-01T01:10:00")) is None


def test_a_window_in_the_hour_that_is_there_twice_is_open_once_and_for_as_long_as_ever() -> None:
    berlin = WindowConfig(agents=("api",), cron="30 2 * * *", minutes=60, timezone="Europe/Berlin")
    begin = at("2026-10-25T00:30:00")
    open_at = [minute for minute in range(-60, 240) if open_until(berlin, begin + 60.0 * minute) is not None]
    assert open_at == list(range(60))


def test_a_window_over_midnight_and_one_that_is_never_closed() -> None:
    night = WindowConfig(agents=("api",), cron="45 23 * * *", minutes=30)
    assert open_until(night, at("2026-11-24T00:10:00")) == at("2026-11-24T00:15:00")
    always = WindowConfig(agents=("api",), cron="0 * * * *", minutes=90)
    assert all(open_until(always, at(f"2026-11-24T{hour:02}:59:59")) for hour in range(24))


def test_what_begins_is_said_once_and_what_ends_too() -> None:
    world, inside, end = fleet(), at("2026-11-29T03:10:00"), at("2026-11-29T03:30:00")
    assert window_changes(world, [SUNDAY], inside) == (MaintenanceBegan(inside, "api", end),)
    world = passed(world, [SUNDAY], inside)
    assert world.agents["api"].state == "maintenance"
    assert window_changes(world, [SUNDAY], inside + 5.0) == ()
    assert window_changes(world, [SUNDAY], end) == (MaintenanceOver(end, "api"),)
    assert passed(world, [SUNDAY], end).agents["api"].state == "healthy"


def test_of_two_windows_that_overlap_the_later_end_counts() -> None:
    longer = WindowConfig(agents=("api", "web"), cron="15 3 * * sun", minutes=60)
    world = passed(fleet(), [SUNDAY, longer], at("2026-11-29T03:10:00"), at("2026-11-29T03:20:00"))
    assert world.agents["api"].maintenance_until == at("2026-11-29T04:15:00")
    world = passed(world, [SUNDAY, longer], at("2026-11-29T03:40:00"))
    assert world.agents["api"].state == world.agents["web"].state == "maintenance"
    assert passed(world, [SUNDAY, longer], at("2026-11-29T04:15:00")).agents["api"].state == "healthy"


def test_a_window_that_was_taken_out_of_the_file_or_ended_while_nobody_watched_is_over() -> None:
    world = passed(fleet(), [SUNDAY], at("2026-11-29T03:10:00"))
    now = at("2026-11-29T03:11:00")
    assert window_changes(world, [], now) == (MaintenanceOver(now, "api"),)
    assert window_changes(world, [SUNDAY], now + 86_400.0) == (MaintenanceOver(now + 86_400.0, "api"),)


def test_a_name_that_is_no_agent_is_nobodys_maintenance() -> None:
    gone = WindowConfig(agents=("gone",), cron="* * * * *", minutes=5)
    assert window_changes(fleet(), [gone], at("2026-11-29T03:10:00")) == ()


@given(st.lists(st.integers(0, 14 * 24 * 60), min_size=1, max_size=12))
def test_whenever_one_looks_the_world_agrees_with_the_calendar(minutes: list[int]) -> None:
    world, begin = fleet(), at("2026-11-23T00:00:00")
    for minute in sorted(minutes):
        world = passed(world, [SUNDAY], begin + 60.0 * minute)
        assert world.agents["api"].maintenance_until == open_until(SUNDAY, begin + 60.0 * minute)
        assert window_changes(world, [SUNDAY], begin + 60.0 * minute) == ()
