"""What is told of all signals of all agents, and what of it goes on in the next daemon?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import pairwise
from random import Random

import pytest

from selfheal.detect.anomalies import SIGNALS, AnomalyWatch, Told
from selfheal.detect.grouping import Departed, Grew, Returned
from selfheal.detect.patience import HITS
from selfheal.events import (
    AgentDeclared,
    AgentStarted,
    AnomalyOver,
    AnomalySeen,
    ConfigReloaded,
    Event,
    FilesChanged,
    FixStarted,
    LevelShifted,
    Run,
)
from selfheal.world import EMPTY, World, fold
from selfheal.world.dismissals import reach_of
from tests.pure.series import noise

AGENT = AgentDeclared(0.0, "api", "process", "application", (), (), True)


def _declared(version: str = "") -> AgentDeclared:
    return AgentDeclared(0.0, "api", "process", "application", (), (), True, version=version)


def _started(at: float) -> AgentStarted:
    return AgentStarted(at, "api", Run(1, 1, at, 1, "here"), "first")


def _world(*events: Event) -> World:
    return reduce(fold, (AGENT, *events), EMPTY)


def _shown(watch: AnomalyWatch, signal: str, values: Iterable[float], begin: float = 0.0) -> list[Told]:
    return [
        told for place, value in enumerate(values) for told in watch.look("api", signal, begin + 5.0 * place, value)
    ]


def _next(watch: AnomalyWatch, world: World) -> AnomalyWatch:
    """The watch of the next daemon, by what is kept."""
    after = AnomalyWatch(waits=True)
    assert after.resume([watch.keep(agent) for agent in watch.agents()], world) == []
    return after


CALM = [1.0] * 100


def test_the_watch_tells_that_a_signal_departs_and_since_when_and_that_it_is_back() -> None:
    watch = AnomalyWatch()
    (departed,) = _shown(watch, "queue", CALM + [9.0] * 5)
    assert isinstance(departed, Departed)
    assert (departed.agent, departed.signal, departed.value) == ("api", "queue", 9.0)
    assert (departed.at, departed.since) == (510.0, 500.0)  # three samples make an alarm, and it began with the first
    assert departed.expected == pytest.approx(1.0, abs=0.2)
    assert 0.5 <= departed.score <= 1.0
    assert watch.is_out("api", "queue")
    assert _shown(watch, "queue", [1.0] * 5, 600.0) == [Returned(620.0, "api", "queue")]
    assert not watch.is_out("api", "queue")


def test_a_lone_spike_before_is_no_part_of_what_departs_later() -> None:
    (departed,) = _shown(AnomalyWatch(), "queue", [*CALM, 9.0, *[1.0] * 30, 9.0, 9.0, 9.0])
    assert isinstance(departed, Departed)
    assert departed.since == 5.0 * 131


def test_a_signal_that_goes_further_out_is_told_as_it_doubles_and_not_in_between() -> None:
    told = _shown(AnomalyWatch(), "queue", CALM + [3.0] * 3 + [3.0 + 0.5 * step for step in range(60)])
    departed, *further = told
    assert isinstance(departed, Departed)
    reaches = [reach_of(departed.score), *(reach_of(one.score) for one in further if isinstance(one, Grew))]
    assert len(reaches) == len(told) >= 3
    assert all(after >= 2.0 * before for before, after in pairwise(reaches))


def test_a_signal_of_which_only_rising_is_strange_does_not_go_further_out_by_falling() -> None:
    told = _shown(AnomalyWatch(), "latency", [*[0.1] * 100, *[0.4] * 3, -9.0, -90.0])
    assert [type(one) for one in told] == [Departed]


def test_what_stands_for_something_is_not_judged() -> None:
    assert _shown(AnomalyWatch(), "login.status", [200.0] * 100 + [503.0] * 9) == []


def test_what_an_agent_has_beyond_the_bound_is_not_looked_at() -> None:
    watch = AnomalyWatch()
    for number in range(SIGNALS):
        watch.look("api", f"s{number}", 0.0, 1.0)
    assert _shown(watch, "one more", [1.0] * 100 + [9.0] * 9) == []


def test_what_was_out_of_line_of_an_agent_that_leaves_is_told_once() -> None:
    watch = AnomalyWatch()
    _shown(watch, "queue", CALM + [9.0] * 5)
    assert watch.forget("api") == ("queue",)
    assert watch.forget("api") == ()
    assert not watch.is_out("api", "queue")
    assert watch.agents() == ()


# --- many signals ---


def _bar(count: int) -> float:
    """How many spreads a step has to be high to be seen in one of so many signals."""
    for height in range(30, 120):
        watch = AnomalyWatch()
        for number in range(1, count):
            _shown(watch, f"s{number}", noise(number, 200))
        _shown(watch, "s0", noise(1, 200))
        if _shown(watch, "s0", [100.0 + height] * HITS, 1000.0):
            return height / 10.0
    raise AssertionError("it is never seen")


def test_of_many_signals_each_has_to_be_stranger() -> None:
    one, many = _bar(1), _bar(40)
    assert one + 0.3 <= many < 2.0 * one


def _two(heights: Sequence[float]) -> list[Told]:
    """What is told of two signals that step up by so many tenths of a spread at the same time."""
    watch, found = AnomalyWatch(), list[Told]()
    series = [[*noise(seed, 300), *[100.0 + height] * 6] for seed, height in enumerate(heights, start=5)]
    for place, values in enumerate(zip(*series, strict=True)):
        for number, value in enumerate(values):
            found += watch.look("api", f"s{number}", 5.0 * place + number, value)
    return found


def test_two_that_are_somewhat_strange_at_the_same_time_are_as_one_that_is_strange() -> None:
    assert _two([42.0, 0.0]) == []
    (seen,) = _two([42.0, 42.0])
    assert isinstance(seen, Departed)
    assert seen.score == 0.5
    assert seen.at <= 5.0 * (300 + HITS)


def test_of_two_a_counter_tells_its_rate() -> None:
    watch, count, found = AnomalyWatch(), 1e6, list[Told]()
    watch.count("api", {"served": True, "s1": False})
    rates, others = [*noise(5, 300), *[142.0] * 6], [*noise(6, 300), *[142.0] * 6]
    for place, (rate, other) in enumerate(zip(rates, others, strict=True)):
        count += 5.0 * rate
        found += watch.look("api", "s1", 5.0 * place, other)
        found += watch.look("api", "served", 5.0 * place + 1.0, count)
    (seen,) = found
    assert isinstance(seen, Departed)
    assert (seen.signal, seen.score) == ("served", 0.5)
    assert seen.value == pytest.approx(142.0)


# --- counters ---


def test_what_an_exporter_says_of_its_series_is_heeded() -> None:
    for counters, told in (({"served": True}, 1), ({"served": False}, 0)):
        watch, dice, count = AnomalyWatch(), Random(1), 1e6
        watch.count("api", counters)
        values = [count := count + dice.randint(4, 6) for _ in range(300)]
        assert _shown(watch, "served", values) == []
        values = [count := count + 40.0 for _ in range(HITS)]  # nothing to a level of a million
        assert len(_shown(watch, "served", values, 1500.0)) == told


# --- what is done to agents ---


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (_started(3000.0), "start"),
        (_declared("2"), "deploy"),
        (FilesChanged(3000.0, "api", ("/etc/api.conf",)), "files"),
        (ConfigReloaded(3000.0, "ada", False, changed=("web", "api")), "reload"),
        (FixStarted(3000.0, "inc-1", 1, "scale", "application", "api", "slow"), "fix"),
    ],
)
def test_a_new_level_after_something_was_done_is_told_with_what_that_was(event: Event, why: str) -> None:
    watch = AnomalyWatch()
    watch.heed(_declared("1"))
    _shown(watch, "queue", noise(1, 500, 150.0))
    watch.heed(event)
    (level,) = _shown(watch, "queue", noise(2, 500, 250.0), 3000.0)
    assert isinstance(level, LevelShifted)
    assert (level.agent, level.signal, level.why) == ("api", "queue", why)
    assert level.expected == pytest.approx(150.0, abs=5.0)
    assert level.value == pytest.approx(250.0, abs=5.0)


def test_a_backup_changes_no_level() -> None:
    for fix, told in (("back_up", 1), ("free_disk", 0)):
        watch = AnomalyWatch()
        _shown(watch, "queue", noise(1, 500))
        watch.heed(FixStarted(2499.0, "work-1", 1, fix, "application", "api", "disk_full"))
        assert len(_shown(watch, "queue", [300.0] * HITS, 2500.0)) == told


def test_to_be_declared_again_as_it_was_is_no_deploy() -> None:
    watch = AnomalyWatch()
    watch.heed(_declared("1"))
    _shown(watch, "queue", noise(1, 500))
    watch.heed(_declared("1"))
    assert len(_shown(watch, "queue", [300.0] * HITS, 2500.0)) == 1


# --- the next daemon ---


def test_nothing_is_told_before_it_is_known_what_was_normal() -> None:
    watch = AnomalyWatch(waits=True)
    assert _shown(watch, "queue", [1.0] * 100 + [9.0] * 5) == []
    assert watch.agents() == ()


def test_what_is_normal_is_still_known_to_the_next_daemon() -> None:
    watch = AnomalyWatch()
    _shown(watch, "queue", noise(1, 100))
    after = _next(watch, _world())
    assert len(_shown(after, "queue", [300.0] * HITS, 505.0)) == 1


def test_what_was_kept_of_an_agent_that_is_gone_is_forgotten() -> None:
    watch = AnomalyWatch()
    _shown(watch, "queue", noise(1, 100))
    assert _next(watch, EMPTY).agents() == ()


def test_a_start_and_a_deploy_while_no_daemon_was_there_are_noticed() -> None:
    for since, why in (([_started(600.0)], "start"), ([_started(1.0), _declared("2")], "deploy")):
        watch = AnomalyWatch()
        watch.heed(_declared("1"))
        _shown(watch, "queue", noise(1, 100, 150.0))
        after = _next(watch, _world(*since))
        (level,) = _shown(after, "queue", noise(2, 300, 250.0), 600.0)
        assert isinstance(level, LevelShifted)
        assert level.why == why


def test_an_anomaly_goes_on_in_the_next_daemon_and_ends_there() -> None:
    watch = AnomalyWatch()
    (seen,) = _shown(watch, "queue", [*noise(1, 300), *[300.0] * 5])
    assert isinstance(seen, Departed)
    world = _world(AnomalySeen(seen.at, "ano-1", "api", "queue", seen.value, seen.expected, seen.score))
    after = _next(watch, world)
    assert after.left_over(world, 1600.0) == ()
    assert _shown(after, "queue", [300.0] * 5, 1600.0) == []
    assert _shown(after, "queue", noise(2, 5), 1700.0) == [Returned(1720.0, "api", "queue")]


def test_what_was_kept_before_an_anomaly_began_or_ended_follows_the_journal() -> None:
    seen = AnomalySeen(1000.0, "ano-4", "api", "queue", 300.0, 100.0, 0.9)
    calm = AnomalyWatch()
    _shown(calm, "queue", noise(1, 300))
    after = _next(calm, _world(seen))
    assert after.left_over(_world(seen), 1600.0) == ()
    assert _shown(after, "queue", noise(2, 5), 1600.0) == [Returned(1620.0, "api", "queue")]

    strange = AnomalyWatch()
    _shown(strange, "queue", [*noise(1, 300), *[300.0] * 5])
    over = _world(seen, AnomalyOver(1500.0, "ano-4"))
    after = _next(strange, over)
    assert after.left_over(over, 1600.0) == ()
    assert _shown(after, "queue", noise(2, 20), 1600.0) == []


def test_an_anomaly_of_which_nothing_is_known_any_more_is_over() -> None:
    over = AnomalyOver(2.0, "ano-2")
    events = (
        AnomalySeen(1.0, "ano-1", "api", "rss", 2.0, 1.0, 0.7),
        AnomalySeen(1.0, "ano-2", "api", "fds", 2.0, 1.0, 0.7),
    )
    watch = AnomalyWatch(waits=True)
    world = _world(*events, over)
    watch.resume([], world)
    assert watch.left_over(world, 9.0) == (Returned(9.0, "api", "rss"),)


def test_what_cannot_be_read_is_told_and_costs_nothing_else() -> None:
    watch, after = AnomalyWatch(), AnomalyWatch(waits=True)
    _shown(watch, "queue", noise(1, 100))
    (wrong,) = after.resume([b"\x93", watch.keep("api")], _world())
    assert "cannot be read" in wrong
    assert after.agents() == ("api",)
