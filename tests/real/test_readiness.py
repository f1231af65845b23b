"""Is a process called ready as soon as it is, and not before?"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from selfheal.config.models import ReadyConfig
from selfheal.errors import CheckFailed, SpawnFailed
from selfheal.kinds import Completed
from selfheal.supervise.oneshot import CommandRunner
from selfheal.supervise.readiness import wait_ready
from tests.real.processes import CLOCK, ENVIRONMENT


class Stepping:
    """A clock that moves only when somebody waits for it."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def now(self) -> float:
        return self.monotonic()

    def wall(self) -> float:
        return self.now()

    def monotonic(self) -> float:
        return sum(self.waits)

    def of_file(self, modified_at: float) -> float:
        return modified_at

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)


class Asked:
    """A program that answers well from the given question on."""

    def __init__(self, well_from: int, otherwise: Exception) -> None:
        self.questions: list[tuple[str, float]] = []
        self.well_from = well_from
        self.lines: list[Sequence[str]] = []
        self.otherwise = otherwise

    async def probe(self, address: str, timeout_s: float) -> None:
        self.questions.append((address, timeout_s))
        if len(self.questions) < self.well_from:
            raise self.otherwise

    async def read_log(self) -> Sequence[str]:
        return self.lines.pop(0) if self.lines else ()

    async def run_command(
        self, argv: tuple[str, ...], *, directory: Path, environment: Mapping[str, str], timeout_s: float
    ) -> Completed:
        await self.probe(" ".join(argv), timeout_s)
        return Completed(0, "", 0.0)


async def wait(
    config: ReadyConfig, asked: Asked, clock: Stepping, *, started_at: float = 0.0, folder: Path = Path("/")
) -> None:
    await wait_ready(
        config,
        started_at=started_at,
        clock=clock,
        run_command=asked.run_command,
        probe_http=asked.probe,
        probe_tcp=asked.probe,
        directory=folder,
        environment=ENVIRONMENT,
        read_log=asked.read_log,
    )


NOT_YET = CheckFailed("connection refused")


@pytest.mark.parametrize(
    ("config", "address"),
    [
        (ReadyConfig(http="http://127.0.0.1:1/ready"), "http://127.0.0.1:1/ready"),
        (ReadyConfig(tcp="127.0.0.1:1"), "127.0.0.1:1"),
        (ReadyConfig(command=("pg_isready", "-q")), "pg_isready -q"),
    ],
)
@pytest.mark.parametrize("otherwise", [NOT_YET, OSError("refused"), TimeoutError(), SpawnFailed("no", "unknown")])
def test_it_is_ready_when_its_question_is_answered(config: ReadyConfig, address: str, otherwise: Exception) -> None:
    clock, asked = Stepping(), Asked(4, otherwise)
    asyncio.run(wait(config, asked, clock))
    assert [question for question, _ in asked.questions] == [address] * 4
    assert clock.waits == [0.005, 0.01, 0.02]


def test_it_is_asked_less_and_less_often_and_no_question_waits_for_long() -> None:
    clock, asked = Stepping(), Asked(12, NOT_YET)
    asyncio.run(wait(ReadyConfig(tcp="x:1"), asked, clock))
    assert clock.waits[-3:] == [1.0, 1.0, 1.0]
    assert {timeout_s for _, timeout_s in asked.questions} == {5.0}


def test_what_is_not_ready_in_time_is_told_with_the_last_answer() -> None:
    clock, asked = Stepping(), Asked(10**9, NOT_YET)
    with pytest.raises(TimeoutError, match=r"cannot call it ready: connection refused, still after 3 s; see its log"):
        asyncio.run(wait(ReadyConfig(tcp="x:1", timeout=3), asked, clock))
    assert clock.monotonic() == pytest.approx(3)
    assert max(timeout_s for _, timeout_s in asked.questions) == 3


def test_a_file_counts_only_when_it_was_written_since_the_start(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    config, asked = ReadyConfig(file=Path("ready"), timeout=1), Asked(1, NOT_YET)

    def told(started_at: float) -> None:
        asyncio.run(wait(config, asked, Stepping(), started_at=started_at, folder=tmp_path))

    with pytest.raises(TimeoutError, match="does not exist"):
        told(0)
    ready.touch()
    os.utime(ready, (1000, 1000))
    with pytest.raises(TimeoutError, match="is older than the start"):
        told(2000)
    told(1000)


def test_a_real_command_is_asked_in_the_directory_of_the_agent(tmp_path: Path) -> None:
    async def story() -> None:
        async def touch_soon() -> None:
            await CLOCK.sleep(0.05)
            (tmp_path / "up").touch()

        async def refuse(address: str, timeout_s: float) -> None:
            raise AssertionError("not asked for")

        async with asyncio.TaskGroup() as group:
            group.create_task(touch_soon())
            await wait_ready(
                ReadyConfig(command=("test", "-e", "up"), timeout=10),
                started_at=CLOCK.now(),
                clock=CLOCK,
                run_command=CommandRunner(CLOCK),
                probe_http=refuse,
                probe_tcp=refuse,
                directory=tmp_path,
                environment=ENVIRONMENT,
                read_log=Asked(1, CheckFailed("not asked for")).read_log,
            )
        assert (tmp_path / "up").exists()

    asyncio.run(story())


def test_a_line_of_the_log_is_looked_for_in_what_is_new_and_all_of_that(tmp_path: Path) -> None:
    async def story() -> None:
        asked, clock = Asked(1, NOT_YET), Stepping()
        asked.lines = [("starting",), (), (), ("loaded",), ("x listening on 80",), ("more",)]
        await wait(ReadyConfig(log="listening on"), asked, clock)
        assert clock.waits == [0.005, 0.01]
        assert asked.lines == [("more",)]

    asyncio.run(story())


def test_a_line_that_never_comes_is_named_in_the_reason(tmp_path: Path) -> None:
    async def story() -> None:
        with pytest.raises(TimeoutError, match=r"no line of its log has '/listening on port \.\*/', still after 2 s"):
            await wait(ReadyConfig(log="/listening on port .*/", timeout=2), Asked(1, NOT_YET), Stepping())

    asyncio.run(story())
