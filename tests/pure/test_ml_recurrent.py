"""Does a network say in plain Python what it says in the library, and is what is none refused?"""

from __future__ import annotations

import os
import subprocess
import sys
from math import inf, isfinite, nan
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import selfheal
from selfheal.ml.calibration import Platt, logistic
from selfheal.ml.lessons import CannotLearn, NothingToLearn
from selfheal.ml.recurrent import MOST_FEATURES, MOST_HIDDEN, MOST_STEPS, NoNetwork, Recurrent, seen
from selfheal.ml.trees import cells_of
from tests.pure.networks import network, windows_of
from tests.real.counterparts import needs_torch

cells = st.floats(-1e9, 1e9) | st.sampled_from([0.0, 1e300, -1e300, nan])
FEATURES = ("a", "b", "c")


# --- what it says ---


@settings(max_examples=30, deadline=None)
@given(
    width=st.integers(1, 5),
    steps=st.integers(1, 12),
    size=st.integers(1, MOST_HIDDEN),
    seed=st.integers(0, 10_000),
    given_cells=st.lists(cells, min_size=60, max_size=60),
)
def test_a_window_weighs_what_the_library_says(
    width: int, steps: int, size: int, seed: int, given_cells: list[float]
) -> None:
    needs_torch()
    import torch  # noqa: PLC0415

    window = [given_cells[step * width : (step + 1) * width] for step in range(steps)]
    ours = network(tuple(map(str, range(width))), steps=steps, size=size, seed=seed)
    theirs = torch.nn.LSTM(2 * width, size, batch_first=True)
    with torch.no_grad():
        for name, weights in (
            ("weight_ih_l0", ours.inputs),
            ("weight_hh_l0", ours.states),
            ("bias_ih_l0", ours.biases),
            ("bias_hh_l0", [0.0] * 4 * size),
        ):
            getattr(theirs, name).copy_(torch.tensor(weights))
        told = [seen(cells_of(row), ours.means, ours.widths) for row in window]
        states, _ = theirs(torch.tensor([told]))
        margin = float(states[0, -1] @ torch.tensor(ours.output)) + ours.offset
    assert ours.margin(window) == pytest.approx(margin, abs=1e-5)


def test_sixty_steps_with_the_largest_state_say_what_the_library_says_in_double_precision() -> None:
    needs_torch()
    import torch  # noqa: PLC0415

    ours = network(FEATURES, steps=MOST_STEPS, size=MOST_HIDDEN)
    theirs = torch.nn.LSTM(6, MOST_HIDDEN, batch_first=True).double()
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(torch.tensor(ours.inputs, dtype=torch.float64))
        theirs.weight_hh_l0.copy_(torch.tensor(ours.states, dtype=torch.float64))
        theirs.bias_ih_l0.copy_(torch.tensor(ours.biases, dtype=torch.float64))
        theirs.bias_hh_l0.zero_()
        for window in windows_of(3, MOST_STEPS):
            told = [seen(cells_of(row), ours.means, ours.widths) for row in window]
            states, _ = theirs(torch.tensor([told], dtype=torch.float64))
            margin = float(states[0, -1] @ torch.tensor(ours.output, dtype=torch.float64)) + ours.offset
            assert ours.margin(window) == pytest.approx(margin, abs=1e-12)


@given(st.integers(0, 1000), st.lists(st.lists(st.floats(), min_size=3, max_size=3), min_size=5, max_size=5))
def test_whatever_was_seen_there_is_a_probability(seed: int, window: list[list[float]]) -> None:
    one = network(seed=seed)
    assert isfinite(one.margin(window))
    assert 0.0 <= one.probability(window) <= 1.0


def test_the_last_rows_count_and_so_does_their_order() -> None:
    one, window = network(), windows_of(3, 5)[0]
    assert one.margin(window) != one.margin(window[::-1])
    assert one.margin(window) != one.margin([*window[:-1], [9.0, 9.0, 9.0]])


def test_what_was_not_seen_is_told_apart_from_what_is_usual() -> None:
    one = network()
    usual = [list(one.means)] * 5
    assert one.margin(usual) != one.margin([[nan, *one.means[1:]]] * 5)
    assert seen([nan, 1e9, -1e9], (0.0,) * 3, (1.0,) * 3) == [0.0, 8.0, -8.0, 1.0, 0.0, 0.0]


def test_a_calibration_has_the_last_word_on_how_likely_it_is() -> None:
    window = windows_of(3, 5)[0]
    plain, line = network(), network(calibration=Platt(0.5, -1.0))
    assert plain.probability(window) == logistic(plain.margin(window))
    assert line.probability(window) == logistic(0.5 * plain.margin(window) - 1.0)


@pytest.mark.parametrize("window", [[], [[1.0] * 3] * 4, [[1.0] * 3] * 6, [[1.0] * 2] * 5])
def test_a_window_of_another_size_is_refused(window: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="no window of 5 rows of 3 cells"):
        network().margin(window)


# --- what is none ---

SOUND = network()


def test_a_network_comes_back_as_it_was() -> None:
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(SOUND), type=Recurrent)
    assert again == SOUND
    assert again.margin(windows_of(3, 5)[0]) == SOUND.margin(windows_of(3, 5)[0])


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"features": ()}, "0 features"),
        ({"features": tuple(map(str, range(MOST_FEATURES + 1)))}, "features"),
        ({"features": ("a", "b", "b")}, "one name"),
        ({"features": ("a", "b", "")}, "one has none"),
        ({"steps": 0}, "0 steps"),
        ({"steps": MOST_STEPS + 1}, "61 steps"),
        ({"output": ()}, "0 numbers of state"),
        ({"output": (0.0,) * (MOST_HIDDEN + 1)}, "17 numbers of state"),
        ({"output": (0.0,) * 5}, "four gates"),
        ({"means": (0.0,) * 2}, "how each of its features is measured"),
        ({"means": (0.0, nan, 0.0)}, "no number above 0"),
        ({"widths": (1.0, 0.0, 1.0)}, "no number above 0"),
        ({"widths": (1.0, inf, 1.0)}, "no number above 0"),
        ({"inputs": SOUND.inputs[1:]}, "four gates"),
        ({"inputs": (SOUND.inputs[0][1:], *SOUND.inputs[1:])}, "as many weights"),
        ({"states": (SOUND.states[0][1:], *SOUND.states[1:])}, "as many weights"),
        ({"biases": (*SOUND.biases[1:], nan)}, "a weight is no number"),
        ({"biases": (*SOUND.biases[1:], 1e9)}, "a weight is no number"),
        ({"offset": inf}, "a weight is no number"),
    ],
)
def test_what_is_no_network_is_refused_with_a_reason(changed: dict[str, object], why: str) -> None:
    with pytest.raises(NoNetwork) as refused:
        replace(SOUND, **changed)
    assert why in str(refused.value)
    written = msgspec.msgpack.encode({**msgspec.to_builtins(SOUND), **changed})
    with pytest.raises(msgspec.ValidationError):  # nor is one read from a file
        msgspec.msgpack.decode(written, type=Recurrent)


# --- what is fitted ---


def rising(count: int, seed: int, steps: int = 12) -> tuple[list[list[list[float]]], list[bool]]:
    """Windows after which it happens where the first feature rises: no single row tells it."""
    dice, windows, labels = Random(seed), list[list[list[float]]](), list[bool]()
    for _ in range(count):
        slope, level = dice.choice((-1.0, 0.0, 1.0)), dice.gauss(0.0, 3.0)
        cells_ = [[level + 0.3 * slope * step + dice.gauss(0.0, 0.2), dice.gauss(0.0, 1.0)] for step in range(steps)]
        windows.append([[cell if dice.random() > 0.05 else nan for cell in row] for row in cells_])
        labels.append(slope > 0.0)
    return windows, labels


def test_a_network_learns_what_no_single_row_tells_and_is_the_same_for_the_same_seed() -> None:
    needs_torch()
    from selfheal.ml.recurrent_fit import fit  # noqa: PLC0415

    windows, labels = rising(240, 1)
    made = fit(windows, labels, ("a", "b"), calibration=rising(120, 2), seed=3)
    later, came = rising(120, 3)
    right = [(made.probability(window) > 0.5) == label for window, label in zip(later, came, strict=True)]
    assert sum(right) > 0.9 * len(right)
    assert isinstance(made.calibration, Platt)
    assert made == fit(windows, labels, ("a", "b"), calibration=rising(120, 2), seed=3)


def test_windows_that_teach_nothing_are_told() -> None:
    needs_torch()
    from selfheal.ml.recurrent_fit import fit  # noqa: PLC0415

    windows, labels = rising(100, 1)
    with pytest.raises(NothingToLearn, match="in the newest fifth"):
        fit(windows, [*labels[:80], *[False] * 20], ("a", "b"))
    with pytest.raises(NothingToLearn):
        fit([], [], ("a", "b"))
    with pytest.raises(ValueError, match="as many labels"):
        fit(windows, labels[1:], ("a", "b"))
    with pytest.raises(ValueError, match="other cells"):
        fit(windows, labels, ("a", "b", "c"))
    with pytest.raises(ValueError, match="other steps"):
        fit([*windows[:-1], windows[-1][1:]], labels, ("a", "b"))
    wide = [[row * 33 for row in window] for window in windows]
    with pytest.raises(ValueError, match="66 cells"):
        fit(wide, labels, tuple(map(str, range(66))))
    with pytest.raises(ValueError, match="72 steps"):
        fit([window * 6 for window in windows], labels, ("a", "b"))


def test_without_the_library_it_is_said_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from selfheal.ml import recurrent_fit  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(CannotLearn, match=r"pip install 'selfheal\[lstm\]'"):
        recurrent_fit.fit(*rising(100, 1), ("a", "b"))


def test_asking_a_network_needs_no_library() -> None:
    """In a process of its own, where nobody else has imported any."""
    program = "import sys, selfheal.ml.kept, selfheal.ml.boost_fit, selfheal.ml.recurrent_fit; print(*sys.modules)"
    path = str(Path(selfheal.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"torch", "numpy", "xgboost", "sklearn"} & set(done.stdout.split())
