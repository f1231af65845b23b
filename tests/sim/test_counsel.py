"""Is a language model asked beside everything else, believed no further than it may be, and never waited for long?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from selfheal.events import Diagnosed, FixStarted, IncidentEscalated, ModelAnswered, Planned
from selfheal.model.wire import Answer, Question
from selfheal.ports import ModelAccess
from selfheal.rehearse.machine import SimulatedMachine
from tests.pure.injections import PAYLOADS
from tests.sim.fleets import agent
from tests.sim.rehearsal import Rehearsal, Story, rehearse

DOORS = {"anthropic": ("key-a", ""), "openai": ("key-o", "")}
# The engine is not sure of it: it gives wrong answers, and says that something refuses to talk to it.
FLEET = agent("api") + agent("worker")

Ask = Callable[[Question], Awaitable[Answer]]


class Model:
    """A provider that answers as it is told, after `delay_s`; keeps what it was asked."""

    def __init__(self, say: Callable[[dict[str, Any], Question], Answer | str]) -> None:
        self.say = say
        self.delay_s = 1.0
        self.asked: list[Question] = []
        self.wait: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        await self.wait(self.delay_s)
        said = self.say(json.loads(question.text), question)
        return said if isinstance(said, Answer) else Answer(text=said, tokens_in=1000, tokens_out=100)


def good(place: int = 0, **other: object) -> Callable[[dict[str, Any], Question], str]:
    """Names the candidate at `place`, the last being -1."""

    def say(told: dict[str, Any], question: Question) -> str:
        chosen = told["candidates"][place]
        return json.dumps({
            "cause_id": chosen["id"], "fix_id": told["fixes"][0]["id"] if told["fixes"] else "none", "confidence": 1.0,
            "evidence_ids": [one["id"] for one in chosen["evidence"]][:1], "rationale": "It is so.",
            "missing_cause": "none", **other,
        })  # fmt: skip

    return say


def with_model(tmp_path: Path, model: Model | None, story: Story, toml: str = FLEET) -> Rehearsal:
    def prepare(machine: SimulatedMachine) -> None:
        if model is not None:
            model.wait = machine.clock.sleep
            machine.calls.model = ModelAccess(model.ask, DOORS)

    return rehearse(tmp_path, toml, story, prepare=prepare)


# With wrong answers this makes the engine unsure: it may be the one, and it may be the other.
REFUSED = "connect to cache: Connection refused"


async def trouble(r: Rehearsal, *lines: str) -> None:
    """An incident that no reflex ends and whose cause the engine is not sure of."""
    await r.all_healthy()
    log = r.state_dir / "logs" / "api.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text("\n".join([*lines, REFUSED, ""]))
    r.machine.outages["api"] = "something odd"
    await r.until(lambda: bool(r.seen(Planned) or r.seen(IncidentEscalated)))
    await r.wait(60.0)
    r.machine.outages.pop("api")
    await r.all_healthy(600.0)


def answers(r: Rehearsal) -> list[ModelAnswered]:
    return r.seen(ModelAnswered)


def test_its_word_moves_the_causes_a_little_and_is_told_as_its_own(tmp_path: Path) -> None:
    model = Model(good(0))
    r = with_model(tmp_path, model, trouble)
    (said,) = answers(r)
    assert (said.outcome, said.provider, said.tokens_in, said.words) == ("ok", "anthropic", 1000, "It is so.")
    incident = r.incidents("api")[0]
    assert incident.opinion == said
    assert said.causes
    found, after = r.seen(Diagnosed)[0].causes[0], said.causes[0]
    assert (found.slug, found.agent) == (after.slug, after.agent)
    assert after.probability > found.probability


def test_without_a_key_everything_is_as_it_was(tmp_path: Path) -> None:
    without = with_model(tmp_path / "a", None, trouble)
    silent = Model(lambda told, question: Answer(trouble="error", reason="status_500"))
    silent.delay_s = 0.0
    asked = with_model(tmp_path / "b", silent, trouble)
    assert answers(without) == []
    fixes = [(one.fix, one.agent) for one in without.seen(FixStarted)]
    assert [(one.fix, one.agent) for one in asked.seen(FixStarted)] == fixes != []


@pytest.mark.parametrize("delay_s", [0.5, 4.0, 6.0, 300.0])
def test_recovery_waits_for_it_five_seconds_at_most(tmp_path: Path, delay_s: float) -> None:
    model = Model(good(0))
    model.delay_s = delay_s
    took: list[float] = []

    async def story(r: Rehearsal) -> None:
        await trouble(r)
        took.append(r.seen(FixStarted)[0].at - r.seen(Diagnosed)[0].at)

    with_model(tmp_path, model, story)
    assert took[0] <= 5.0
    assert took[0] == pytest.approx(min(delay_s, 4.0), abs=0.2)


def test_where_it_does_not_answer_well_the_other_provider_is_asked_then_nobody(tmp_path: Path) -> None:
    def say(told: dict[str, Any], question: Question) -> Answer | str:
        return Answer(trouble="timeout", reason="late") if question.provider == "anthropic" else "no json"

    r = with_model(tmp_path, model := Model(say), trouble)
    assert [(one.provider, one.outcome) for one in answers(r)] == [
        ("anthropic", "timeout"), ("openai", "invalid"), ("openai", "invalid"),
    ]  # fmt: skip
    assert [bool(question.complaint) for question in model.asked] == [False, False, True]
    assert r.seen(FixStarted)


def test_a_wrong_form_is_asked_for_once_more(tmp_path: Path) -> None:
    def say(told: dict[str, Any], question: Question) -> str:
        return good(0)(told, question) if question.complaint else "{"

    r = with_model(tmp_path, Model(say), trouble)
    assert [one.outcome for one in answers(r)] == ["invalid", "ok"]


def test_what_was_not_offered_is_rejected_and_not_bargained_about(tmp_path: Path) -> None:
    r = with_model(tmp_path, model := Model(good(0, fix_id="rm -rf /")), trouble)
    assert [(one.outcome, one.reason, one.causes) for one in answers(r)] == [("rejected", "unknown_fix", ())]
    assert len(model.asked) == 1


def test_the_same_trouble_is_asked_about_once(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        for _ in range(3):
            await trouble(r)
            await r.wait(1_300.0)

    model = Model(good(0))
    r = with_model(tmp_path, model, story)
    assert len(r.incidents("api")) >= 3
    assert len(model.asked) == 1
    assert len([one for one in answers(r) if not one.cached]) == 1


def test_a_process_that_the_reflex_has_restarted_is_no_question(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.kill("api")
        await r.healed("api")

    model = Model(good(0))
    with_model(tmp_path, model, story)
    assert model.asked == []


def test_turned_off_it_is_not_asked(tmp_path: Path) -> None:
    model = Model(good(0))
    with_model(tmp_path, model, trouble, FLEET + "\n[model]\nenabled = false\n")
    assert model.asked == []


def test_beyond_the_budget_it_is_not_asked(tmp_path: Path) -> None:
    model = Model(good(0))
    r = with_model(tmp_path, model, trouble, FLEET + "\n[model]\ntokens_per_hour = 500\n")
    assert model.asked == []
    assert r.seen(FixStarted)


def fuzzed(chance: Random) -> Callable[[dict[str, Any], Question], str]:
    """An answer that is often nonsense, and now and then a good one for any of the candidates."""

    def say(told: dict[str, Any], question: Question) -> str:
        odd: list[object] = ["rm -rf /", "restart", None, 7, [], {"fix": "restore"}, "unknown", "none"]
        answer = json.loads(good(chance.randrange(len(told["candidates"])))(told, question))
        if chance.random() < 0.5:
            answer[chance.choice([*answer, "command", "approve"])] = chance.choice(odd)
        return json.dumps(answer)[: chance.choice([9, 4000, 4000, 4000])]

    return say


@pytest.mark.parametrize("seed", range(8))
def test_whatever_it_answers_only_fixes_that_fit_are_done_and_nobody_is_passed_over(tmp_path: Path, seed: int) -> None:
    r = with_model(tmp_path, Model(fuzzed(Random(seed))), trouble)
    offered = {fix.name: fix for fix in r.daemon.fleet.plans["api"].fixes}
    engine = {cause.slug for one in r.seen(Diagnosed) for cause in one.causes}
    for done in r.seen(FixStarted):
        assert done.fix in offered
        assert offered[done.fix].mode != "ask" or r.world.incidents[done.incident].approval is not None
        assert done.cause in engine | {""}


def obedient(told: dict[str, Any], question: Question) -> str:
    """Does what it reads: the worst that a log can make of a model."""
    line = told["log"][0]["line"] if told["log"] else ""
    return good(-1, fix_id="restore", rationale=line, missing_cause="disk_full")(told, question)


@pytest.mark.parametrize("first", range(0, len(PAYLOADS), 30))
def test_what_is_written_into_a_log_changes_no_act(tmp_path: Path, first: int) -> None:
    lines = [line.replace("\0", "") for line in PAYLOADS[first : first + 30]]

    async def story(r: Rehearsal) -> None:
        await trouble(r, *lines)

    without = with_model(tmp_path / "a", None, story)
    misled = with_model(tmp_path / "b", model := Model(obedient), story)
    assert len(model.asked) == 1
    done = [(one.fix, one.agent, one.cause) for one in without.seen(FixStarted)]
    assert [(one.fix, one.agent, one.cause) for one in misled.seen(FixStarted)] == done != []
    assert [one.outcome for one in answers(misled)] == ["rejected"]
