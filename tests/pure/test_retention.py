"""Does the retention keep the newest of each hour, day, week and month, and never drop what is relied on?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from selfheal.data.asset import Proof
from selfheal.data.backup import Backup, Keep
from selfheal.data.retention import DAMAGED_S, UNPROVED, kept

HOUR, DAY = 3600.0, 86_400.0
BEGIN = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
NOW = BEGIN + 500 * DAY


def backup(name: str, at: float, *, verified: bool = True, damaged_at: float | None = None) -> Backup:
    damaged = "a piece is damaged" if damaged_at is not None else ""
    proved_at = at if verified else None
    return Backup(name, "ledger", "files", at, 1, 1, Proof(at), 0.0, proved_at, damaged, damaged_at)


@dataclass(frozen=True)
class Vaults:
    """Some backups, oldest first, and how many shall be kept."""

    backups: list[Backup]
    keep: Keep


COUNTS = st.integers(0, 4)


@st.composite
def vaults(draw: st.DrawFn) -> Vaults:
    hours = sorted(draw(st.lists(st.floats(0, 400 * 24), max_size=30, unique=True)))
    states = st.sampled_from(["good", "good", "unproved", "damaged"])
    backups = [
        backup(str(place), BEGIN + at * HOUR, verified=state != "unproved", damaged_at=_damaged_at(draw, state))
        for place, at in enumerate(hours)
        if (state := draw(states))
    ]
    return Vaults(backups, Keep(draw(COUNTS), draw(COUNTS), draw(COUNTS), draw(COUNTS)))


def _damaged_at(draw: st.DrawFn, state: str) -> float | None:
    return NOW - draw(st.floats(0, 2 * DAMAGED_S)) if state == "damaged" else None


def names(backups: list[Backup], keep: Keep, now: float = NOW) -> list[str]:
    return sorted(kept(backups, keep, now), key=lambda name: (len(name), name))


def test_each_of_the_last_hours_keeps_its_newest() -> None:
    every_half_hour = [backup(str(at), BEGIN + at * HOUR / 2) for at in range(10)]
    assert names(every_half_hour, Keep(3, 0, 0, 0)) == ["5", "7", "9"]


def test_hours_without_a_backup_take_no_place() -> None:
    far_apart = [backup(str(at), BEGIN + at * 5 * HOUR) for at in range(5)]
    assert names(far_apart, Keep(3, 0, 0, 0)) == ["2", "3", "4"]


def test_a_year_of_daily_backups_thins_out_into_weeks_and_months() -> None:
    daily = [backup(str(at), BEGIN + at * DAY) for at in range(365)]
    left = names(daily, Keep(0, 7, 4, 12))
    # 358–364: days. Sundays 360, 353, 346 are ends of ISO weeks. Ends of months from January on.
    months = ["30", "58", "89", "119", "150", "180", "211", "242", "272", "303", "333"]
    assert left == [*months, "346", "353", *map(str, range(358, 365))]


def test_the_first_days_of_january_may_belong_to_the_last_week_of_the_year_before() -> None:
    ends = datetime(2026, 12, 31, tzinfo=UTC).timestamp()
    assert names([backup("old", ends), backup("new", ends + 2 * DAY)], Keep(0, 0, 4, 0)) == ["new"]


def test_unproved_ones_stay_until_a_newer_one_counts_and_are_few() -> None:
    unproved = [backup(str(at), BEGIN + at, verified=False) for at in range(5)]
    assert len(names(unproved, Keep())) == UNPROVED
    assert names([*unproved, backup("9", BEGIN + 9)], Keep()) == ["9"]


def test_a_damaged_one_is_left_for_a_week_and_one_that_cannot_be_read_for_ever() -> None:
    found = backup("1", BEGIN, damaged_at=NOW)
    assert names([found], Keep()) == ["1"]
    assert names([found], Keep(), NOW + DAMAGED_S) == []
    assert names([replace(found, damaged_at=None)], Keep(), NOW + 10 * DAMAGED_S) == ["1"]


def test_in_one_second_the_tenth_is_newer_than_the_ninth() -> None:
    assert names([backup("Z-9", BEGIN), backup("Z-10", BEGIN)], Keep(0, 0, 0, 0)) == ["Z-10"]


@given(vaults())
def test_the_newest_that_counts_is_never_dropped(vault: Vaults) -> None:
    good = [one.id for one in vault.backups if one.counts]
    assert set(good[-1:]) <= kept(vault.backups, vault.keep, NOW)


@given(vaults())
def test_only_as_many_are_kept_as_there_are_places(vault: Vaults) -> None:
    wanted = kept(vault.backups, vault.keep, NOW)
    keep = vault.keep
    good = [one for one in vault.backups if one.counts and one.id in wanted]
    assert len(good) <= 1 + keep.hourly + keep.daily + keep.weekly + keep.monthly


@given(vaults())
def test_to_decide_again_drops_nothing_more(vault: Vaults) -> None:
    wanted = kept(vault.backups, vault.keep, NOW)
    assert kept([one for one in vault.backups if one.id in wanted], vault.keep, NOW) == wanted


@given(vaults(), st.floats(0, 100 * 24), st.floats(0, 30 * DAY))
def test_what_was_dropped_would_be_dropped_later_too(vault: Vaults, hours: float, later: float) -> None:
    now = kept(vault.backups, vault.keep, NOW)
    newer = backup("newer", BEGIN + (400 * 24 + hours) * HOUR)
    assert kept([*vault.backups, newer], vault.keep, NOW + later) - {"newer"} <= now


@given(vaults())
def test_what_nobody_proved_pushes_out_no_good_one(vault: Vaults) -> None:
    good = [one for one in vault.backups if one.counts]
    assert kept(good, vault.keep, NOW) <= kept(vault.backups, vault.keep, NOW)
