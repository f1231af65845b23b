"""The check `process`: is the agent's process alive, running, and within what it may use?

Read from /proc in the loop itself: the kernel answers from memory, in less time than a thread takes to start.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from selfheal.config.models import CheckConfig
from selfheal.config.units import Count, Number, Size
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind, Run
from selfheal.observe.wording import Unwell, size_text

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# CPU time is counted in ticks of 10 ms: over half a second that is an error of 2 %.
_LEAST_WINDOW_S = 0.5


class ProcessCheckConfig(CheckConfig):
    """The process of the agent, and what it may use."""

    process: Literal[True] = Field(description="true: the process is alive and not stopped.")
    max_rss: Size | None = Field(
        None, description="Resident memory of the whole tree: a sum, shared pages counted for each."
    )
    max_fds: Annotated[Count, Field(gt=0)] | None = Field(
        None, description="Open files of any one process of the tree."
    )
    max_threads: Annotated[Count, Field(gt=0)] | None = Field(None, description="Threads of the whole tree.")
    max_cpu: Annotated[Number, Field(gt=0)] | None = Field(
        None, description="Cores of the whole tree, since the check before."
    )
    max_children: Annotated[Count, Field(ge=0)] | None = Field(
        None, description="Processes that it has started and that still run."
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """One look at a process, or the sum of a tree. `used` is what only grows, by the signal that its rate is: seconds
    of CPU, bytes from and to the disks, all with the children that were waited for. Where another user's process does
    not let us see, `fds` is None and the bytes are missing.
    """

    state: str
    used: Mapping[str, float]
    threads: int
    start_ticks: int
    rss_bytes: int
    fds: int | None
    children: int = 0


@dataclass(frozen=True, slots=True)
class _Mark:
    """What a run had used at a moment, from which the next rates are counted."""

    start_ticks: int
    at: float
    used: Mapping[str, float]
    rates: Mapping[str, float]


class ProcessCheck:
    """Signals: `rss` in bytes, `threads`, and since the check before, first since the start, `cpu` in cores, `io_read`
    and `io_write` in bytes a second, all of the tree: the process and everything that it has started, which are its
    `children`. `fds` is the most that one of them holds, as the limit is.
    """

    def __init__(self, limits: ProcessCheckConfig, context: CheckContext) -> None:
        self._limits = limits
        self._context = context
        self._mark: _Mark | None = None

    async def run(self) -> Mapping[str, float]:
        process = self._context.run()
        if process is None:
            raise CheckFailed("no process")
        reading = _read(process)
        _check_state(reading.state)
        reading = _sum(reading, self._context.helpers())
        signals = {
            "rss": float(reading.rss_bytes),
            "threads": float(reading.threads),
            "children": float(reading.children),
        }
        if reading.fds is not None:
            signals["fds"] = float(reading.fds)
        signals |= self._rates(process, reading)
        self._check_limits(signals)
        return signals

    def _rates(self, process: Run, reading: _Reading) -> Mapping[str, float]:
        """What was used a second since the last mark; nothing in the first moments of a process."""
        now, mark = self._context.clock.monotonic(), self._mark
        if mark is None or mark.start_ticks != reading.start_ticks:
            age_s = self._context.clock.now() - process.started_at
            mark = _Mark(reading.start_ticks, now - age_s, dict.fromkeys(reading.used, 0.0), {})
        span_s = now - mark.at
        if span_s < _LEAST_WINDOW_S:
            return mark.rates
        # An orphan takes with it what it used, so a sum may fall.
        grown = {name: used - mark.used[name] for name, used in reading.used.items() if name in mark.used}
        rates = {name: max(0.0, more) / span_s for name, more in grown.items()}
        self._mark = _Mark(reading.start_ticks, now, reading.used, rates)
        return rates

    def _check_limits(self, signals: dict[str, float]) -> None:
        limits = self._limits
        if limits.max_rss is not None and signals["rss"] > limits.max_rss:
            why = f"rss {size_text(signals['rss'])} is over {size_text(limits.max_rss)}"
            raise Unwell(why, signals, "out_of_memory")
        if limits.max_fds is not None and signals.get("fds", 0.0) > limits.max_fds:
            raise Unwell(f"{signals['fds']:.0f} open files are over {limits.max_fds}", signals, "out_of_fds")
        if limits.max_threads is not None and signals["threads"] > limits.max_threads:
            raise Unwell(f"{signals['threads']:.0f} threads are over {limits.max_threads}", signals)
        if limits.max_cpu is not None and signals.get("cpu", 0.0) > limits.max_cpu:
            raise Unwell(f"cpu {signals['cpu']:.2f} cores is over {limits.max_cpu:g}", signals)
        if limits.max_children is not None and signals["children"] > limits.max_children:
            raise Unwell(f"children: {signals['children']:.0f}, expected at most {limits.max_children}", signals)


def _check_state(state: str) -> None:
    if state in "ZX":
        raise CheckFailed("the process has ended and waits to be reaped")
    if state == "T":
        raise CheckFailed("the process is stopped (SIGSTOP)", cause="hung")
    if state == "t":
        raise CheckFailed("the process is held by a debugger", cause="hung")


def _sum(first: _Reading, helpers: Iterable[int]) -> _Reading:
    """The process together with what it has started; what ended since the list was made is left out."""
    total = first
    for pid in helpers:
        with suppress(CheckFailed):
            one = _look(pid)
            fds = [count for count in (total.fds, one.fds) if count is not None]
            total = replace(
                total,
                used={name: used + one.used.get(name, 0.0) for name, used in total.used.items()},
                threads=total.threads + one.threads,
                rss_bytes=total.rss_bytes + one.rss_bytes,
                fds=max(fds) if fds else None,
                children=total.children + 1,
            )
    return total


def _read(process: Run) -> _Reading:
    reading = _look(process.pid)
    if reading.start_ticks != process.start_ticks:
        raise CheckFailed("the process is gone, and another one has its pid")
    return reading


def _look(pid: int) -> _Reading:
    place = Path("/proc") / str(pid)
    try:
        # The name in the middle may hold spaces and parentheses; what follows the last one are the fields from 3 on.
        fields = (place / "stat").read_bytes().rpartition(b")")[2].split()
        pages = int((place / "statm").read_bytes().split()[1])
        fds = _open_files(place / "fd")
    except (FileNotFoundError, ProcessLookupError) as why:
        raise CheckFailed("the process is gone") from why
    return _Reading(
        state=fields[0].decode(),
        used={"cpu": sum(map(int, fields[11:15])) / _TICKS_PER_S, **_disk_bytes(place / "io")},
        threads=int(fields[17]),
        start_ticks=int(fields[19]),
        rss_bytes=pages * _PAGE_BYTES,
        fds=fds,
    )


def _disk_bytes(place: Path) -> dict[str, float]:
    """What the disks had to read and write for a process, and for its children that were waited for."""
    try:
        lines = place.read_bytes().splitlines()
    except OSError:  # not ours to see, not kept by this kernel, or gone, which another file tells
        return {}
    counts = dict(line.split(b": ") for line in lines)
    return {"io_read": float(counts[b"read_bytes"]), "io_write": float(counts[b"write_bytes"])}


def _open_files(place: Path) -> int | None:
    try:
        return place.stat().st_size or len(list(place.iterdir()))  # since Linux 6.2 the size is the count
    except PermissionError:
        return None


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, ProcessCheckConfig)
    return ProcessCheck(config, context)


PROCESS = CheckKind(
    name="process",
    model=ProcessCheckConfig,
    build=_build,
    local=True,
    signals=("rss", "threads", "fds", "children", "cpu", "io_read", "io_write"),
)
