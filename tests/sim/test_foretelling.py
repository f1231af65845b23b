"""Is what foretells failures learned at the first chance, asked, kept, and done without where anything fails?

The child is simulated: what it learns is made up. That the real one learns is tried in tests/real.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from selfheal.compose.foretelling import FIRST_S, NO_CHILD, TREES_SAY
from selfheal.events import FailurePredicted, PredictionEnded, WorkDone
from selfheal.ml.client import ChildFailed
from selfheal.ml.wire import (
    Fit,
    Fitted,
    Foretell,
    Foretold,
    NotFitted,
)
from selfheal.predict.windows import FEATURES
from selfheal.recorded.foreteller import foreteller_of, spread_of
from selfheal.rehearse.machine import Program, SimulatedMachine
from selfheal.rehearse.outside import Silent
from selfheal.rehearse.virtual import EPOCH
from selfheal.serve.views.foresight import prediction_counts, predictions
from tests.pure.foretellers import certain, kept_file, kept_network, of_mode
from tests.sim.fleets import agent, several
from tests.sim.rehearsal import Rehearsal, rehearse

LEAKING = agent("api", more='limits = { memory = "400MB" }')
# From 50 MB with 20 kB a second: the limit is reached after five hours.
LEAK = Program(rss_bytes=50e6, leak_bytes_per_s=20e3)
HOUR_S = 3600.0
FILE = Path("models") / "fleet.foreteller"


@dataclass
class Child:
    """Learns at once, or does what it is told to."""

    orders: list[Foretell] = field(default_factory=list)
    instead: Callable[[Foretell], Foretold | NotFitted] | None = None

    async def fit(self, order: Fit) -> Fitted | NotFitted:
        return NotFitted(job=order.job, slug="too_little", why="nothing else is learned here")

    async def foretell(self, order: Foretell) -> Foretold | NotFitted:
        self.orders.append(order)
        return self.instead(order) if self.instead is not None else learned(order)

    async def close(self) -> None:
        return


def learned(order: Foretell, *, taken: int = 1, speaks: bool = True) -> Foretold:
    return Foretold(job=order.job, model=kept_file(of_mode(speaks=speaks), trained_at=order.until), taken=taken)


def played(
    folder: Path,
    story: Callable[[Rehearsal], Coroutine[object, object, None]],
    child: Child | None,
    toml: str = LEAKING,
    program: Program = LEAK,
) -> None:
    def prepare(machine: SimulatedMachine) -> None:
        machine.calls.learner = child

    rehearse(folder, toml, story, {"api": program}, prepare=prepare)


def speaker(r: Rehearsal) -> tuple[str, str]:
    told = r.daemon.vitals.speakers["out_of_memory"]
    return told.model, told.why


def foreseen(r: Rehearsal) -> FailurePredicted | None:
    return r.world.foresight.predictions.get(("api", "out_of_memory"))


def by_boost(r: Rehearsal) -> bool:
    seen = foreseen(r)
    return seen is not None and seen.model == "boost"


async def trainings(r: Rehearsal, outcome: str) -> float:
    page, _ = await r.daemon.metrics.render("text/plain")
    text = page.decode()
    name = f'selfheal_ml_trainings_total{{outcome="{outcome}"}} '
    return next((float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name)), 0.0)


def test_it_is_learned_at_the_first_chance_and_speaks_where_it_is_better(tmp_path: Path) -> None:
    child = Child()

    async def story(r: Rehearsal) -> None:
        await r.wait(FIRST_S - 120.0)
        assert child.orders == []
        assert speaker(r)[0] == "trend"
        await r.until(lambda: len(child.orders) == 1, within_s=300.0)
        (past,) = child.orders[0].pasts
        assert past.agent == "api"
        assert ("out_of_memory", "rss", 400e6) in past.limits
        await r.until(lambda: by_boost(r), within_s=HOUR_S)
        assert speaker(r) == ("boost", "it was made up")
        seen = foreseen(r)
        assert seen is not None
        assert seen.probability == pytest.approx(0.953, abs=0.001)
        assert (seen.signal, seen.limit, seen.horizon_s) == ("rss", 400e6, 7200.0)
        assert 0.0 < seen.eta_low_s < seen.eta_s < seen.eta_high_s
        (why,) = seen.contributions
        assert (why.signal, why.weight) == ("rss", 1.0)
        assert why.what.startswith("it rises by 72.")
        told = prediction_counts(r.world, r.daemon.vitals)
        assert told.by == {"boost": 1}
        assert told.speakers["out_of_memory"].model == "boost"
        assert told.speakers["disk_full"].model == "trend"
        (view,) = predictions(r.world, r.clock.now(), r.daemon.vitals)
        assert (view.model, view.model_why) == ("boost", "it was made up")

    played(tmp_path, story, child)


def test_where_an_lstm_was_better_it_says_how_likely_and_the_trees_say_why(tmp_path: Path) -> None:
    told = replace(of_mode(), network=kept_network(certain(margin=2.0)), of_lstm="the LSTM is taken")
    child = Child(instead=lambda order: Foretold(job=order.job, model=kept_file(told, trained_at=order.until), taken=1))

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: (seen := foreseen(r)) is not None and seen.model == "lstm", within_s=2 * HOUR_S)
        seen = foreseen(r)
        assert seen is not None
        assert seen.probability == pytest.approx(0.881, abs=0.001)
        assert [one.signal for one in seen.contributions] == ["rss"]
        assert speaker(r) == ("lstm", f"it was made up; the LSTM is taken; {TREES_SAY}")
        assert prediction_counts(r.world, r.daemon.vitals).by == {"lstm": 1}

    played(tmp_path, story, child)


def test_where_it_is_no_better_the_trend_speaks_on_and_it_is_said_why(tmp_path: Path) -> None:
    child = Child(instead=lambda order: learned(order, speaks=False))

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: foreseen(r) is not None, within_s=5 * HOUR_S)
        seen = foreseen(r)
        assert seen is not None
        assert seen.model == "trend"
        assert speaker(r) == ("trend", "it was made up")

    played(tmp_path, story, child)


def test_it_is_kept_and_the_next_daemon_asks_it(tmp_path: Path) -> None:
    child = Child()

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: speaker(r)[0] == "boost", within_s=HOUR_S)
        assert foreteller_of((tmp_path / FILE).read_bytes()).told.trained_at == child.orders[0].until
        await r.crash()
        await r.boot()
        await r.until(lambda: by_boost(r), within_s=2 * HOUR_S)
        assert len(child.orders) == 1

    played(tmp_path, story, child)


@pytest.mark.parametrize("cut", [lambda data: data[:-7], lambda data: b"garbage" * 1000, lambda data: b"\0"])
def test_a_kept_file_that_is_none_is_put_aside_and_learned_again(tmp_path: Path, cut: Callable[[bytes], bytes]) -> None:
    child = Child()

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: speaker(r)[0] == "boost", within_s=HOUR_S)
        await r.stop()
        (tmp_path / FILE).write_bytes(cut((tmp_path / FILE).read_bytes()))
        await r.boot()
        await r.until(lambda: "out_of_memory" in r.daemon.vitals.speakers)
        assert speaker(r)[0] == "trend"
        assert (tmp_path / FILE).with_suffix(".refused").exists()
        assert not (tmp_path / FILE).exists()
        await r.until(lambda: speaker(r)[0] == "boost", within_s=HOUR_S)
        assert (tmp_path / FILE).exists()

    played(tmp_path, story, child)


def died(order: Foretell) -> Foretold:
    raise ChildFailed("died", "it was ended by SIGKILL")


@pytest.mark.parametrize(
    ("instead", "why"),
    [
        (died, "the process that learns failed (died): it was ended by SIGKILL"),
        (
            lambda order: Foretold(job=order.job, model=b"garbage", taken=1),
            "what it learned is no model: it is no model of selfheal",
        ),
        (lambda order: NotFitted(job=order.job, slug="not_installed", why="no XGBoost"), "no XGBoost"),
    ],
)
def test_a_child_that_fails_costs_the_boosters_alone(
    tmp_path: Path, instead: Callable[[Foretell], Foretold | NotFitted], why: str
) -> None:
    child = Child(instead=instead)

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: len(child.orders) == 1, within_s=HOUR_S)
        await r.wait(70.0)
        assert speaker(r) == ("trend", why)
        await r.until(lambda: foreseen(r) is not None, within_s=5 * HOUR_S)
        seen = foreseen(r)
        assert seen is not None
        assert seen.model == "trend"
        assert len(child.orders) < 12  # tried less and less
        child.instead = None
        await r.until(lambda: speaker(r)[0] == "boost", within_s=2 * HOUR_S)

    played(tmp_path, story, child)


class Heard(Silent):
    """A log that keeps the names of its warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, event: str, /, **facts: object) -> None:
        self.warnings.append(event)


def test_a_child_that_dies_again_and_again_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child, heard = Child(instead=died), Heard()

    async def story(r: Rehearsal) -> None:
        monkeypatch.setattr(r.daemon.learning.foretelling._backoff, "_log", heard)
        await r.until(lambda: len(child.orders) == 4, within_s=2 * HOUR_S)
        await r.wait(10.0)
        assert heard.warnings == ["foretelling.trend"]
        child.instead = lambda order: Foretold(job=order.job, model=b"garbage", taken=1)
        await r.until(lambda: len(child.orders) == 6, within_s=3 * HOUR_S)
        await r.wait(10.0)
        assert heard.warnings == ["foretelling.trend", "foretelling.trend"]  # another trouble

    played(tmp_path, story, child, LEAKING, Program(rss_bytes=50e6))


def test_a_model_that_is_there_is_asked_on_while_the_child_fails(tmp_path: Path) -> None:
    child = Child()

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: speaker(r)[0] == "boost", within_s=HOUR_S)
        child.instead = died
        await r.until(lambda: len(child.orders) > 1, within_s=3 * HOUR_S)
        await r.until(lambda: by_boost(r), within_s=HOUR_S)

    played(
        tmp_path,
        story,
        child,
        LEAKING + "[daemon]\nml_retrain_interval = 60\n",
        Program(rss_bytes=50e6, leak_bytes_per_s=10e3),
    )


def test_what_does_not_beat_the_one_before_is_counted_as_such(tmp_path: Path) -> None:
    child = Child()

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: speaker(r)[0] == "boost", within_s=HOUR_S)
        assert (await trainings(r, "fitted"), await trainings(r, "not_better")) == (1.0, 0.0)
        kept = (tmp_path / FILE).read_bytes()
        child.instead = lambda order: learned(order, taken=0)
        await r.until(lambda: len(child.orders) == 2, within_s=3 * HOUR_S)
        await r.wait(10.0)
        assert child.orders[1].before == kept
        assert child.orders[1].until - child.orders[0].until >= 24 * 60.0  # nothing has failed: it is not pressing
        assert (await trainings(r, "fitted"), await trainings(r, "not_better")) == (1.0, 1.0)

    played(tmp_path, story, child, LEAKING + "[daemon]\nml_retrain_interval = 60\n", Program(rss_bytes=50e6))


def test_what_has_drifted_is_learned_again_without_a_failure(tmp_path: Path) -> None:
    far = replace(of_mode(), spread=spread_of([[1e6] * len(FEATURES)] * 3))
    child = Child(instead=lambda order: Foretold(job=1, model=kept_file(far, trained_at=order.until), taken=1))
    toml = several("api", 10, more='limits = { memory = "400MB" }') + '[daemon]\nml_retrain_interval = "1h"\n'

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: len(child.orders) == 2, within_s=6 * HOUR_S)
        assert child.orders[1].until - child.orders[0].until >= HOUR_S
        assert r.world.incidents == {}

    played(tmp_path, story, child, toml, Program(rss_bytes=50e6))


def test_what_was_averted_is_in_neither_class(tmp_path: Path) -> None:
    child = Child()

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: bool(r.seen(WorkDone)), within_s=3500.0)
        r.machine.programs["api"] = Program()
        await r.until(lambda: bool(r.seen(PredictionEnded)), within_s=700.0)
        assert r.seen(PredictionEnded)[0].outcome == "averted"
        await r.until(lambda: child.orders[-1].until > r.seen(PredictionEnded)[0].at, within_s=2 * HOUR_S)
        (past,) = child.orders[-1].pasts
        assert past.failures == ()
        began, done = r.seen(FailurePredicted)[0].at, r.seen(WorkDone)[0].at
        assert any(mode == "out_of_memory" and begin <= began and done <= end for mode, begin, end in past.left_out)
        assert past.restarts[-1] > EPOCH

    quick = LEAKING + "[daemon]\nml_retrain_interval = 60\n"
    played(tmp_path, story, child, quick, Program(rss_bytes=50e6, leak_bytes_per_s=100e3))


def test_without_a_child_the_trend_speaks_and_it_is_said(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(2 * FIRST_S)
        assert speaker(r) == ("trend", NO_CHILD)

    played(tmp_path, story, None)
