"""Does the daemon make the row that a child makes of the same points, whatever way it came to know them?"""

from __future__ import annotations

from array import array
from dataclasses import replace
from math import isnan, nan
from random import Random

import pytest

from selfheal.ml.forest import packed
from selfheal.ml.wire import Past
from selfheal.predict.recent import KEPT, MOST_SIGNALS, STEP_S, Recent, means_of, signals_told, step_of
from selfheal.predict.windows import FEATURES, Windows
from selfheal.recorded.foreteller import foreteller_of, said_of
from selfheal.recorded.stories import own
from selfheal.world import Agent
from tests.pure.foretellers import kept_file

BEGAN = 1_767_225_600.0
LIMITS = {"rss": 400e6}


def points(hours: float, gap_s: float = 15.0) -> dict[str, tuple[array[float], array[float]]]:
    """A leak, a latency, and an hour in which nothing was measured."""
    dice, times = Random(3), array("d")
    rss, latency = array("d"), array("d")
    for number in range(int(hours * 3600 / gap_s)):
        at = BEGAN + gap_s * number + 1.0
        if not 5.0 * 3600.0 < at - BEGAN < 6.0 * 3600.0:
            times.append(at)
            rss.append(50e6 + 3e3 * (at - BEGAN) + dice.gauss(0.0, 1e6))
            latency.append(abs(dice.gauss(0.1, 0.02)))
    return {"rss": (times, rss), "latency": (times, latency)}


def test_what_comes_bit_by_bit_is_what_comes_at_once() -> None:
    seen, now = points(30.0), BEGAN + 30.0 * 3600.0
    whole, bits = Recent("api", step_of(now)), Recent("api", step_of(BEGAN))
    for name, (times, values) in seen.items():
        whole.begin(name, means_of(times, values, step_of(now) - KEPT + 1, step_of(now)))
    at = BEGAN
    while at < now:
        at = min(now, at + 437.0)  # no whole step
        bits.go_on(((name, *series) for name, series in seen.items()), at)
    one, other = whole.track(LIMITS, ()), bits.track(LIMITS, ())
    assert (one.first, one.length) == (other.first, other.length) == (step_of(now) - KEPT + 1, KEPT)
    for name in seen:
        pairs = zip(one.columns[name].means, other.columns[name].means, strict=True)
        assert all(here == there or (isnan(here) and isnan(there)) for here, there in pairs)


def test_the_row_of_the_daemon_is_the_row_of_the_child() -> None:
    seen, now, restarts = points(30.0), BEGAN + 30.0 * 3600.0, (BEGAN + 3600.0,)
    last = step_of(now)
    columns = {name: means_of(*series, last - KEPT + 1, last) for name, series in seen.items()}
    recent = Recent("api", last)
    for name, means in columns.items():
        recent.begin(name, means)
    context = {"anomalies": array("d", [0.0] * (KEPT - 9) + [2.0] * 9), "changes": array("d", [0.0] * KEPT)}
    past = Past(
        agent="api", first=last - KEPT + 1,
        columns={name: packed(means) for name, means in (columns | context).items()},
        limits=(("out_of_memory", "rss", 400e6),), restarts=restarts,
    )  # fmt: skip
    story = own(past)
    assert story.limits == {"out_of_memory": LIMITS}
    childs = Windows(replace(story.track(), limits=story.limits["out_of_memory"]))
    daemons = Windows(recent.track(LIMITS, restarts, context))
    mine, theirs = daemons.row(KEPT - 1), childs.row(KEPT - 1)
    assert mine is not None
    assert theirs is not None
    assert list(map(repr, mine)) == list(map(repr, theirs))
    assert sum(not isnan(cell) for cell in mine) > 40
    assert mine[FEATURES.index("agent.anomalies")] == 1.5


def test_a_signal_that_is_new_was_not_seen_before() -> None:
    recent = Recent("api", 100)
    recent.go_on([("rss", [100.5 * STEP_S, 101.0 * STEP_S], [1.0, 3.0])], 101.0 * STEP_S)
    assert recent.signals == ("rss",)
    means = recent.track({}, ()).columns["rss"].means
    assert list(means[-1:]) == [2.0]
    assert all(map(isnan, means[:-1]))


def test_what_is_away_for_longer_than_is_kept_begins_anew() -> None:
    recent = Recent("api", 100)
    recent.begin("rss", [1.0] * KEPT)
    recent.go_on([], (100 + 2 * KEPT) * STEP_S)
    assert recent.first == 100 + KEPT + 1
    assert all(map(isnan, recent.track({}, ()).columns["rss"].means))


def test_steps_hold_what_is_a_number_and_belong_to_their_end() -> None:
    times = [0.0, 1.0, STEP_S, STEP_S + 0.1, 2 * STEP_S]
    first, second, third = means_of(times, [9.0, 1.0, 3.0, nan, 5.0], 1, 3)
    assert (first, second) == (2.0, 5.0)
    assert isnan(third)


def test_rows_are_of_signals_with_a_limit_first_and_of_no_more_than_so_many() -> None:
    agent = Agent("api", memory_limit=400, signal_limits=(("tickets", 9.0),))
    names = [*(f"latency_{number}" for number in range(40)), "tickets", "rss", "whatever"]
    told = signals_told(agent, names)
    assert told[:2] == ("tickets", "rss")
    assert len(told) == MOST_SIGNALS
    assert "whatever" not in told


def test_what_a_model_says_of_a_track_has_reasons_where_there_is_something_to_tell() -> None:
    model = foreteller_of(kept_file()).modes["out_of_memory"]
    seen, now = points(30.0), BEGAN + 30.0 * 3600.0
    recent = Recent("api", step_of(now))
    for name, series in seen.items():
        recent.begin(name, means_of(*series, recent.first, recent.until))
    said = said_of(model, recent.track({}, ()), LIMITS)
    assert said is not None
    assert (said.signal, said.limit, said.at) == ("rss", 400e6, now)
    assert said.value == pytest.approx(50e6 + 3e3 * 30 * 3600.0, rel=0.02)
    assert said.probability < 0.1
    assert said.contributions == ()
    assert said_of(model, recent.track({}, ()), {"fds": 100.0}) is None
    nearer = said_of(model, recent.track({}, ()), {"rss": 100e6})  # the same rise is a fifth of that
    assert nearer is not None
    assert nearer.probability > 0.9
    assert [one.signal for one in nearer.contributions] == ["rss"]
