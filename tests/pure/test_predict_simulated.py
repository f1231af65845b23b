"""Does a simulated fleet fail where its limits are, and only there?"""

from __future__ import annotations

from collections import Counter
from math import isfinite
from random import Random
from statistics import median

import pytest

from selfheal.predict.recording import Recording
from selfheal.predict.roles import foreseeable, role_of
from selfheal.predict.simulated import SIGNALS, WITHOUT_PRECURSOR, Scene, fleet

FILLS = {"out_of_memory": "rss", "out_of_fds": "fds", "disk_full": "disk"}


@pytest.fixture(scope="module")
def simulated() -> tuple[Recording, list[Scene]]:
    return fleet(Random(7), 24, hours=72.0)


def test_the_same_dice_make_the_same_fleet(simulated: tuple[Recording, list[Scene]]) -> None:
    again, scenes = fleet(Random(7), 24, hours=72.0)
    assert again.failures == simulated[0].failures
    assert scenes == simulated[1]
    other, _ = fleet(Random(8), 24, hours=72.0)
    assert other.failures != again.failures


def test_a_failure_is_there_when_the_limit_is(simulated: tuple[Recording, list[Scene]]) -> None:
    recording, _ = simulated
    nearest = []
    for failure in recording.failures:
        signal = FILLS.get(failure.mode)
        limit = recording.limits[failure.agent].get(signal or "")
        if signal is None or limit is None:
            continue
        samples = recording.agents[failure.agent]
        latest = [
            value
            for at, value in zip(samples.at, samples.values[signal], strict=True)
            if failure.at - 900.0 < at < failure.at and isfinite(value)
        ]
        if latest:
            nearest.append(max(latest) / limit)
    assert len(nearest) >= 10
    assert min(nearest) > 0.85
    assert median(nearest) > 0.94


def test_every_limit_is_told_where_that_is_asked_for() -> None:
    recording, _ = fleet(Random(7), 24, hours=24.0, every_limit=True)
    for agent, samples in recording.agents.items():
        there = {name for name, values in samples.values.items() if any(map(isfinite, values))}
        assert set(recording.limits[agent]) == there - {"cpu", "restarts"}


def test_what_is_harmless_comes_three_times_as_often_and_does_not_fail(
    simulated: tuple[Recording, list[Scene]],
) -> None:
    recording, scenes = simulated
    kinds = Counter(scene.kind for scene in scenes)
    failing = sum(count for kind, count in kinds.items() if kind in {one.mode for one in recording.failures})
    announced = sum(foreseeable(failure.mode) for failure in recording.failures)
    assert 2.0 < (len(scenes) - failing) / announced < 5.0
    assert {"warm_up", "step", "peak", "filled_and_released", "deploy", "burst"} <= set(kinds)
    assert any(failure.mode in WITHOUT_PRECURSOR for failure in recording.failures)


def test_agents_differ_in_sampling_signals_and_limits_and_have_gaps(
    simulated: tuple[Recording, list[Scene]],
) -> None:
    recording, _ = simulated
    assert recording.signals == SIGNALS
    gaps = {round(samples.at[1] - samples.at[0]) for samples in recording.agents.values()}
    assert gaps == {60, 300}
    assert len({frozenset(limits) for limits in recording.limits.values()}) > 3
    for samples in recording.agents.values():
        missing = sum(not isfinite(value) for value in samples.values["rss"])
        assert missing < len(samples.at) / 5
    assert {role_of(signal) for signal in SIGNALS} >= {
        "memory",
        "fds",
        "disk",
        "latency",
        "errors",
        "queue",
        "restarts",
    }


def test_nothing_is_told_of_an_agent_that_is_down(simulated: tuple[Recording, list[Scene]]) -> None:
    recording, _ = simulated
    for failure in recording.failures:
        samples = recording.agents[failure.agent]
        down = [
            value
            for at, value in zip(samples.at, samples.values["rss"], strict=True)
            if failure.at <= at < failure.at + 120.0
        ]
        assert not any(isfinite(value) for value in down)
