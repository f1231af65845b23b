"""Can an answer of a language model say anything that was not offered to it, or move more than it may?"""

from __future__ import annotations

import json
import os
from math import log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.events import Cause
from selfheal.model.reply import WORDS_LENGTH, Opinion, read, schema
from selfheal.model.say import MOST, moved
from selfheal.telemetry.redact import redact_text
from tests.pure.questions import CAUSES, answer, packed

# All of them: REPLIES=10000.
REPLIES = int(os.environ.get("REPLIES", "2000"))


def heard(text: str, seed: int = 1) -> Opinion | str:
    return read(text, packed(seed=seed), redact_text)


def test_a_good_answer_says_what_was_chosen_and_why() -> None:
    said = heard(answer(packed()))
    assert said == Opinion(CAUSES[0], "restart", 0.9, ("check http failed: status 500",), "The check says so.")


def test_it_may_not_know_and_may_miss_a_cause_of_the_closed_vocabulary() -> None:
    said = heard(answer(packed(), cause_id="unknown", evidence_ids=[], fix_id="none", missing_cause="disk_full"))
    assert isinstance(said, Opinion)
    assert (said.cause, said.fix, said.missing) == (None, "", "disk_full")


@pytest.mark.parametrize(
    ("changed", "slug"),
    [
        ({"cause_id": "c_00000000"}, "unknown_cause"),
        ({"cause_id": "wrong_answer"}, "unknown_cause"),
        ({"fix_id": "restart"}, "unknown_fix"),
        ({"fix_id": "rm -rf /"}, "unknown_fix"),
        ({"evidence_ids": []}, "no_evidence"),
        ({"evidence_ids": ["e_0"]}, "unknown_evidence"),
        ({"confidence": 1.01}, "confidence"),
        ({"confidence": -0.1}, "confidence"),
        ({"missing_cause": "gremlins"}, "missing_cause"),
        ({"confidence": "high"}, "form"),
        ({"rationale": None}, "form"),
        ({"command": "reboot"}, "form"),
        ({"rationale": "x" * 20_000}, "too_long"),
    ],
)
def test_what_was_not_offered_is_refused_with_a_reason(changed: dict[str, object], slug: str) -> None:
    assert heard(answer(packed(), 0, **changed)) == slug


def test_evidence_for_another_candidate_is_refused() -> None:
    asked = packed()
    other = [piece for piece, (cause, _) in asked.evidence.items() if cause != next(iter(asked.causes))]
    assert heard(answer(asked, evidence_ids=other)) == "foreign_evidence"


def test_the_names_of_another_question_mean_nothing_in_this_one() -> None:
    assert heard(answer(packed(seed=2)), seed=1) == "unknown_cause"


@pytest.mark.parametrize("text", ["", "{", "[]x", '{"cause_id": ', "I would restart it.", "\ud800", "[" * 9_000, "NaN"])
def test_what_is_no_json_is_refused(text: str) -> None:
    assert heard(text) in ("not_json", "form")


def test_its_words_are_short_on_one_line_and_without_secrets() -> None:
    said = heard(answer(packed(), rationale="password=hunter2hunter2\n\x1b[31m\u202e" + "word " * 200))
    assert isinstance(said, Opinion)
    assert len(said.words) <= WORDS_LENGTH
    assert said.words.isprintable()
    assert "hunter2" not in said.words


def test_the_form_allows_exactly_what_is_offered() -> None:
    asked = packed()
    form = json.loads(json.dumps(schema(asked)))
    assert form["properties"]["cause_id"]["enum"] == [*asked.causes, "unknown"]
    assert form["properties"]["fix_id"]["enum"] == [*asked.fixes, "none"]
    assert form["required"] == list(form["properties"])
    assert form["additionalProperties"] is False


def fuzzed(chance: Random) -> str:
    """A good answer with something done to it, or something else."""
    asked = packed(seed=1)
    odd: list[object] = [
        None, True, 0, -1, 1e308, "", "none", "unknown", "restart", "rm -rf /", [], {}, ["restart"], "c_1", "\u0000",
        *asked.causes, *asked.fixes, *asked.evidence, [*asked.evidence], [next(iter(asked.evidence))] * 3,
    ]  # fmt: skip
    told = json.loads(answer(asked, chance.randrange(3)))
    for key in chance.sample([*told, "command", "fix", "actions"], chance.randrange(4)):
        told[key] = chance.choice(odd)
    text = json.dumps(told)
    if chance.random() < 0.2:
        place = chance.randrange(len(text))
        text = text[:place] + chance.choice(["", "}", '"', "\\", "0", "\ufffd"]) + text[place + chance.randrange(9) :]
    return text


def test_fuzzed_replies_name_nothing_off_the_list() -> None:
    chance, asked, read_well = Random(11), packed(), 0
    for _ in range(REPLIES):
        said = read(fuzzed(chance), asked, redact_text)
        if isinstance(said, Opinion):
            read_well += 1
            assert said.cause is None or said.cause in CAUSES
            assert said.fix in ("", "restart", "rollback")
            assert 0.0 <= said.confidence <= 1.0
    assert read_well > REPLIES / 20


@given(st.text(max_size=400) | st.binary(max_size=400).map(lambda raw: raw.decode("latin-1")))
def test_nothing_raises(text: str) -> None:
    assert isinstance(heard(text), str)


def odds(probability: float) -> float:
    return log(probability / (1.0 - probability))


@given(
    st.lists(st.floats(0.01, 1.0), min_size=2, max_size=5), st.integers(0, 4), st.floats(0.0, 1.0),
)  # fmt: skip
def test_no_log_odds_move_by_more_than_they_may(weights: list[float], place: int, confidence: float) -> None:
    total = sum(weights) * 1.1
    causes = tuple(Cause(f"c{n}", weight / total, "api") for n, weight in enumerate(weights))
    after = {one.slug: one for one in moved(causes, causes[place % len(causes)], confidence)}
    assert set(after) == {one.slug for one in causes}
    for one in causes:
        assert abs(odds(after[one.slug].probability) - odds(one.probability)) <= MOST + 1e-6
    assert sum(one.probability for one in after.values()) <= 1.0 + 1e-9


def test_a_cause_that_is_no_candidate_moves_nothing() -> None:
    assert moved(CAUSES, Cause("disk_full", 0.9, "api"), 1.0) == CAUSES
