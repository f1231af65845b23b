"""Is the chance of the next death what it is, from the first one on?"""

from __future__ import annotations

from functools import reduce
from math import exp
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.hazard import KINDS, asked, brier, calibration_error
from selfheal.events import AgentDeclared, AgentExited, AgentStarted, Event, FailurePredicted, PredictionEnded, Run
from selfheal.history.rings import History
from selfheal.predict.exhaustion import forecasts
from selfheal.predict.hazard import HOUR_S, Prior, chances, hazard, prior_of
from selfheal.world import EMPTY, World, fold
from selfheal.world.deaths import HALF_LIFE_S, Deaths

DAY_S = 86400.0


def _lived(hours: float, deaths: int) -> Deaths:
    return Deaths(weight=float(deaths), up_s=hours * HOUR_S, at=1.0, count=deaths)


def _run(generation: int, at: float) -> AgentStarted:
    return AgentStarted(at, "api", Run(7, generation, at, generation, "boot"), "first" if generation == 1 else "reflex")


def _died(generation: int, at: float, *, expected: bool = False, code: int = 1) -> AgentExited:
    return AgentExited(at, "api", generation, 7, code, None, 10.0, expected=expected)


def _world(*events: Event, ends: bool = False) -> World:
    declared = AgentDeclared(1.0, "api", "process", "application", (), (), True, ends=ends)
    return reduce(fold, [declared, *events], EMPTY)


# --- what is counted -------------------------------------------------------------------------------------------------


def test_deaths_and_the_time_up_are_counted_from_what_happened() -> None:
    seen = _world(_run(1, 1.0), _died(1, 3601.0), _run(2, 3601.0)).agents["api"].deaths
    assert (seen.count, seen.last_at, seen.weight) == (1, 3601.0, 1.0)
    assert seen.up_s == pytest.approx(3600.0, rel=0.05)  # a little less: what is past weighs less
    down = _world(_run(1, 1.0), _died(1, 3601.0), _run(2, 7201.0)).agents["api"].deaths
    assert down.up_s < seen.up_s


def test_what_was_ended_on_purpose_and_work_that_was_done_are_no_deaths() -> None:
    assert _world(_run(1, 1.0), _died(1, 9.0, expected=True)).agents["api"].deaths.count == 0
    assert _world(_run(1, 1.0), _died(1, 9.0, code=0), ends=True).agents["api"].deaths.count == 0
    assert _world(_run(1, 1.0), _died(1, 9.0, code=0)).agents["api"].deaths.count == 1
    assert _world(_run(2, 1.0), _died(1, 9.0)).agents["api"].deaths.count == 0  # of a run that is long gone


def test_what_is_a_half_life_ago_weighs_half() -> None:
    then = Deaths(weight=2.0, up_s=1000.0, at=10.0, count=2)
    later = then.until(10.0 + HALF_LIFE_S, up=False)
    assert later.weight == pytest.approx(1.0)
    assert later.up_s == pytest.approx(500.0)
    assert later.count == 2


@given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=20))
def test_time_up_adds_up_however_it_is_cut(spans: list[float]) -> None:
    cut = reduce(lambda deaths, span: deaths.until(deaths.at + span, up=True), spans, Deaths(at=1.0))
    whole = Deaths(at=1.0).until(1.0 + sum(spans), up=True)
    assert cut.up_s == pytest.approx(whole.up_s, rel=1e-6)


# --- the chance ------------------------------------------------------------------------------------------------------


def test_one_that_died_is_likelier_to_die_than_one_that_did_not_from_the_first_time_on() -> None:
    prior = prior_of([_lived(10.0, 0)] * 4 + [_lived(10.0, 1)])
    never, once, twice = (hazard(_lived(10.0, deaths), prior) for deaths in (0, 1, 2))
    assert never.chance < once.chance < twice.chance
    low, high = chances(_lived(10.0, 1), prior)
    assert low < once.chance < high
    assert once.eta_low_s < once.eta_s < once.eta_high_s


def test_an_agent_that_has_just_begun_is_taken_for_one_like_the_others() -> None:
    dying = prior_of([_lived(30.0, 15)] * 10)
    steady = prior_of([_lived(30.0, 0)] * 10)
    new = Deaths(at=1.0)
    assert hazard(new, dying).chance == pytest.approx(1 - exp(-0.5), rel=0.15)
    assert hazard(new, steady).chance < 0.01


def test_how_alike_a_fleet_is_decides_how_much_it_says_of_one() -> None:
    alike = prior_of([_lived(30.0, 6)] * 10)
    apart = prior_of([_lived(30.0, 0)] * 9 + [_lived(30.0, 60)])
    assert alike.shape > 10 * apart.shape
    once = _lived(1.0, 1)
    assert hazard(once, apart).chance > 2 * hazard(once, alike).chance


def test_without_anything_seen_the_chance_is_small_and_not_nothing() -> None:
    assert 0.0 < hazard(Deaths(), prior_of([])).chance < 0.02


@given(st.floats(0.0, 1e3), st.floats(0.0, 1e7), st.floats(0.05, 20.0), st.floats(1.0, 1e8))
def test_a_chance_is_a_share_within_its_interval(weight: float, up_s: float, shape: float, rate_s: float) -> None:
    known, prior = Deaths(weight, up_s), Prior(shape, rate_s)
    seen, (low, high) = hazard(known, prior), chances(known, prior)
    assert 0.0 <= low <= high <= 1.0
    assert 0.0 <= seen.chance <= 1.0
    assert 0.0 <= seen.eta_low_s <= seen.eta_s <= seen.eta_high_s


def test_it_is_calibrated_on_mixed_fleets_and_better_than_what_one_reckons_by_hand() -> None:
    dice = Random(5)
    found = [one for kind in ("all alike", "mixed (gamma)", "bad deploys") for one in asked(KINDS[kind], dice)]
    assert calibration_error(found, "Gamma-Poisson") < 0.03
    ours = brier(found, "Gamma-Poisson")
    assert ours < min(brier(found, way) for way in ("its own deaths", "the fleet's mean"))


# --- told ------------------------------------------------------------------------------------------------------------


def _loop(count: int, every_s: float) -> list[Event]:
    events: list[Event] = []
    for generation in range(1, count + 1):
        at = 1.0 + (generation - 1) * every_s
        events += [_run(generation, at), _died(generation, at + every_s)]
    return [*events, _run(count + 1, 1.0 + count * every_s)]


def test_one_that_dies_again_and_again_is_told_with_what_speaks_for_it_and_nothing_is_planned() -> None:
    world, now = _world(*_loop(6, 1200.0)), 1.0 + 6 * 1200.0 + 60.0
    (seen,) = forecasts(world, History(), now)
    assert isinstance(seen, FailurePredicted)
    assert (seen.mode, seen.model, seen.horizon_s, seen.value) == ("crash", "hazard", 3600.0, 6.0)
    assert 0.2 < seen.probability < 0.95
    assert [one.signal for one in seen.contributions] == ["deaths", "fleet"]
    assert sum(one.weight for one in seen.contributions) == pytest.approx(1.0)
    assert "6 times" in seen.contributions[0].what


def test_a_single_death_of_a_steady_fleet_is_not_worth_a_word() -> None:
    world = _world(_run(1, 1.0), _died(1, DAY_S), _run(2, DAY_S))
    assert forecasts(world, History(), DAY_S + 60.0) == ()


def test_the_next_death_makes_it_true_and_quiet_time_ends_it() -> None:
    loop, now = _loop(6, 1200.0), 1.0 + 6 * 1200.0 + 60.0
    (seen,) = forecasts(_world(*loop), History(), now)
    died: list[Event] = [_died(7, now + 100.0), _run(8, now + 100.0)]
    told = forecasts(_world(*loop, seen, *died), History(), now + 160.0)
    assert told == (PredictionEnded(now + 160.0, "api", "crash", "happened", "it died"),)
    quiet = now + 5 * DAY_S
    told = forecasts(_world(*loop, seen), History(), quiet)
    assert told == (PredictionEnded(quiet, "api", "crash", "withdrawn", "it is not seen any more"),)
