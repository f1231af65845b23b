"""What is run under strace, so that a life can end, or its disk refuse, at any one system call?

Strace counts the calls of each process by itself and does something at one number of each kind: `AT`. Each run is a
fork of this program, which has imported everything by then. To be met at its 7th fsync it first makes 73 that come to
nothing. So one strace does hundreds of runs, each for the price of a fork.

Reads a list of runs from a file, writes what was told in each, and how it ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tests.real import crash_careless
from tests.real.crash_story import abandon, live

AT = 80
"""More calls of one kind than a story makes."""
AT_OPENAT = 800
"""The program itself opens hundreds of files, of what it imports."""

_NO_FD = 1 << 20
_NOWHERE = Path("/proc/nowhere/at-all")
_IN_VAIN: dict[str, Callable[[], object]] = {
    "openat": lambda: os.open(_NOWHERE, os.O_RDONLY),
    "write": lambda: os.write(_NO_FD, b""),
    "fsync": lambda: os.fsync(_NO_FD),
    "fdatasync": lambda: os.fdatasync(_NO_FD),
    "ftruncate": lambda: os.ftruncate(_NO_FD, 0),
    "rename": lambda: _NOWHERE.replace(_NOWHERE),
    "link": lambda: os.link(_NOWHERE, _NOWHERE),
    "unlink": _NOWHERE.unlink,
    "mkdir": _NOWHERE.mkdir,
}
CALLS = tuple(_IN_VAIN)
STORIES = {"live": live, "abandon": abandon, "careless": crash_careless.careless, "hasty": crash_careless.hasty}


@dataclass(frozen=True, slots=True)
class Run:
    """A story in a folder, met by strace at the call number `number` of a kind; 0 is never."""

    folder: str
    call: str = "write"
    number: int = 0
    story: str = "live"
    relief: int = 0
    """After so many more calls of that kind the disk refuses no more."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run told, and the status that it ended with (as of os.wait)."""

    told: tuple[str, ...]
    status: int


def main(plan: Path) -> None:
    runs = [Run(**run) for run in json.loads(plan.read_bytes())]
    sys.stdout.write(json.dumps([asdict(_forked(run)) for run in runs]))


def at(call: str) -> int:
    """The number at which strace acts."""
    return AT_OPENAT if call == "openat" else AT


def _forked(run: Run) -> Ended:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _tell_story(run, theirs)
    theirs.close()
    _, status = os.waitpid(pid, 0)
    told = b""
    while more := ours.recv(65536):
        told += more
    ours.close()
    return Ended(tuple(told.decode().splitlines()), status)


def _tell_story(run: Run, ear: socket.socket) -> None:
    def tell(what: str) -> None:
        ear.send(f"{what}\n".encode())  # no write: those may be what goes wrong

    status = 1
    try:
        if run.number:
            _in_vain(run.call, at(run.call) - run.number)
        asyncio.run(STORIES[run.story](Path(run.folder), tell, partial(_in_vain, run.call, run.relief)))
        status = 0
    except BaseException as why:
        tell(f"failed {why!r}")
        raise
    finally:
        os._exit(status)


def _in_vain(call: str, times: int) -> None:
    for _ in range(times):
        with suppress(OSError):
            _IN_VAIN[call]()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
