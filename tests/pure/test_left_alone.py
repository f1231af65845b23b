"""Is a failure left to come only where that is safe, and is what it teaches told with what it is worth?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from selfheal.events import (
    AgentDeclared,
    BreakerOpened,
    Event,
    HealingPaused,
    PredictionEnded,
    PredictionLeft,
    WorkDone,
)
from selfheal.predict.left_alone import why_not_left
from selfheal.predict.maintenance import Times
from selfheal.serve.views.maintenance import totals
from selfheal.vocabulary import FailureMode, RestartPolicy
from selfheal.world import Odds, World, fold
from selfheal.world.left_alone import Estimate, estimate
from tests.pure.foreseen import NOW, declared, planned, predicted, world_of
from tests.pure.situations import after

MODE: FailureMode = "out_of_memory"


def _asked(
    *events: Event, policy: RestartPolicy = "always", spare: bool = False, times: Times | None = None,
    slowest_s: float | None = 2.0, mode: FailureMode = MODE, agent: str = "api",
) -> str:  # fmt: skip
    world = world_of(*events)
    if slowest_s is not None:
        seen = Odds(helped=1.0, took_s=slowest_s, slowest_s=slowest_s)
        world = replace(world, odds={(agent, "crashed", "restart"): seen})
    prediction = predicted(agent, mode=mode)
    return why_not_left(world, prediction, world.agents[agent], policy, spare, times or Times())


def test_a_process_whose_restart_was_quick_and_whom_nobody_needs_may_be_left() -> None:
    assert _asked() == ""


NEEDED: tuple[Event, ...] = (AgentDeclared(0.0, "web", "process", "application", ("api",), (), True),)
DATA = declared("db", has_process=False, layer="data", kind="sqlite")
WRITER = AgentDeclared(0.0, "api", "process", "application", ("db",), (), True)


@pytest.mark.parametrize(
    ("why", "what"),
    [
        ("a restart does not cure it", lambda: _asked(mode="disk_full")),
        ("a restart does not cure it", lambda: _asked(mode="out_of_inodes")),
        ("not started again", lambda: _asked(policy="never")),
        ("not started again", lambda: _asked(*declared("site", has_process=False), agent="site")),
        ("healing is off", lambda: _asked(HealingPaused(NOW, None, "cli"))),
        ("healing is off", lambda: _asked(HealingPaused(NOW, "api", "cli"))),
        ("too often", lambda: _asked(BreakerOpened(NOW, "api", "restart", NOW + 30, "again"))),
        ("data are at stake", lambda: _asked(*DATA, WRITER)),
        ("others depend on it", lambda: _asked(*NEEDED)),
        ("never seen", lambda: _asked(slowest_s=None)),
        ("never seen", lambda: _asked(slowest_s=11.0)),
        ("quiet time or a window", lambda: _asked(times=Times(quiet=lambda at: at > NOW + 1000.0))),
        ("quiet time or a window", lambda: _asked(times=Times(closed=lambda at: at > NOW + 2000.0))),
        ("another one", lambda: _asked(PredictionLeft(NOW, "web", MODE, 0.9, 0.05, ""))),
    ],
)
def test_it_is_not_left_where_that_is_not_safe(why: str, what: object) -> None:
    assert callable(what)
    assert why in what()


def test_a_spare_makes_up_for_who_depends_on_it_and_for_how_long_a_restart_takes() -> None:
    assert _asked(*NEEDED, spare=True, slowest_s=None) == ""


def _ended(world: World, agent: str, outcome: str) -> World:
    match outcome:
        case "happened" | "withdrawn" | "averted":
            return fold(world, PredictionEnded(NOW, agent, MODE, outcome))
        case _:
            raise ValueError(outcome)


def _left(world: World, outcome: str) -> World:
    left = PredictionLeft(NOW, "api", MODE, 0.9, 0.05, "")
    return _ended(after(world, predicted(), left), "api", outcome)


def _acted(world: World, *, drawn: bool) -> World:
    done = WorkDone(NOW, "work-1", "succeeded", "", "done")
    return _ended(after(world, predicted(), planned(drawn=drawn), done), "api", "averted")


def test_what_was_left_alone_says_what_the_others_were_worth() -> None:
    world = world_of()
    for outcome in ("happened",) * 5 + ("withdrawn",):
        world = _left(world, outcome)
    for _ in range(40):
        world = _acted(world, drawn=True)
    found = estimate(world.foresight)
    assert (found.acted, found.left, found.came) == (40, 6, 5)
    assert found.would == pytest.approx(40 * 5 / 6)
    assert found.low is not None
    assert found.high is not None
    assert (round(found.low), round(found.high)) == (17, 39)  # Wilson's interval of 5 in 6 is 0.436 to 0.970


def test_what_the_draw_could_not_have_hit_is_not_counted_with_it() -> None:
    world = _acted(_acted(_left(world_of(), "happened"), drawn=True), drawn=False)
    assert estimate(world.foresight).acted == 1
    assert world.foresight.ended == {"happened": 1, "averted": 2}


def test_where_none_was_left_alone_nothing_is_made_up() -> None:
    assert estimate(_acted(world_of(), drawn=True).foresight) == Estimate(1, 0, 0)


def test_what_was_left_and_ended_by_work_after_all_says_nothing() -> None:
    assert estimate(_left(world_of(), "averted").foresight) == Estimate(0, 0, 0)


def test_of_work_is_counted_what_became_of_that_against_which_it_was_planned() -> None:
    crash = predicted(mode="crash")
    world = world_of(
        crash, PredictionEnded(NOW + 1, "api", "crash", "happened"), predicted(), planned(),
        PredictionEnded(NOW + 200, "api", "out_of_memory", "averted"), predicted("web"),
        planned(agent="web", work="work-2"),
        PredictionEnded(NOW + 300, "web", "out_of_memory", "happened"),
    )  # fmt: skip
    told = totals(world)
    assert (told.averted, told.came_all_the_same) == (1, 1)
