"""What does one look at a thousand processes cost: processor time, memory, descriptors and threads of each?

Beside psutil, which has kept its objects too, and with its values compared: they have to be equal, process by process.
The whole check (the tree, disk I/O, rates, limits) is told apart.
"""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from benchmarks.report import Goal, print_goals, print_table, run, save
from selfheal.clock import RealClock
from selfheal.kinds import CheckContext, Completed, Run
from selfheal.net import Dialer
from selfheal.observe.process import ProcessCheck, ProcessCheckConfig
from selfheal.observe.process_files import ProcessFiles, Reading
from selfheal.supervise import proc

PROCESSES, ROUNDS = 1000, 9
COLUMNS = {"best_ms": "best, ms", "median_ms": "median", "equal": "equal to psutil"}


def timed(sweep: Callable[[], object]) -> dict[str, float | None]:
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        sweep()
        took.append((time.perf_counter() - began) * 1e3)
    return {"best_ms": min(took), "median_ms": sorted(took)[ROUNDS // 2]}


def theirs(one: psutil.Process) -> tuple[float, int, int, int]:
    with one.oneshot():
        times = one.cpu_times()
        return times.user + times.system, one.memory_info().rss, one.num_fds(), one.num_threads()


def same(reading: Reading, known: tuple[float, int, int, int]) -> bool:
    cpu_s, rss, fds, threads = known
    return abs(reading.cpu_s - cpu_s) < 1e-9 and (reading.rss_bytes, reading.fds, reading.threads) == (
        rss,
        fds,
        threads,
    )


def check_of(pid: int, clock: RealClock, forks: proc.Forks) -> ProcessCheck:
    stat = proc.stat(pid)
    started = Run(pid, 1, clock.now() - 60.0, stat.start_ticks, "")

    async def no_command(*_: object, **__: object) -> Completed:
        raise AssertionError

    def helpers() -> Sequence[int]:
        forks.last()  # what the daemon asks before it believes that nothing was started since
        return ()

    context = CheckContext(
        str(pid), clock, Path(), {}, Dialer(), run=lambda: started, last_beat=lambda: None, run_command=no_command,
        helpers=helpers,
    )  # fmt: skip
    return ProcessCheck(ProcessCheckConfig(process=True), context)


def measure(pids: Sequence[int]) -> dict[str, dict[str, float | None]]:
    files, known = [ProcessFiles(pid, disk=False) for pid in pids], [psutil.Process(pid) for pid in pids]
    more = [ProcessFiles(pid) for pid in pids]
    equal = sum(same(one.read(), theirs(other)) for one, other in zip(files, known, strict=True))
    clock, forks = RealClock(), proc.Forks()
    checks = [check_of(pid, clock, forks) for pid in pids]

    def ask_all() -> None:
        for check in checks:
            check.ask(lambda signals, failure: None)

    figures = {
        "selfheal": {**timed(lambda: [one.read() for one in files]), "equal": float(equal)},
        "selfheal, disk I/O too": timed(lambda: [one.read() for one in more]),
        "selfheal, the whole check": timed(ask_all),
        "psutil": timed(lambda: [theirs(one) for one in known]),
    }
    for one in (*files, *more):
        one.close()
    return figures


def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20 * PROCESSES), hard))
    children = [subprocess.Popen(["sleep", "600"]) for _ in range(PROCESSES)]
    try:
        figures = measure([child.pid for child in children])
    finally:
        for child in children:
            child.kill()
            child.wait()
    own = figures["selfheal"]
    goals = [
        Goal(f"a sweep of {PROCESSES} processes", own["best_ms"] or 0.0, 15.0, "ms"),
        Goal("values equal to those of psutil", own["equal"] or 0.0, float(PROCESSES), "processes", at_least=True),
    ]
    print_table(
        f"One look at {PROCESSES} processes",
        ("", *COLUMNS.values()),
        ([name, *(one.get(key) for key in COLUMNS)] for name, one in figures.items()),
    )
    print_goals(goals)
    save("sweep", {"processes": PROCESSES, "rounds": ROUNDS}, figures, goals)


if __name__ == "__main__":
    run(main)
