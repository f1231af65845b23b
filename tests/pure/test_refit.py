"""Are weights learned from labels where that helps, and only there?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from selfheal.diagnose.case import NONE
from selfheal.diagnose.fusion import probabilities
from selfheal.diagnose.own import BELIEVED, weights_of
from selfheal.diagnose.refit import LABELS, MORE, examples, refit
from selfheal.events import Ranked, Suspected, WeightsLearned
from selfheal.world import Incident, Label
from tests.pure.situations import NOW

NAMES = weights_of(None).names
# Somebody was noticed, and what was noticed had moved somewhat.
AROUND = (1.0, 1.0, 0.5, 1.4)
AGENTS = ("db", "cache", "api", "web")


def incident(number: int, truth: str, seen: dict[str, dict[str, float]], cause: str = "slow") -> Incident:
    """An incident in which each channel of `seen` scored each agent so, and of which somebody said the `truth`."""
    suspects = tuple(
        Suspected(agent, 0.25, {}, tuple(_features(agent, seen))) for agent in AGENTS
    )  # fmt: skip
    ranked = Ranked(NOW, f"inc-{number}", suspects, 0.0, "investigate", AROUND, NAMES, tuple(seen))
    label = Label(cause, truth, "ada", NOW, "slow", 0.5, right=False)
    return Incident(
        f"inc-{number}", "web", ("web",), "check", "a sign", NOW, NOW, "resolved", ranking=ranked, label=label
    )


def _features(agent: str, seen: dict[str, dict[str, float]]) -> Iterator[float]:
    for name in NAMES:
        scores = {other: seen.get(name, {}).get(other, 0.0) for other in AGENTS}
        yield scores[agent]
        yield scores[agent] - max(score for other, score in scores.items() if other != agent)


def known(count: int, channel: str, seed: int = 1) -> list[Incident]:
    """Incidents in which one channel is always right, and another one always wrong."""
    chance = Random(seed)
    found = []
    for number in range(count):
        truth, decoy = chance.sample(AGENTS, 2)
        found.append(incident(number, truth, {channel: {truth: 2.0}, "shift": {decoy: 3.0}}))
    return found


def as_believed(count: int, seed: int) -> list[Incident]:
    """Incidents that are just as likely as is believed: there is nothing to learn from them but chance."""
    chance, weights = Random(seed), weights_of(None)
    found = []
    for number in range(count):
        seen = {
            name: {agent: chance.uniform(0.0, 3.0) for agent in AGENTS} for name in ("shift", "dependency", "known")
        }
        features = {agent: tuple(_features(agent, seen)) for agent in AGENTS}
        told = probabilities(features, weights.numbers, weights.utility_of_none(AROUND))
        (truth,) = chance.choices(list(told), list(told.values()))
        found.append(incident(number, "printer" if truth == NONE else truth, seen))
    return found


def test_a_channel_that_proves_right_counts_more_and_one_that_misleads_less() -> None:
    learned = refit(known(60, "known"), None, NOW)
    assert learned is not None
    assert learned.labels == 60
    assert learned.loss_after < learned.loss_before
    then, now = {name: margin for name, _, margin in weights_of(None).channels}, learned.weights
    assert now["known"][1] > then["known"]
    assert now["shift"][1] < then["shift"]
    assert {name: margin for name, _, margin in weights_of(learned).channels} == {
        name: margin for name, (_, margin) in now.items()
    }


@pytest.mark.parametrize("count", [0, 1, LABELS - 1])
def test_of_few_labels_nothing_is_learned(count: int) -> None:
    assert refit(known(count, "known"), None, NOW) is None


def test_where_there_is_nothing_to_learn_what_is_believed_stays_as_a_rule() -> None:
    taken = [learned for seed in range(6) if (learned := refit(as_believed(LABELS, seed), None, NOW)) is not None]
    assert all(one.loss_after < one.loss_before for one in taken)
    assert len(taken) <= 3


def test_it_is_not_learned_anew_before_there_are_more_labels() -> None:
    some = known(60, "known")
    learned = refit(some, None, NOW)
    assert learned is not None
    assert refit(some, learned, NOW) is None
    assert refit(known(60 + MORE, "known"), learned, NOW) is not None


def test_the_same_incidents_teach_the_same() -> None:
    assert refit(known(40, "known"), None, NOW) == refit(known(40, "known"), None, NOW)


def test_none_of_these_stays_likely_where_no_channel_sees_anything() -> None:
    learned = refit(known(80, "known"), None, NOW)
    assert learned is not None
    silent = {agent: (0.0,) * 2 * len(NAMES) for agent in AGENTS}
    weights = weights_of(learned)
    told = probabilities(silent, weights.numbers, weights.utility_of_none(AROUND))
    assert told[NONE] == max(told.values())


def test_labels_that_say_nothing_of_where_are_passed_over() -> None:
    one = incident(1, "db", {})
    assert one.label is not None
    others = [
        replace(one, label=None),
        replace(one, ranking=None),
        replace(one, label=replace(one.label, cause="")),
        replace(one, label=replace(one.label, cause="unknown")),
        replace(one, merged_into="inc-7"),
    ]
    assert examples(others, NAMES) == []
    nobody = examples([replace(one, label=replace(one.label, agent="printer"))], NAMES)
    assert [example.truth for example in nobody] == ["none"]


def test_a_channel_that_is_newer_than_what_was_learned_counts_as_is_believed() -> None:
    learned = WeightsLearned(NOW, {"shift": (1.0, 2.0)}, (1.5, 0.0, 0.0, 0.0), 40, 1.0, 0.5)
    weights = weights_of(learned)
    assert ("shift", 1.0, 2.0) in weights.channels
    assert set(BELIEVED) <= set(weights.channels)
    assert weights.utility_of_none(AROUND) == 1.5


def test_features_of_another_version_are_read_by_the_names_of_their_channels() -> None:
    one = incident(1, "db", {"known": {"db": 2.0}})
    assert one.ranking is not None
    old = replace(one.ranking, channels=("known", "gone"), suspects=(Suspected("db", 1.0, {}, (2.0, 1.0, 9.0, 9.0)),))
    (found,) = examples([replace(one, ranking=old)], NAMES)
    assert found.features["db"][2 * NAMES.index("known")] == 2.0
    assert sum(found.features["db"]) == 3.0
