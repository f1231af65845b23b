"""When is a process that was just started ready for work?

It is asked the way that its configuration names, at first after milliseconds and then less and less often: a quick
program does not wait for a slow question, and a slow one is not pestered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from selfheal.clock import Clock
from selfheal.config.models import ReadyConfig
from selfheal.config.texts import holds
from selfheal.errors import CheckFailed, SelfhealError
from selfheal.kinds import RunCommand

_FIRST_WAIT_S = 0.005
_LONGEST_WAIT_S = 1.0
_PROBE_S = 5.0  # a probe that was accepted before the program serves may never be answered: ask again after this
_FILE_CLOCK_S = 0.02  # file times come from a clock that moves up to a tick (10 ms) behind

Probe = Callable[[str, float], Awaitable[None]]
"""Asks an address with a timeout in seconds; raises CheckFailed, OSError or TimeoutError where it is not well."""

ReadLog = Callable[[], Awaitable[Sequence[str]]]
"""Returns what the run wrote since it was asked last, as complete lines, some at a time; nothing where that is all."""
_READS_AT_ONCE = 16  # whoever writes more than this between two questions is read on at the next


async def wait_ready(
    config: ReadyConfig,
    *,
    started_at: float,
    clock: Clock,
    run_command: RunCommand,
    probe_http: Probe,
    probe_tcp: Probe,
    directory: Path,
    environment: Mapping[str, str],
    read_log: ReadLog,
) -> None:
    """Return when it is ready. Raises TimeoutError, with what the last question gave, after `config.timeout`."""

    async def ask(timeout_s: float) -> None:
        if config.http is not None:
            await probe_http(config.http, timeout_s)
        if config.tcp is not None:
            await probe_tcp(config.tcp, timeout_s)
        if config.command is not None:
            await _ask_command(run_command, config.command, directory, environment, timeout_s)
        if config.file is not None:
            _ask_file(directory / config.file, started_at, clock)
        if config.log is not None:
            await _ask_log(read_log, config.log)

    await _until_passed(ask, config.timeout, clock)


async def _until_passed(ask: Callable[[float], Awaitable[None]], timeout_s: float, clock: Clock) -> None:
    deadline = clock.monotonic() + timeout_s
    wait_s = _FIRST_WAIT_S
    while True:
        left = deadline - clock.monotonic()
        try:
            return await ask(min(_PROBE_S, max(left, _FIRST_WAIT_S)))
        except (SelfhealError, OSError) as why:  # a TimeoutError is an OSError
            left = deadline - clock.monotonic()
            if left <= 0:
                raise TimeoutError(
                    f"cannot call it ready: {str(why) or type(why).__name__}, still after {timeout_s:g} s; "
                    f"see its log, or raise 'ready.timeout'"
                ) from why
        await clock.sleep(min(wait_s, left))
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


async def _ask_command(
    run_command: RunCommand, argv: tuple[str, ...], directory: Path, environment: Mapping[str, str], timeout_s: float
) -> None:
    done = await run_command(argv, directory=directory, environment=environment, timeout_s=timeout_s)
    if done.code != 0:
        raise CheckFailed(f"{argv[0]!r} ended with {done.code}")


def _ask_file(path: Path, started_at: float, clock: Clock) -> None:
    try:
        written_at = clock.of_file(path.stat().st_mtime)
    except FileNotFoundError:
        raise CheckFailed(f"{str(path)!r} does not exist") from None
    if written_at < started_at - _FILE_CLOCK_S:
        raise CheckFailed(f"{str(path)!r} is older than the start")


async def _ask_log(read_log: ReadLog, wanted: str) -> None:
    for _ in range(_READS_AT_ONCE):
        lines = await read_log()
        if any(holds(wanted, line) for line in lines):
            return
        if not lines:
            break
    raise CheckFailed(f"no line of its log has {wanted!r}")
