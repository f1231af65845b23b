"""Does the child learn, and does the daemon survive whatever becomes of it? Real processes, killed and stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec.structs import replace

import selfheal
from selfheal.ml.client import Child, ChildFailed
from selfheal.ml.model import decode
from selfheal.ml.rows import row
from selfheal.ml.wire import HEAD, VERSION, Fit, Fitted, Hello, NotFitted, columns_for, frame
from selfheal.supervise import proc
from tests.pure.forests import hour
from tests.real.processes import until

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(selfheal.__file__).parents[1])}
UNTIL = 10_000.0
needs_library = pytest.mark.skipif(find_spec("sklearn") is None, reason="scikit-learn is not installed (the extra ml)")
T = TypeVar("T")


def order(job: int = 1, *, limit_s: float = 30.0, since: float = UNTIL - 3600.0) -> Fit:
    points = columns_for(hour(until=UNTIL))
    return Fit(job=job, agent="api", points=points, left_out=(), since=since, until=UNTIL, seed=1, limit_s=limit_s)


def with_child(work: Callable[[Child], Awaitable[T]], *more: str, argv: tuple[str, ...] = ()) -> T:
    async def living() -> T:
        child = Child(ENVIRONMENT, more, argv)
        try:
            return await work(child)
        finally:
            await child.close()

    return asyncio.run(living())


def speaking(said: bytes) -> tuple[str, ...]:
    """A program that says this and then reads for ever."""
    return (
        sys.executable,
        "-c",
        f"import sys; sys.stdout.buffer.write({said!r}); sys.stdout.flush(); sys.stdin.read()",
    )


async def ended(pid: int) -> None:
    """Wait until there is no such process."""
    await until(lambda: not _lives(pid))


def _lives(pid: int) -> bool:
    try:
        return proc.stat(pid).alive
    except ProcessLookupError:
        return False


def oom_score(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def data_limit(pid: int) -> str:
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in limits if line.startswith("Max data size"))


@needs_library
def test_an_hour_of_signals_becomes_a_model_that_knows_what_is_strange() -> None:
    async def work(child: Child) -> None:
        answer = await child.fit(order())
        assert isinstance(answer, Fitted), answer
        model = decode(answer.model, "api")
        points = hour(until=UNTIL)
        usual = model.score(row(points, model.told.signals, UNTIL))
        assert usual is not None
        assert usual < 0.5
        strange = model.score([4.0 * cell + 1.0 for cell in row(points, model.told.signals, UNTIL)])
        assert strange is not None
        assert strange > 0.5
        assert model.told.library.startswith("scikit-learn ")

    with_child(work)


@needs_library
def test_one_child_does_one_order_after_the_other_and_gives_the_same_for_the_same_seed() -> None:
    async def work(child: Child) -> None:
        first, pid = await child.fit(order(1)), child.pid
        second = await child.fit(order(2))
        assert child.pid == pid
        assert isinstance(first, Fitted)
        assert isinstance(second, Fitted)
        assert first.model == second.model

    with_child(work)


def test_too_little_is_said_and_needs_no_library() -> None:
    answer = with_child(lambda child: child.fit(order(since=UNTIL - 600.0)))
    assert isinstance(answer, NotFitted)
    assert answer.slug == "too_little"
    assert "quiet rows of" in answer.why


def test_without_the_library_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "sklearn.py").write_text("raise ImportError('not here')\n")

    async def work() -> Fitted | NotFitted:
        path = f"{tmp_path}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"
        child = Child({**ENVIRONMENT, "PYTHONPATH": path})
        try:
            return await child.fit(order())
        finally:
            await child.close()

    answer = asyncio.run(work())
    assert isinstance(answer, NotFitted)
    assert answer.slug == "not_installed"
    assert "scikit-learn cannot be imported (not here)" in answer.why
    assert "pip install 'selfheal[ml]'" in answer.why


def test_an_order_that_is_larger_than_a_pipe_arrives_whole() -> None:
    large = columns_for(hour(until=UNTIL, every_s=0.1, count=36_000))
    asked = replace(order(since=UNTIL - 600.0), points=large)
    assert len(frame(asked)) > 2_000_000
    answer = with_child(lambda child: child.fit(asked))
    assert isinstance(answer, NotFitted), answer
    assert answer.slug == "too_little"


def test_it_gives_way_to_everything_and_has_little_memory() -> None:
    async def work(child: Child) -> None:
        await child.fit(order(since=UNTIL - 600.0))
        assert child.pid is not None
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == 19
        assert "512000000" in data_limit(child.pid)
        assert oom_score(child.pid) == 1000

    with_child(work)


@needs_library
def test_what_needs_more_memory_than_it_may_have_fails_alone() -> None:
    async def work(child: Child) -> str:
        try:
            answer = await child.fit(order())
        except ChildFailed as why:
            return why.slug
        assert isinstance(answer, NotFitted)
        return answer.slug

    # Which of them it is hangs on the library that is first refused memory.
    assert with_child(work, "--memory", "40000000") in ("no_memory", "not_installed", "error", "died")


def test_an_idle_child_ends_and_the_next_order_has_a_new_one() -> None:
    async def work(child: Child) -> None:
        await child.fit(order(1, since=UNTIL - 600.0))
        first = child.pid
        assert first is not None
        await ended(first)
        await child.fit(order(2, since=UNTIL - 600.0))
        assert child.pid not in (None, first)

    with_child(work, "--idle", "0.1")


def test_a_child_that_is_killed_fails_its_order_and_the_next_order_has_a_new_one() -> None:
    async def work(child: Child) -> None:
        await child.fit(order(1, since=UNTIL - 600.0))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGSTOP)
        asked = asyncio.create_task(child.fit(order(2, since=UNTIL - 600.0)))
        await asyncio.sleep(0)
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(ChildFailed, match="SIGKILL") as why:
            await asked
        assert why.value.slug == "died"
        assert isinstance(await child.fit(order(3, since=UNTIL - 600.0)), NotFitted)

    with_child(work)


def test_a_child_that_is_stopped_is_given_up_and_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfheal.ml.client._GRACE_S", 0.2)

    async def work(child: Child) -> None:
        await child.fit(order(1, since=UNTIL - 600.0))
        pid = child.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(ChildFailed, match="did not answer") as why:
            await child.fit(order(2, limit_s=0.2, since=UNTIL - 600.0))
        assert why.value.slug == "hung"
        await ended(pid)
        assert child.pid is None

    with_child(work)


def test_an_order_that_takes_too_long_is_ended_by_the_child_itself() -> None:
    async def work(child: Child) -> None:
        with pytest.raises(ChildFailed, match="SIGALRM: the order took too long"):
            await child.fit(order(limit_s=0.001))

    with_child(work)


@pytest.mark.parametrize(
    ("said", "slug"),
    [
        (b"Hello, I am no child of yours\n", "garbage"),
        (HEAD.pack(2**31), "garbage"),
        (HEAD.pack(4) + b"\xff\xff\xff\xff", "garbage"),
        (frame(Hello(pid=1, version=VERSION + 1)), "garbage"),
        (frame(Fitted(job=1, model=b"")), "garbage"),  # an answer before the greeting
        (frame(Hello(pid=1)) + frame(Hello(pid=1)), "garbage"),
        (frame(Hello(pid=1)) + frame(Fitted(job=7, model=b"")), "garbage"),  # to something else
    ],
)
def test_garbage_is_an_order_that_failed_and_a_child_that_is_gone(said: bytes, slug: str) -> None:
    async def work(child: Child) -> None:
        with pytest.raises(ChildFailed) as why:
            await child.fit(order())
        assert why.value.slug == slug
        assert child.pid is None

    with_child(work, argv=speaking(said))


@pytest.mark.parametrize(
    ("argv", "slug"),
    [(("/nonexistent/python",), "not_started"), ((sys.executable, "-c", "raise SystemExit(3)"), "died")],
)
def test_a_child_that_does_not_begin_is_told(argv: tuple[str, ...], slug: str) -> None:
    async def work(child: Child) -> None:
        with pytest.raises(ChildFailed) as why:
            await child.fit(order())
        assert why.value.slug == slug

    with_child(work, argv=argv)


def test_it_ends_with_the_process_that_started_it() -> None:
    async def work(child: Child) -> None:
        # This process is not the one that it was told of: as if that had ended before it could ask to end with it.
        with pytest.raises(ChildFailed, match="ended with 0"):
            await child.fit(order())

    with_child(work, "--parent", "1")


def test_it_does_not_outlive_a_daemon_that_is_killed() -> None:
    daemon = """
import asyncio, os, sys
from selfheal.ml.client import Child

async def main():
    child = Child(os.environ)
    process = await child._running()
    print(process.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", daemon], env=ENVIRONMENT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    asyncio.run(ended(pid))


def test_a_cancelled_order_leaves_no_child_behind() -> None:
    async def work(child: Child) -> None:
        await child.fit(order(1, since=UNTIL - 600.0))
        pid = child.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        asked = asyncio.create_task(child.fit(order(2, since=UNTIL - 600.0)))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait({asked})
        await ended(pid)
        assert child.pid is None

    with_child(work)
