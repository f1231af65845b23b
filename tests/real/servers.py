"""How does a test start servers, good and bad ones, and build checks against them?"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from selfheal.clock import Clock, RealClock
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind, Completed, Run, RunCommand
from selfheal.net import Dialer

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

CLOCK = RealClock()


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
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
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


def page(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


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
) -> CheckContext:
    return CheckContext(
        agent="api",
        clock=clock,
        directory=directory,
        environment={"PATH": os.environ["PATH"], "GREETING": "hello"},
        dialer=Dialer(),
        run=lambda: run,
        last_beat=lambda: beat,
        run_command=run_command,
    )


def build(kind: CheckKind, table: Mapping[str, object], within: CheckContext | None = None) -> Check:
    """A check from its table, as it would stand in the configuration."""
    return kind.build(kind.model.model_validate(table), within or context(Path()))


async def outcome(check: Check, limit_s: float = 5.0) -> tuple[str, Mapping[str, float]]:
    """The reason of a failure, empty where all is well, and the signals."""
    try:
        async with asyncio.timeout(limit_s):
            return "", await check.run()
    except CheckFailed as why:
        signals: Mapping[str, float] = getattr(why, "signals", {})
        return why.reason, signals


async def cause(check: Check, limit_s: float = 5.0) -> str | None:
    """What the check names as the cause of its failure, empty where it names none; None where all is well."""
    try:
        async with asyncio.timeout(limit_s):
            await check.run()
    except CheckFailed as why:
        return why.cause
    return None
