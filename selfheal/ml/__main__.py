"""The child that learns, a process of its own: `python -m selfheal.ml`, orders on stdin, answers on stdout.

It gives way to everything else, has so much memory and no more, and ends with the process that started it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from selfheal.ml.child import IDLE_S, Foreteller, serve
from selfheal.ml.wire import Garbage

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_NICE = 19
# What it takes itself: with the library 160 MB, with the largest order half as much again. Not the room for addresses,
# which says nothing of memory and which the library's own libraries take a gigabyte of.
MOST_MEMORY = 512_000_000
# What torch may have beside that, where it is fitted with: an order of simulated agents alone comes to 530 MB with it,
# the largest one to 610.
MORE_FOR_TORCH = 400_000_000


def main(foretell: Foreteller | None = None) -> int:
    """Serve until there is nothing left to do; returns the exit code. `foretell` as `serve` has it."""
    parser = ArgumentParser(prog="python -m selfheal.ml")
    parser.add_argument("--parent", type=int, default=0, help="the pid with which it ends")
    parser.add_argument("--idle", type=float, default=IDLE_S, help="seconds without an order after which it ends")
    parser.add_argument("--memory", type=int, default=MOST_MEMORY, help="bytes that it may take")
    given = parser.parse_args()
    _end_with(given.parent)
    os.umask(0o077)
    os.nice(_NICE)
    _first_to_go()
    resource.setrlimit(resource.RLIMIT_DATA, (given.memory, given.memory + MORE_FOR_TORCH))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is meant for the daemon, which ends us
    with os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0) as orders, _answers() as answers:
        try:
            serve(orders, answers, given.idle, foretell)
        except (Garbage, BrokenPipeError) as why:
            sys.stderr.write(f"{why}\n")
            return 1
    return 0


def _answers() -> BinaryIO:
    """Where answers go. What a library prints goes elsewhere: on the wire it would be garbage."""
    kept = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(kept, "wb")


def _first_to_go() -> None:
    """Be what the kernel ends first where memory runs out: an agent is worth more than what is learned of it."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _end_with(parent: int) -> None:
    """Be killed when the parent ends; where it has ended already, end now."""
    if parent:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
