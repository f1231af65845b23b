"""Does an LSTM speak only where it is better, and does all that keeps it from that cost nothing else?"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from math import nan
from random import Random

import pytest
from msgspec.structs import replace

from selfheal.ml.recurrent import Recurrent
from selfheal.ml.recurrent_fit import MOST_WINDOWS
from selfheal.ml.wire import Foretell
from selfheal.predict.own_past import Came
from selfheal.predict.steps import STEPS
from selfheal.predict.walk import CELLS
from selfheal.predict.windows import FEATURES
from selfheal.recorded import challenge
from selfheal.recorded.challenge import LEAST_TO_REMEMBER, NO_TORCH, Terms, challenged
from selfheal.recorded.foreteller import Mode, mode_of
from selfheal.recorded.lessons import OWN_COUNTS, Example, Lessons
from tests.pure.foretellers import certain, kept_network, of_mode
from tests.real.counterparts import needs_torch

ROW = array("f", [0.0] * len(FEATURES))
LEVEL = CELLS.index("limit.level")


def terms(left_s: float = 900.0) -> Terms:
    order = Foretell(job=1, pasts=(), runs=1, until=0.0, seed=1, limit_s=900.0)
    return Terms(order, lambda: left_s, lambda: None)


def example(number: int, *, came: bool, dice: Random, own: bool = False) -> Example:
    """A step of an agent whose level has risen where a failure came, and else has fallen: no row tells it."""
    at, start = 1000.0 * number, dice.random()
    walk = array("f")
    for step in range(STEPS):
        cells = [nan] * len(CELLS)
        cells[LEVEL] = start + (0.02 if came else -0.02) * step
        walk.extend(cells)
    failure = Came("out_of_memory", at + 600.0) if came else None
    return Example(at, f"agent-{number}", ROW, failure, 0.0, own, walk, STEPS - 1)


def some(count: int, seed: int) -> list[Example]:
    dice = Random(seed)
    return [example(number, came=number % 5 == 0, dice=dice) for number in range(count)]


def lessons(count: int = 300) -> Lessons:
    return Lessons(some(count, 1), some(count, 2), some(count, 3))


def champion() -> Mode:
    return mode_of(of_mode())


def fitted(monkeypatch: pytest.MonkeyPatch, fit: Callable[..., Recurrent]) -> None:
    """Have `fit` in the place of torch."""
    monkeypatch.setattr(challenge, "has_library", lambda: True)
    monkeypatch.setattr(challenge, "name_of_library", lambda: "made up")
    monkeypatch.setattr(challenge, "fit", fit)


def knowing(*_: object, **__: object) -> Recurrent:
    """A network of one number of state, which holds whether the levels are above one half."""
    width = 2 * len(CELLS)
    inputs = tuple(
        tuple(weight if place == LEVEL else 0.0 for place in range(width)) for weight in (0.0, 0.0, 9.0, 0.0)
    )
    return Recurrent(
        CELLS, STEPS, (0.5,) * len(CELLS), (0.1,) * len(CELLS), inputs, ((0.0,),) * 4,
        (9.0, -9.0, 0.0, 9.0), (8.0,), 0.0,
    )  # fmt: skip


def levels_that_end_apart(count: int, seed: int) -> list[Example]:
    """Levels that end above one half where a failure came, and below it elsewhere."""
    found = []
    for one in some(count, seed):
        walk = array("f", one.walk)
        for step in range(STEPS):
            walk[step * len(CELLS) + LEVEL] = 0.9 if one.happened else 0.1
        found.append(one._replace(walk=walk))
    return found


def test_without_the_library_it_is_not_asked_and_it_is_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challenge, "has_library", lambda: False)
    before = champion()
    assert challenged(before, lessons(), some(300, 3), terms()) == (before, NO_TORCH)


def test_few_failures_teach_no_network_and_little_time_begins_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challenge, "has_library", lambda: True)
    best, why = challenged(champion(), lessons(95), some(300, 3), terms())
    assert (best.model, why) == ("boost", f"no LSTM was fitted: 19 failures of {LEAST_TO_REMEMBER} that are needed")
    best, why = challenged(champion(), lessons(), some(300, 3), terms(left_s=200.0))
    assert (best.model, why) == ("boost", "no LSTM was fitted: there was no time left for it")


def test_one_that_is_better_is_taken_and_kept_beside_the_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(monkeypatch, knowing)
    told = Lessons(*(levels_that_end_apart(300, seed) for seed in (1, 2, 3)))
    before = champion()
    best, why = challenged(before, told, told.held, terms())
    assert why.startswith("the LSTM is taken: ")
    assert (best.model, best.told.learned) == ("lstm", before.told.learned)
    assert best.network == knowing()
    assert best.told.etas != before.told.etas


def test_one_that_is_no_better_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(monkeypatch, lambda *_, **__: certain())
    before = champion()
    best, why = challenged(before, lessons(), some(300, 3), terms())
    assert best is before
    assert why.startswith("the booster is kept: the LSTM is no better")
    old = mode_of(replace(of_mode(), network=kept_network(certain(-4.0))))
    best, why = challenged(old, lessons(), some(300, 3), terms())
    assert best is old
    assert why.startswith("the LSTM before it is kept")


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (RuntimeError("[enforce fail] can't allocate memory"), "[enforce fail] can't allocate memory"),
        (MemoryError(), "MemoryError"),
        (OSError("libtorch.so: cannot map"), "libtorch.so: cannot map"),
    ],
)
def test_what_goes_wrong_costs_the_network_alone(monkeypatch: pytest.MonkeyPatch, trouble: Exception, why: str) -> None:
    def failing(*_: object, **__: object) -> Recurrent:
        raise trouble

    fitted(monkeypatch, failing)
    best, said = challenged(champion(), lessons(), some(300, 3), terms())
    assert (best.model, said) == ("boost", f"no LSTM was fitted: {why}")


def test_it_learns_from_all_that_led_to_failures_and_the_others_count_for_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, object] = {}

    def looking(windows: object, labels: object, *_: object, weights: object, **__: object) -> Recurrent:
        given.update(windows=windows, labels=labels, weights=weights)
        return knowing()

    fitted(monkeypatch, looking)
    dice = Random(1)
    short = [example(number, came=number % 40 == 0, dice=dice, own=number < 40) for number in range(2 * MOST_WINDOWS)]
    challenged(champion(), Lessons(short, some(100, 2), some(100, 3)), some(100, 3), terms())
    labels, weights = given["labels"], given["weights"]
    assert isinstance(labels, list)
    assert isinstance(weights, list)
    assert (len(labels), sum(labels)) == (MOST_WINDOWS, 2 * MOST_WINDOWS // 40)
    assert weights[0] == OWN_COUNTS  # a failure of this fleet
    several = (2 * MOST_WINDOWS - 250) / (MOST_WINDOWS - 250)
    assert {weight for weight, label in zip(weights, labels, strict=True) if not label} <= {
        several,
        OWN_COUNTS * several,
    }


def test_torch_learns_what_no_row_tells_and_so_speaks() -> None:
    needs_torch()
    told = lessons()
    best, why = challenged(champion(), told, told.held, terms())
    assert why.startswith("the LSTM is taken: ")
    assert best.network is not None
    right = [(best.probability(one.row, one.window) > 0.5) == one.happened for one in told.held]
    assert sum(right) > 290
