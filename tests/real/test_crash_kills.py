"""Is nothing lost, whichever system call of a life is its last? Some of them here; the soak takes every one."""

from __future__ import annotations

from tests.real.crash_kills import all_points, kill, spread
from tests.real.crash_program import AT, CALLS, Run
from tests.real.straced import met, quick_folder

SAVES, STARTS = 34, 26


def test_a_kill_is_before_the_call_that_it_meets() -> None:
    """What all of this stands on: the call number N never happened, all before it did."""
    with quick_folder() as folder:
        rooms = [folder / str(number) for number in (1, 2)]
        for room in rooms:
            room.mkdir()
        killed = met([Run(str(rooms[0]), "mkdir", 1), Run(str(rooms[1] / "state"), "mkdir", 2)], folder, "signal=KILL")
        assert [one.status for one in killed] == [9, 9]
        made = [sorted(str(path.relative_to(room)) for path in room.rglob("*") if path.is_dir()) for room in rooms]
        assert made == [[], ["state"]]


def test_a_kill_in_the_middle_of_a_life_loses_nothing() -> None:
    every = all_points(["nothing", "a life"])
    assert {point.call for point in every} == set(CALLS)
    assert max(point.number for point in every) < AT
    assert [found for found in kill(spread(every, SAVES)) if found.wrong] == []


def test_a_kill_of_a_start_that_mends_loses_nothing() -> None:
    every = all_points(["everything"])
    assert [found for found in kill(spread(every, STARTS)) if found.wrong] == []
