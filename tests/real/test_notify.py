"""Is what a program says by systemd's protocol heard, and ascribed to whom the kernel says?"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping

from selfheal.supervise.notify import NotifySocket, parsed
from tests.real.processes import open_files, until

NAME = f"selfheal-test-{os.getpid()}"
SPEAKER = "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect('\\0' + sys.argv[1]); \
s.send(sys.argv[2].encode())"

Heard = list[tuple[int, Mapping[str, str]]]


def listening(story: Callable[[NotifySocket, Heard], Awaitable[None]]) -> None:
    async def run() -> None:
        heard: Heard = []
        notify = NotifySocket(asyncio.get_running_loop(), NAME, lambda pid, said: heard.append((pid, said)))
        try:
            await story(notify, heard)
        finally:
            notify.close()

    asyncio.run(run())


def speaking(name: str) -> socket.socket:
    speaker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    speaker.connect(f"\0{name}")
    return speaker


def another_speaks(message: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SPEAKER, NAME, message])


def test_a_message_is_taken_apart_and_nonsense_is_left_out() -> None:
    assert parsed(b"READY=1\nSTATUS=serving = 3\nnonsense\n=x\n\nEMPTY=") == {
        "READY": "1",
        "STATUS": "serving = 3",
        "EMPTY": "",
    }
    assert parsed(b"STATUS=\xff") == {"STATUS": "\N{REPLACEMENT CHARACTER}"}


def test_the_speaker_is_who_the_kernel_says() -> None:
    async def story(notify: NotifySocket, heard: Heard) -> None:
        assert notify.address == f"@{NAME}"
        other = another_speaks("READY=1\nMAINPID=1")
        await until(lambda: bool(heard))
        assert other.wait() == 0
        assert heard == [(other.pid, {"READY": "1", "MAINPID": "1"})]

    listening(story)


def test_a_flood_is_heard_to_its_end_and_nothing_is_left_open() -> None:
    async def story(notify: NotifySocket, heard: Heard) -> None:
        with speaking(NAME) as speaker:
            before = open_files()
            sent = 0
            for number in range(500):
                try:
                    speaker.send(b"WATCHDOG=%d" % number, socket.MSG_DONTWAIT)
                    sent += 1
                except BlockingIOError:  # the queue of the socket is full: it is read in the next turn
                    await asyncio.sleep(0)
            await until(lambda: len(heard) == sent)
            reader, writer = os.pipe()
            socket.send_fds(speaker, [b"BARRIER=1"], [writer])
            os.close(writer)
            await until(lambda: len(heard) == sent + 1)
            assert os.read(reader, 1) == b"", "its other end is closed by us"
            os.close(reader)
            assert open_files() == before

    listening(story)


def test_the_next_daemon_takes_the_same_name() -> None:
    async def story(notify: NotifySocket, heard: Heard) -> None:
        with speaking(NAME):
            notify.close()
        again = NotifySocket(asyncio.get_running_loop(), NAME, lambda pid, said: heard.append((pid, said)))
        with speaking(NAME) as speaker:
            speaker.send(b"WATCHDOG=1")
            await until(lambda: heard == [(os.getpid(), {"WATCHDOG": "1"})])
        again.close()

    listening(story)
