"""The check `process`: is the agent's process alive, running, and within what it may use?

Read from /proc in the loop itself: the kernel answers from memory, in less time than a thread takes to start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import msgspec
from pydantic import Field

from selfheal.config.models import CheckConfig
from selfheal.config.units import Count, Number, Size
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind, Run, Tell
from selfheal.observe.probe import ask_once
from selfheal.observe.process_files import ProcessFiles, Reading
from selfheal.observe.wording import Unwell, size_text

_GONE = (ProcessLookupError, FileNotFoundError)
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


class _Mark(msgspec.Struct, frozen=True):
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
        self._run: Run | None = None
        self._files: ProcessFiles | None = None

    async def run(self) -> Mapping[str, float]:
        return await ask_once(self)

    def ask(self, tell: Tell) -> None:
        try:
            signals = self._look()
        except (CheckFailed, OSError) as why:
            tell({}, why)
        else:
            tell(signals, None)

    def give_up(self) -> None:
        if self._files is not None:
            self._files.close()
        self._files = self._run = None

    def _look(self) -> Mapping[str, float]:
        process = self._context.run()
        if process is None:
            raise CheckFailed("no process")
        reading = self._read(process)
        _check_state(reading.state)
        signals, used = _sum(reading, self._context.helpers())
        signals |= self._rates(process, reading.start_ticks, used)
        self._check_limits(signals)
        return signals

    def _read(self, process: Run) -> Reading:
        if self._files is None or self._run != process:
            self.give_up()
            self._files, self._run = ProcessFiles(process.pid), process
        try:
            reading = self._files.read()
        except _GONE as why:
            raise CheckFailed("the process is gone") from why
        if reading.start_ticks != process.start_ticks:
            raise CheckFailed("the process is gone, and another one has its pid")
        return reading

    def _rates(self, process: Run, start_ticks: int, used: Mapping[str, float]) -> Mapping[str, float]:
        """What was used a second since the last mark; nothing in the first moments of a process."""
        now, mark = self._context.clock.monotonic(), self._mark
        if mark is None or mark.start_ticks != start_ticks:
            age_s = self._context.clock.now() - process.started_at
            mark = _Mark(start_ticks, now - age_s, dict.fromkeys(used, 0.0), {})
        span_s = now - mark.at
        if span_s < _LEAST_WINDOW_S:
            return mark.rates
        # An orphan takes with it what it used, so a sum may fall.
        rates = {name: max(0.0, used[name] - before) / span_s for name, before in mark.used.items() if name in used}
        self._mark = _Mark(start_ticks, now, used, rates)
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


def _sum(first: Reading, helpers: Iterable[int]) -> tuple[dict[str, float], dict[str, float]]:
    """The signals of a process with what it has started, and what they have used; who ended meanwhile is left out."""
    rss, threads, fds, children = first.rss_bytes, first.threads, first.fds, 0
    cpu_s, io = first.cpu_s + first.children_cpu_s, first.io
    for pid in helpers:
        one = _glance(pid)
        if one is None:
            continue
        children += 1
        rss += one.rss_bytes
        threads += one.threads
        cpu_s += one.cpu_s + one.children_cpu_s
        if one.fds is not None:
            fds = max(fds or 0, one.fds)
        if io is not None and one.io is not None:
            io = (io[0] + one.io[0], io[1] + one.io[1])
    signals = {"rss": float(rss), "threads": float(threads), "children": float(children)}
    if fds is not None:
        signals["fds"] = float(fds)
    used = {"cpu": cpu_s}
    if io is not None:
        used["io_read"], used["io_write"] = io
    return signals, used


def _glance(pid: int) -> Reading | None:
    files = ProcessFiles(pid)
    try:
        return files.read()
    except _GONE:
        return None
    finally:
        files.close()


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
