"""Is an LSTM shown what was known, and nothing else?"""

from __future__ import annotations

from math import isnan

import pytest

from selfheal.predict.replay import Parts, parts_of
from selfheal.predict.steps import STEPS
from selfheal.recorded.sequences import Sequences, learn_sequences
from tests.pure.recordings import AT, HOUR, TASK, leak, only, recorded


def test_a_window_is_a_horizon_of_steps_in_shares_of_the_limit() -> None:
    one = only(recorded(leak(8.0), hours=6.0))
    window = Sequences(one, ("rss",)).window(one.track.length - 1)
    assert len(window) == STEPS
    assert window[-1][0] == pytest.approx(0.2 + 0.8 * 6 / 8, abs=0.02)
    assert [row[0] for row in window] == sorted(row[0] for row in window)


def test_what_is_before_the_recording_is_missing() -> None:
    window = Sequences(only(recorded(leak(8.0))), ("rss",)).window(2)
    assert len(window) == STEPS
    assert all(isnan(row[0]) for row in window[:-3])
    assert not any(isnan(row[0]) for row in window[-3:])


def test_too_few_failures_teach_an_lstm_nothing() -> None:
    pytest.importorskip("torch", reason="torch is not installed (the extra lstm)")
    recording = recorded(leak(8.0), hours=10.0, failures=[8 * HOUR])
    assert learn_sequences(recording, TASK, parts_of(recording, None)) is None


def test_an_lstm_learns_what_every_leak_looks_like() -> None:
    pytest.importorskip("torch", reason="torch is not installed (the extra lstm)")

    def shape(since: float) -> float:
        return 20.0 + 80.0 * (since % (4 * HOUR)) / (4 * HOUR)

    recording = recorded(shape, hours=64.0, failures=[4 * HOUR * number for number in range(1, 17)])
    learned = learn_sequences(recording, TASK, Parts(AT + 40 * HOUR, AT + 56 * HOUR))
    assert learned is not None
    one = only(recording)
    seen = Sequences(one, learned.signals)
    soon, calm = (learned.network.probability(seen.window(int(hour * 12))) for hour in (63.5, 61.0))
    assert soon > 0.8
    assert calm < 0.2
