"""How many requests are refused while what answers them is renewed before it fails?

A program that leaks, under the whole daemon, which foresees that and does something: a restart, rotation with a spare,
or two instances on one port, one after the other. It is asked without a pause; what fails at once is one outage.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks.report import Goal, print_goals, print_table, quantile, run, save
from selfheal.demo import fleet

WAYS = {"started anew": "", "spare": 'standby = "spare"\n', "two instances": "instances = 2\n"}
PROGRAM = Path(fleet.__file__).with_name("programs") / "reports.py"
LIMIT_S = 240.0
PAUSE_S = 0.002
# What fails within so long of each other is one outage.
TOGETHER_S = 0.5
CONFIG = """
[daemon]
public_reads = true
prevention_interval = 1
[guard]
verify = "2s"
acts_per_agent = 0
attempts_per_hour = 0
cooldown = 0
[prevention]
left_alone = 0
[agents.reports]
command = ["{python}", "-IS", "{program}", "{port}", "--mb-per-second", "4"]
limits = {{ memory = "110MB" }}
checks = [{{ http = "http://127.0.0.1:{port}/", interval = 1, timeout = 1 }}]
{way}"""


@dataclass(slots=True)
class Asked:
    """What was asked, and when what was refused."""

    count: int = 0
    refused: list[float] = field(default_factory=list)

    @property
    def outages(self) -> list[float]:
        """How long each outage was, in seconds, as far as the pause between two requests tells."""
        spans: list[list[float]] = []
        for at in self.refused:
            if spans and at - spans[-1][1] < TOGETHER_S:
                spans[-1][1] = at
            else:
                spans.append([at, at])
        return [end - begin + PAUSE_S for begin, end in spans]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def daemon(way: str, port: int) -> Iterator[int]:
    """A daemon over the program; gives the port of its API."""
    own = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        text = CONFIG.format(python=sys.executable, program=PROGRAM, port=port, way=WAYS[way])
        (Path(folder) / "selfheal.toml").write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "selfheal", "run", "--listen", f"127.0.0.1:{own}"]
        ours = {name: value for name, value in os.environ.items() if not name.startswith("SELFHEAL_")}
        with (Path(folder) / "daemon.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, env=ours, stdout=log, stderr=log, start_new_session=True)
            try:
                yield own
            finally:
                process.terminate()
                process.wait(LIMIT_S)


def answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def renewed(api: int) -> int:
    """How often the work was done; raises where any was not."""
    with urllib.request.urlopen(f"http://127.0.0.1:{api}/observability/maintenance?limit=1000", timeout=5) as answer:
        states = [one["state"] for one in json.load(answer)["items"] if one["outcome"] is not None]
    if set(states) - {"done"}:
        raise RuntimeError(f"cannot measure: not all work was done: {states}")
    return len(states)


def measure(way: str, times: int) -> Asked:
    """Ask for as long as it takes until it was renewed so often."""
    asked, over, port = Asked(), threading.Event(), free_port()

    def ask() -> None:
        while not over.is_set():
            asked.count += 1
            at = time.monotonic()
            if not answers(port):
                asked.refused.append(at)
            time.sleep(PAUSE_S)

    with daemon(way, port) as api:
        deadline = time.monotonic() + LIMIT_S
        while not answers(port) and time.monotonic() < deadline:
            time.sleep(0.05)
        asking = threading.Thread(target=ask)
        asking.start()
        try:
            while renewed(api) < times:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"cannot measure: it was not renewed {times} times in {LIMIT_S:.0f} s")
                time.sleep(0.2)
        finally:
            over.set()
            asking.join()
    return asked


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.renewal", description=__doc__)
    parser.add_argument("--times", type=int, default=6, help="how often each is renewed")
    times = parser.parse_args().times
    measured = {way: measure(way, times) for way in WAYS}
    print_table(
        f"Renewed {times} times before it fails (outages in milliseconds)",
        ("", "asked", "refused", "outages", "p50", "longest"),
        (
            (way, one.count, len(one.refused), len(one.outages),
             quantile(one.outages or [0.0], 0.5) * 1e3, max(one.outages, default=0.0) * 1e3)
            for way, one in measured.items()
        ),
    )  # fmt: skip
    goals = [Goal("refused by two instances on one port", len(measured["two instances"].refused), 0.0, "requests")]
    print_goals(goals)
    figures = {
        way: {"asked": one.count, "refused": len(one.refused), "longest_ms": max(one.outages, default=0.0) * 1e3}
        for way, one in measured.items()
    }
    save("renewal", {"times": times}, figures, goals)


if __name__ == "__main__":
    run(main)
