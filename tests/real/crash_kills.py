"""What is found after a kill, or a refusal of the disk, at any system call of a life?"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

from tests.real.crash_damage import DAMAGE, lived
from tests.real.crash_program import Run
from tests.real.crash_story import EVENTS
from tests.real.crash_verdict import Promised, passed_over, wrong
from tests.real.straced import Call, met, points, quick_folder, watched

Prepare = Callable[[Path], frozenset[int]]


@dataclass(frozen=True, slots=True)
class Point:
    """A place to meet a life at: what was there before it, the kind of call, its number."""

    before: str
    call: str
    number: int


@dataclass(frozen=True, slots=True)
class Found:
    """What came of meeting a life there: what it told, what is wrong afterwards."""

    point: Point
    told: tuple[str, ...]
    status: int
    wrong: list[str]


def nothing(state: Path) -> frozenset[int]:
    """A first life, in a folder that is not there yet."""
    return frozenset()


def lived_before(state: Path) -> frozenset[int]:
    """A second life after one that ended well."""
    lived(state)
    return frozenset()


def damaged_by(damage: Prepare) -> Prepare:
    def prepare(state: Path) -> frozenset[int]:
        lived(state)
        return damage(state)

    return prepare


BEFORE: dict[str, Prepare] = {
    "nothing": nothing,
    "a life": lived_before,
    **{name: damaged_by(damage) for name, damage in DAMAGE.items()},
}


def all_points(names: Sequence[str]) -> list[Point]:
    """Every system call of a life after each of what may be `before` it."""
    with quick_folder() as folder:
        rooms = {name: _prepared(folder / name, name)[0] for name in names}
        ended, calls = watched([Run(str(state)) for state in rooms.values()], folder)
        assert [one.status for one in ended] == [0] * len(rooms), ended
        return [Point(name, *one) for name, made in zip(names, _by_process(calls), strict=True) for one in points(made)]


def spread(every: Sequence[Point], count: int) -> list[Point]:
    """So many of them, the same at each time, from all over."""
    return [every[number * len(every) // count] for number in range(min(count, len(every)))]


def meet(where: Sequence[Point], act: str, last: int = 0) -> Iterator[Found]:
    """Let lives be met, each at its point, and look at what they leave."""
    with quick_folder() as folder:
        rooms = [_prepared(folder / str(number), point.before) for number, point in enumerate(where)]
        runs = [
            Run(str(state), point.call, point.number, relief=point.number + last + 1)
            for point, (state, _) in zip(where, rooms, strict=True)
        ]
        ended = met(runs, folder, act, last)
        for point, (state, lost), end in zip(where, rooms, ended, strict=True):
            before = Promised() if point.before == "nothing" else _PROMISED
            found = wrong(state, before.then(Promised.by(end.told)), damaged=point.before in DAMAGE, lost=lost)
            found += passed_over(before, end.told, lost)
            yield Found(point, end.told, end.status, found)


def kill(where: Sequence[Point]) -> list[Found]:
    found = list(meet(where, "signal=KILL"))
    assert {one.status for one in found} <= {SIGKILL}, "a life was not met"
    return found


def refuse(where: Sequence[Point], error: int, last: int = 0) -> list[Found]:
    """Let the disk refuse at each point, and at `last` more calls of the kind: the life goes on and says why."""
    found = list(meet(where, f"error={errno.errorcode[error]}", last))
    for one in found:
        said = [word.partition(" ")[2] for word in one.told if word.startswith(("trouble", "refused"))]
        one.wrong.extend(f"it says: {words}" for words in said if not words.startswith("cannot "))
        one.wrong.extend(f"it does not say why: {words}" for words in said if os.strerror(error) not in words)
        if one.status:
            one.wrong.append(f"it does not go on: {one.told[-1]}")
    return found


_PROMISED = Promised(written=frozenset(range(1, EVENTS + 1)), events=EVENTS, views=EVENTS)


def _prepared(folder: Path, before: str) -> tuple[Path, frozenset[int]]:
    folder.mkdir()
    state = folder / "state"
    return state, BEFORE[before](state)


def _by_process(calls: Sequence[Call]) -> list[list[Call]]:
    """The calls of each fork; those of the program itself come first."""
    made: dict[int, list[Call]] = {}
    for call in calls:
        made.setdefault(call.pid, []).append(call)
    return list(made.values())[1:]
