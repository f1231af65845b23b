"""What does the kernel hold together, and within its limits, where it lets us?

Where a cgroup v2 is given to us, each run of an agent gets a group of its own: everything that descends from it is in
there, whatever it does to its session, its parent or its environment, and `cgroup.kill` ends all of it at once. Where
the group has the controllers `memory` and `cpu`, limits are the kernel's to hold. Nothing here is ever needed: without
a group trees are found by their marks, and memory is watched.

A move into a group waits for every fork on the machine, 5 to 15 ms, and holds the next one up: a crash would be healed
three times later. So moves wait for a moment without a start, and are made in a thread; many cost as much as one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from selfheal.kinds import Run
from selfheal.supervise import proc
from selfheal.supervise.launcher import Launch

_PREFIX = "selfheal-"
_CONTROLLERS = ("memory", "cpu")
_PERIOD_US = 100_000  # the kernel's own for cpu.max
# After the last of many starts, and at most after the first of them: what a helper hides until then is not held.
_QUIET_S, _PATIENCE_S = 0.25, 3.0
# A folder of another daemon that is empty for so long has none: a daemon makes it again where it needs it.
_FORSAKEN_S, _SIGN_S = 3600.0, 600.0
_MOVES = 8  # what a process starts while it is moved is looked for so often


@dataclass(frozen=True, slots=True)
class Place:
    """Where groups may be made, and which controllers they have."""

    folder: Path
    controllers: frozenset[str] = frozenset()


class Groups:
    """The groups of one daemon. Without a place every method does nothing."""

    def __init__(self, loop: asyncio.AbstractEventLoop, place: Place | None) -> None:
        self._loop = loop
        self._place = place
        self._waiting: dict[str, tuple[Run, Launch]] = {}
        self._turn: asyncio.Handle | None = None
        self._due = 0.0  # when they move at the latest, on the loop's clock
        self._left: set[str] = set()
        self._sign_due = 0.0
        self._lock = Lock()  # one at work: a group that was just made is not tidied away before it is used

    @property
    def enforced(self) -> dict[str, str]:
        """What is held by the kernel and what by us, in words for the log."""
        held = self._place.controllers if self._place is not None else frozenset[str]()
        return {
            "trees": "cgroup.kill and marks" if self._place is not None else "marks",
            "memory": "memory.max, and watched" if "memory" in held else "watched",
            "cpu": "cpu.max" if "cpu" in held else "shown only",
        }

    def enter(self, run: Run, launch: Launch) -> None:
        """Put a run, and all that it has started by then, into a group of its own, in a moment.

        One that is in there already gets the limits of `launch`.
        """
        if self._place is None:
            return
        self._waiting[_group(self._place, launch.agent, run.generation)] = run, launch
        now = self._loop.time()
        if self._turn is None:
            self._due = now + _PATIENCE_S
        else:
            self._turn.cancel()
        self._turn = self._loop.call_at(min(now + _QUIET_S, self._due), self._move_all)

    def kill(self, run: Run, agent: str) -> None:
        """Kill everything in the group of a run, at once."""
        if self._place is None:
            return
        group = _group(self._place, agent, run.generation)
        self._waiting.pop(group, None)
        _write(f"{group}/cgroup.kill", "1")

    def members(self, run: Run, agent: str) -> list[int]:
        """Every process in the group of a run; none where it has no group, or is not in there yet."""
        if self._place is None:
            return []
        return [int(pid) for pid in proc.read_all(f"{_group(self._place, agent, run.generation)}/cgroup.procs").split()]

    def left(self, run: Run, agent: str) -> None:
        """A run has ended, and its group may be taken away once it is empty."""
        if self._place is not None:
            self._left.add(_group(self._place, agent, run.generation))

    def tidy(self) -> None:
        """Take away the groups of runs that have ended, in a thread; the first time all that are empty.

        Their folder stays while we live: made anew it would have no controllers, and hold no limit.
        """
        if self._place is None or (not self._left and self._loop.time() < self._sign_due):
            return
        first, self._sign_due = self._sign_due == 0.0, self._loop.time() + _SIGN_S
        left, self._left = self._left, set()
        self._loop.run_in_executor(None, self._tidy, self._place, None if first else left)

    def close(self) -> None:
        """Move nothing more, and take away what is empty. Those who live on stay in their groups."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if self._place is not None:
            self._tidy(self._place, None)
            with suppress(OSError):  # somebody lives on
                self._place.folder.rmdir()

    def _move_all(self) -> None:
        self._turn = None
        waiting, self._waiting = self._waiting, {}
        if self._place is not None:
            self._loop.run_in_executor(None, self._move, self._place, waiting)

    def _move(self, place: Place, waiting: dict[str, tuple[Run, Launch]]) -> None:
        with self._lock:
            for group, (run, launch) in waiting.items():
                with suppress(OSError):  # it ended meanwhile, or the kernel will not: it is found by its mark
                    if proc.stat(run.pid).start_ticks == run.start_ticks:
                        os.makedirs(group, exist_ok=True)
                        _limit(group, launch, place.controllers)
                        _move_tree(group, run)

    def _tidy(self, place: Place, left: set[str] | None) -> None:
        with self._lock:
            for group in map(str, _folders(place.folder)) if left is None else left:
                try:
                    os.rmdir(group)
                except FileNotFoundError:
                    pass  # its run ended before it was moved there
                except OSError:  # somebody is in there
                    if left is not None:
                        self._left.add(group)
            with suppress(OSError):
                os.utime(place.folder)  # it is not forsaken, however long nothing was started


def find_place(marker: str, now: float) -> Place | None:
    """Where this daemon may make groups, made ready; None where the machine gives it none.

    What systemd runs it leaves alone, unless it was delegated. `now` is wall time, for the folders of daemons that are
    no more.
    """
    for base in _bases():
        with suppress(OSError):
            folder = base / f"{_PREFIX}{marker}"
            for controller in _CONTROLLERS:  # refused where processes are in the group itself, us among them
                _write(base / "cgroup.subtree_control", f"+{controller}")
            folder.mkdir(exist_ok=True)
            for controller in _CONTROLLERS:
                _write(folder / "cgroup.subtree_control", f"+{controller}")
            if not os.access(folder / "cgroup.kill", os.W_OK):
                folder.rmdir()  # a kernel before 5.14
                continue
            _bury_forsaken(base, folder, now)
            return Place(folder, frozenset((folder / "cgroup.subtree_control").read_text().split()))
    return None


def _bases() -> Iterator[Path]:
    own = own_group()
    if own is None:
        return
    yield from (group for group in (own.parent, own) if _delegated(group) and _usable(group))
    if not Path("/run/systemd/system").exists() and _usable(own):
        yield own


def own_group() -> Path | None:
    """The folder of the group that this process is in; None where no cgroup v2 is mounted that shows it."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    name = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), None)
    if name is None or ".." in name:
        return None
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            root, mounted = fields.split()[3:5]
            inside = name.removeprefix(root.rstrip("/")) if name.startswith(root) else name
            return Path(mounted) / inside.lstrip("/")
    return None


def _delegated(group: Path) -> bool:
    """Whether systemd has given this group away: it says so by an attribute of the folder."""
    for name in ("trusted.delegate", "user.delegate"):
        with suppress(OSError):
            if os.getxattr(group, name) == b"1":
                return True
    return False


def _usable(group: Path) -> bool:
    return os.access(group, os.W_OK) and os.access(group / "cgroup.procs", os.W_OK)


def _bury_forsaken(base: Path, own: Path, now: float) -> None:
    for folder in _folders(base):
        with suppress(OSError):
            if folder != own and folder.name.startswith(_PREFIX) and folder.stat().st_mtime < now - _FORSAKEN_S:
                for group in _folders(folder):
                    group.rmdir()
                folder.rmdir()


def _folders(parent: Path) -> list[Path]:
    try:
        return [entry for entry in parent.iterdir() if entry.is_dir()]
    except OSError:
        return []


def _group(place: Place, agent: str, generation: int) -> str:
    """A plain name: it is made up at each death, before the next start."""
    return f"{place.folder}/{agent}.{generation}"


def _limit(group: str, launch: Launch, controllers: frozenset[str]) -> None:
    if "memory" in controllers:
        _write(f"{group}/memory.max", "max" if launch.memory is None else str(launch.memory))
        _write(f"{group}/memory.oom.group", "0" if launch.memory is None else "1")  # half an agent is no agent
    if "cpu" in controllers:
        quota = "max" if launch.cores is None else str(max(1000, round(launch.cores * _PERIOD_US)))
        _write(f"{group}/cpu.max", f"{quota} {_PERIOD_US}")


def _move_tree(group: str, run: Run) -> None:
    """Move a process and its descendants. Children of what has moved are born in the group."""
    moved = set(map(int, proc.read_all(f"{group}/cgroup.procs").split()))  # to move one again would hold forks up too
    for _ in range(_MOVES):
        left = [pid for pid in (run.pid, *proc.descendants([run.pid])) if pid not in moved]
        if not left:
            return
        for pid in left:
            _write(f"{group}/cgroup.procs", str(pid))
        moved.update(left)


def _write(file: Path | str, text: str) -> None:
    """Tell the kernel something; what it refuses is left as it was. Nothing is created: the files are the kernel's."""
    with suppress(OSError):
        fd = os.open(file, os.O_WRONLY)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
