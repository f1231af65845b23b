from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

import httpx
import pytest

from selfheal.errors import AddressTaken, SelfhealError, StateDirUnusable
from selfheal.serve.listener import bind_tcp, bind_unix, serve
from tests.real.serving import TOKEN, Daemon, protected


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0", "localhost:0"])
def test_addresses_are_bound_however_they_are_written(address: str) -> None:
    with bind_tcp(address) as sock:
        assert sock.getsockname()[1] > 0


def test_a_taken_address_is_named_with_the_reason() -> None:
    with bind_tcp("127.0.0.1:0") as sock:
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        with pytest.raises(AddressTaken, match="already in use") as refused:
            bind_tcp(address)
        assert refused.value.address == address


def test_a_host_that_is_none_is_an_address_that_cannot_be_taken() -> None:
    with pytest.raises(AddressTaken, match="cannot be resolved"):
        bind_tcp("no-such-host.invalid:80")


def test_the_unix_socket_opens_to_its_owner_alone_and_replaces_a_stale_one(tmp_path: Path) -> None:
    bind_unix(tmp_path, "selfheal.sock").close()
    with bind_unix(tmp_path, "selfheal.sock"):
        assert stat.S_IMODE((tmp_path / "selfheal.sock").stat().st_mode) == 0o600


def test_a_file_that_is_no_socket_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "selfheal.sock").write_text("mine")
    with pytest.raises(
        StateDirUnusable, match=r"no socket has that name: 'selfheal.sock'; move away what has that name"
    ):
        bind_unix(tmp_path, "selfheal.sock")
    assert (tmp_path / "selfheal.sock").read_text() == "mine"


def test_a_state_directory_with_a_long_path_has_its_socket_too(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    with bind_unix(deep, "selfheal.sock"), socket.socket(socket.AF_UNIX) as client:
        folder = os.open(deep, os.O_PATH)
        client.connect(f"/proc/self/fd/{folder}/selfheal.sock")
        os.close(folder)


def test_the_unix_socket_is_trusted_and_the_tcp_port_beside_it_is_not(tmp_path: Path) -> None:
    async def run() -> None:
        daemon = Daemon()
        tcp, unix = bind_tcp("127.0.0.1:0"), bind_unix(tmp_path, "s")
        port = tcp.getsockname()[1]
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(daemon.app, tcp, trusted=False, stopping=daemon.stopping))
            group.create_task(serve(daemon.app, unix, trusted=True, stopping=daemon.stopping))
            transport = httpx.AsyncHTTPTransport(uds=str(tmp_path / "s"))
            async with httpx.AsyncClient(transport=transport, base_url="http://daemon") as client:
                assert (await client.post("/control/agents/api/restart")).status_code == 200
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                assert (await client.post("/control/agents/api/restart")).status_code == 403
            daemon.stopping.set()
        assert daemon.orders.given == [("restart", "api", "the command line")]

    asyncio.run(run())


def test_a_body_that_is_too_large_gets_its_answer_over_a_real_connection() -> None:
    async def run() -> None:
        daemon = Daemon(protected())
        async with daemon.running() as url:
            port = int(url.rpartition(":")[2])
            for head, piece in (
                (b"Transfer-Encoding: chunked", b"186a0\r\n" + b"x" * 100_000 + b"\r\n"),
                (b"Content-Length: 2000000", b"x" * 100_000),
            ):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                token = f"Authorization: Bearer {TOKEN}\r\n".encode()
                path = b"POST /control/agents/api/stop HTTP/1.1\r\nHost: localhost\r\n"
                writer.write(path + token + head + b"\r\n\r\n")
                for _ in range(11):
                    writer.write(piece)
                async with asyncio.timeout(5):
                    assert b" 413 " in await reader.readline()
                writer.close()
        assert daemon.orders.given == []

    asyncio.run(run())


def test_a_cancelled_server_closes_its_socket() -> None:
    async def run() -> None:
        daemon = Daemon()
        sock = bind_tcp("127.0.0.1:0")
        port = sock.getsockname()[1]
        async with asyncio.TaskGroup() as group:
            task = group.create_task(serve(daemon.app, sock, trusted=False, stopping=daemon.stopping))
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                assert (await client.get("/healthz")).status_code == 200
            task.cancel()
        assert sock.fileno() == -1
        bind_tcp(f"127.0.0.1:{port}").close()

    asyncio.run(run())


def test_an_application_that_does_not_start_is_an_error_and_not_the_end_of_the_process() -> None:
    async def broken(scope: object, receive: object, send: object) -> None:
        raise RuntimeError("no")

    async def run() -> None:
        with bind_tcp("127.0.0.1:0") as sock, pytest.raises(SelfhealError, match="did not start"):
            await serve(broken, sock, trusted=False, stopping=asyncio.Event())

    asyncio.run(run())
