"""Does systemd hear what the daemon has to say, and do its agents keep out of it?"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selfheal.telemetry.systemd import ServiceManager
from tests.real.daemon_process import house, until

ME = frozenset({7})


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        sock.settimeout(15.0)
        yield sock


@pytest.mark.parametrize("abstract", [False, True])
def test_it_hears_once_that_the_daemon_is_ready_and_again_and_again_that_it_lives(
    abstract: bool, tmp_path: Path
) -> None:
    address = f"@selfheal-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with listening(address) as sock:
        manager = ServiceManager.from_environment({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3000000"}, ME)
        assert manager.every_s == 1.0
        manager.alive(ready=False)
        manager.alive(ready=True)
        manager.alive(ready=True)
        manager.stopping()
        heard = [sock.recv(100).decode() for _ in range(4)]
    assert heard == ["WATCHDOG=1", "READY=1\nWATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


def test_a_word_that_could_not_be_said_is_said_the_next_time(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    manager = ServiceManager(address)
    with pytest.raises(FileNotFoundError):
        manager.alive(ready=True)
    manager.stopping()
    with listening(address) as sock:
        manager.alive(ready=True)
        assert sock.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    ("environment", "watched"),
    [
        ({"WATCHDOG_USEC": "3000000"}, True),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, True),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"}, False),
        ({"WATCHDOG_USEC": "soon"}, False),
        ({"WATCHDOG_USEC": "0"}, False),
        ({}, False),
    ],
)
def test_a_watchdog_for_somebody_else_or_none_gets_no_sign_of_life(
    environment: dict[str, str], watched: bool, tmp_path: Path
) -> None:
    address = str(tmp_path / "notify")
    with listening(address) as sock:
        manager = ServiceManager.from_environment(environment | {"NOTIFY_SOCKET": address}, ME)
        manager.alive(ready=False)
        manager.stopping()
        assert sock.recv(100) == (b"WATCHDOG=1" if watched else b"STOPPING=1")


def test_without_systemd_nothing_is_said() -> None:
    manager = ServiceManager.from_environment({}, ME)
    assert not manager.listens
    manager.alive(ready=True)
    manager.stopping()


AGENT = '[agents.calm]\ncommand = ["sleep", "1000"]'


def test_a_daemon_tells_it_of_its_whole_life_and_its_agents_know_nothing_of_it(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with listening(address) as sock, house(AGENT, NOTIFY_SOCKET=address, WATCHDOG_USEC="150000") as place:
        heard = [sock.recv(100).decode()]
        while "READY=1" not in heard[-1]:
            heard.append(sock.recv(100).decode())
        assert set(heard[:-1]) <= {"WATCHDOG=1"}
        assert [sock.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3

        environment = Path(f"/proc/{place.pid('calm')}/environ").read_bytes().split(b"\0")
        assert not [one for one in environment if one.startswith((b"WATCHDOG_", b"SELFHEAL_KEEPER"))]
        (notify,) = (one for one in environment if one.startswith(b"NOTIFY_SOCKET="))
        assert notify.startswith(b"NOTIFY_SOCKET=@selfheal-"), "an agent speaks to us"

        place.daemon.signal(signal.SIGTERM)
        assert place.daemon.wait() == 0
        sock.setblocking(False)
        rest = [sock.recv(100)]
        until(lambda: _next(sock, rest))
        assert rest[-1] == b"STOPPING=1"
        assert set(rest[:-1]) <= {b"WATCHDOG=1"}


def _next(sock: socket.socket, rest: list[bytes]) -> bool:
    """Take what is there; returns whether that was all."""
    try:
        rest.append(sock.recv(100))
    except BlockingIOError:
        return True
    return False
