"""Do real and simulated calls of a URL keep the one contract of `kinds.CallHttp`?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from pydantic import SecretStr

from selfheal.errors import FixFailed
from selfheal.kinds import CallHttp, HttpAnswer, HttpCall
from selfheal.recover.calls import MAX_BYTES, call_http
from selfheal.rehearse.calls import SimulatedCalls
from selfheal.rehearse.virtual import VirtualClock, VirtualLoop, in_virtual_time
from tests.real.daemon_process import free_port
from tests.real.servers import page, serving

SECRET = "hunter2-of-the-header"


class World(Protocol):
    """Somewhere to call."""

    @property
    def call(self) -> CallHttp: ...

    def answers(self, status: int, text: str) -> str:
        """The URL of what answers so from now on."""
        ...

    def silent(self) -> str:
        """The URL of what takes a call and never answers."""
        ...

    def nobody(self) -> str:
        """A URL at which nobody listens."""
        ...

    def heard(self) -> list[tuple[str, bytes]]:
        """The method and the body of each call that came."""
        ...


@dataclass
class Real:
    """A server of this machine."""

    port: int = 0
    answer: bytes | None = None
    came: list[tuple[str, bytes]] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        body = await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b""
        self.came.append((head.split(b" ", 1)[0].decode(), body))
        if self.answer is None:
            await reader.read(-1)
            return
        writer.write(self.answer)
        await writer.drain()

    @property
    def call(self) -> CallHttp:
        return call_http

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mend"

    def answers(self, status: int, text: str) -> str:
        self.answer = page(text.encode(), f"{status} As it is", f"Location: {self.url}\r\nConnection: close\r\n")
        return self.url

    def silent(self) -> str:
        self.answer = None
        return self.url

    def nobody(self) -> str:
        return f"http://127.0.0.1:{free_port()}/"

    def heard(self) -> list[tuple[str, bytes]]:
        return self.came


class Simulated:
    """Nobody at all."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.calls = SimulatedCalls(VirtualClock(loop))
        self.call: CallHttp = self.calls.call_http

    def answers(self, status: int, text: str) -> str:
        self.calls.answers["http://it/mend"] = HttpAnswer(status, text)
        return "http://it/mend"

    def silent(self) -> str:
        self.calls.silent.add("http://it/hangs")
        return "http://it/hangs"

    def nobody(self) -> str:
        self.calls.answers["http://it/gone"] = None
        return "http://it/gone"

    def heard(self) -> list[tuple[str, bytes]]:
        return [(call.method, call.body) for call in self.calls.made]


Story = Callable[[World], Awaitable[None]]
Play = Callable[[Story], None]


@asynccontextmanager
async def real() -> AsyncIterator[World]:
    world = Real()
    async with serving(world.serve) as port:
        world.port = port
        yield world


@asynccontextmanager
async def simulated(loop: VirtualLoop) -> AsyncIterator[World]:
    yield Simulated(loop)


@pytest.fixture(params=["real", "simulated"])
def play(request: pytest.FixtureRequest) -> Play:
    """Tells a story in either world."""

    async def tell(story: Story, opened: AbstractAsyncContextManager[World]) -> None:
        async with opened as world:
            await story(world)

    def play(story: Story) -> None:
        if request.param == "real":
            asyncio.run(tell(story, real()))
        else:
            loop = VirtualLoop()
            in_virtual_time(tell(story, simulated(loop)), loop)

    return play


def post(url: str, body: bytes = b"", timeout_s: float = 10.0, method: str = "POST") -> HttpCall:
    return HttpCall(method, url, {"X-Key": SecretStr(SECRET)}, body, timeout_s)


@pytest.mark.parametrize("status", [200, 204, 302, 307, 404, 503])
def test_whatever_is_answered_is_told_and_nothing_is_followed(play: Play, status: int) -> None:
    text = "" if status == 204 else "as you like"

    async def story(world: World) -> None:
        assert await world.call(post(world.answers(status, text))) == HttpAnswer(status, text)
        assert world.heard() == [("POST", b"")]

    play(story)


def test_what_is_sent_comes_as_it_is(play: Play) -> None:
    async def story(world: World) -> None:
        url = world.answers(200, "")
        await world.call(post(url, '{"naïve": true}'.encode()))
        await world.call(post(url, method="DELETE"))
        assert world.heard() == [("POST", '{"naïve": true}'.encode()), ("DELETE", b"")]

    play(story)


def test_what_never_answers_is_given_up_in_its_time(play: Play) -> None:
    async def story(world: World) -> None:
        with pytest.raises(FixFailed, match=r"^cannot call .*no answer within 0\.3 s$"):
            await world.call(post(world.silent(), timeout_s=0.3))
        assert len(world.heard()) == 1

    play(story)


def test_where_nobody_listens_that_is_said(play: Play) -> None:
    async def story(world: World) -> None:
        with pytest.raises(FixFailed, match=r"^cannot call .*no connection"):
            await world.call(post(world.nobody()))
        assert world.heard() == []

    play(story)


# --- what only the real one can do wrong ---


def test_no_more_of_an_endless_answer_is_read_than_its_beginning() -> None:
    async def story() -> None:
        async with real() as world:
            answer = await world.call(post(world.answers(200, "x" * (3 * MAX_BYTES))))
            assert answer.text == "x" * MAX_BYTES

    asyncio.run(story())


def test_an_answer_that_trickles_is_given_up_in_its_time_too() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nslow")
        while not reader.at_eof():  # a byte now and then keeps each single wait short
            writer.write(b".")
            await writer.drain()
            await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.05)

    async def story() -> None:
        async with serving(trickle) as port:
            with pytest.raises(FixFailed, match=r"no answer within 0\.5 s"):
                await call_http(post(f"http://127.0.0.1:{port}/", timeout_s=0.5))

    asyncio.run(story())


@pytest.mark.parametrize("url", ["http://user:pass@api:0.example/secret-path", "http://127.0.0.1:1/secret-path?a=b"])
def test_nothing_of_what_may_be_secret_is_said_of_a_call_that_failed(url: str) -> None:
    with pytest.raises(FixFailed) as caught:
        asyncio.run(call_http(post(url)))
    for secret in ("secret-path", "pass", SECRET):
        assert secret not in str(caught.value)


def test_headers_arrive_and_no_answer_that_is_none_is_taken_for_one() -> None:
    async def story() -> None:
        world = Real()
        async with serving(world.serve) as port:
            world.port, world.answer = port, b"SSH-2.0-OpenSSH_9.6\r\n"
            with pytest.raises(FixFailed, match="RemoteProtocolError"):
                await world.call(post(world.url))
            assert f"x-key: {SECRET}".encode() in world.heads[0].lower()

    asyncio.run(story())
