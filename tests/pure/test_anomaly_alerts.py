"""Is a person told of what matters much, with all that belongs to it, once, and that it is over?"""

from __future__ import annotations

from dataclasses import dataclass, field

from selfheal.events import AlertRaised, AnomalyDismissed, AnomalyMerged, Event, IncidentOpened
from selfheal.notify.alerts import alerts
from selfheal.notify.rules import NEVER, Rules, bundled, due_at
from tests.pure.departures import BEGIN, Office

RULES = Rules(anomaly_s=60.0)


@dataclass
class Desk(Office):
    """An office that raises the alerts, too."""

    alerts: list[AlertRaised] = field(default_factory=list)

    def take(self, *events: Event) -> None:
        for event in events:
            super().take(event)
            for alert in alerts(self.world, event):
                self.alerts.append(alert)
                super().take(alert)


def test_what_matters_much_is_told_with_all_that_joins_it_while_it_waits_and_told_to_be_over() -> None:
    desk = Desk()
    desk.depart("web", "latency", 10.0, 0.95)
    desk.depart("db", "latency", 12.0, 0.9)
    for number in range(6):
        desk.depart("api", f"own_{number}", 13.0)
    last = desk.alerts[-1]
    assert {alert.key for alert in desk.alerts} == {"anomaly-ano-1"}
    assert (last.severity, last.agent, last.anomaly, last.incident) == ("info", "db", "ano-1", None)
    assert last.title == "db, api, web are not as usual: latency is 2 s"
    assert last.text.startswith("web: latency 2 s, usually 1 s; db: latency 2 s, usually 1 s; api: own_0 2, usually 1")
    assert last.text.endswith("; and 3 signals more")
    for agent, signal in [("web", "latency"), ("db", "latency"), *(("api", f"own_{number}") for number in range(6))]:
        desk.come_back(agent, signal, 60.0)
    assert (desk.alerts[-1].resolved, desk.alerts[-1].title) == (True, "db is as usual again")


def test_what_is_nearest_to_users_is_told_before_what_was_seen_first() -> None:
    desk = Desk()
    desk.depart("api", "own_queue", 10.0, 0.9)
    desk.depart("api", "latency", 11.0, 0.9)
    assert desk.alerts[-1].title == "api is not as usual: latency is 2 s"
    assert desk.alerts[-1].text == "api: latency 2 s, usually 1 s; api: own_queue 2, usually 1"


def test_what_matters_little_is_told_to_nobody_until_it_grows() -> None:
    desk = Desk()
    desk.depart("api", "own_queue", 10.0, 0.6)
    desk.depart("api", "latency", 11.0, 0.6)
    assert desk.alerts == []
    desk.grow("api", "latency", 30.0, 0.93)
    assert [alert.anomaly for alert in desk.alerts] == ["ano-1"]


def test_of_an_agent_whose_incident_is_told_nothing_more_is_said() -> None:
    desk = Desk()
    desk.take(IncidentOpened(BEGIN + 5.0, "inc-1", "api", "check", "too slow", BEGIN + 5.0))
    desk.depart("api", "latency", 10.0, 0.95)
    assert desk.alerts == []


def test_what_becomes_an_incident_before_it_was_told_is_not_told() -> None:
    desk = Desk()
    desk.depart("web", "latency", 10.0, 0.95)
    desk.depart("cron", "latency", 10.0, 0.95)
    desk.take(IncidentOpened(BEGIN + 30.0, "inc-1", "web", "check", "too slow", BEGIN + 30.0))
    assert [(alert.key, alert.resolved) for alert in desk.alerts[-2:]] == [
        ("anomaly-ano-2", False),
        ("anomaly-ano-1", True),
    ]
    began, over = desk.alerts[0], desk.alerts[-1]
    pending = {(alert.key, alert.resolved): alert for alert in (began, over)}
    for alert in (began, over):
        assert due_at(RULES, "inbox", alert, pending, desk.world.post, BEGIN + 30.0) == NEVER


def test_what_lasts_for_a_minute_is_told_then_and_what_joins_it_does_not_put_that_off() -> None:
    desk = Desk()
    desk.depart("web", "latency", 10.0, 0.95)
    desk.depart("api", "latency", 40.0, 0.95)
    first, second = desk.alerts
    assert (first.at, second.at) == (BEGIN + 10.0, BEGIN + 10.0)
    pending = {(second.key, False): second}
    assert due_at(RULES, "inbox", second, pending, desk.world.post, BEGIN + 50.0) == BEGIN + 70.0


def test_what_is_dismissed_is_over_for_whoever_was_told_whatever_the_name_of_who_says_so() -> None:
    desk = Desk()
    desk.depart("api", "latency", 10.0, 0.95)
    desk.take(AnomalyDismissed(BEGIN + 20.0, "ano-1", "{ann}"))
    assert (desk.alerts[-1].resolved, desk.alerts[-1].title) == (True, "ano-1 was dismissed by {ann}")
    desk.grow("api", "latency", 30.0, 0.99)
    assert len(desk.alerts) == 2


def test_a_thing_that_turns_out_to_be_another_is_told_to_be_that() -> None:
    desk = Desk()
    desk.depart("cron", "latency", 10.0, 0.95)
    desk.depart("mailer", "cpu", 12.0)
    desk.take(AnomalyMerged(BEGIN + 15.0, "ano-1", "ano-2"))
    ended, goes_on = desk.alerts[-2:]
    assert (ended.key, ended.resolved, ended.title) == ("anomaly-ano-1", True, "ano-1 is the same as ano-2")
    assert (goes_on.key, goes_on.resolved) == ("anomaly-ano-2", False)  # who heard of the one hears of what goes on


def test_of_several_told_in_one_message_none_can_be_dismissed_by_its_button() -> None:
    desk = Desk()
    desk.depart("api", "latency", 10.0, 0.95)
    (alert,) = desk.alerts
    assert alert.anomaly == "ano-1"
    assert bundled([alert, alert, alert]).anomaly == ""
