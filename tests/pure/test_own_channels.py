"""What do the channels see that look at what only a supervisor knows?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.diagnose.case import Alert, Case, End, Sign, State, Use
from selfheal.diagnose.channels import Finding
from selfheal.diagnose.channels.dependency import Dependency
from selfheal.diagnose.channels.known import Known
from selfheal.diagnose.channels.process import Process
from selfheal.diagnose.own import weights_of
from selfheal.diagnose.rank import Ranking, rank
from selfheal.diagnose.view import View

AT = 100_000.0
GRAPH = {"web": ("api",), "api": ("db", "cache")}
NAMES = ("web", "api", "db", "cache")


def case(
    states: Sequence[State] = (), ends: Sequence[End] = (), uses: Sequence[Use] = (), signs: Sequence[Sign] = ()
) -> Case:
    return Case(AT, Alert("web"), GRAPH, states=states, ends=ends, uses=uses, signs=signs)


def states(**troubled: State) -> tuple[State, ...]:
    return tuple(troubled.get(name, State(name, answers=True)) for name in NAMES)


def down(name: str, since: float = AT, cause: str = "wrong_answer", *, local: bool = False) -> State:
    return State(name, down=True, since=since, local=local, cause=cause, says="check http failed")


def best(found: Finding) -> str:
    return max(found.scores, key=lambda name: found.scores[name])


# --- process ---


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (End(AT, "db", None, 9, 3.0), "it was ended by SIGKILL"),
        (End(AT, "db", None, 99, 3.0), "it was ended by signal 99"),
        (End(AT, "db", 1, None, 3.0), "it ended with exit code 1 after 3.0 s"),
        (End(AT, "db", 127, None, 0.1), "it ended with exit code 127 after 0.1 s"),
        (End(AT, "db", 0, None, 3.0), "it ended with exit code 0 after 3.0 s"),
        (End(AT, "db"), "it ended, and nobody saw how"),
    ],
)
def test_a_process_that_ended_is_suspected_and_it_is_said_how(end: End, words: str) -> None:
    found = Process().look(View(case(ends=(end,), states=states())))
    assert best(found) == "db"
    assert found.evidence["db"] == words
    assert found.scores["web"] == 0.0


def test_a_signal_says_more_than_an_exit_code_and_what_is_seen_of_the_process_most() -> None:
    ends = (End(AT, "web", 1), End(AT, "api", None, 11))
    found = Process().look(View(case(ends=ends, states=states(db=down("db", local=True)))))
    assert found.scores["db"] > found.scores["api"] > found.scores["web"] > found.scores["cache"]


def test_an_end_of_long_ago_is_no_evidence() -> None:
    assert Process().look(View(case(ends=(End(AT - 600.0, "db", None, 9),)))).scores["db"] == 0.0


def test_who_is_near_a_limit_is_suspected_the_more_the_nearer() -> None:
    uses = (Use("db", "memory", 0.99), Use("api", "open files", 0.92), Use("web", "memory", 0.5))
    found = Process().look(View(case(uses=uses)))
    assert found.scores["db"] > found.scores["api"] > found.scores["web"] == 0.0
    assert found.evidence["db"] == "it uses 99% of the memory that it may"


# --- dependency ---


def test_the_deepest_one_in_trouble_comes_before_those_whom_it_explains() -> None:
    found = Dependency().look(View(case(states=states(web=down("web"), api=down("api"), db=down("db")))))
    assert best(found) == "db"
    assert "and so is db" in found.evidence["web"]
    assert found.scores["db"] > 5 * found.scores["api"]


def test_what_is_in_trouble_while_all_below_it_answers_well_is_so_by_itself() -> None:
    alone = Dependency().look(View(case(states=states(web=down("web")))))
    unasked = Dependency().look(View(case(states=states(web=down("web"), db=State("db")))))
    assert alone.scores["web"] > unasked.scores["web"]
    assert alone.evidence["web"] == "it is down, and all that it depends on answers well"


@pytest.mark.parametrize("cause", ["slow", "hung"])
def test_that_a_dependency_answers_clears_it_of_little_where_slowness_is_the_trouble(cause: str) -> None:
    slow = Dependency().look(View(case(states=states(web=down("web", cause=cause)))))
    wrong = Dependency().look(View(case(states=states(web=down("web")))))
    assert slow.scores["web"] < 0.5 * wrong.scores["web"]


def test_what_fell_long_after_it_began_has_not_begun_it() -> None:
    found = Dependency().look(View(case(states=states(web=down("web"), db=down("db", since=AT + 300.0)))))
    assert best(found) == "web"


def test_who_call_each_other_in_a_ring_explain_nothing_of_each_other() -> None:
    ring = Case(AT, Alert("a"), {"a": ("b",), "b": ("a",)}, states=(down("a"), down("b")))
    scores = Dependency().look(View(ring)).scores
    assert scores["a"] == scores["b"] > 1.0


# --- known ---


def test_a_known_line_counts_by_how_often_it_is_true() -> None:
    signs = (Sign("db", "disk_full", 0.95, "No space left on device"), Sign("api", "permission", 0.6, "denied"))
    found = Known().look(View(case(signs=signs)))
    assert found.scores["db"] > found.scores["api"] > 0.0
    assert found.evidence["db"] == "'No space left on device' stands for disk_full in 95%"


@pytest.mark.parametrize("sign", [
    Sign("api", "dependency_down", 0.95, "connection refused"),
    Sign("api", "disk_full", 0.5, "full?"),
    Sign("api", "disk_full", float("nan"), "full?"),
])  # fmt: skip
def test_a_line_that_blames_others_or_is_as_often_wrong_accuses_nobody(sign: Sign) -> None:
    assert Known().look(View(case(signs=(sign,)))).scores["api"] == 0.0


# --- together ---


def ranked(known: Case) -> Ranking:
    return rank(known, weights_of(None))


def test_of_a_case_that_was_recorded_elsewhere_each_says_what_it_has_not_got() -> None:
    missing = ranked(Case(AT)).missing
    assert missing["process"] == "no processes that are supervised"
    assert missing["dependency"] == "no states of services"
    assert missing["known"] == "no line that is known to stand for a cause"


def test_a_process_that_was_killed_is_the_cause_and_not_those_who_wait_for_it() -> None:
    known = case(ends=(End(AT, "db", None, 9),), states=states(db=down("db", local=True), web=down("web")))
    found = ranked(known)
    assert (found.services[0].service, found.verdict) == ("db", "act")


@given(st.lists(st.sampled_from(NAMES), max_size=4), st.booleans())
@settings(max_examples=60, deadline=None)
def test_with_nothing_but_states_nobody_is_ever_sure_enough_to_act(names: list[str], local: bool) -> None:
    """A second way of looking has to agree; with one alone it is looked further, or said that nothing is known."""
    seen = states(**{name: State(name, doubtful=True, since=AT) for name in names})
    assert ranked(case(states=seen)).verdict in ("investigate", "none")


@given(st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_and_names_change_no_ranking(chance: Random) -> None:
    known = case(
        states=states(web=down("web"), db=down("db", AT - 5.0)),
        ends=(End(AT, "db", 3), End(AT, "cache", None, 15)),
        uses=(Use("api", "memory", 0.95),),
        signs=(Sign("db", "disk_full", 0.9, "no space"),),
    )
    mixed = replace(known, states=chance.sample(known.states, 4), ends=chance.sample(known.ends, 2))
    assert [one.service for one in ranked(mixed).services] == [one.service for one in ranked(known).services]
    names = {"web": "zulu", "api": "yankee", "db": "xray", "cache": "whiskey"}
    other = Case(
        AT, Alert("zulu"), {names[caller]: tuple(map(names.__getitem__, whom)) for caller, whom in GRAPH.items()},
        states=[replace(one, service=names[one.service]) for one in known.states],
        ends=[replace(one, service=names[one.service]) for one in known.ends],
        uses=[replace(one, service=names[one.service]) for one in known.uses],
        signs=[replace(one, service=names[one.service]) for one in known.signs],
    )  # fmt: skip
    before, after = ranked(known), ranked(other)
    assert {names[one.service]: one.probability for one in before.services} == pytest.approx(
        {one.service: one.probability for one in after.services}
    )
