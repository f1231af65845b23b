"""How is a program met at one of its system calls, and which calls did it make?"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from tests.real.counterparts import absent, program
from tests.real.crash_program import CALLS, Ended, Run, at

ROOT = Path(__file__).resolve().parents[2]
_ALSO = {"openat": ("open",), "rename": ("renameat", "renameat2"), "link": ("linkat",), "unlink": ("unlinkat",)}
_WATCHED = ",".join((*CALLS, "?open", "?renameat", "?renameat2", "?linkat", "?unlinkat", "?mkdirat", "close", "sendto"))
_LINE = re.compile(r"(?P<pid>\d+) +(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?)(?: (?P<error>E[A-Z]+))?")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """A system call: who made it, its arguments as strace has them, its strings, its result; None where it never was.

    The names are those of the older calls: `renameat` is a rename.
    """

    pid: int
    name: str
    arguments: str
    strings: tuple[bytes, ...]
    result: int | None
    error: str


def strace() -> str:
    """The path of strace. Without it, or where it may not trace, the test that asks ends here."""
    found = program("strace", "strace")
    if not _may_trace(found):
        absent("this machine lets no process be traced")
    return found


@cache
def _may_trace(path: str) -> bool:
    return subprocess.run([path, "-o", os.devnull, "true"], check=False, capture_output=True).returncode == 0


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory where there is one: what a disk does is not asked, only what it is told."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


def watched(runs: Sequence[Run], folder: Path, act: str = "") -> tuple[list[Ended], list[Call]]:
    """Do the runs one after another, and return every call that they made, and this program with them."""
    log = folder / "log"
    told = _traced(runs, folder, ["-o", str(log), "-xx", "-s", "100000", "-e", f"trace={_WATCHED}", *_injected(act)])
    return told, list(parsed(log.read_text().splitlines()))


def met(runs: Sequence[Run], folder: Path, act: str, last: int = 0) -> list[Ended]:
    """Do the runs, and `act` ("signal=KILL", "error=EIO") at the call of each, and at `last` more of the kind."""
    options = ["-o", os.devnull, "-s", "0", "-e", f"trace={','.join(CALLS)}", *_injected(act, last)]
    return _traced(runs, folder, options)


def _traced(runs: Sequence[Run], folder: Path, options: Sequence[str]) -> list[Ended]:
    plan = folder / f"plan-{len(list(folder.iterdir()))}"
    plan.write_text(json.dumps([asdict(one) for one in runs]))
    argv = [strace(), "-f", "-qq", "-e", "signal=none", *options]
    argv += [sys.executable, "-m", "tests.real.crash_program", str(plan)]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    return [Ended(tuple(one["told"]), one["status"]) for one in json.loads(ended.stdout)]


def points(calls: Iterable[Call]) -> list[tuple[str, int]]:
    """Every call of a run, as its kind and its number among those."""
    made = Counter(call.name for call in calls if call.name in CALLS)
    return [(name, number) for name in CALLS for number in range(1, made[name] + 1)]


def parsed(lines: Iterable[str]) -> Iterator[Call]:
    """Read strace's log."""
    older = {newer: name for name, newers in (*_ALSO.items(), ("mkdir", ("mkdirat",))) for newer in newers}
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        strings = tuple(bytes.fromhex(text.replace("\\x", "")) for text in _STRING.findall(found["arguments"]))
        result = None if found["result"] == "?" else int(found["result"])
        name = older.get(found["name"], found["name"])
        yield Call(int(found["pid"]), name, found["arguments"], strings, result, found["error"] or "")


def _injected(act: str, last: int = 0) -> Iterator[str]:
    for call in CALLS if act else ():
        names = ",".join((call, *(f"?{newer}" for newer in _ALSO.get(call, ()))))
        yield from ("-e", f"inject={names}:{act}:when={at(call)}..{at(call) + last}")
