"""Is what is not as usual shown in the order in which it is to be looked at, with all that moved?"""

from __future__ import annotations

from selfheal.events import AnomalyDismissed, AnomalySuppressed, LevelShifted
from selfheal.serve.times import rfc3339
from selfheal.serve.views.anomalies import NEAR_SHOWN, anomalies, anomalies_of, dismissals, levels, suppressed
from selfheal.serve.views.strangeness import anomaly_counts, strangest
from selfheal.world.dismissals import DAY_S
from tests.pure.departures import BEGIN, Office, fleet, seen

NOW = BEGIN + 60.0


def kept_back(agent: str, at: float) -> AnomalySuppressed:
    since = BEGIN + at
    return AnomalySuppressed(since, agent, "cpu", 0.1, 0.9, 0.7, since, "maintenance", f"{agent} is in maintenance")


def test_what_lasts_comes_first_and_among_that_what_matters_more_and_what_was_dismissed_after_the_others() -> None:
    office = Office()
    office.take(
        seen("ano-1", "api", "own_queue", 10.0, 0.55),
        seen("ano-2", "web", "latency", 11.0, 0.9),
        seen("ano-3", "db", "latency", 12.0, 0.95),
        seen("ano-4", "cron", "latency", 13.0, 0.97),
        AnomalyDismissed(BEGIN + 20.0, "ano-3", "ann"),
    )
    office.come_back("cron", "latency", 30.0)
    shown = anomalies(office.world, NOW)
    assert [one.id for one in shown] == ["ano-2", "ano-1", "ano-3", "ano-4"]
    assert [one.dismissed_by for one in shown] == ["", "", "ann", ""]
    counts = anomaly_counts(office.world, None, NOW)
    assert (counts.open, counts.last_hour) == (2, 4)
    assert strangest(office.world) == {"api": 0.55, "web": 0.9}


def test_one_tells_what_was_expected_what_was_seen_since_when_and_where_else() -> None:
    office = Office()
    office.depart("web", "latency", 20.0, 0.7)
    office.depart("db", "cpu", 25.0, 0.9)
    office.come_back("web", "latency", 40.0)
    (one,) = anomalies(office.world, NOW)
    assert (one.agent, one.signal, one.value, one.expected, one.direction) == ("web", "latency", 2.0, 1.0, "up")
    assert (one.since, one.at) == (rfc3339(BEGIN + 10.0), rfc3339(BEGIN + 20.0))
    assert (one.score, one.agents) == (0.9, ["db", "web"])
    assert [(part.agent, part.over_at is None) for part in one.signals] == [("web", False), ("db", True)]
    assert [found.id for found in anomalies_of(office.world, "db", NOW)] == ["ano-1"]
    assert anomalies_of(office.world, "api", NOW) == []


def test_what_moved_near_it_is_named_with_the_reason_why_it_is_no_part_of_it() -> None:
    office = Office()
    office.take(
        seen("ano-1", "api", at=100.0),
        seen("ano-2", "db", at=350.0),
        seen("ano-3", "cron", at=110.0),  # which has nothing to do with it
        seen("ano-4", "db", "cpu", at=900.0),  # and that is not near in time
        kept_back("web", 120.0),
    )
    near = {one.id: one.near for one in anomalies(office.world, BEGIN + 1000.0)}
    assert [(one.agent, one.anomaly, one.why) for one in near["ano-1"]] == [
        ("web", "", "web is in maintenance"),
        ("db", "ano-2", ""),
    ]
    assert near["ano-3"] == near["ano-4"] == []


def test_of_much_that_moved_the_nearest_is_named() -> None:
    office = Office()
    office.take(seen("ano-1", "api", at=200.0), *(kept_back("web", 200.0 + number) for number in range(1, 40)))
    (one,) = anomalies(office.world, NOW)
    assert len(one.near) == NEAR_SHOWN
    assert one.near[-1].since == rfc3339(BEGIN + 200.0 + NEAR_SHOWN)


def test_what_was_kept_back_is_shown_newest_first_and_in_its_direction() -> None:
    world = fleet(kept_back("web", 10.0), kept_back("db", 20.0))
    assert [(one.agent, one.direction) for one in suppressed(world.anomalies)] == [("db", "down"), ("web", "down")]
    assert world.anomalies.counted == {"maintenance": 2}


def test_a_dismissal_is_shown_with_the_score_from_which_on_the_same_is_told_for_as_long_as_it_counts() -> None:
    world = fleet(seen("ano-1", "api", score=0.75), AnomalyDismissed(BEGIN + 20.0, "ano-1", "ann"))
    (fresh,) = dismissals(world.anomalies, BEGIN + 20.0)
    assert (fresh.agent, fresh.by, fresh.anomaly) == ("api", "ann", "ano-1")
    assert fresh.bar == 6.0 / 7.0  # three times the alarm line, twice
    (faded,) = dismissals(world.anomalies, BEGIN + 60 * DAY_S)
    assert 0.5 < faded.bar < fresh.bar
    assert dismissals(world.anomalies, BEGIN + 85 * DAY_S) == []


def test_where_what_is_normal_has_changed_is_shown_newest_first_and_once_for_each_signal() -> None:
    world = fleet(
        LevelShifted(BEGIN + 10.0, "api", "rss", 2e8, 1e8, BEGIN, "deploy"),
        LevelShifted(BEGIN + 20.0, "web", "cpu", 0.4, 0.1, BEGIN + 5.0, "start"),
        LevelShifted(BEGIN + 30.0, "api", "rss", 3e8, 2e8, BEGIN + 25.0, "held"),
    )
    assert [(one.agent, one.value, one.expected, one.why) for one in levels(world.anomalies)] == [
        ("api", 3e8, 2e8, "held"),
        ("web", 0.4, 0.1, "start"),
    ]
