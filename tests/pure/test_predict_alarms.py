"""When is an alarm raised, and which failures does it foresee?"""

from __future__ import annotations

from random import Random

import pytest

from selfheal.predict.alarms import Step, Task, Watched, judge, raised
from selfheal.predict.figures import choose, measure
from selfheal.predict.recording import Failure

TASK = Task(horizon_s=7200.0, lead_s=1800.0)
MINUTE = 60.0


def steps(*said: tuple[float, float], until: float = 1200.0) -> list[Step]:
    """A step each five minutes; `said` are (minute, probability) from which on that is said."""
    told, now = iter([*said, (1e9, 0.0)]), 0.0
    following, probability = next(told), 0.0
    made = []
    while now <= until:
        while now >= following[0]:
            probability = following[1]
            following = next(told)
        made.append(Step(now * MINUTE, probability))
        now += 5.0
    return made


def failure(minute: float, mode: str = "out_of_memory") -> Failure:
    return Failure("site", minute * MINUTE, mode)


def alarms(said: list[Step], *failures: Failure) -> list[float]:
    return [said[place].at / MINUTE for place in raised(Watched(said, failures), 0.5, TASK)]


@pytest.mark.parametrize(("said", "after"), [(1.0, 2), (0.99, 2), (0.9, 3), (0.7, 4), (0.6, 5), (0.5, 8)])
def test_the_surer_it_is_the_fewer_steps_an_alarm_takes(said: float, after: int) -> None:
    assert alarms(steps((100, said), (100 + 5 * after, 0.0))) == [100 + 5 * (after - 1)]
    assert alarms(steps((100, said), (100 + 5 * (after - 1), 0.0))) == []


def test_what_was_said_of_late_counts_and_the_latest_most() -> None:
    assert alarms(steps((100, 0.47))) == []
    assert alarms(steps((100, 0.9), (110, 0.4), (115, 0.9), (120, 0.0))) == [115]
    assert alarms(steps((100, 0.9), (110, 0.0), (115, 0.9), (120, 0.0))) == []


def test_it_speaks_for_the_horizon_less_the_lead_and_a_failure_begins_everything_anew() -> None:
    assert alarms(steps((100, 0.9)), failure(2000)) == [*range(110, 1200, 90)]
    assert alarms(steps((100, 0.9), (190, 0.0)), failure(150)) == [110, 160]


def test_what_was_said_just_before_the_time_that_is_judged_counts() -> None:
    said = steps((100, 0.9), (130, 0.0))
    cut = next(place for place, step in enumerate(said) if step.at == 110 * MINUTE)
    watched = Watched(said[cut:], [], said[cut - 2 : cut])
    assert [watched.steps[place].at / MINUTE for place in raised(watched, 0.5, TASK)] == [110]
    failed = Watched(said[cut:], [failure(107)], said[cut - 2 : cut])
    assert [failed.steps[place].at / MINUTE for place in raised(failed, 0.5, TASK)] == [120]


def test_one_that_was_a_little_early_is_followed_by_one_in_time() -> None:
    found = judge(Watched(steps((100, 0.9), (245, 0.0)), [failure(235)]), 0.5, TASK)
    assert (found.alarms, found.early) == (2, 1)
    assert found.leads == (35 * MINUTE,)


@pytest.mark.parametrize(
    ("raised_at", "told"), [(105, "right"), (195, "right"), (90, "early"), (200, "late"), (-1, "not at all")]
)
def test_a_failure_is_foreseen_between_the_lead_and_the_horizon_before_it(raised_at: float, told: str) -> None:
    found = judge(Watched(steps((raised_at - 10, 0.9), (raised_at + 5, 0.0)), [failure(225)]), 0.5, TASK)
    assert found.failures == 1
    assert len(found.leads) == (told == "right")
    assert found.right == (told == "right")
    assert (found.early, found.late) == (told == "early", told == "late")
    if told == "right":
        assert found.leads == ((225 - raised_at) * MINUTE,)


def test_what_nothing_announces_is_counted_apart() -> None:
    found = judge(Watched(steps((100, 0.9), (120, 0.0)), [failure(180, "killed")]), 0.5, TASK)
    assert (found.failures, found.sudden, found.sudden_foreseen) == (0, 1, 1)
    assert (found.alarms, found.right) == (1, 0)


def test_an_alarm_near_the_end_is_undecided() -> None:
    found = judge(Watched(steps((1150, 0.9)), []), 0.5, TASK)
    assert (found.alarms, found.undecided) == (1, 1)
    assert measure([Watched(steps((1150, 0.9)), [])], 0.5, TASK, Random(1)).precision is None


def test_failures_that_follow_each_other_at_once_are_one() -> None:
    found = judge(Watched(steps((100, 0.9), (120, 0.0)), [failure(200), failure(200, "disk_full")]), 0.5, TASK)
    assert (found.failures, len(found.leads)) == (1, 1)


def test_the_figures_of_a_known_story() -> None:
    """One agent that is foreseen, one that is missed, one that is well and gets a false alarm."""
    fleet = [
        Watched(steps((490, 0.9), (600, 0.0)), [failure(600)]),
        Watched(steps(), [failure(600)]),
        Watched(steps((300, 0.9), (320, 0.0)), []),
    ]
    found = measure(fleet, 0.5, TASK, Random(1))
    assert (found.event_recall, found.precision) == (0.5, 0.5)
    assert found.median_lead_seconds == 100 * MINUTE
    assert found.false_alarms_per_agent_day == pytest.approx(1 / (3 * 1200 / 1440))
    assert found.counts["healthy_windows"] == 10 + 7 + 7
    assert found.false_positive_rate == pytest.approx(1 / 24)
    assert found.by_mode == {"out_of_memory": (2, 1)}
    assert found.accuracy is not None
    assert found.accuracy_never_alarming is not None
    assert 0.9 < found.accuracy_never_alarming < 1.0
    assert found.intervals["event_recall"].low < 0.5 < found.intervals["event_recall"].high


def test_a_model_that_says_what_comes_has_no_calibration_error() -> None:
    fleet = [Watched(steps((480, 1.0), (600, 0.0)), [failure(600)])]
    found = measure(fleet, 0.5, TASK, Random(1))
    assert found.brier == 0.0
    assert found.ece == 0.0
    assert [(one.said, one.came) for one in found.reliability] == [(0.0, 0.0), (1.0, 1.0)]


def test_a_fleet_that_never_fails_has_no_recall() -> None:
    found = measure([Watched(steps(), [])], 0.5, TASK, Random(1))
    assert (found.event_recall, found.precision) == (None, None)
    assert found.false_positive_rate == 0.0
    assert measure([Watched([], [])], 0.5, TASK, Random(1)).brier is None


def test_the_threshold_parts_what_comes_from_what_does_not() -> None:
    real = [Watched(steps((500, 0.8), (600, 0.0)), [failure(600)]) for _ in range(6)]
    seeming = [Watched(steps((500, 0.6), (600, 0.0)), []) for _ in range(18)]
    threshold, worth = choose([*real, *seeming], TASK, 0.5)
    assert 0.6 < threshold <= 0.8
    assert worth == 1.0
    assert choose(seeming, TASK, 0.42) == (0.42, 0.0)
