"""Are incidents that look alike found, and those that do not left alone?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.diagnose.look import KINDS, LONGEST, look
from selfheal.diagnose.similar import LEAST, MOST, Past, remembered
from selfheal.diagnose.verdict import Vote, diagnose
from selfheal.events import (
    AgentDeclared,
    AgentExited,
    Event,
    Fingerprint,
    HealthChanged,
    IncidentOpened,
    Proof,
)
from selfheal.plans import Clues
from selfheal.signatures import shipped
from selfheal.vitals import Vitals
from selfheal.world import EMPTY, World, fold

T0 = 1_800_000_000.0
TOKENS = st.lists(
    st.builds("{}:{}".format, st.sampled_from([*KINDS]), st.sampled_from("abcdef")),
    min_size=1,
    max_size=12,
    unique=True,
).map(tuple)
PASTS = st.lists(TOKENS, min_size=1, max_size=8)


def of(name: str, look: tuple[str, ...], proof: Proof = "attempts", cause: str = "disk_full") -> Fingerprint:
    return Fingerprint(name, "", "api", T0, look, cause, "api", proof, "free_disk", 4.0)


def past(looks: list[tuple[str, ...]]) -> Mapping[str, Fingerprint]:
    return {f"inc-{number}": of(f"inc-{number}", one) for number, one in enumerate(looks)}


def fleet(*events: Event) -> World:
    begin = tuple(
        AgentDeclared(T0 - 99, name, "process", "application", (), ("http",), True) for name in ("api:0", "api:1", "db")
    )
    return reduce(fold, (*begin, *events), EMPTY)


def died(agent: str, log: str, code: int = 1, at: float = T0) -> tuple[str, ...]:
    """The look of an agent that has ended with these last words."""
    world = fleet(
        AgentExited(at, agent, 1, 4711, code, None, 9.0, False),
        IncidentOpened(at, "inc-9", agent, "exit", "exited", at),
    )
    return look(world, world.incidents["inc-9"], log.splitlines(), ())


def fails(agent: str, reason: str) -> tuple[str, ...]:
    """The look of an agent whose check fails."""
    world = fleet(
        HealthChanged(T0, agent, "http", False, "failed", reason, T0),
        IncidentOpened(T0, "inc-9", agent, "check", reason, T0),
    )
    return look(world, world.incidents["inc-9"], (), ())


@given(PASTS, TOKENS, TOKENS)
def test_it_does_not_matter_which_of_two_is_compared_with_the_other(
    looks: list[tuple[str, ...]], one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    known = Past(past(looks))
    assert known.similarity(one, other) == known.similarity(other, one)
    assert 0.0 <= known.similarity(one, other) <= 1.0


@given(PASTS, TOKENS)
def test_the_order_of_tokens_is_irrelevant_and_each_is_most_like_itself(
    looks: list[tuple[str, ...]], one: tuple[str, ...]
) -> None:
    known = Past(past(looks))
    assert known.similarity(one, one) == 1.0
    assert known.nearest(one) == known.nearest(one[::-1])
    assert known.nearest(looks[0])[0].similarity == 1.0


@given(PASTS, TOKENS)
def test_none_is_overlooked(looks: list[tuple[str, ...]], one: tuple[str, ...]) -> None:
    """The index gives what a look at each of them gives."""
    known = Past(past(looks))
    all_of_them = [known.similarity(one, each) for each in looks]
    near = sorted((value for value in all_of_them if value >= LEAST), reverse=True)[:MOST]
    assert [each.similarity for each in known.nearest(one)] == [round(value, 4) for value in near]


@given(PASTS, PASTS, TOKENS)
def test_one_that_follows_is_as_one_that_was_built_anew(
    before: list[tuple[str, ...]], after: list[tuple[str, ...]], one: tuple[str, ...]
) -> None:
    known = Past(past(before)).follow(past(after))
    assert known.nearest(one) == Past(past(after)).nearest(one)


def test_what_all_have_says_less_than_what_few_have() -> None:
    common = [("kind:process", "exit:1", f"log:{letter}") for letter in "abcdefgh"]
    known = Past(past([*common, ("kind:process", "exit:1", "log:rare"), ("kind:render", "log:rare")]))
    assert known.similarity(("exit:1", "log:x"), ("exit:1", "log:y")) < 0.5
    assert known.nearest(("kind:process", "exit:1", "log:rare"))[0].key == "inc-8"


def test_the_same_trouble_is_found_again_with_other_times_numbers_and_at_a_sibling() -> None:
    known = Past({"inc-1": of("inc-1", died("api:0", "2026-01-02 09:00:01 OSError: [Errno 28] on device sda1"))})
    again = died("api:0", "2026-03-04 11:22:33 OSError: [Errno 28] on device sdb7", at=T0 + 99)
    sibling = died("api:1", "2026-03-04 11:22:33 OSError: [Errno 28] on device sda1")
    assert known.nearest(again)[0].similarity == 1.0
    assert [one.key for one in known.nearest(sibling)] == ["inc-1"]
    assert known.nearest(again)[0].common[0].startswith("its log says")


def test_another_trouble_of_the_same_agent_is_not_taken_for_it() -> None:
    known = Past(past([died("api:0", "OSError: no space left on device"), fails("api:0", "status 503 instead of 200")]))
    assert known.nearest(died("api:0", "KeyError: 'DATABASE_URL'", code=2)) == ()
    assert known.nearest(fails("api:0", "the certificate has expired")) == ()
    assert [one.key for one in known.nearest(fails("api:0", "status 503 instead of 200"))] == ["inc-1"]


def test_a_look_is_bounded_however_much_was_said() -> None:
    tokens = died("api:0", "Error: " + " ".join(f"{letter * 30}" for letter in "abcdefghijklmnop" * 40))
    assert len(tokens) <= 25
    assert max(len(token.partition(":")[2]) for token in tokens) <= LONGEST


# --- what the nearest say --------------------------------------------------------------------------------------------


def votes(looked: tuple[str, ...], *known: Fingerprint) -> list[Vote]:
    world = fleet(IncidentOpened(T0, "inc-9", "api:0", "exit", "", T0))
    near = Past({one.incident: one for one in known}).nearest(looked)
    return [*remembered(near, world.incidents["inc-9"])]


LOOK = died("api:0", "it is all over")


def test_only_a_cause_that_was_confirmed_votes_and_each_once() -> None:
    assert votes(LOOK, of("inc-1", LOOK, proof="")) == []
    assert votes(LOOK, of("inc-1", LOOK, proof="person", cause="")) == []
    said = votes(LOOK, of("inc-1", LOOK), of("inc-2", LOOK), of("inc-3", LOOK, "person", "permission"))
    assert [(one.cause, one.agent, one.channel) for one in said] == [
        ("disk_full", "api:0", "past"),
        ("permission", "api:0", "past"),
    ]
    elsewhere = replace(of("inc-1", LOOK), cause="dependency_down", cause_agent="db")
    assert votes(LOOK, elsewhere) == []


def cause_of(*events: Event, past: list[Vote]) -> str:
    world = fleet(*events)
    return diagnose(world, Vitals(), world.incidents["inc-9"], Clues(), shipped(), past)[0].slug


ENDED = AgentExited(T0, "api:0", 1, 4711, 1, None, 9.0, False)


@pytest.mark.parametrize(
    ("happened", "first"),
    [
        ((ENDED, IncidentOpened(T0, "inc-9", "api:0", "exit", "", T0)), "disk_full"),
        (
            (
                HealthChanged(T0, "api:0", "http", False, "failed", "it is stopped", T0, True, "hung"),
                IncidentOpened(T0, "inc-9", "api:0", "check", "", T0),
            ),
            "hung",
        ),
    ],
)
def test_it_is_worth_more_than_an_exit_code_and_less_than_what_the_kernel_says(
    happened: tuple[Event, ...], first: str
) -> None:
    said = votes(LOOK, of("inc-1", LOOK, "person"))
    assert cause_of(*happened, past=said) == first
    assert cause_of(*happened, past=[replace(one, weight=1e9) for one in said] if first == "hung" else said) == first
