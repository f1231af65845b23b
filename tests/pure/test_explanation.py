"""Does an explanation say what was known and asked, and never anything else than the story?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from selfheal.compose.lookback import Account, gathered, walk
from selfheal.events import (
    AgentDeclared,
    AgentReady,
    AgentStarted,
    ApprovalAnswered,
    ApprovalAsked,
    Cause,
    ConfigReloaded,
    DaemonStarted,
    Diagnosed,
    Event,
    HealingPaused,
    HealthChanged,
    Held,
    IncidentOpened,
    IncidentResolved,
    Planned,
    Run,
    Verified,
)
from selfheal.serve.models.explanation import ExplanationView
from selfheal.serve.story import story
from selfheal.serve.views.explanation import explanation
from selfheal.serve.views.guards import STEPS
from selfheal.world import Odds
from tests.pure.histories import INCIDENTS, histories

T0 = 1_767_323_045.0
SICK: tuple[Event, ...] = (
    DaemonStarted(T0, "0.1.0", 1, False),
    AgentDeclared(T0, "db", "process", "application", (), ("tcp",), True),
    AgentDeclared(T0, "api", "process", "application", ("db",), ("http",), True),
    *(AgentStarted(T0, name, Run(number, 1, T0, 5, "boot"), "first") for number, name in enumerate(("db", "api"), 7)),
    *(AgentReady(T0, name, 1, 0.1) for name in ("db", "api")),
    HealthChanged(T0 + 5, "api", "http", False, "failed", "status 500", T0 + 4),
    IncidentOpened(T0 + 5, "inc-1", "api", "check", "check http: status 500", T0 + 4),
    Diagnosed(T0 + 6, "inc-1", (Cause("wrong_answer", 0.8, "api"),)),
)


def explained(*events: Event) -> ExplanationView:
    found = gathered(walk(enumerate((*SICK, *events), start=1)), "inc-1")
    assert found is not None
    return explanation(found.incident, found.decisions)


def guards(view: ExplanationView) -> dict[str, tuple[str, str]]:
    """Those of the last decision that had any: what each saw and said."""
    last = [one for one in view.decisions if one.guards][-1]
    return {one.guard: (one.saw, one.answer) for one in last.guards}


@given(histories())
@settings(max_examples=60, deadline=None)
def test_whatever_happened_it_tells_each_step_in_the_words_of_the_story(history: list[Event]) -> None:
    for name in INCIDENTS:
        found = gathered(walk(enumerate(history, start=1)), name)
        if found is None:
            continue
        view = explanation(found.incident, found.decisions)
        told = {line.text for line in story(found.incident)}
        kept = [
            one.text
            for one, decided in zip(view.decisions, found.decisions, strict=True)
            if any(decided.event is event for event in found.incident.story)
        ]
        assert set(kept) <= told
        assert view.model_dump(mode="json")


def test_a_name_that_comes_again_is_the_latest_incident_of_that_name() -> None:
    found = gathered(walk(enumerate((*SICK, replace(SICK[-2], at=T0 + 50)), start=1)), "inc-1")
    assert isinstance(found, Account)
    assert [one.event.at for one in found.decisions] == [T0 + 50]


@pytest.mark.parametrize(
    ("before", "reason", "holds", "saw"),
    [
        (HealingPaused(T0 + 6, None, "a person"), "healing is paused", "pause", "all of healing is paused"),
        (
            HealthChanged(T0 + 6, "db", "tcp", False, "failed", "refused", T0 + 6),
            "its dependency db is unhealthy",
            "dependencies",
            "db is unhealthy",
        ),
    ],
)
def test_the_guard_that_held_it_is_named_with_what_it_saw(before: Event, reason: str, holds: str, saw: str) -> None:
    asked = guards(explained(before, Held(T0 + 7, "inc-1", reason, None)))
    assert asked[holds] == (saw, "held")
    names = list(asked)
    behind = names[names.index(holds) + 1 :]
    assert {asked[name][1] for name in behind} == {"not asked"}
    assert [name for name in names if asked[name][1] == "held"] == [holds]


def test_what_no_event_records_is_not_claimed_to_be_known() -> None:
    asked = guards(explained(Held(T0 + 7, "inc-1", "api answers again", T0 + 8)))
    assert asked["pause"][1] == "passed"
    assert asked["whether it answers again"][1] == "not known"
    assert "held" not in {answer for _, answer in asked.values()}


def test_what_was_learned_by_then_is_told_and_not_what_was_learned_after() -> None:
    plan = Planned(T0 + 7, "inc-1", "mend", "api", "expected to be well in 7 s", ())
    view = explained(plan, Verified(T0 + 9, "inc-1", 1, "succeeded", ""))
    (planned,) = [one for one in view.decisions if one.kind == "Planned"]
    assert planned.situation is not None
    (odds,) = planned.situation.odds
    assert (odds.fix, odds.cause) == ("mend", "wrong_answer")
    assert Odds(odds.helped, odds.failed) == Odds()


def test_a_persons_word_is_among_the_guards_of_what_needed_it() -> None:
    asked, said = ApprovalAsked(T0 + 7, "inc-1", "mend", "api", T0 + 99), ApprovalAnswered(T0 + 8, "inc-1", True, "Ada")
    plan = Planned(T0 + 9, "inc-1", "mend", "api", "expected to be well in 7 s", ())
    assert guards(explained(asked, said, plan))["approval"] == ("approved by Ada", "passed")


def test_the_first_line_tells_it_all_in_one_sentence() -> None:
    assert explained().summary == (
        "api: check http: status 500; most likely what it gives is not as expected, 80%; nothing was tried; "
        "it is open still"
    )
    over = explained(IncidentResolved(T0 + 9, "inc-1", "it recovered by itself", 3.0))
    assert over.summary.endswith("nothing was tried; well again 3 s after the onset")


def test_the_guard_that_a_hold_names_is_told_as_it_was_asked() -> None:
    hold = Held(T0 + 7, "inc-1", "api was healed a moment ago, and what is seen of it may be old", T0 + 60, "cooldown")
    asked = guards(explained(hold))
    assert list(asked) == list(STEPS)
    assert asked["cooldown"] == (hold.reason, "held")
    assert {answer for name, (_, answer) in asked.items() if name != "cooldown"} == {"passed"}
    assert asked["dependency"][0] == "db is healthy"
    early = guards(explained(replace(hold, code="maintenance")))
    assert [name for name, (_, answer) in early.items() if answer == "passed"] == ["target", "duplicate"]
    assert guards(explained(replace(hold, code="mode"))) == {"mode": (hold.reason, "held")}


def test_the_guards_that_a_plan_names_have_let_it_pass() -> None:
    plan = Planned(T0 + 7, "inc-1", "mend", "api", "it helps", (), ladder="restart", passed=STEPS[:3])
    view = explained(plan)
    assert {name: answer for name, (_, answer) in guards(view).items()} == dict.fromkeys(STEPS[:3], "passed")
    assert (view.decisions[-1].policy, view.decisions[-1].ladder) == ("look_ahead", "restart")


def test_what_a_dry_run_only_says_was_held_by_it() -> None:
    plan = Planned(T0 + 7, "inc-1", "mend", "api", "it helps", (), shadow=True)
    asked = guards(explained(ConfigReloaded(T0 + 6, "a person", dry_run=True), plan))
    assert asked["dry_run"] == ("dry run: mend would be applied to api", "held")
    assert asked["cooldown"][1] == "not asked"
