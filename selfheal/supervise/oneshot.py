"""What did a command say, and how did it end?

For checks, fixes and readiness: a program that is run to its end, bounded in time and in output.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from selfheal.clock import Clock
from selfheal.kinds import Completed
from selfheal.supervise import proc
from selfheal.supervise.program import find_program, spawn_failed

_MAX_OUTPUT_BYTES = 64 * 1024
_LAST_WORDS_S = 0.1  # a helper left behind may hold the pipe open for ever; what the command wrote is in it already
_REAP_S = 2.0  # after KILL


@dataclass(frozen=True, slots=True)
class CommandRunner:
    """The `RunCommand` of this machine.

    The end of the command is the end of its process, whoever still holds its output. Of a long output the end is kept.
    With `leaves_helpers`, what a command has put into the background outlives it: a fix may start what is to stay.
    With `whole_session`, a command that is given up ends with the groups that it has made for its own helpers.
    """

    clock: Clock
    leaves_helpers: bool = False
    whole_session: bool = False

    async def __call__(
        self, argv: tuple[str, ...], *, directory: Path, environment: Mapping[str, str], timeout_s: float
    ) -> Completed:
        began = self.clock.monotonic()
        with _pipe() as (output, writer):
            process = await _start(argv, directory, environment, writer)
            try:
                async with asyncio.timeout(timeout_s):
                    code = await process.wait()
            except TimeoutError as late:
                raise TimeoutError(
                    f"cannot wait longer for {argv[0]!r}: it did not end within {timeout_s:g} s and was killed"
                ) from late
            finally:
                await _end(process, whole_session=self.whole_session)
            if not self.leaves_helpers:
                _kill_group(process.pid)
            await output.complete(_LAST_WORDS_S)
        return Completed(code, output.text(), self.clock.monotonic() - began)


async def _start(
    argv: tuple[str, ...], directory: Path, environment: Mapping[str, str], writer: _Writer
) -> asyncio.subprocess.Process:
    program = find_program(argv[0], directory, environment)
    try:
        return await asyncio.create_subprocess_exec(
            program,
            *argv[1:],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writer.fd,
            stderr=asyncio.subprocess.STDOUT,
            cwd=directory,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise spawn_failed(argv[0], error) from error
    finally:
        writer.close()


async def _end(process: asyncio.subprocess.Process, *, whole_session: bool) -> None:
    """Kill the group of a command that was given up, and where it is wanted the others of its session."""
    if process.returncode is not None:
        return
    others = _groups_of(process.pid) if whole_session else ()
    for group in (process.pid, *others):
        _kill_group(group)
    try:
        async with asyncio.timeout(_REAP_S):
            await process.wait()
    except TimeoutError:
        pass  # a device holds it; it is reaped when that lets go


def _groups_of(session: int) -> frozenset[int]:
    """The groups in a session; its leader, which nobody has waited for yet, keeps its number from everybody else."""
    return frozenset(one.group for one in proc.processes() if one.session == session)


def _kill_group(leader: int) -> None:
    """A group keeps its number for as long as anything is in it: nobody else's is ever meant."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


@contextmanager
def _pipe() -> Iterator[tuple[_Output, _Writer]]:
    """Both ends of a pipe whose reading end the event loop empties."""
    reader_fd, writer_fd = os.pipe()
    writer = _Writer(writer_fd)
    output = _Output(reader_fd)
    try:
        yield output, writer
    finally:
        writer.close()
        output.close()


class _Writer:
    """The end that the command writes to. Closed here as soon as the command has it, else its end is never seen."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class _Output:
    """The end of what a command writes. All of it is read, so that the command never waits for us."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._kept = bytearray()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._read)

    async def complete(self, limit_s: float) -> None:
        """Wait until the last writer has closed, at most for `limit_s`."""
        try:
            async with asyncio.timeout(limit_s):
                await self._ended.wait()
        except TimeoutError:
            pass

    def text(self) -> str:
        return self._kept.decode(errors="replace")

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)

    def _read(self) -> None:
        try:
            chunk = os.read(self._fd, _MAX_OUTPUT_BYTES)
        except BlockingIOError:
            return
        if not chunk:
            self._loop.remove_reader(self._fd)
            self._ended.set()
        self._kept += chunk
        del self._kept[:-_MAX_OUTPUT_BYTES]
