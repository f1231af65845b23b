"""Is each button below an incident read as what it says, and no other?"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.causes import CAUSES
from selfheal.notify.telegram_text import LONGEST_PRESS, read_press
from selfheal.notify.telegram_verdicts import ALL, LIKELY, WRONG, Said, buttons, is_ours, read_verdict

KEY, CHAT = b"k" * 32, 4711
CAUSE_NAMES = st.lists(st.sampled_from(sorted(CAUSES)), min_size=1, max_size=6, unique=True)


@given(CAUSE_NAMES, st.booleans(), st.none() | st.builds(Said, st.sampled_from([*CAUSES, WRONG]), st.just("ada")))
def test_each_button_says_its_own_word_about_its_own_incident(
    causes: list[str], every: bool, said: Said | None
) -> None:
    words = []
    for text, data in chain.from_iterable(buttons(KEY, CHAT, "inc-12", causes, said, every=every)):
        assert len(data.encode()) <= LONGEST_PRESS
        assert read_press(data) is None, "it is no answer to a question of another kind"
        verdict = read_verdict(data)
        assert verdict is not None
        assert verdict.incident == "inc-12"
        assert is_ours(KEY, CHAT, verdict)
        assert text.startswith("✓") == (said is not None and said.word == verdict.word)
        words.append(verdict.word)
    assert len(set(words)) == len(words)
    assert set(words) >= ({*CAUSES, LIKELY} if every else {causes[0], WRONG, ALL})


@pytest.mark.parametrize("change", [{"incident": "inc-13"}, {"word": "hung"}, {"tag": "x" * 16}, {"tag": "ä"}])
def test_a_button_of_another_incident_word_or_hand_is_not_ours(change: dict[str, str]) -> None:
    ((_, data), *_), *_ = buttons(KEY, CHAT, "inc-12", ["slow"])
    verdict = read_verdict(data)
    assert verdict is not None
    assert not is_ours(KEY, CHAT, replace(verdict, **change))
    assert not is_ours(KEY, CHAT + 1, verdict)
    assert not is_ours(b"x" * 32, CHAT, verdict)


def test_without_a_diagnosis_and_without_room_nothing_is_asked() -> None:
    assert buttons(KEY, CHAT, "inc-12", []) == []
    assert buttons(KEY, CHAT, "i" * 60, ["slow"]) == []


@given(st.text())
def test_whatever_a_button_sends_back_is_read_or_none_of_ours(data: str) -> None:
    verdict = read_verdict(data)
    assert verdict is None or not is_ours(KEY, CHAT, verdict)
