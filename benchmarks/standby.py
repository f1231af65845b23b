"""How long is a Python agent away when it crashes: started anew, from a spare, as the child of a zygote?

From the kill to the first statement after its imports, under the whole daemon, the three ways by turns in one run. The
program imports what such programs do, and then writes the time into a pipe. What it costs is the memory of what waits,
in shares of the pages that are common (PSS).
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from benchmarks.report import Goal, print_goals, print_table, quantile, run, save
from selfheal.supervise.marks import find_marked

WAYS = ("cold", "spare", "zygote")
IMPORTS = "asyncio, json, httpx, pydantic"
PORT = 22440
# Of each way. A program is restarted at once three times in ten seconds, and only later from then on.
AGENTS, KILLS_EACH = 4, 3
LIMIT_S = 60.0
SETTLE_S = 0.3
_STAMP = struct.Struct("=qq")

PROGRAM = f"""\
import {IMPORTS}
import os, struct, time
with open("stamps", "wb", buffering=0) as pipe:
    pipe.write(struct.pack("=qq", time.clock_gettime_ns(time.CLOCK_MONOTONIC), os.getpid()))
signals = __import__("signal").pause()
"""


class Waits(TypedDict):
    """What stands by, as the API tells it."""

    ready: bool


class Agent(TypedDict):
    """An agent, as the API tells it."""

    name: str
    pid: int
    state: str
    standby: Waits | None


@dataclass(slots=True)
class Measured:
    """Seconds from kill to ready, and bytes (PSS) of a run and of what waits beside it."""

    away: list[float] = field(default_factory=list)
    run_bytes: list[float] = field(default_factory=list)
    waits_bytes: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        return {
            "kills": len(self.away),
            "ready_p50_ms": quantile(self.away, 0.5) * 1e3,
            "ready_p95_ms": quantile(self.away, 0.95) * 1e3,
            "run_pss_mb": quantile(self.run_bytes, 0.5) / 1e6,
            "standby_pss_mb": quantile(self.waits_bytes, 0.5) / 1e6,
        }


class Fleet:
    """A daemon over `AGENTS` of each way."""

    def __init__(self, directory: Path, stamps: int) -> None:
        self._directory = directory
        self._stamps = stamps
        self.names = [f"{way}-{number}" for number in range(AGENTS) for way in WAYS]

    def pids(self) -> dict[str, int]:
        """The process of each agent, once all are healthy and all that shall stand by does."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            time.sleep(0.05)
            try:
                agents = self._ask()
            except OSError:
                continue
            if len(agents) == len(self.names) and all(_settled(agent) for agent in agents):
                return {agent["name"]: agent["pid"] for agent in agents}
        raise RuntimeError(f"cannot measure: not all stand by; see {self._directory / 'daemon.log'}")

    def kill(self, pid: int) -> float:
        """Seconds until another run of it has done its imports."""
        began_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        return (self.stamp()[0] - began_ns) / 1e9

    def stamp(self) -> tuple[int, int]:
        if not select.select([self._stamps], [], [], LIMIT_S)[0]:
            raise RuntimeError("cannot measure: it was not started again")
        at_ns, pid = _STAMP.unpack(os.read(self._stamps, _STAMP.size))
        return at_ns, pid

    def waiting(self) -> dict[str, float]:
        """The memory of what waits, by agent."""
        marker = hashlib.blake2b(os.fsencode((self._directory / "state").resolve()), digest_size=6).hexdigest()
        found = dict.fromkeys(self.names, 0.0)
        for one in find_marked(marker, time.time()):
            if one.waits:
                found[one.agent] += pss_bytes(one.run.pid)
        return found

    def _ask(self) -> list[Agent]:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/observability/agents?limit=1000", timeout=5) as answer:
            return list(json.load(answer)["items"])


def _settled(agent: Agent) -> bool:
    standby = agent["standby"]
    return agent["state"] == "healthy" and (standby is None or standby["ready"])


def pss_bytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return float(line.split()[1]) * 1024
    return 0.0


@contextmanager
def fleet() -> Iterator[Fleet]:
    with ExitStack() as undo:
        directory = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        (directory / "program.py").write_text(PROGRAM, encoding="utf-8")
        os.mkfifo(directory / "stamps")
        stamps = os.open(directory / "stamps", os.O_RDWR | os.O_NONBLOCK)
        undo.callback(os.close, stamps)
        place = Fleet(directory, stamps)
        parts = ["[guard]\nattempts_per_hour = 0\nverify = 0\n"]
        for name in place.names:
            way = name.partition("-")[0]
            standby = f'standby = "{way}"\n' if way != "cold" else ""
            parts.append(f'[agents.{name}]\ncommand = ["{sys.executable}", "program.py"]\n{standby}')
        (directory / "selfheal.toml").write_text("\n".join(parts), encoding="utf-8")
        log = undo.enter_context((directory / "daemon.log").open("wb"))
        command = [sys.executable, "-m", "selfheal", "run", "--listen", f"127.0.0.1:{PORT}"]
        ours = {name: value for name, value in os.environ.items() if not name.startswith("SELFHEAL_")}
        daemon = subprocess.Popen(command, cwd=directory, env=ours, stdout=log, stderr=log, start_new_session=True)
        undo.callback(daemon.wait, LIMIT_S)
        undo.callback(daemon.terminate)
        for _ in place.names:
            place.stamp()
        yield place


def measure(measured: dict[str, Measured]) -> None:
    """Kill every agent `KILLS_EACH` times, in an order that no timer knows."""
    with fleet() as place:
        for turn in range(KILLS_EACH):
            for name in random.sample(place.names, len(place.names)):
                pids = place.pids()
                time.sleep(SETTLE_S + random.uniform(0.0, 0.05))
                measured[name.partition("-")[0]].away.append(place.kill(pids[name]))
            if turn == 0:
                pids, waiting = place.pids(), place.waiting()
                for name, pid in pids.items():
                    measured[name.partition("-")[0]].run_bytes.append(pss_bytes(pid))
                    measured[name.partition("-")[0]].waits_bytes.append(waiting[name])


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.standby", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help=f"each kills {AGENTS * KILLS_EACH} of each way")
    rounds = parser.parse_args().rounds
    measured = {way: Measured() for way in WAYS}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", flush=True)
        measure(measured)
    print_table(
        f"Kill to ready, with 'import {IMPORTS}' (milliseconds), and memory (MB, PSS)",
        ("", "kills", "p50", "p95", "cold / it", "a run", "what waits"),
        (
            (
                way,
                len(one.away),
                quantile(one.away, 0.5) * 1e3,
                quantile(one.away, 0.95) * 1e3,
                quantile(measured["cold"].away, 0.5) / quantile(one.away, 0.5),
                quantile(one.run_bytes, 0.5) / 1e6,
                quantile(one.waits_bytes, 0.5) / 1e6,
            )
            for way, one in measured.items()
        ),
    )
    cold, spare, zygote = (quantile(measured[way].away, 0.5) for way in WAYS)
    goals = [
        Goal("crash to ready from a spare, p50", spare * 1e3, 5.0, "ms"),
        Goal("crash to ready from a zygote, p50", zygote * 1e3, 10.0, "ms"),
        Goal("30 spares' times over one cold start", 30 * spare / cold, 1.0, "times"),
        Goal("30 zygotes' times over one cold start", 30 * zygote / cold, 1.0, "times"),
    ]
    print_goals(goals)
    settings = {"rounds": rounds, "agents": AGENTS * len(WAYS), "imports": IMPORTS}
    save("standby", settings, {way: one.figures() for way, one in measured.items()}, goals)


if __name__ == "__main__":
    run(main)
