"""What does the kernel say about a process, and about everything that it started?

All of it comes from /proc. Numbers of one process equal those of psutil; a tree is the session of a run together with
every descendant of it, and one pass over /proc serves any number of runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from selfheal.kinds import Run

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_CHUNK_BYTES = 64 * 1024
_STAT_BYTES = 1024  # one line of 52 numbers and a name of at most 64 bytes
_EXEC_LOOKS, _EXEC_PAUSE_S = 40, 0.0005  # a program is set up in under a millisecond, once it has a processor
_MAX_DEPTH = 64  # ancestors looked at; a table read while pids are reused might hold a cycle


@dataclass(frozen=True, slots=True)
class ProcStat:
    """One line of /proc/PID/stat. `cpu_s` is the process alone, `reaped_cpu_s` its children that have ended."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    cpu_s: float
    reaped_cpu_s: float
    threads: int
    start_ticks: int

    @property
    def alive(self) -> bool:
        """Whether it still runs code. A zombie main thread with living threads does."""
        return self.state not in "ZX" or self.threads > 1


@dataclass(frozen=True, slots=True)
class ProcSample:
    """What a run and everything that it started use now.

    `cpu_s` counts ended and reaped children too, so that it does not fall when one ends. `rss_bytes` is a sum, shared
    pages counted for each. `fds` is the most that any one process holds, since the limit is one of a process; 0 where
    it cannot be read. `state` is the letter of the first process, X where only its descendants are left.
    """

    cpu_s: float
    rss_bytes: int
    fds: int
    threads: int
    children: int
    state: str


def stat(pid: int) -> ProcStat:
    """Raises ProcessLookupError where there is no such process."""
    raw = _read(f"/proc/{pid}/stat")
    fields = raw[raw.rindex(b")") + 2 :].split()  # the name before it may hold spaces and parentheses
    return ProcStat(
        pid=pid,
        state=fields[0].decode(),
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS_PER_S,
        reaped_cpu_s=(int(fields[13]) + int(fields[14])) / _TICKS_PER_S,
        threads=int(fields[17]),
        start_ticks=int(fields[19]),
    )


def processes() -> Iterator[ProcStat]:
    """Every process there is, zombies included, in one pass over /proc."""
    with os.scandir("/proc") as entries:
        pids = [int(entry.name) for entry in entries if entry.name.isdecimal()]
    for pid in pids:
        with suppress(ProcessLookupError):  # it ended since the listing
            yield stat(pid)


def environment(pid: int) -> list[bytes]:
    """The assignments that a process was started with; none where it has ended, or this user may not see them.

    While a program takes another one's place, the kernel shows none for a moment: waits for the end of that, since
    what is looked at just then would pass for nobody's.
    """
    environ = f"/proc/{pid}/environ"
    with suppress(ProcessLookupError, PermissionError):
        for _ in range(_EXEC_LOOKS):
            found = read_all(environ)
            if found or not _is_being_set_up(pid):
                return found.split(b"\0")
            time.sleep(_EXEC_PAUSE_S)  # noqa: TID251 - it is the kernel's doing that we wait for, and not for long
    return []


def state(pid: int) -> str:
    """One letter: R running, S sleeping, D waiting for a device, T stopped, Z zombie. Raises ProcessLookupError."""
    return stat(pid).state


@dataclass(frozen=True, slots=True)
class Dispositions:
    """What a process does with signals: those that it has a handler for, and those that it ignores."""

    caught: frozenset[int]
    ignored: frozenset[int]


def dispositions(pid: int) -> Dispositions:
    """Raises ProcessLookupError where there is no such process."""
    status = read_all(f"/proc/{pid}/status")
    if not status:
        raise ProcessLookupError(f"no process {pid}")
    masks = {"SigCgt": 0, "SigIgn": 0}
    for line in status.decode(errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name in masks:
            masks[name] = int(value, 16)
    return Dispositions(_numbers(masks["SigCgt"]), _numbers(masks["SigIgn"]))


def _numbers(mask: int) -> frozenset[int]:
    """The signals of a mask, in which the lowest bit is signal 1."""
    return frozenset(number + 1 for number in range(mask.bit_length()) if mask >> number & 1)


def waits_in(pid: int) -> str:
    """The function of the kernel in which a process sleeps; empty where it runs, or the kernel does not tell us."""
    try:
        return Path(f"/proc/{pid}/wchan").read_text(encoding="ascii").strip("0")
    except OSError:
        return ""


def boot_id() -> str:
    """The name of this boot: start times are told in ticks since it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def identity(pid: int) -> tuple[int, str]:
    """Start ticks and boot id, which no other process of the same pid shares. Raises ProcessLookupError."""
    return stat(pid).start_ticks, boot_id()


def boot_ticks() -> int:
    """Ticks since the boot, on the clock by which the kernel stamps a process that begins."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) * _TICKS_PER_S // 10**9  # no `Clock`: it is part of a name


def stolen_s() -> tuple[float, float]:
    """Seconds of processor time that the host of this machine has given to others instead, and all, since boot."""
    counts = [int(word) for word in read_all("/proc/stat").split(b"\n", 1)[0].split()[1:9]]
    return counts[7] / _TICKS_PER_S, sum(counts) / _TICKS_PER_S


def started_at(start_ticks: int, now: float) -> float:
    """Wall time of a start given in ticks since the boot, `now` being wall time now."""
    return now - (boot_ticks() - start_ticks) / _TICKS_PER_S


def group_alive(run: Run) -> bool:
    """Whether any process of the run's group still runs code."""
    if not has_group(run):
        return False
    with suppress(ProcessLookupError):
        if stat(run.pid).alive:
            return True
    return _has_member(run.pid)


def has_group(run: Run) -> bool:
    """Whether the group of this number is the run's, be it of zombies alone: quick, and enough for signalling it."""
    try:
        os.killpg(run.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is there, and another user's
    try:
        return stat(run.pid).start_ticks == run.start_ticks
    except ProcessLookupError:
        return True  # the kernel gives a number away only after the whole group has ended


def children(pid: int) -> list[int]:
    """The children of a process, ended ones too that nobody has waited for. None where it is gone."""
    found: list[int] = []
    for task in _tasks(pid):
        found.extend(map(int, read_all(f"/proc/{pid}/task/{task}/children").split()))
    return found


class Forks:
    """Has anything been started on this machine since? The last pid that was given out says so, in a microsecond."""

    def __init__(self) -> None:
        self._fd = -1

    def last(self) -> int:
        """The last pid that was given out, to a process or a thread."""
        if self._fd < 0:
            self._fd = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
        return int(os.pread(self._fd, _STAT_BYTES, 0).rsplit(None, 1)[1])

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def descendants(roots: Iterable[int]) -> list[int]:
    """All that descends from these, nearest first: a parent that is signalled before its children starts no more."""
    found = list(dict.fromkeys(roots))
    begin, seen = len(found), set(found)
    for pid in found:  # grows while it is walked
        new = [child for child in children(pid) if child not in seen]
        seen.update(new)
        found.extend(new)
    return found[begin:]


def _tasks(pid: int) -> list[str]:
    """The threads that may have children. Ours are all started by, and orphans are given to, the main one."""
    if pid == os.getpid():
        return [str(pid)]
    try:
        return os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return []


def read_all(path: str) -> bytes:
    """A file of the kernel as a whole; empty where the process, or the group, is gone."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, ProcessLookupError):
        return b""
    try:
        read = b""
        while chunk := os.read(fd, _CHUNK_BYTES):
            read += chunk
        return read
    except ProcessLookupError:
        return b""
    finally:
        os.close(fd)


def sample_tree(run: Run) -> ProcSample | None:
    """What one run uses, or None where nothing is left of it. For many runs, `sample_all` reads /proc only once."""
    return sample_all((run,)).get(run.pid)


def sample_all(runs: Iterable[Run]) -> dict[int, ProcSample]:
    """What each run uses, by its pid, in one pass over /proc. A run of which nothing is left is missing."""
    table = {entry.pid: entry for entry in processes()}
    trees: dict[int, list[ProcStat]] = {run.pid: [] for run in runs if not _reused(run, table)}
    for entry in table.values():
        root = _root(entry, table, trees)
        if root is not None:
            trees[root].append(entry)
    return {pid: _sum(pid, members) for pid, members in trees.items() if any(member.alive for member in members)}


def _reused(run: Run, table: dict[int, ProcStat]) -> bool:
    return run.pid in table and table[run.pid].start_ticks != run.start_ticks


def _root(entry: ProcStat, table: dict[int, ProcStat], roots: dict[int, list[ProcStat]]) -> int | None:
    """The run that `entry` belongs to: by session, else by its nearest ancestor of such a session."""
    ancestor: ProcStat | None = entry
    for _ in range(_MAX_DEPTH):
        if ancestor is None:
            return None
        if ancestor.session in roots:
            return ancestor.session
        ancestor = table.get(ancestor.parent)
    return None


def _sum(pid: int, members: list[ProcStat]) -> ProcSample:
    alive = [member for member in members if member.alive]
    return ProcSample(
        cpu_s=sum(member.cpu_s + member.reaped_cpu_s for member in members),
        rss_bytes=sum(rss_bytes(member.pid) for member in alive),
        fds=max(_open_files(member.pid) for member in alive),
        threads=sum(member.threads for member in alive),
        children=sum(member.pid != pid for member in alive),
        state=next((member.state for member in members if member.pid == pid), "X"),
    )


def _has_member(group: int) -> bool:
    return any(entry.group == group and entry.alive for entry in processes())


def rss_bytes(pid: int) -> int:
    """The resident memory of one process, 0 where it has ended."""
    try:
        return int(_read(f"/proc/{pid}/statm").split()[1]) * _PAGE_BYTES
    except ProcessLookupError:
        return 0


def _open_files(pid: int) -> int:
    folder = Path(f"/proc/{pid}/fd")
    try:
        return folder.stat().st_size or sum(1 for _ in folder.iterdir())  # the size is the count since Linux 6.2
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _is_being_set_up(pid: int) -> bool:
    """Whether it has memory, as no zombie and no thread of the kernel has, and no environment in it yet."""
    raw = _read(f"/proc/{pid}/stat")
    fields = raw[raw.rindex(b")") + 2 :].split()
    memory_bytes, environment_end = int(fields[20]), int(fields[48])
    return memory_bytes > 0 and environment_end == 0


def _read(path: str) -> bytes:
    """One read of a file of /proc, by hand: three times as fast as a file object, and there are thousands of them."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError as gone:
        raise ProcessLookupError(f"cannot read {path}: the process has ended") from gone
    try:
        return os.read(fd, _STAT_BYTES)
    finally:
        os.close(fd)
