"""Does the child that the daemon starts learn from simulated agents what comes before failures? Real processes."""

from __future__ import annotations

import asyncio
import os
from array import array
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from msgspec.structs import replace

import selfheal
from selfheal.ml.client import Child
from selfheal.ml.forest import packed
from selfheal.ml.wire import Fitted, Foretell, Foretold, NotFitted, Past
from selfheal.predict.own_past import TAUGHT
from selfheal.predict.recent import STEP_S
from selfheal.recorded.challenge import LEAST_TO_REMEMBER
from selfheal.recorded.foreteller import foreteller_of
from selfheal.recorded.stories import Story, own, simulated
from tests.pure.foretellers import kept_file, of_mode
from tests.real.counterparts import needs_torch
from tests.real.test_ml_child import data_limit
from tests.real.test_ml_child import order as forest

HERE = os.pathsep.join(filter(None, (str(Path(selfheal.__file__).parents[1]), os.environ.get("PYTHONPATH"))))
needs_library = pytest.mark.skipif(find_spec("xgboost") is None, reason="XGBoost is not installed (the extra ml)")
# Ten seconds of a processor.
RUNS = 24
FIRST = 5_888_000  # the number of a step
T = TypeVar("T")


def order(*pasts: Past, before: bytes = b"", runs: int = RUNS) -> Foretell:
    return Foretell(job=1, pasts=pasts, runs=runs, before=before, until=1.8e9, seed=1, limit_s=500.0)


def with_child(work: Callable[[Child], Awaitable[T]], path: str = "") -> T:
    async def living() -> T:
        child = Child({**os.environ, "PYTHONPATH": f"{path}{HERE}"})
        try:
            return await work(child)
        finally:
            await child.close()

    return asyncio.run(living())


def peak_kb(pid: int | None) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@needs_library
@pytest.mark.timeout(500)
def test_the_daemons_child_learns_from_simulated_agents_and_what_is_wrong_gives_way() -> None:
    wrong = kept_file(of_mode("disk_full", high=-9.0))  # whoever rises fails least

    async def work(child: Child) -> None:
        said = await child.foretell(order(before=wrong))
        assert isinstance(said, Foretold), said
        assert peak_kb(child.pid) < 400_000
        found = foreteller_of(said.model)
        assert said.taken == len(found.modes) > 0
        assert found.modes.keys() <= set(TAUGHT)
        for one in found.modes.values():
            assert one.told.failures >= 5
            assert one.told.own == 0
            assert one.told.held > 0
            assert one.told.why != "it was made up"
            assert one.learned.library.startswith("xgboost")
        again = await child.foretell(order(before=said.model))
        assert isinstance(again, Foretold), again
        assert again.taken == 0  # what is the same is no better, and the one before stays
        assert [one.learned for one in foreteller_of(again.model).told.modes] == [
            one.learned for one in found.told.modes
        ]
        if find_spec("sklearn") is not None:  # forests are grown in the same process
            pid = child.pid
            assert isinstance(await child.fit(forest(2)), Fitted)
            assert child.pid == pid

    with_child(work)


def as_own(story: Story) -> Past:
    """A simulated agent as if it were one of this fleet."""
    return Past(
        agent=story.agent, first=story.first,
        columns={name: packed(array("d", means)) for name, means in story.columns.items()},
        limits=tuple((mode, name, limit) for mode, some in story.limits.items() for name, limit in some.items()),
        failures=tuple((one.mode, one.at, f"inc-{one.at:.0f}") for one in story.failures),
        restarts=tuple(story.restarts),
    )  # fmt: skip


@needs_library
@pytest.mark.timeout(500)
def test_what_this_fleet_went_through_is_learned_and_its_failures_are_told_as_cases() -> None:
    pasts = [as_own(story) for story in simulated(RUNS, 1)]
    until = max(own(past).ended for past in pasts)

    async def work(child: Child) -> None:
        said = await child.foretell(replace(order(*pasts, runs=4), until=until))
        assert isinstance(said, Foretold), said
        found = foreteller_of(said.model)
        assert found.told.own_failures == sum(len(past.failures) for past in pasts)
        known = {name for past in pasts for _, _, name in past.failures}
        for one in found.modes.values():
            assert one.told.own >= 4
            assert one.told.spread is not None
            assert {case.incident for case in one.told.cases} <= known
            assert one.told.cases != ()
            assert "this fleet" in one.told.why

    with_child(work)


def failing(name: str) -> Past:
    """Three days of an agent whose memory is used up each half day, as fast as each step says."""
    dice, means, failures = Random(name), array("d"), list[tuple[str, float, str]]()
    level = dice.uniform(0.0, 80.0)
    for step in range(864):
        level += dice.uniform(0.0, 1.4)
        if level > 100.0:
            failures.append(("out_of_memory", (FIRST + step) * STEP_S, f"inc-{name}-{step}"))
            level = 0.0
        means.append(level)
    began = tuple(at for _, at, _ in failures)
    limits = (("out_of_memory", "rss", 100.0),)
    return Past(
        agent=name, first=FIRST, columns={"rss": packed(means)}, limits=limits, failures=tuple(failures), restarts=began
    )  # fmt: skip


@needs_library
@pytest.mark.timeout(500)
def test_where_torch_is_installed_an_lstm_is_held_against_the_trees() -> None:
    needs_torch()
    pasts = [failing(f"agent-{number}") for number in range(8)]

    async def work(child: Child) -> None:
        said = await child.foretell(replace(order(*pasts, runs=1), until=(FIRST + 864) * STEP_S))
        assert isinstance(said, Foretold), said
        told = foreteller_of(said.model).modes["out_of_memory"].told
        assert told.failures >= LEAST_TO_REMEMBER
        assert "the LSTM" in told.of_lstm
        assert "a row costs it" in told.of_lstm
        assert "912000000" in data_limit(child.pid or 0)

    with_child(work)


@needs_library
@pytest.mark.timeout(500)
def test_a_torch_that_cannot_be_imported_costs_the_lstm_alone(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('not here')\n")
    pasts = [failing(f"agent-{number}") for number in range(8)]

    async def work(child: Child) -> None:
        said = await child.foretell(replace(order(*pasts, runs=1), until=(FIRST + 864) * STEP_S))
        assert isinstance(said, Foretold), said
        one = foreteller_of(said.model).modes["out_of_memory"]
        assert one.model == "boost"
        assert one.told.of_lstm.startswith(
            "no LSTM was fitted: cannot fit an LSTM: torch cannot be imported (not here)"
        )

    with_child(work, f"{tmp_path}{os.pathsep}")


@needs_library
def test_too_little_is_said() -> None:
    async def work(child: Child) -> None:
        quiet = Past(agent="api", first=5_888_000, columns={"rss": packed(array("d", [1.0] * 300))})
        said = await child.foretell(order(quiet, runs=1))
        assert isinstance(said, NotFitted), said
        assert said.slug == "too_little"

    with_child(work)


def test_a_past_that_is_none_is_told_and_the_child_lives_on() -> None:
    async def work(child: Child) -> None:
        for _ in range(2):
            said = await child.foretell(order(Past(agent="api", first=0, columns={"rss": bytes(7)}), runs=1))
            assert isinstance(said, NotFitted), said
            assert said.slug == "error"
            assert child.pid is not None

    with_child(work)


def test_a_library_that_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "xgboost.py").write_text("raise ImportError('not here')\n")

    async def work(child: Child) -> None:
        said = await child.foretell(order(runs=1))
        assert isinstance(said, NotFitted), said
        assert said.slug == "not_installed"
        assert "XGBoost" in said.why

    with_child(work, f"{tmp_path}{os.pathsep}")
