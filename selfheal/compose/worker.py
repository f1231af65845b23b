"""How does a job on data run? In a process of its own, bounded in time, that gives way to everything else."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from selfheal.data.jobs import JOB, PROGRESS, AnyJob, answer_of, encode
from selfheal.errors import DataFailed, SpawnFailed
from selfheal.kinds import RunCommand

_ARGV = (sys.executable, "-P", "-m", "selfheal.data")
# Of what a child wrote that died: enough to see where.
_LAST_WORDS = 500

T = TypeVar("T")


def progress_file(state_dir: Path, agent: str) -> Path:
    """Where a job on the data of an agent says how far it is."""
    return state_dir / "run" / f"{agent}.progress"


class Worker:
    """The port `RunJob` of this machine: a child process for each job."""

    def __init__(self, run_command: RunCommand, state_dir: Path) -> None:
        self._run_command = run_command
        self._state_dir = state_dir

    async def __call__(self, job: AnyJob, answer: type[T], environment: Mapping[str, str], timeout_s: float) -> T:
        told = {JOB: encode(job).decode(), PROGRESS: str(progress_file(self._state_dir, job.asset.agent))}
        try:
            done = await self._run_command(
                _ARGV, directory=Path("/"), environment={**environment, **told}, timeout_s=timeout_s
            )
        except TimeoutError as why:
            raise DataFailed(f"cannot wait longer: it was not done within {timeout_s:g} s", "slow") from why
        except SpawnFailed as why:
            raise DataFailed(str(why)) from why
        output = done.output.strip()
        try:
            given: T = answer_of(job, output.rpartition("\n")[2].encode())
        except DataFailed as why:
            if done.code == 0:
                raise
            raise DataFailed(f"{why}; it ended with {done.code} and said: {output[-_LAST_WORDS:]}") from why
        return given
