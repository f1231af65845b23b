"""Is a language model asked no more often than it may be, and does it lose its say where it should?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from selfheal.events import CauseLabelled, Diagnosed, IncidentOpened, ModelAnswered
from selfheal.learn.lift import ENOUGH, Lift, lift, lift_of
from selfheal.model.limits import Budget, asked_before, is_open, known_answer, spent_out
from selfheal.vocabulary import ModelOutcome
from selfheal.world.incidents import Incident, fold_incident, opened
from tests.pure.questions import CAUSES

T0 = 1_000_000.0
ROOMY = Budget(10_000, 100_000)


def call(at: float, outcome: ModelOutcome = "ok", provider: str = "anthropic", **more: object) -> ModelAnswered:
    plain = ModelAnswered(
        T0 + at, "i1", provider, "m", outcome, "", 1.0, 900, 100, 0.5, "key", "print", "wrong_answer", "api"
    )
    return replace(plain, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("calls", "budget", "why"),
    [
        ([], ROOMY, ""),
        ([call(0.0)] * 5, Budget(5_500, 100_000), "tokens"),
        ([call(-4_000.0)] * 5, Budget(5_500, 100_000), ""),
        ([call(-4_000.0)] * 5, Budget(5_500, 5_500), "tokens"),
        ([call(-90_000.0)] * 5, Budget(5_500, 5_500), ""),
        ([call(-900.0)] * 2, Budget(10_000, 100_000, money_per_hour=1.0), "money"),
        ([call(-900.0)], Budget(10_000, 100_000, money_per_hour=1.0), ""),
        ([call(-4_000.0)] * 2, Budget(10_000, 100_000, money_per_day=1.0), "money"),
        ([call(-1.0 * n) for n in range(6, 0, -1)], Budget(100_000, 100_000), "calls"),
        ([call(-70.0 - n) for n in range(6, 0, -1)], Budget(100_000, 100_000), ""),
    ],
)
def test_what_is_spent_within_an_hour_and_a_day_is_bounded(
    calls: Sequence[ModelAnswered], budget: Budget, why: str
) -> None:
    assert spent_out(calls, budget, 1_000, T0) == why


def test_a_provider_that_failed_three_times_in_a_row_is_left_alone_for_five_minutes() -> None:
    failed = [call(n, "error") for n in range(2)] + [call(2.0, "timeout")]
    assert is_open(failed, "anthropic", T0 + 3.0)
    assert not is_open(failed, "openai", T0 + 3.0)
    assert not is_open(failed, "anthropic", T0 + 303.0)
    assert not is_open(failed[:2], "anthropic", T0 + 3.0)
    assert not is_open([*failed, call(3.0)], "anthropic", T0 + 4.0)


def test_the_same_trouble_is_asked_about_once_a_day_and_sooner_only_where_there_was_no_answer() -> None:
    assert asked_before([call(0.0)], "print", T0 + 86_000.0)
    assert not asked_before([call(0.0)], "print", T0 + 86_500.0)
    assert not asked_before([call(0.0)], "another", T0)
    assert asked_before([call(0.0, "error")], "print", T0 + 1_700.0)
    assert not asked_before([call(0.0, "error")], "print", T0 + 1_900.0)


def test_an_answer_is_taken_again_for_the_very_same_question_within_a_day() -> None:
    assert known_answer([call(0.0), call(1.0, key="other")], "key", T0 + 5.0) == call(0.0)
    assert known_answer([call(0.0, "rejected")], "key", T0 + 5.0) is None
    assert known_answer([call(0.0)], "key", T0 + 90_000.0) is None


# --- whether it is any better than the engine ------------------------------------------------------------------------

TRUE, FALSE = ("disk_full", "api"), ("crashed", "api")


def cases(ours: int, theirs: int, both: int) -> Lift:
    """The lift where only the engine was right so often, only the model, and both."""
    return lift([([TRUE], [FALSE], TRUE)] * ours + [([FALSE], [TRUE], TRUE)] * theirs + [([TRUE], [TRUE], TRUE)] * both)


def test_the_lift_is_how_much_more_often_it_is_right() -> None:
    found = cases(5, 15, 30)
    assert (found.count, found.mean, found.engine_right, found.model_right) == (50, 0.2, 35, 45)
    assert found.low < 0.2 < found.high


@pytest.mark.parametrize(
    ("ours", "theirs", "both", "allows"),
    [(0, 0, 0, True), (10, 0, 39, True), (10, 0, 40, False), (0, 0, 60, True), (5, 20, 40, True), (10, 11, 40, False)],
)
def test_it_loses_its_say_where_it_may_be_worse_by_fifty_incidents(
    ours: int, theirs: int, both: int, allows: bool
) -> None:
    assert ours + theirs + both < ENOUGH or allows is (cases(ours, theirs, both).low >= 0.0)
    assert cases(ours, theirs, both).allows is allows


def labelled(cause: str, agent: str, said: ModelAnswered) -> Incident:
    one = opened(IncidentOpened(T0, "i1", "api", "check", "it failed", T0))
    for event in (Diagnosed(T0, "i1", CAUSES), said, CauseLabelled(T0, "i1", cause, agent, "ada")):
        one = fold_incident(one, event)
    return one


def test_it_is_counted_where_somebody_has_said_what_it_was() -> None:
    right = call(1.0, cause="dependency_down", cause_agent="db")
    abstained = call(1.0, cause="unknown")
    found = lift_of([
        labelled("dependency_down", "db", right), labelled("wrong_answer", "api", right),
        labelled("wrong_answer", "api", abstained), labelled("", "api", right),
        labelled("wrong_answer", "api", call(1.0, "error")),
    ])  # fmt: skip
    assert (found.count, found.engine_right, found.model_right) == (3, 2, 2)
