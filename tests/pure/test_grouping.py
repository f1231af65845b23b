"""Is one thing that happens one anomaly, and are two things two?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfheal.detect.grouping import MANY, TOGETHER_S
from selfheal.events import AnomalyDismissed, AnomalyMerged
from selfheal.world.anomalies import MEMBERS_KEPT
from tests.pure.departures import NEEDS, Office, departed, fleet, kinds


def test_signals_of_one_agent_that_depart_together_are_one_anomaly_which_ends_with_the_last() -> None:
    office = Office()
    office.depart("api", "latency", 10.0)
    office.depart("api", "cpu", 40.0)
    office.come_back("api", "latency", 50.0)
    assert office.things()["ano-1"].lasts
    office.come_back("api", "cpu", 60.0)
    assert kinds(office.told) == ["Seen", "Joined", "Eased", "Over"]
    (anomaly,) = office.things().values()
    assert [(one.signal, one.over_at is None) for one in anomaly.members] == [("latency", False), ("cpu", True)]
    assert not anomaly.lasts
    assert office.world.anomalies.seen == 1


def test_a_slow_dependency_that_shows_in_all_who_stand_on_it_is_one_anomaly() -> None:
    office = Office()
    for number, (agent, signal) in enumerate(
        [("web", "latency"), ("api", "latency"), ("api", "cpu"), ("db", "io_read"), ("db", "cpu"), ("mailer", "queue")]
    ):
        office.depart(agent, signal, 10.0 + 5.0 * number)
    (anomaly,) = office.things().values()
    assert anomaly.agents == ("web", "api", "db", "mailer")
    assert len(anomaly.members) == 6


def test_agents_that_both_depend_on_a_third_are_joined_by_it_and_strangers_are_not() -> None:
    office = Office()
    office.depart("mailer", at=10.0)
    office.depart("web", at=20.0)
    office.depart("cron", at=30.0)
    assert [one.agents for one in office.things().values()] == [("mailer", "web"), ("cron",)]


def test_what_begins_later_is_another_thing() -> None:
    office = Office()
    office.depart("api", "latency", 10.0)
    office.depart("api", "cpu", 10.0 + TOGETHER_S + 1.0)
    assert len(office.things()) == 2


def test_a_chain_of_steps_does_not_go_on_for_ever() -> None:
    office = Office()
    for number in range(12):
        office.depart("api", f"own_{number}", 10.0 + 60.0 * number)
    assert [len(one.members) for one in office.things().values()] == [6, 6]


def test_many_strangers_at_once_are_the_machine() -> None:
    office = Office(fleet(needs={f"a{number}": () for number in range(8)}))
    for number in range(5):
        office.depart(f"a{number}", at=10.0 + number)
    assert kinds(office.told) == ["Seen", "Seen", "Joined", "Merged", "Joined", "Joined"]
    (anomaly,) = office.things().values()
    assert anomaly.agents == ("a0", "a2", "a1", "a3", "a4")
    assert office.world.anomalies.named("ano-2") == ("ano-1", anomaly)


def test_in_a_large_fleet_a_few_strangers_are_a_few_things() -> None:
    office = Office(fleet(needs={f"a{number}": () for number in range(400)}))
    for number in range(MANY - 1):
        office.depart(f"a{number}", at=10.0 + number)
    assert len(office.things()) == MANY - 1
    office.depart("a399", at=20.0)
    assert len(office.things()) == 1


def test_two_things_that_a_third_joins_were_one() -> None:
    office = Office(fleet(needs={"a": (), "b": (), "c": ("a", "b"), **{f"x{number}": () for number in range(9)}}))
    office.depart("a", at=10.0)
    office.depart("b", at=20.0)
    office.depart("c", at=30.0)
    assert kinds(office.told) == ["Seen", "Seen", "Joined", "Merged"]
    office.come_back("a", at=40.0)
    office.come_back("c", at=41.0)
    assert office.things()["ano-1"].lasts  # the one of b has become a part of it
    office.come_back("b", at=42.0)
    assert not office.things()["ano-1"].lasts


def test_a_signal_that_comes_and_goes_while_others_last_stays_a_part_and_keeps_its_onset_and_its_peak() -> None:
    office = Office()
    office.depart("api", "latency", 10.0, score=0.9)
    office.depart("api", "cpu", 12.0)
    office.come_back("api", "latency", 30.0)
    office.depart("api", "latency", 2000.0, score=0.6)
    (anomaly,) = office.things().values()
    latency = anomaly.member("api", "latency")
    assert latency is not None
    assert (latency.score, latency.over_at, len(anomaly.members)) == (0.9, None, 2)
    assert anomaly.since == departed("api", at=10.0).since


def test_what_a_person_has_dismissed_swallows_nothing_new() -> None:
    office = Office()
    office.depart("api", "latency", 10.0)
    office.take(AnomalyDismissed(departed("api", at=15.0).at, "ano-1", "ann"))
    office.depart("api", "cpu", 20.0)
    assert [one.dismissed for one in office.things().values()] == [True, False]


def test_members_are_bounded_and_the_others_are_counted() -> None:
    office = Office()
    for number in range(MEMBERS_KEPT + 7):
        office.depart("api", f"own_{number}", 10.0)
    (anomaly,) = office.things().values()
    assert (len(anomaly.members), anomaly.more) == (MEMBERS_KEPT, 7)
    for number in range(MEMBERS_KEPT + 7):
        office.come_back("api", f"own_{number}", 20.0)
    assert not office.things()["ano-1"].lasts


def test_what_is_everywhere_takes_in_whoever_departs_and_a_stranger_is_none_of_the_many_signals_of_one() -> None:
    names = [f"a{number}" for number in range(400)]
    office = Office(fleet(needs=dict.fromkeys(names, ())))
    for number, name in enumerate(names):
        office.depart(name, at=10.0 + number / 10)
    (anomaly,) = office.things().values()
    assert (len(anomaly.members), anomaly.more) == (MEMBERS_KEPT, 400 - MEMBERS_KEPT)
    other = Office()
    for number in range(MEMBERS_KEPT + 7):
        other.depart("api", f"own_{number}", 10.0)
    other.depart("cron", at=12.0)
    assert [one.agents for one in other.things().values()] == [("api",), ("cron",)]


def test_what_is_part_of_nothing_comes_back_and_grows_without_a_word() -> None:
    office = Office()
    office.come_back("api")
    office.grow("api", "cpu", 5.0, 0.9)
    assert office.told == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("depart", "grow", "come_back")),
        st.sampled_from(sorted(NEEDS)),
        st.sampled_from(("latency", "cpu", "rss")),
        st.floats(0.0, 120.0),
        st.floats(0.5, 0.99),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_departs_and_comes_back_each_signal_is_out_in_one_thing_at_most(
    steps: list[tuple[str, str, str, float, float]],
) -> None:
    office, now, out = Office(), 0.0, set[tuple[str, str]]()
    for what, agent, signal, later_s, score in steps:
        now += later_s
        if what == "depart" and (agent, signal) not in out:
            office.depart(agent, signal, now, score)
            out.add((agent, signal))
        elif what == "grow":
            office.grow(agent, signal, now, score)
        elif what == "come_back":
            office.come_back(agent, signal, now)
            out.discard((agent, signal))
        lasting = [one for one in office.things().values() if one.lasts]
        parts = [(m.agent, m.signal) for one in lasting for m in one.members if m.over_at is None]
        assert sorted(parts) == sorted(out)
        assert all(any(member.over_at is None for member in one.members) for one in lasting)
    assert office.world.anomalies.seen == len(office.world.anomalies.known)


def test_what_is_merged_with_itself_with_nothing_or_twice_stays_as_it_is() -> None:
    office = Office()
    office.depart("api", at=10.0)
    office.depart("cron", at=200.0)
    before = office.things()
    at = departed("api", at=300.0).at
    office.take(AnomalyMerged(at, "ano-1", "ano-1"), AnomalyMerged(at, "ano-1", "ano-9"))
    assert office.things() == before
    office.take(AnomalyMerged(at, "ano-2", "ano-1"))
    once = office.things()
    office.take(AnomalyMerged(at, "ano-2", "ano-1"), AnomalyMerged(at, "ano-1", "ano-2"))
    assert office.things() == once
    assert [*once] == ["ano-1"]
