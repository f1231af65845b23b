"""How does an alert look on Telegram, and whose press counts?"""

from __future__ import annotations

from dataclasses import replace
from html import unescape

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from selfheal.kinds import Alert
from selfheal.notify.telegram_text import (
    LONGEST,
    LONGEST_PRESS,
    Question,
    is_answer,
    may_decide,
    message,
    parted,
    presses,
    read_press,
)

KEY, CHAT = b"k" * 32, 4711
ASKED = Question("inc-12", "purge", "api", 1_800_000_000.5)
ALERT = Alert("inc-12", 1_800_000_000.0, "critical", "api needs a person", "exit code 1", "api", "inc-12")


def test_an_alert_says_what_how_bad_where_and_when() -> None:
    assert message(ALERT) == (
        "🔴 <b>api needs a person</b>\nexit code 1\n<i>critical · api · inc-12 · 2027-01-15 08:00:00 UTC</i>"
    )
    over = message(replace(ALERT, resolved=True, title="api is well again after 9 s", text="", severity="info"))
    assert over == "✅ <b>api is well again after 9 s</b>\n<i>api · inc-12 · 2027-01-15 08:00:00 UTC</i>"


@given(st.text(), st.text(), st.floats(0, 1e18))
def test_whatever_an_alert_says_none_of_it_is_markup_and_it_is_short_enough(title: str, text: str, at: float) -> None:
    told = message(replace(ALERT, title=title, text=text * 100, at=at))
    for tag in ("<b>", "</b>", "<i>", "</i>"):
        assert told.count(tag) == 1
        told = told.replace(tag, "")
    assert "<" not in told
    assert ">" not in told
    assume(len(title) < 500)
    assert len(unescape(told)) <= LONGEST


@given(
    st.lists(st.text(alphabet=st.characters(exclude_characters="\n\r")), max_size=8), st.sampled_from([1, 700, 5000])
)
def test_lines_come_in_messages_that_are_short_enough_and_nothing_is_lost_but_of_what_is_too_long(
    lines: list[str], times: int
) -> None:
    long = [line * times for line in lines]
    messages = parted(long)
    assert all(len(unescape(one)) <= LONGEST for one in messages)
    if all(len(line) < LONGEST for line in long):
        shown = "\n".join(messages).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        assert [line for line in shown.split("\n") if line.strip()] == [line for line in long if line.strip()]


@given(st.builds(Question, st.text(max_size=30), st.text(), st.text(), st.floats(0, 1e10)))
def test_each_button_answers_its_own_question_in_its_own_way_and_is_short_enough(question: Question) -> None:
    found = presses(KEY, CHAT, question)
    if found is None:
        assert len(question.incident.encode()) > LONGEST_PRESS - len("a::") - 16
        return
    for word, data in found.items():
        press = read_press(data)
        if press is None:
            assert question.incident == ""
            continue
        assert (press.word, press.incident) == (word, question.incident)
        assert is_answer(KEY, CHAT, press, question)


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, fix="restart"),
        replace(ASKED, agent="web"),
        replace(ASKED, incident="inc-13"),
        replace(ASKED, asked_at=ASKED.asked_at + 1),
    ],
)
def test_an_answer_to_one_question_is_none_to_another(other: Question) -> None:
    found = presses(KEY, CHAT, ASKED)
    assert found is not None
    press = read_press(found["approve"])
    assert press is not None
    assert is_answer(KEY, CHAT, press, ASKED)
    assert not is_answer(KEY, CHAT, press, other)
    assert not is_answer(KEY, CHAT + 1, press, ASKED)
    assert not is_answer(b"x" * 32, CHAT, press, ASKED)
    assert not is_answer(KEY, CHAT, replace(press, word="reject"), ASKED)


@given(st.text())
def test_what_no_button_of_ours_has_sent_is_no_press(data: str) -> None:
    press = read_press(data)
    assert press is None or not is_answer(KEY, CHAT, press, replace(ASKED, incident=press.incident))


def test_who_may_decide() -> None:
    assert may_decide(CHAT, CHAT, ())
    assert not may_decide(CHAT, 666, ())
    assert not may_decide(-100, 666, ()), "in a group nobody, unless he is named"
    assert may_decide(-100, 42, (42,))
    assert not may_decide(CHAT, CHAT, (42,))
