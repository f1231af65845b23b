"""Is the demo's story told in order, calmly, and does its report add up?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from selfheal.demo.narrator import Line, Narrator, report
from selfheal.events import (
    AgentDeclared,
    AgentExited,
    AgentReady,
    AgentStarted,
    Cause,
    CheckBroke,
    CheckMended,
    Diagnosed,
    Event,
    FailurePredicted,
    FixEnded,
    FixStarted,
    Held,
    IncidentJoined,
    IncidentMerged,
    IncidentOpened,
    IncidentResolved,
    Planned,
    PredictionEnded,
    PredictionLeft,
    Run,
    Verified,
    WorkDone,
    WorkPlanned,
)
from selfheal.ledger import replay
from selfheal.vocabulary import Outcome
from selfheal.world import EMPTY, fold

AT = 1_800_000_000.0


def declared(agent: str) -> AgentDeclared:
    return AgentDeclared(AT, agent, "process", "application", (), (), has_process=True)


def started(agent: str) -> list[Event]:
    run = Run(1, 1, AT, 1, "boot")
    return [declared(agent), AgentStarted(AT, agent, run, "first"), AgentReady(AT, agent, 1, 0.0)]


CRASH: list[Event] = [
    AgentExited(AT + 10, "billing", 1, 1, 1, None, 10.0, expected=False),
    IncidentOpened(AT + 10, "i1", "billing", "exit", "ended with code 1", AT + 10),
    FixStarted(AT + 10, "i1", 1, "restart", "application", "billing", "crashed", reflex=True),
    FixEnded(AT + 10, "i1", 1, "succeeded", ""),
    Diagnosed(AT + 10.1, "i1", (Cause("crashed", 0.92, "billing", ("log says 'KeyError'",)),)),
    AgentReady(AT + 10.2, "billing", 1, 0.2),
    Verified(AT + 13.2, "i1", 1, "succeeded", "", AT + 10.2),
    IncidentResolved(AT + 13.2, "i1", "verified", 0.2),
]
OUTAGE: list[Event] = [
    IncidentOpened(AT + 20, "i2", "rates", "check", "http: status 503", AT + 18),
    IncidentJoined(AT + 20, "i2", "quotes", "it does not answer"),
    Diagnosed(AT + 20.1, "i2", (Cause("dependency_down", 0.9, "quotes"),)),
    Planned(AT + 20.2, "i2", "restart_with_dependents", "quotes", "it helped before", ()),
    Held(AT + 20.3, "i2", "another recovery is under way", None),
    Held(AT + 20.8, "i2", "another recovery is under way", None),
    FixStarted(AT + 21, "i2", 1, "restart_with_dependents", "application", "quotes", "dependency_down"),
    FixEnded(AT + 22, "i2", 1, "failed", "\n port is taken\n"),
]


def predicted(at: float) -> FailurePredicted:
    return FailurePredicted(at, "reports", "out_of_memory", "rss", 0.9, 40, 30, 50, 60e6, 120e6, 1.5e6)


FORESEEN: list[Event] = [
    predicted(AT + 30),
    predicted(AT + 32),
    WorkPlanned(AT + 33, "w1", "reports", "restart", AT + 38, "rss reaches its limit"),
    WorkDone(AT + 39, "w1", "succeeded", ""),
    PredictionEnded(AT + 40, "reports", "out_of_memory", "averted"),
    predicted(AT + 50),
]


def told(events: Sequence[Event]) -> list[Line]:
    narrator, world, lines = Narrator(), EMPTY, list[Line]()
    for event in events:
        world = fold(world, event)
        line = narrator.tell(world, event)
        if line is not None:
            lines.append(line)
    return lines


def test_a_crash_is_told_from_the_first_sign_to_the_end() -> None:
    assert [(line.agent, line.text) for line in told([declared("billing"), *CRASH])] == [
        ("billing", "ended with code 1"),
        ("billing", "restart at once, by reflex"),
        ("billing", "cause, 92 % sure: the process ended with an error; log says 'KeyError'"),
        ("billing", "ready after 200 ms"),
        ("billing", "verified: well again; it was away for 200 ms"),
    ]


def test_an_outage_names_its_cause_and_a_hold_is_told_once() -> None:
    lines = told([declared("rates"), declared("quotes"), *OUTAGE])
    assert [line.text for line in lines] == [
        "http: status 503",
        "suffers with rates: it does not answer",
        "cause, 90 % sure: something that it depends on does not answer (quotes)",
        "plan: restart with dependents, it helped before",
        "nothing is done yet: another recovery is under way",
        "restart with dependents …",
        "that did not work (failed): port is taken",
    ]


def test_that_one_is_likely_to_die_again_is_told_once_however_often_it_does() -> None:
    seen = FailurePredicted(AT, "billing", "crash", "deaths", 0.8, 600.0, 60.0, 6000.0, 3.0, 0.0, 1e-3, model="hazard")
    died = PredictionEnded(AT + 1, "billing", "crash", "happened", "it died")
    again: list[Event] = [seen, died, replace(seen, at=AT + 2)]
    lines = told([declared("billing"), *again])
    assert [line.text for line in lines] == ["foreseen: crash in about 10 min (80 % likely)"]


def test_a_forecast_that_moves_is_told_once_and_a_new_one_again() -> None:
    lines = told([declared("reports"), *FORESEEN])
    assert [line.text for line in lines if line.text.startswith("foreseen")] == [
        "foreseen: out of memory in about 40 s (90 % likely)",
    ] * 2
    assert "planned: restart in 5.0 s, before it fails; rss reaches its limit" in [line.text for line in lines]
    assert lines[-2].text == "the failure that was foreseen is averted"


def test_a_check_that_cannot_run_is_told_and_so_is_its_end() -> None:
    broke = CheckBroke(AT + 1, "billing", "http", "cannot start './nothere'")
    told = [Narrator().tell(EMPTY, event) for event in (broke, CheckMended(AT + 2, "billing", "http"))]
    assert [line.text for line in told if line is not None] == [
        "its check http cannot run, so nothing is known by it: cannot start './nothere'",
        "its check http runs again",
    ]


def test_the_report_counts_by_cause_and_says_what_was_prevented() -> None:
    agents = [event for name in ("billing", "rates", "quotes", "reports") for event in started(name)]
    lines = [line.text for line in report(replay([*agents, *CRASH, *OUTAGE, *FORESEEN]))]
    assert lines[0] == "1 incident was noticed, explained and healed, 1 still open."
    assert lines[1] == "  once crashed (billing): away for 200 ms as a rule, 200 ms at worst"
    assert lines[2] == "2 failures were foreseen: 1 prevented, 0 came, 0 no longer expected, 1 still expected."
    assert lines[3] == "  reports: restart ahead of time, succeeded once"
    assert lines[4].startswith("The fleet was up for ")


def test_the_report_sums_up_what_was_done_again_and_again() -> None:
    outcomes: tuple[Outcome, ...] = (*("succeeded",) * 29, "rejected", "failed", "succeeded")
    events: list[Event] = [declared("reports")]
    for number, outcome in enumerate(outcomes):
        events.append(WorkPlanned(AT + number, f"w{number}", "reports", "restart", AT + number, "rss grows"))
        events.append(WorkDone(AT + number, f"w{number}", outcome, ""))
    events.append(WorkPlanned(AT + 99, "w99", "reports", "restart", AT + 200, "rss grows"))
    assert [line.text for line in report(replay(events))][2:-1] == [
        "  reports: restart ahead of time, succeeded 30 times",
        "  reports: restart ahead of time, called off once",
        "  reports: restart ahead of time, failed once",
    ]


def test_what_became_of_the_work_is_told_in_a_sentence() -> None:
    planned = WorkPlanned(AT, "w1", "reports", "restart", AT, "rss grows")
    said = {
        outcome: told([declared("reports"), planned, WorkDone(AT + 1, "w1", outcome, output)])[-1].text
        for outcome, output in TOLD_OF_WORK
    }
    assert said == {
        "succeeded": "done as planned: reports was restarted in good time",
        "rejected": "the plan is called off: it was restarted since",
        "timed_out": "the planned work did not work (timed out): not done in time",
    }


TOLD_OF_WORK: tuple[tuple[Outcome, str], ...] = (
    ("succeeded", "reports was restarted in good time"),
    ("rejected", "called off: it was restarted since"),
    ("timed_out", "not done in time"),
)


def test_work_that_was_given_up_or_left_and_how_it_spares_its_users_is_told() -> None:
    rolling = WorkPlanned(AT, "w1", "reports", "restart", AT, "rss grows", how="one instance after the other")
    begun = Planned(AT, "w1", "restart", "reports", "rss grows", ())
    given_up = WorkDone(AT + 1, "w1", "rejected", "not done in time: healing is paused", "skipped")
    left = PredictionLeft(AT + 2, "reports", "out_of_memory", 0.9, 0.05, "a restart ends it within seconds")
    assert [line.text for line in told([declared("reports"), rolling, begun, given_up, left])] == [
        "planned: restart now, before it fails, one instance after the other; rss grows",
        "the planned work is given up: not done in time: healing is paused",
        "left to come, as one in 20 is, to learn from it: a restart ends it within seconds",
    ]


def test_a_plan_that_is_carried_out_at_once_is_one_line() -> None:
    planned = Planned(AT, "i1", "restart", "mailer", "it helped before", ())
    begun = FixStarted(AT, "i1", 1, "restart", "application", "mailer", "hung")
    sign = IncidentOpened(AT, "i1", "mailer", "check", "check http: no answer within 1 s", AT)
    assert [line.text for line in told([declared("mailer"), sign, planned, begun])][1:] == [
        "plan: restart, it helped before"
    ]


def test_evidence_that_the_sign_has_told_is_not_told_again() -> None:
    sign = IncidentOpened(AT, "i1", "mailer", "check", "check http: no answer within 1 s", AT)
    evidence = ("check http timeout: no answer within 1 s", "the process is alive")
    lines = told([declared("mailer"), sign, Diagnosed(AT, "i1", (Cause("hung", 0.91, "mailer", evidence),))])
    assert lines[-1].text == "cause, 91 % sure: the process is alive and does not answer; the process is alive"


def test_two_incidents_that_become_one_are_told_in_one_line() -> None:
    events: list[Event] = [
        declared("rates"),
        declared("quotes"),
        IncidentOpened(AT, "i1", "rates", "check", "check http: status 503", AT),
        IncidentOpened(AT, "i2", "quotes", "check", "check http: connection refused", AT),
        IncidentMerged(AT, "i1", "i2", "quotes is down"),
        IncidentJoined(AT, "i2", "rates", "check http: status 503"),
    ]
    assert [line.text for line in told(events)][2:] == ["it is the same trouble as that of quotes"]


def test_the_report_of_nothing_is_a_report_too() -> None:
    lines = [line.text for line in report(EMPTY)]
    assert lines == [
        "0 incidents were noticed, explained and healed.",
        "0 failures were foreseen: 0 prevented, 0 came, 0 no longer expected.",
        "The fleet was up for none of the time that it was wanted.",
    ]
