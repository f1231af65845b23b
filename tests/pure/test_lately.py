"""Is what was not as usual about an agent counted at each step as it could be seen then, for who foresees from it?"""

from __future__ import annotations

from math import isnan

from selfheal.events import AnomalyDismissed, AnomalyOver, BreakerClosed, BreakerOpened, BreakerTried, StartAsked
from selfheal.predict.lately import ANOMALIES, BREAKERS, CHANGES, HOUR_S, LATELY, lately
from selfheal.predict.recent import STEP_S, step_of, track_of
from selfheal.predict.roles import role_of
from selfheal.predict.windows import FEATURES, Windows
from selfheal.world.anomalies import ANOMALIES_KEPT
from selfheal.world.breakers import SPELLS_KEPT
from tests.pure.departures import BEGIN, Office, fleet, seen

FIRST = step_of(BEGIN)
STEPS_AN_HOUR = int(HOUR_S / STEP_S)


def counts(office: Office, name: str, agent: str = "api", steps: int = 40) -> list[float]:
    """The counts at so many steps from the begin of time on."""
    return list(lately(office.world, agent, FIRST, FIRST + steps - 1)[name])


def test_an_anomaly_counts_from_when_it_was_seen_until_an_hour_after_its_end() -> None:
    office = Office()
    office.depart("api", "cpu", STEP_S + 10.0)
    office.depart("api", "rss", STEP_S + 20.0)  # the same thing
    office.depart("cron", "cpu", STEP_S + 30.0)
    office.come_back("api", "cpu", 3 * STEP_S)
    lasting = counts(office, ANOMALIES)
    assert lasting == [0.0, 0.0, *[1.0] * 38]
    office.come_back("api", "rss", 4 * STEP_S)
    assert counts(office, ANOMALIES) == [0.0, 0.0, *[1.0] * (STEPS_AN_HOUR + 2), *[0.0] * (36 - STEPS_AN_HOUR)]
    assert counts(office, ANOMALIES, "web") == [0.0] * 40


def test_one_that_shows_in_two_agents_counts_for_each_from_when_it_was_seen_there() -> None:
    office = Office()
    office.depart("db", "cpu", 10.0)
    office.depart("api", "cpu", 80.0)
    assert len(office.things()) == 1
    assert counts(office, ANOMALIES, steps=2) == counts(office, ANOMALIES, "db", 2) == [0.0, 1.0]


def test_what_was_dismissed_does_not_count() -> None:
    office = Office()
    office.take(seen("ano-1", "api"), AnomalyDismissed(BEGIN + 20.0, "ano-1", "ann"))
    assert counts(office, ANOMALIES) == [0.0] * 40


def test_a_change_counts_for_an_hour() -> None:
    office = Office(fleet(StartAsked(BEGIN + 10.0, "api", "ann")))
    assert counts(office, CHANGES) == [0.0, *[1.0] * STEPS_AN_HOUR, *[0.0] * (39 - STEPS_AN_HOUR)]


def test_a_breaker_counts_until_it_is_closed_also_on_trial_and_whoever_closes_it() -> None:
    def opened(at: float, fix: str) -> BreakerOpened:
        return BreakerOpened(BEGIN + at, "api", fix, BEGIN + at + 30.0, "it failed")

    office = Office(fleet(opened(10.0, "restart"), opened(1.5 * STEP_S, "rollback")))
    assert counts(office, BREAKERS) == [0.0, 1.0, *[2.0] * 38]
    office.take(BreakerTried(BEGIN + 2.5 * STEP_S, "api", "restart"), opened(3.5 * STEP_S, "restart"))
    assert counts(office, BREAKERS) == [0.0, 1.0, *[2.0] * 38]
    office.take(BreakerClosed(BEGIN + 4.5 * STEP_S, "api", "restart", "it helped"))
    assert counts(office, BREAKERS) == [0.0, 1.0, 2.0, 2.0, 2.0, *[1.0] * 35]
    office.take(StartAsked(BEGIN + 6.5 * STEP_S, "api", "ann"))
    assert counts(office, BREAKERS) == [0.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0, *[0.0] * 33]
    assert counts(office, BREAKERS, "web") == counts(office, BREAKERS, "unknown") == [0.0] * 40


def test_of_breakers_only_the_latest_spells_are_kept_and_before_them_nothing_is_told() -> None:
    office = Office()
    for number in range(SPELLS_KEPT + 1):
        at = BEGIN + 10.0 + number
        office.take(
            BreakerOpened(at, "api", "restart", at + 30.0, "it failed"), BreakerClosed(at + 0.5, "api", "restart", "so")
        )
    assert len(office.world.agents["api"].spells) == SPELLS_KEPT
    assert isnan(counts(office, BREAKERS)[0])
    assert counts(office, BREAKERS)[1:] == [0.0] * 39


def test_before_what_is_still_known_nothing_is_told() -> None:
    office = Office()
    for number in range(ANOMALIES_KEPT):
        at = 10.0 + STEP_S * number
        office.take(seen(f"ano-{number}", "cron", at=at), AnomalyOver(BEGIN + at + 1.0, f"ano-{number}"))
    told = counts(office, ANOMALIES, "cron")
    assert all(map(isnan, told[: STEPS_AN_HOUR + 1]))
    assert told[STEPS_AN_HOUR + 1 :] == [float(STEPS_AN_HOUR)] * (39 - STEPS_AN_HOUR)


def test_rows_have_it() -> None:
    office = Office()
    office.depart("api", "cpu", 10.0)
    assert tuple(map(role_of, LATELY)) == ("anomalies", "changes", "breakers")
    columns = lately(office.world, "api", FIRST, FIRST + 39) | {"rss": [1e8 + place for place in range(40)]}
    row = Windows(track_of("api", FIRST, columns, {"rss": 4e8}, ())).row(39)
    assert row is not None
    assert row[FEATURES.index("agent.anomalies")] == 1.0
    assert row[FEATURES.index("agent.changes")] == row[FEATURES.index("agent.open_breakers")] == 0.0
