"""Is everything that was promised there, in whatever state a power cut leaves the disk?

The operations are those of the real program, traced; the states are the model's; each is made a folder, and a daemon
starts over it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.real.crash_program import Run
from tests.real.crash_verdict import Promised
from tests.real.powerloss_disk import Disk, Files, Operation
from tests.real.powerloss_traces import Trace
from tests.real.straced import quick_folder, watched

Judge = Callable[[Path, Promised], list[str]]


@dataclass(slots=True)
class Proved:
    """How many states were looked at, and of those that are wrong the first few."""

    states: int = 0
    bad: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, found: list[str], where: str) -> None:
        self.states += 1
        if found:
            self.bad += 1
            self.examples = [*self.examples, f"{where}: {found}"][:5]


@dataclass(frozen=True, slots=True)
class History:
    """A folder before, and what was done to it."""

    before: Disk
    operations: Sequence[Operation]


def traced(
    runs: Callable[[Path], Sequence[Run]], before: Callable[[Path], object] = lambda _: None, act: str = ""
) -> History:
    """What the runs in a folder did, one after another. What was there `before` is all on the disk."""
    with quick_folder() as folder:
        room = folder / "room"
        room.mkdir()
        before(room / "state")
        trace = Trace(room)
        disk = trace.found()
        ended, calls = watched(runs(room / "state"), folder, act)
        assert all(one.status == 0 for one in ended), ended
        return History(disk, list(trace.operations(calls)))


def prove(history: History, judge: Judge, *, weak: bool, most: int, states_max: int = 10**9) -> Proved:
    """Cut the power after each operation, and look at what may be left; `most` states of one naming of the files.

    Of more than `states_max` in all, so many that are spread over the cuts.
    """
    chance = Random(most)
    proved = Proved()
    with quick_folder() as folder:
        strictest = _strictest(history, weak=weak, most=most, chance=chance)
        if len(strictest) > states_max:
            strictest = chance.sample(strictest, states_max)
        for number, (files, told) in enumerate(strictest):
            room = folder / str(number)
            _made(room, files)
            proved.add(judge(room / "state", Promised.by(told)), f"after {told[-2:]}")
            shutil.rmtree(room)
    return proved


def _strictest(history: History, *, weak: bool, most: int, chance: Random) -> list[tuple[Files, tuple[str, ...]]]:
    """Every state once, with the most that was ever promised when the disk might have looked so."""
    found: dict[bytes, tuple[Files, tuple[str, ...]]] = {}
    for disk in _cuts(history):
        told = tuple(disk.told)
        for files in disk.states(weak=weak, most=most, chance=chance):
            found[_key(files)] = (files, told)
    return list(found.values())


def _cuts(history: History) -> Iterator[Disk]:
    disk = Disk(dict(history.before.names), dict(history.before.contents))
    yield disk
    for operation in history.operations:
        disk.do(operation)
        yield disk


def _key(files: Files) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(files):
        digest.update(b"%d %s %d " % (len(path), path.encode(), len(files[path])) + files[path])
    return digest.digest()


def _made(room: Path, files: Files) -> None:
    room.mkdir()
    for path in sorted(files):
        if path.endswith("/"):
            (room / path).mkdir(mode=0o700)
        else:
            (room / path).write_bytes(files[path])
