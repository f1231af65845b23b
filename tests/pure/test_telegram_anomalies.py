"""Is the button below an anomaly known for what it is, and no other taken for it?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.notify.telegram_anomalies import WORDS, button, is_ours, read_not_worth_it
from selfheal.notify.telegram_text import LONGEST_PRESS, read_press
from selfheal.notify.telegram_verdicts import buttons, read_verdict

KEY, CHAT = b"k" * 32, 4711


def test_the_button_names_its_anomaly_and_is_no_answer_of_another_kind() -> None:
    (((words, data),),) = button(KEY, CHAT, "ano-123456")
    press = read_not_worth_it(data)
    assert words == WORDS
    assert len(data.encode()) <= LONGEST_PRESS
    assert press is not None
    assert press.anomaly == "ano-123456"
    assert is_ours(KEY, CHAT, press)
    assert read_press(data) is None
    assert read_verdict(data) is None
    ((_, verdict), *_), *_ = buttons(KEY, CHAT, "ano-123456", ["slow"])
    assert read_not_worth_it(verdict) is None


@pytest.mark.parametrize("change", [{"anomaly": "ano-2"}, {"tag": "x" * 16}, {"tag": "ä"}])
def test_a_button_of_another_anomaly_or_hand_is_not_ours(change: dict[str, str]) -> None:
    (((_, data),),) = button(KEY, CHAT, "ano-1")
    press = read_not_worth_it(data)
    assert press is not None
    assert not is_ours(KEY, CHAT, replace(press, **change))
    assert not is_ours(KEY, CHAT + 1, press)
    assert not is_ours(b"x" * 32, CHAT, press)


def test_where_there_is_no_room_there_is_no_button() -> None:
    assert button(KEY, CHAT, "a" * 60) == []


@given(st.text())
def test_whatever_a_button_sends_back_is_read_or_none_of_ours(data: str) -> None:
    press = read_not_worth_it(data)
    assert press is None or not is_ours(KEY, CHAT, press)
