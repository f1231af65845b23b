"""How is something measured in a process of its own, on a processor of its own?

The asking processes are pinned to one processor and the server to another, where there are two: whoever is slower
would else be given the time of the other. What a process found is the JSON that it prints.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TypeVar

import msgspec

Settings = TypeVar("Settings")
Found = Mapping[str, float]

ASKING, SERVING = 0, 1
"""Places among the processors that we may use."""


def spent_s() -> float:
    """Seconds of processor that this process and its children have used so far."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


def pinned(place: int) -> list[str]:
    """What stands before a command that shall stay on one processor; nothing where there is but one."""
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2 or shutil.which("taskset") is None:
        return []
    return ["taskset", "-c", str(processors[place])]


def alone(module: str, settings: object, limit_s: float, place: int = ASKING) -> Found:
    """Run a module, which `answers`, by itself. Raises RuntimeError where it did not find anything."""
    asked = msgspec.json.encode(settings).decode()
    command = [*pinned(place), sys.executable, "-m", module]
    # By its input and not as an argument: ten thousand URLs are too long for one.
    done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=limit_s, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"cannot measure: {(done.stderr.strip() or 'it ended without a word').splitlines()[-1]}")
    return msgspec.json.decode(done.stdout, type=dict[str, float])


def answers(kind: type[Settings], measure: Callable[[Settings], Found]) -> None:
    """Measure what is asked for on the standard input, and print what was found."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found = measure(msgspec.json.decode(sys.stdin.buffer.read(), type=kind))
    print(json.dumps(found))


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with ExitStack() as undo:
        sockets = [undo.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("", 0))
        return [int(one.getsockname()[1]) for one in sockets]
