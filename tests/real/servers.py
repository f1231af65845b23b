"""How does a test start servers, good and bad ones, and build checks against them?"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from selfheal.clock import Clock, RealClock
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind, Completed, Run, RunCommand
from selfheal.net import Dialer

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

CLOCK = RealClock()
# Of the loop, in which a server hears of all who came and hung up: for one that is just being let in when it closes
# asyncio's would leave a socket open.
_LAST_TURNS = 20


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on a free port of this machine; its port is given."""
    ended: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        ended.append(task)
        try:
            await handler(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()  # what it has not got rid of yet would keep it open
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for _ in range(_LAST_TURNS):
            await asyncio.sleep(0)
        server.close()
        for task in ended:
            task.cancel()
        if ended:
            await asyncio.wait(ended)
        await server.wait_closed()


def answering(raw: bytes) -> Handler:
    """Read a request, send these bytes, hang up."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()

    return handler


def replying(*answers: bytes) -> Handler:
    """To each thing that it is told it says the next of these, then it hangs up."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.read(4096)
            writer.write(answer)
            await writer.drain()

    return handler


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Listen, and never say anything."""
    await reader.read(-1)


def page(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def no_command(
    argv: tuple[str, ...], *, directory: Path, environment: Mapping[str, str], timeout_s: float
) -> Completed:
    raise AssertionError("this check runs no command")


def context(
    directory: Path,
    run: Run | None = None,
    beat: float | None = None,
    run_command: RunCommand = no_command,
    clock: Clock = CLOCK,
    dialer: Dialer | None = None,
) -> CheckContext:
    return CheckContext(
        agent="api",
        clock=clock,
        directory=directory,
        environment={"PATH": os.environ["PATH"], "GREETING": "hello"},
        dialer=dialer or Dialer(),
        run=lambda: run,
        last_beat=lambda: beat,
        run_command=run_command,
    )


def build(kind: CheckKind, table: Mapping[str, object], given: CheckContext | None = None) -> Check:
    """A check from its table, as it would stand in the configuration."""
    return kind.build(kind.model.model_validate(table), given or context(Path()))


@contextmanager
def within(dialer: Dialer | None = None) -> Iterator[CheckContext]:
    """A context whose checks may leave nothing behind that is watched, and of which nothing is open in the end."""
    made = context(Path(), dialer=dialer)
    try:
        yield made
    finally:
        assert len(made.dialer.poller) == 0
        made.dialer.close()


async def told(check: Check, limit_s: float = 5.0) -> tuple[str, Mapping[str, float], str | None]:
    """The reason of a failure, the signals, and the cause that is named. No reason and no cause where all is well."""
    try:
        async with asyncio.timeout(limit_s):
            return "", await check.run(), None
    except CheckFailed as why:
        signals: Mapping[str, float] = getattr(why, "signals", {})
        return why.reason, signals, why.cause


async def outcome(check: Check, limit_s: float = 5.0) -> tuple[str, Mapping[str, float]]:
    """The reason of a failure, empty where all is well, and the signals."""
    reason, signals, _ = await told(check, limit_s)
    return reason, signals


async def cause(check: Check, limit_s: float = 5.0) -> str | None:
    """What the check names as the cause of its failure, empty where it names none; None where all is well."""
    return (await told(check, limit_s))[2]
