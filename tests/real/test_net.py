"""Are names resolved and connections opened without holding anybody up?"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import threading
from collections.abc import Sequence

import pytest

from selfheal.net import Dialer
from selfheal.net.awaiting import Answer, ready
from selfheal.net.names import MOST_AT_ONCE, Names, Place, socket_address
from selfheal.net.poller import READ, WRITE, Poller
from tests.real.daemon_process import free_port
from tests.real.servers import serving, silent

LOOPBACK: Sequence[Place] = ((socket.AF_INET, "127.0.0.1"),)


@pytest.mark.parametrize("first", ["told", "cancelled"])
def test_what_is_told_while_nobody_waits_any_more_is_dropped(first: str) -> None:
    dropped: list[str] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: pytest.fail(str(context)))
        for value, failure in (("a socket", None), (None, OSError("nobody is told"))):
            answer: Answer[str] = Answer(dropped.append)
            task = asyncio.ensure_future(answer.wait())
            await asyncio.sleep(0)
            if first == "told":
                answer.tell(value, failure)
                task.cancel()
            else:
                task.cancel()
                answer.tell(value, failure)
            await asyncio.wait([task])
            assert task.cancelled()

    asyncio.run(story())
    gc.collect()  # what was raised and never looked at would be told here
    assert dropped == ["a socket"]


async def addresses(names: Names, host: str) -> Sequence[Place]:
    answer: asyncio.Future[Sequence[Place]] = asyncio.get_running_loop().create_future()

    def tell(found: Sequence[Place], failure: Exception | None) -> None:
        if failure is not None:
            answer.set_exception(failure)
        else:
            answer.set_result(found)

    names.resolve(host, tell)
    return await answer


async def connected(dialer: Dialer, host: str, port: int) -> socket.socket:
    answer: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()

    def tell(sock: socket.socket | None, failure: Exception | None) -> None:
        if sock is not None:
            answer.set_result(sock)
        else:
            answer.set_exception(failure or AssertionError("told nothing"))

    dialer.dial(host, port, tell)
    return await answer


def test_this_machine_is_found_by_its_name() -> None:
    assert asyncio.run(addresses(Names(), "localhost"))[0][1] in ("127.0.0.1", "::1")


def test_a_name_that_is_none_is_told_as_such() -> None:
    with pytest.raises(UnicodeError):
        asyncio.run(addresses(Names(), "a..b"))


def test_an_address_of_one_link_alone_keeps_its_link() -> None:
    """fe80::/10 of two networks are two places; no socket looks for the link in the text."""
    number = socket.if_nametoindex("lo")
    found = asyncio.run(addresses(Names(), "fe80::1%lo"))
    assert found == ((socket.AF_INET6, f"fe80::1%{number}"),)
    assert socket_address(found[0], 53) == ("fe80::1", 53, 0, number)
    assert socket_address((socket.AF_INET6, "::1"), 53) == ("::1", 53)


def test_many_who_ask_for_one_name_at_once_are_one_question() -> None:
    asked: list[str] = []
    go = threading.Event()

    def lookup(host: str) -> Sequence[Place]:
        asked.append(host)
        go.wait(10.0)
        return LOOPBACK

    async def story() -> None:
        names = Names(lookup)
        waiting = asyncio.gather(*(addresses(names, "a.example") for _ in range(50)))
        await asyncio.sleep(0)
        go.set()
        assert await waiting == [LOOPBACK] * 50
        assert await addresses(names, "a.example") == LOOPBACK  # a moment later, too
        assert asked == ["a.example"]

    asyncio.run(story())


def test_names_that_nobody_answers_for_hold_up_no_other_until_there_are_very_many() -> None:
    go = threading.Event()

    def lookup(host: str) -> Sequence[Place]:
        if host.startswith("dead"):
            go.wait(20.0)
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return LOOPBACK

    async def story() -> None:
        names = Names(lookup)
        dead = [asyncio.ensure_future(addresses(names, f"dead{number}")) for number in range(MOST_AT_ONCE - 1)]
        await asyncio.sleep(0)
        assert await addresses(names, "alive") == LOOPBACK
        assert not any(one.done() for one in dead)
        go.set()
        assert all(isinstance(one, socket.gaierror) for one in await asyncio.gather(*dead, return_exceptions=True))

    asyncio.run(story())


def test_a_question_that_is_called_off_before_its_turn_is_never_asked() -> None:
    asked: list[str] = []
    go = threading.Event()

    def lookup(host: str) -> Sequence[Place]:
        asked.append(host)
        go.wait(20.0)
        return LOOPBACK

    async def story() -> None:
        names = Names(lookup)
        busy = [asyncio.ensure_future(addresses(names, f"busy{number}")) for number in range(MOST_AT_ONCE)]
        await asyncio.sleep(0)
        call_off = names.resolve("given up", lambda found, failure: pytest.fail("it was called off"))
        call_off()
        go.set()
        await asyncio.gather(*busy)
        assert await addresses(names, "next") == LOOPBACK
        assert "given up" not in asked

    asyncio.run(story())


def test_each_address_of_a_name_is_tried_and_a_refusal_is_what_is_told() -> None:
    async def story() -> None:
        two = Dialer(names=Names(lambda host: ((socket.AF_INET, "127.0.0.2"), (socket.AF_INET, "127.0.0.1"))))
        async with serving(silent) as port:  # at 127.0.0.1 alone
            (await connected(two, "two.example", port)).close()
        with pytest.raises(ConnectionRefusedError) as refused:
            await connected(two, "two.example", free_port())
        assert refused.value.errno == errno.ECONNREFUSED
        two.close()

    asyncio.run(story())


def test_another_loop_may_go_on_where_one_was_closed() -> None:
    dialer = Dialer()

    async def story() -> None:
        async with serving(silent) as port:
            with await connected(dialer, "127.0.0.1", port) as sock:
                sock.send(b"x")
                await ready(dialer.poller, sock.fileno(), WRITE)
        assert len(dialer.poller) == 0

    asyncio.run(story())
    asyncio.run(story())
    dialer.close()


def test_a_callback_that_raises_keeps_no_other_from_being_called() -> None:
    called: list[str] = []
    told: list[object] = []

    async def story() -> None:
        poller = Poller()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: told.append(context["exception"]))
        pipes = [os.pipe() for _ in range(2)]
        done = asyncio.Event()

        def broken() -> None:
            os.read(pipes[0][0], 1)
            raise ValueError("broken")

        def well() -> None:
            os.read(pipes[1][0], 1)
            called.append("well")
            done.set()

        poller.watch(pipes[0][0], READ, broken)
        poller.watch(pipes[1][0], READ, well)
        for _, end in pipes:
            os.write(end, b"x")
        await asyncio.wait_for(done.wait(), 10.0)
        poller.close()
        for pair in pipes:
            for end in pair:
                os.close(end)

    asyncio.run(story())
    assert called == ["well"]
    assert len(told) == 1
