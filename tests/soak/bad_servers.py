"""A program of servers that fail, each in its own way: it prints their ports and serves until its input ends."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from tests.real.servers import Handler, answering, page


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


BAD: tuple[Handler, ...] = (
    answering(b"\x00\xff garbage \r\n\r\n"),
    answering(b""),
    answering(page(b"ok")[:-1]),
    answering(page(b"no", "503 Service Unavailable")),
    mute,
)


def closing(handler: Handler) -> Handler:
    """The handler, which hangs up in the end and says nothing of a client that did so first."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await handler(reader, writer)
        writer.close()

    return serve


async def main() -> None:
    servers = [await asyncio.start_server(closing(handler), "127.0.0.1", 0) for handler in BAD]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
