"""Are forests grown, kept and asked in good time, and does the daemon go on without them whatever fails?

The child is simulated: what it grows are forests of the tests' own. That the real one dies, hangs and babbles is
tried in tests/real/test_ml_child.py.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from selfheal.compose.backoff import RETRY_S
from selfheal.compose.learning import NO_CHILD
from selfheal.events import IncidentOpened
from selfheal.ml.child import do
from selfheal.ml.client import ChildFailed
from selfheal.ml.model import decode, encode
from selfheal.ml.rows import filled, table
from selfheal.ml.wire import (
    Answer,
    Fit,
    Fitted,
    Foretell,
    Foretold,
    NotFitted,
    points_in,
)
from selfheal.rehearse.machine import SimulatedMachine
from selfheal.serve.views.fleet import agents
from selfheal.serve.views.strangeness import anomaly_counts
from selfheal.vitals import Strangeness
from tests.pure.forests import stored
from tests.sim.fleets import agent
from tests.sim.rehearsal import Rehearsal, rehearse

API = agent("api")
HOUR_S = 3600.0


@dataclass
class Child:
    """Learns at once, or does what it is told to."""

    orders: list[Fit] = field(default_factory=list)
    instead: Callable[[Fit], Answer] | None = None
    closed: int = 0

    async def fit(self, order: Fit) -> Fitted | NotFitted:
        self.orders.append(order)
        answer = self.instead(order) if self.instead is not None else learned(order)
        assert isinstance(answer, Fitted | NotFitted)
        return answer

    async def foretell(self, order: Foretell) -> Foretold | NotFitted:
        return NotFitted(job=order.job, slug="too_little", why="forests alone are learned here")

    async def close(self) -> None:
        self.closed += 1


def learned(order: Fit) -> Fitted:
    seen = table(points_in(order.points), order.left_out, order.since, order.until)
    assert seen.too_little == ""
    cells = [filled(row, [0.0] * len(row)) for row in seen.rows]
    return Fitted(job=order.job, model=encode(stored(order.agent, seen.signals, cells, order.until)))


def strangeness(r: Rehearsal, name: str = "api") -> Strangeness | None:
    return r.daemon.vitals.strangeness(name)


def judged(r: Rehearsal, name: str = "api") -> str:
    (view,) = agents(r.world, r.daemon.vitals, (name,))
    return view.strangeness.by


def by_forest(r: Rehearsal, name: str = "api") -> bool:
    seen = strangeness(r, name)
    return seen is not None and seen.score is not None


def play(
    folder: Path, story: Callable[[Rehearsal], Coroutine[object, object, None]], child: Child | None, toml: str = API
) -> None:
    def prepare(machine: SimulatedMachine) -> None:
        machine.calls.learner = child

    rehearse(folder, toml, story, prepare=prepare)


def test_a_forest_is_grown_when_there_is_enough_and_asked_from_then_on(tmp_path: Path) -> None:
    child = Child()

    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.wait(1200.0)
        assert child.orders == []  # half an hour of quiet is needed, and a young run is none
        seen = strangeness(r)
        assert seen is not None
        assert "quiet rows of" in seen.why
        assert judged(r) == "statistics"
        await r.until(lambda: by_forest(r), within_s=2 * HOUR_S)
        assert judged(r) == "forest"
        assert anomaly_counts(r.world, r.daemon.vitals, r.clock.now()).by == {"forest": 1, "statistics": 0}
        kept = (tmp_path / "models" / "api.forest").read_bytes()
        assert decode(kept, "api").told.trained_at == child.orders[0].until
        seen = strangeness(r)
        assert seen is not None
        assert seen.score is not None
        assert seen.score < 0.5
        assert r.seen(IncidentOpened) == []

    play(tmp_path, story, child)


def test_it_is_grown_again_after_the_interval_and_not_before(tmp_path: Path) -> None:
    child = Child()

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: by_forest(r), within_s=2 * HOUR_S)
        await r.wait(1700.0)
        assert len(child.orders) == 1
        await r.wait(300.0)
        assert len(child.orders) == 2
        assert child.orders[0].seed == child.orders[1].seed

    play(tmp_path, story, child, API + "[daemon]\nml_retrain_interval = 1800\n")


def test_it_is_grown_again_sooner_where_the_agent_has_become_another(tmp_path: Path) -> None:
    child, dice = Child(), Random(5)

    def prepare(machine: SimulatedMachine) -> None:
        machine.calls.learner = child
        machine.cores["api"] = 0.2
        machine.own_s["api"] = 0.02
        machine.jitter = lambda name: dice.uniform(0.7, 1.3)

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: by_forest(r), within_s=2 * HOUR_S)
        first = r.clock.now()
        await r.wait(4.5 * HOUR_S)
        assert len(child.orders) == 1  # it was looked at for half an hour, and is what it was
        r.machine.cores["api"], r.machine.own_s["api"] = 0.9, 0.2
        await r.until(lambda: len(child.orders) == 2, within_s=3 * HOUR_S)
        assert r.clock.now() - first < 8 * HOUR_S

    rehearse(tmp_path, API + '[daemon]\nml_retrain_interval = "24h"\n', story, prepare=prepare)


def test_what_an_incident_looked_like_is_not_learned(tmp_path: Path) -> None:
    child = Child()

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: by_forest(r), within_s=2 * HOUR_S)
        r.machine.kill("api")
        await r.healed("api")
        await r.wait(2 * HOUR_S)
        (incident,) = r.incidents("api")
        assert len(child.orders) > 1
        spans = child.orders[-1].left_out
        assert any(begin <= incident.onset < incident.onset + 600.0 <= end for begin, end in spans)

    play(tmp_path, story, child)


def test_the_next_daemon_asks_what_this_one_has_kept(tmp_path: Path) -> None:
    child = Child()

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: by_forest(r), within_s=2 * HOUR_S)
        await r.stop()
        assert child.closed == 1
        await r.boot()
        await r.until(lambda: by_forest(r))
        assert len(child.orders) == 1

    play(tmp_path, story, child)


@pytest.mark.parametrize("cut", [lambda data: data[:-7], lambda data: b"", lambda data: b"garbage" * 1000])
def test_a_kept_forest_that_is_none_is_put_aside_and_grown_again(tmp_path: Path, cut: Callable[[bytes], bytes]) -> None:
    child = Child()
    path = tmp_path / "models" / "api.forest"

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: by_forest(r), within_s=2 * HOUR_S)
        await r.stop()
        path.write_bytes(cut(path.read_bytes()))
        await r.boot()
        await r.until(lambda: strangeness(r) is not None)
        assert judged(r) == "statistics"
        assert path.with_suffix(".refused").exists()
        assert not path.exists()
        await r.until(lambda: by_forest(r), within_s=2 * HOUR_S)
        assert path.exists()

    play(tmp_path, story, child)


def poisoned(order: Fit) -> Fitted:
    good = decode(learned(order).model).told
    return Fitted(job=order.job, model=encode(replace(good, scale=good.scale * 2.0)))


def of_another(order: Fit) -> Fitted:
    good = decode(learned(order).model).told
    return Fitted(job=order.job, model=encode(replace(good, agent="somebody")))


def died(order: Fit) -> Fitted:
    raise ChildFailed("died", "it was ended by SIGKILL")


def no_memory(order: Fit) -> NotFitted:
    return NotFitted(job=order.job, slug="no_memory", why="not enough")


@pytest.mark.parametrize(
    ("instead", "why"),
    [
        (died, "the process that learns failed (died): it was ended by SIGKILL"),
        (no_memory, "the process that learns failed (no_memory): not enough"),
        (poisoned, "what it learned is no model: its trees do not give the scores that they gave when they were grown"),
        (of_another, "what it learned is no model: it is of 'somebody'"),
        (
            lambda order: Fitted(job=order.job, model=b"garbage"),
            "what it learned is no model: it is no model of selfheal",
        ),
    ],
)
def test_a_child_that_fails_costs_the_forest_alone_and_is_tried_less_and_less(
    tmp_path: Path, instead: Callable[[Fit], Fitted | NotFitted], why: str
) -> None:
    child = Child(instead=instead)

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: len(child.orders) == 1, within_s=2 * HOUR_S)
        began = r.clock.now()
        await r.wait(70.0)
        seen = strangeness(r)
        assert seen is not None
        assert (seen.score, seen.why) == (None, why)
        await r.until(lambda: len(child.orders) == 6, within_s=2 * HOUR_S)
        assert r.clock.now() - began > RETRY_S * (1 + 2 + 4 + 8 + 15)
        assert r.agent("api").state == "healthy"
        assert r.world.incidents == {}
        child.instead = None
        await r.until(lambda: by_forest(r), within_s=2 * HOUR_S)

    play(tmp_path, story, child)


def test_a_forest_that_is_known_is_asked_on_while_the_child_fails(tmp_path: Path) -> None:
    child = Child()

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: by_forest(r), within_s=2 * HOUR_S)
        child.instead = died
        await r.wait(2 * HOUR_S)
        assert len(child.orders) > 1
        assert by_forest(r)

    play(tmp_path, story, child)


def test_without_a_child_there_are_the_statistics_and_it_is_said(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(2 * HOUR_S)
        assert judged(r) == "statistics"
        assert anomaly_counts(r.world, r.daemon.vitals, r.clock.now()).why == {NO_CHILD: 1}

    play(tmp_path, story, None)


def test_what_is_kept_of_an_agent_goes_with_it(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: by_forest(r), within_s=2 * HOUR_S)
        r.write(agent("other"))
        await r.daemon.control.reload("a person")
        await r.until(lambda: "api" not in r.world.agents)
        await r.wait(120.0)
        assert not (tmp_path / "models" / "api.forest").exists()
        assert strangeness(r) is None

    play(tmp_path, story, Child())


@pytest.mark.skipif(find_spec("sklearn") is None, reason="scikit-learn is not installed (the extra ml)")
def test_what_the_library_has_grown_finds_a_new_load_strange(tmp_path: Path) -> None:
    dice = Random(5)

    def prepare(machine: SimulatedMachine) -> None:
        machine.calls.learner = Child(instead=do)
        machine.cores["api"] = 0.2
        machine.own_s["api"] = 0.02
        machine.jitter = lambda name: dice.uniform(0.7, 1.3)

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: by_forest(r), within_s=2 * HOUR_S)
        scores = []
        for _ in range(40):
            await r.wait(15.0)
            seen = strangeness(r)
            assert seen is not None
            assert seen.score is not None
            scores.append(seen.score)
        assert sum(score >= 0.5 for score in scores) <= 2
        r.machine.cores["api"], r.machine.own_s["api"] = 0.9, 0.5
        await r.wait(120.0)
        seen = strangeness(r)
        assert seen is not None
        assert seen.score is not None
        assert seen.score > 0.5
        assert {name.partition(".")[0] for name in seen.features} <= {"cpu", "latency"}
        assert seen.features != ()

    rehearse(tmp_path, API, story, prepare=prepare)
