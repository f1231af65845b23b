"""Is what is learned from always before what is corrected by, and that before what is held back?"""

from __future__ import annotations

from array import array
from itertools import pairwise

import pytest

from selfheal.predict.own_past import Came, LeftOut
from selfheal.predict.recent import STEP_S
from selfheal.predict.timeleft import HORIZON_S
from selfheal.predict.windows import FEATURES
from selfheal.recorded.foreteller import mode_of
from selfheal.recorded.foretelling import LEAST_OWN, _against_trend, _judges
from selfheal.recorded.lessons import Example, Lessons, lessons_of
from selfheal.recorded.stories import Story, simulated
from tests.pure.foretellers import RISES, of_mode

FIRST = 5_888_000
STEPS = 600
BEGUN = FIRST * STEP_S


def story(*failures: float, left_out: tuple[LeftOut, ...] = ()) -> Story:
    """Fifty hours of an agent whose memory grows; failures are at hours."""
    rss = array("d", [50e6 + 1e5 * place for place in range(STEPS)])
    came = [Came("out_of_memory", BEGUN + hour * 3600.0, f"inc-{hour:g}") for hour in failures]
    limits = {"rss": 200e6}
    return Story("api", FIRST, {"rss": rss}, {"out_of_memory": limits}, came, left_out, (), own=True)


def lessons(*stories: Story, until: float = BEGUN + STEPS * STEP_S) -> Lessons:
    return lessons_of(iter(stories), (BEGUN, until))["out_of_memory"]


def test_time_is_split_and_no_outcome_reaches_into_the_next_part() -> None:
    told = lessons(story(10.0, 20.0, 35.0, 45.0))
    parts = [told.train, told.correct, told.held]
    assert all(parts)
    for before, after in pairwise(parts):
        assert max(one.at for one in before) + HORIZON_S <= min(one.at for one in after)
    assert all(one.came.at <= one.at + HORIZON_S for part in parts for one in part if one.came is not None)
    assert {one.came.at for one in told.held if one.came} == {BEGUN + 45.0 * 3600.0}


def test_rows_before_a_failure_are_its_and_others_nobodys() -> None:
    told = lessons(story(10.0, 20.0, 35.0, 45.0))
    happened = [one for one in told.train if one.happened]
    assert len(happened) == 2 * 8  # each third of the 24 steps before it
    assert {one.came.incident for one in happened if one.came} == {"inc-10", "inc-20"}


def test_what_was_left_out_is_in_neither_class() -> None:
    at = BEGUN + 20.0 * 3600.0
    told = lessons(story(10.0, 20.0, left_out=(LeftOut("out_of_memory", at - HORIZON_S, at),)))
    assert not any(at - HORIZON_S <= one.at <= at for one in told.train)
    of_another = lessons(story(10.0, 20.0, left_out=(LeftOut("disk_full", at - HORIZON_S, at),)))
    assert any(at - HORIZON_S <= one.at <= at for one in of_another.train)


def test_what_comes_after_the_order_is_not_looked_at() -> None:
    until = BEGUN + 30.0 * 3600.0
    told = lessons(story(10.0, 29.0, 45.0), until=until)
    assert max(one.at for one in told.held) + HORIZON_S <= until


def test_all_agents_of_a_fleet_are_split_at_the_same_moments() -> None:
    young = story(45.0)._replace(agent="web", first=FIRST + 300, columns={"rss": array("d", [1e6] * 300)})
    told = lessons(story(10.0), young)
    assert max(one.at for one in told.train) + HORIZON_S <= BEGUN + 0.6 * STEPS * STEP_S
    assert {one.agent for one in told.train} == {"api", "web"}
    assert min(one.at for one in told.held) >= BEGUN + 0.8 * STEPS * STEP_S


def test_the_trend_is_asked_of_what_is_held_back() -> None:
    told = lessons(story(10.0))
    assert all(0.0 <= one.trend <= 1.0 for one in told.held)
    near = [one.trend for one in told.held if one.row[1] > 0.5]
    assert near == sorted(near)  # the nearer to the limit, the likelier
    assert all(one.trend == 0.0 for one in told.train)


def held(own: bool, failures: int) -> list[Example]:
    row = array("f", [0.0])
    before = [
        Example(1e4 * number + place, "api", row, Came("disk_full", 1e4 * number + 5000.0), 0.0, own)
        for number in range(failures)
        for place in range(8)
    ]
    return before + [Example(1e6 + place, "api", row, None, 0.0, own) for place in range(50)]


@pytest.mark.parametrize(("failures", "alone"), [(LEAST_OWN, True), (LEAST_OWN - 1, False)])
def test_this_fleets_own_time_alone_judges_where_it_failed_often_enough(failures: int, *, alone: bool) -> None:
    told = held(own=False, failures=9) + held(own=True, failures=failures)
    assert all(one.own for one in _judges(told)) == alone


def risen(at: float, *, rises: bool, came: bool, own: bool = False) -> Example:
    """A step of which the trend says nothing, however its signal moves."""
    row = array("f", [1.0 if rises and place == RISES else 0.0 for place in range(len(FEATURES))])
    return Example(at, "api", row, Came("out_of_memory", at + 600.0) if came else None, 0.0, own)


def test_a_booster_speaks_where_it_beats_the_trend_but_not_where_it_cries_wolf_at_home() -> None:
    made_up = [risen(100.0 * place, rises=place % 5 == 0, came=place % 5 == 0) for place in range(120)]
    told = _against_trend(mode_of(of_mode(speaks=False)), made_up)
    assert told.speaks
    assert told.loss < told.trend_loss
    assert told.held == 120
    assert told.why.endswith("by 120 rows of simulated agents, 24 of them before a failure")
    at_home = [risen(1e6 + place, rises=place < 2, came=False, own=True) for place in range(20)]
    told = _against_trend(mode_of(of_mode(speaks=False)), made_up + at_home)
    assert not told.speaks
    assert "called 2 more steps a high risk" in told.why


def test_a_booster_that_is_no_better_does_not_speak() -> None:
    held_back = [risen(100.0 * place, rises=place % 7 == 0, came=place % 5 == 0) for place in range(120)]
    silent = [one._replace(trend=0.9 if one.happened else 0.05) for one in held_back]
    assert not _against_trend(mode_of(of_mode()), silent).speaks


def test_rows_are_made_of_each_way_to_fail_that_an_agent_has_a_limit_for() -> None:
    found = lessons_of(simulated(8, 1), (0.0, 0.0))
    assert len(found) >= 4
    for told in found.values():
        assert not any(one.own for one in told.train)
        assert sum(one.happened for one in told.train) < len(told.train) / 4
