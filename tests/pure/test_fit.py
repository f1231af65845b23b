"""Do fitted weights make what was true likelier, and are they taken only where they do so on other incidents?"""

from __future__ import annotations

from random import Random

import pytest

from selfheal.diagnose.channels import Finding
from selfheal.diagnose.fit import Example, fit, is_better, loss
from selfheal.diagnose.fusion import features, probabilities

NAMES = ("a", "b", "c", "d")
CHANNELS = ("good", "noise")


def examples(count: int, seed: int) -> list[Example]:
    """The first channel knows the cause, the second says anything."""
    chance, found = Random(seed), []
    for _ in range(count):
        truth = chance.choice([*NAMES, "none"])
        good = {name: 2.0 * (name == truth) + abs(chance.gauss(0.0, 0.3)) for name in NAMES}
        noise = {name: 3.0 * chance.random() for name in NAMES}
        told = features({"good": Finding(good), "noise": Finding(noise)}, CHANNELS, NAMES)
        found.append(Example(told, truth))
    return found


def test_what_knows_the_cause_gets_the_weight() -> None:
    known = fit(examples(80, 1), [0.3] * 4)
    good, noise = sum(known.weights[:2]), sum(known.weights[2:])
    assert good > 5 * noise
    assert known.loss < 0.4 * loss(examples(80, 1), [0.3] * 4, 0.0)
    assert min(known.weights) >= 0.0


def test_weights_are_taken_only_where_they_are_better_on_what_they_have_not_seen() -> None:
    known = fit(examples(60, 1), [0.3] * 4)
    assert is_better(examples(60, 2), known, [0.3] * 4, 0.0)
    assert not is_better(examples(60, 2), known, known.weights, known.nothing)
    assert not is_better([], known, [0.3] * 4, 0.0)


def test_of_no_incident_nothing_is_learned() -> None:
    with pytest.raises(ValueError, match="no incident"):
        fit([], [0.3] * 4)


def test_a_channel_that_saw_nothing_says_nothing() -> None:
    told = features({"good": Finding(missing="no logs")}, CHANNELS, NAMES)
    assert set(told.values()) == {(0.0, 0.0, 0.0, 0.0)}
    assert probabilities(told, [1.0] * 4, 0.0) == pytest.approx(dict.fromkeys(["none", *NAMES], 0.2))
