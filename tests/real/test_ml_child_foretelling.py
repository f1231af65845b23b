"""Does the child fit what foretells failures so that the daemon can ask it, or say why not? Real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from math import isnan
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest

import selfheal
from selfheal.ml.calibration import Isotonic, logistic
from selfheal.ml.client import Child, ChildFailed
from selfheal.ml.kept import decode
from selfheal.ml.wire import (
    FitBooster,
    FitRecurrent,
    Fitted,
    FittedBooster,
    FittedRecurrent,
    Hello,
    NotFitted,
    Rows,
    Windows,
    frame,
    rows_for,
    windows_for,
    windows_in,
)
from tests.pure.boosters import rows_of
from tests.real.counterparts import absent

HERE = os.pathsep.join(filter(None, (str(Path(selfheal.__file__).parents[1]), os.environ.get("PYTHONPATH"))))
FEATURES = ("rss.slope", "fds.level", "age", "errors")
needs_library = pytest.mark.skipif(find_spec("xgboost") is None, reason="XGBoost is not installed (the extra ml)")
T = TypeVar("T")


def story(count: int, seed: int) -> tuple[list[list[float]], list[bool]]:
    """Rows after which it happens where the first feature is high."""
    dice, rows = Random(seed), rows_of(len(FEATURES), seed=seed, count=count)
    return rows, [dice.random() < logistic(2.0 * (0.0 if isnan(row[0]) else row[0]) - 2.0) for row in rows]


def order(rows: Rows | None = None, *, job: int = 1, limit_s: float = 60.0) -> FitBooster:
    seen = rows if rows is not None else rows_for(*story(800, 1))
    return FitBooster(
        job=job, subject="leak", features=FEATURES, meaning=3, rows=seen, calibration=rows_for(*story(800, 2)),
        monotone={"rss.slope": 1}, since=0.0, until=9000.0, seed=5, limit_s=limit_s,
    )  # fmt: skip


def with_child(work: Callable[[Child], Awaitable[T]], argv: tuple[str, ...] = (), path: str = "") -> T:
    async def living() -> T:
        child = Child({**os.environ, "PYTHONPATH": f"{path}{HERE}"}, argv=argv)
        try:
            return await work(child)
        finally:
            await child.close()

    return asyncio.run(living())


@needs_library
def test_rows_become_a_booster_that_knows_what_comes_before_and_is_the_same_for_the_same_seed() -> None:
    async def work(child: Child) -> None:
        first, second = await child.boost(order()), await child.boost(order(job=2))
        assert isinstance(first, FittedBooster), first
        assert isinstance(second, FittedBooster), second
        assert first.model == second.model
        told = decode(first.model, "leak", FEATURES, 3)
        assert (told.rows, told.since, told.until) == (800, 0.0, 9000.0)
        assert told.positives == sum(story(800, 1)[1])
        assert told.library.startswith("xgboost ")
        assert told.speaker == "xgboost"
        assert isinstance(told.model.calibration, Isotonic)
        later, came = story(400, 3)
        said = [told.probability([row]) for row in later]
        yes = [chance for chance, label in zip(said, came, strict=True) if label]
        assert sum(yes) / len(yes) > 2.0 * sum(said) / len(said)

    with_child(work)


def test_rows_of_one_kind_are_too_little_to_learn_from() -> None:
    rows, labels = story(100, 1)
    answer = with_child(lambda child: child.boost(order(rows_for(rows, [False] * len(labels)))))
    assert isinstance(answer, NotFitted)
    assert (answer.slug, "nothing to tell apart" in answer.why) == ("too_little", True)


def test_rows_that_are_none_are_told_and_the_child_lives_on() -> None:
    async def work(child: Child) -> None:
        answer = await child.boost(order(Rows(bytes(7), bytes(2))))
        assert isinstance(answer, NotFitted)
        assert answer.slug == "error"
        pid = child.pid
        await child.boost(order(Rows(bytes(7), bytes(2)), job=2))
        assert child.pid == pid

    with_child(work)


def test_without_the_library_it_is_said_how_to_have_it(tmp_path: Path) -> None:
    (tmp_path / "xgboost.py").write_text("raise ImportError('not here')\n")
    answer = with_child(lambda child: child.boost(order()), path=f"{tmp_path}{os.pathsep}")
    assert isinstance(answer, NotFitted)
    assert answer.slug == "not_installed"
    assert "pip install 'selfheal[ml]'" in answer.why


@needs_library
def test_forests_are_grown_in_the_same_process_after_trees_were_boosted() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (the extra ml)")
    from tests.real.test_ml_child import order as forest  # noqa: PLC0415

    async def work(child: Child) -> None:
        assert isinstance(await child.boost(order()), FittedBooster)
        pid = child.pid
        assert isinstance(await child.fit(forest(2)), Fitted)
        assert child.pid == pid

    with_child(work)


@needs_library
def test_an_order_that_takes_too_long_is_ended_by_the_child_itself() -> None:
    async def work(child: Child) -> None:
        with pytest.raises(ChildFailed, match="SIGALRM: the order took too long"):
            await child.boost(order(limit_s=0.001))
        assert child.pid is None

    with_child(work)


def test_a_child_that_is_killed_fails_its_order_alone() -> None:
    async def work(child: Child) -> None:
        nothing = order(Rows(bytes(7), bytes(2)))
        await child.boost(nothing)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGSTOP)
        asked = asyncio.create_task(child.boost(nothing))
        await asyncio.sleep(0)
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(ChildFailed, match="SIGKILL"):
            await asked
        assert isinstance(await child.boost(nothing), NotFitted)

    with_child(work)


@pytest.mark.parametrize("answer", [Fitted(job=1, model=b"a forest"), FittedBooster(job=7, model=b"of another order")])
def test_an_answer_to_something_else_is_garbage(answer: Fitted | FittedBooster) -> None:
    said = frame(Hello(pid=1)) + frame(answer)
    program = f"import sys; sys.stdout.buffer.write({said!r}); sys.stdout.flush(); sys.stdin.read()"

    async def work(child: Child) -> None:
        with pytest.raises(ChildFailed, match="something else") as why:
            await child.boost(order())
        assert why.value.slug == "garbage"

    with_child(work, argv=(sys.executable, "-c", program))


# --- the network ---


def rising(count: int, seed: int, steps: int = 10) -> Windows:
    """Windows of one feature, after which it happens where that rises; the rows of one after those of the other."""
    dice, rows, labels = Random(seed), list[list[float]](), list[bool]()
    for _ in range(count):
        slope, level = dice.choice((-1.0, 0.0, 1.0)), dice.gauss(0.0, 3.0)
        rows += [[level + 0.3 * slope * step + dice.gauss(0.0, 0.2)] for step in range(steps)]
        labels.append(slope > 0.0)
    return windows_for(rows, [steps * (place + 1) for place in range(count)], labels, steps)


def network_order(windows: Windows, *, job: int = 1) -> FitRecurrent:
    return FitRecurrent(
        job=job, subject="leak", features=("rss",), meaning=3, windows=windows, calibration=rising(120, 2),
        since=0.0, until=9000.0, seed=5, limit_s=60.0,
    )  # fmt: skip


def test_windows_become_a_network_that_knows_what_comes_before() -> None:
    if find_spec("torch") is None:
        absent("torch is not installed (the extra lstm; CI installs requirements-lstm.lock)")

    async def work(child: Child) -> None:
        answer = await child.recur(network_order(rising(240, 1)))
        assert isinstance(answer, FittedRecurrent), answer
        told = decode(answer.model, "leak", ("rss",), 3)
        assert (told.speaker, told.steps, told.rows) == ("lstm", 10, 240)
        assert told.library.startswith("torch ")
        windows, came = windows_in(rising(100, 3), 1)
        right = [(told.probability(window) > 0.5) == label for window, label in zip(windows, came, strict=True)]
        assert sum(right) > 90
        again = await child.recur(network_order(rising(10, 1), job=2))
        assert isinstance(again, NotFitted)
        assert again.slug == "too_little"

    with_child(work)


def test_without_the_library_of_networks_it_is_said_how_to_have_it(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('not here')\n")
    answer = with_child(lambda child: child.recur(network_order(rising(100, 1))), path=f"{tmp_path}{os.pathsep}")
    assert isinstance(answer, NotFitted)
    assert answer.slug == "not_installed"
    assert "pip install 'selfheal[lstm]'" in answer.why
