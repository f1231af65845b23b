"""How many samples after it can be seen does the real daemon tell of a trouble?

`python -m benchmarks.anomaly.demo_live`: a daemon, with small services of the demo's kind that become slow, fail ever
more often and leak after a quiet time, and one that is well. `--quiet 3600` is an hour of the three agents of the demo
that are well, in which nothing may be told.

A trouble is visible with the first sample that is further out of the range of the quiet time, but for its first half
minute, than half of what that is wide, and away from its middle by the least deviation of its kind, of which
`measures.py` says: of a service of twenty megabytes a leak is visible when four are gone, and no earlier. The bare
range is left by chance each two minutes where it was looked at for two minutes; samples since that was left are given,
too. Counters are seen by their rate.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.report import Goal, print_goals, print_table
from selfheal.clock import RealClock
from selfheal.demo.fleet import free_ports
from selfheal.detect.senses import sense_of
from selfheal.detect.watched import BEGINNING_S
from selfheal.events import AgentStarted, AnomalyJoined, AnomalySeen, Event, LevelShifted, Unknown, decode
from selfheal.store.journal import Journal

Points = Sequence[tuple[float, float]]
PROGRAM = Path(__file__).with_name("troubled.py")
PYTHON = (sys.executable, "-IS")
DEMO = Path(__file__).parents[2] / "selfheal" / "demo" / "programs"
# Each trouble, and the signal in which it shows.
TROUBLES: Mapping[str, str] = {"slow": "latency", "errors": "errors_total", "leak": "rss"}
WITHIN = 3
WATCHED_S = 60.0
SETTINGS = '[daemon]\nlisten = "127.0.0.1:{port}"\n[guard]\ndry_run = true\n'


def troubled(ports: Mapping[str, int], after_s: float, times: float) -> str:
    """The configuration of the services that get into trouble, and of the one that does not."""
    return "\n".join(
        f"[agents.{name}]\n"
        f"command = {json.dumps([*PYTHON, str(PROGRAM), str(port), name, f'--after={after_s}', f'--times={times}'])}\n"
        f'checks = [{{ http = "http://127.0.0.1:{port}/health", interval = 1, timeout = 1 }}, '
        f"{{ process = true, interval = 1 }}]\n"
        f'signals = [{{ prometheus = "http://127.0.0.1:{port}/metrics", interval = 1, '
        f'take = ["requests_total", "errors_total"] }}]\n'
        for name, port in ports.items()
    )


def well(ports: Mapping[str, int]) -> str:
    """The three agents of the demo that are well, with a look at their processes each second."""
    soon = "interval = 1, timeout = 1"
    checks = {
        "cache": f'tcp = "127.0.0.1:{ports["cache"]}", send = "PING\\n", expect = "PONG", {soon}',
        "api": f'http = "http://127.0.0.1:{ports["api"]}/health", expect = {{ json = {{ cache = "up" }} }}, {soon}',
        "worker": 'heartbeat = "4s"',
    }
    arguments = {"cache": [ports["cache"]], "api": [ports["api"], ports["cache"]], "worker": [ports["api"]]}
    needs = {"cache": [], "api": ["cache"], "worker": ["api"]}
    return "\n".join(
        f"[agents.{name}]\n"
        f"command = {json.dumps([*PYTHON, str(DEMO / f'{name}.py'), *map(str, arguments[name])])}\n"
        f"depends_on = {json.dumps(needs[name])}\n"
        f"checks = [{{ {check} }}, {{ process = true, interval = 1 }}]\n"
        for name, check in checks.items()
    )


class Live:
    """A daemon with a fleet, in a directory of its own."""

    def __init__(self, directory: Path, port: int, fleet: str) -> None:
        self.directory, self._url = directory, f"http://127.0.0.1:{port}"
        (directory / "selfheal.toml").write_text(SETTINGS.format(port=port) + fleet)
        self._log = (directory / "log").open("wb")
        self._daemon = subprocess.Popen(
            [sys.executable, "-m", "selfheal", "run", "--config", "selfheal.toml"],
            cwd=directory,
            stdout=self._log,
            stderr=self._log,
        )

    def points(self, agent: str, signal: str, since: float) -> Points:
        """Every sample of a signal since then: more buckets are asked for than there are samples."""
        at = datetime.fromtimestamp(since).astimezone().isoformat().replace("+", "%2B")
        query = f"agent={agent}&signal={signal}&since={at}&points=2000"
        with urllib.request.urlopen(f"{self._url}/observability/history?{query}", timeout=10) as answer:
            found = json.load(answer)["items"]
        return [(datetime.fromisoformat(one["at"]).timestamp(), one["mean"]) for one in found]

    def stop(self) -> None:
        """Stop the daemon and its fleet."""
        self._daemon.terminate()
        self._daemon.wait(30.0)
        self._log.close()

    def events(self) -> list[Event]:
        """All that happened, once it has stopped."""
        journal, records, _ = Journal.open(self.directory / "state" / "journal", asyncio.to_thread, RealClock())
        try:
            return [event for record in records if not isinstance(event := decode(record.payload), Unknown)]
        finally:
            journal.close()


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one trouble: after how many samples it was visible; within how many of those that are visible it
    was told, None where it never was, and of those since it left the bare range; and in which signals.
    """

    trouble: str
    hidden: int | None
    visible: int | None
    out: int | None
    signals: Sequence[str]


def rates(points: Points) -> Points:
    return [(at, (value - before) / (at - then)) for (then, before), (at, value) in pairwise(points) if value >= before]


def judge(trouble: str, points: Points, began: float, told: Sequence[AnomalySeen | AnomalyJoined]) -> Found:
    """Compare what is told of a trouble with what can be seen of it."""
    sense = sense_of(TROUBLES[trouble])
    assert sense is not None
    points = rates(points) if sense.counts else points
    quiet = [value for at, value in points if points[0][0] + BEGINNING_S <= at < began]
    after = [one for one in points if one[0] >= began]
    middle, low, high = median(quiet), min(quiet), max(quiet)
    minded = middle + sense.least_of(middle)
    seen = min((one.at for one in told if one.at >= began), default=None)

    def first(line: float) -> int | None:
        return next((place for place, (_, value) in enumerate(after) if value > max(minded, line)), None)

    def until_told(begin: int | None) -> int | None:
        return max(0, sum(at <= seen for at, _ in after) - begin) if begin is not None and seen is not None else None

    out, visible = first(high), first(high + (high - low) / 2.0)
    return Found(trouble, visible, until_told(visible), until_told(out), [one.signal for one in told])


def troubles(quiet_s: float, times: float) -> tuple[list[Found], int]:
    """Let each trouble happen once; returns what became of it, and what was told of who was well, or before."""
    with tempfile.TemporaryDirectory() as directory:
        ports = free_ports(("api", *TROUBLES, "none"))
        api = ports.pop("api")
        began = time.time() + quiet_s
        live = Live(Path(directory), api, troubled(ports, quiet_s, times))
        try:
            time.sleep(quiet_s + WATCHED_S)
            points = {name: live.points(name, signal, began - quiet_s) for name, signal in TROUBLES.items()}
        finally:
            live.stop()
        events = live.events()
    started = {one.agent: one.at for one in events if isinstance(one, AgentStarted)}
    seen = [one for one in events if isinstance(one, AnomalySeen | AnomalyJoined)]
    told = {name: [one for one in seen if one.agent == name and one.at >= started[name] + quiet_s] for name in TROUBLES}
    found = [judge(name, points[name], started[name] + quiet_s, told[name]) for name in TROUBLES]
    return found, len(seen) - sum(map(len, told.values()))


def hour(seconds: float) -> list[Event]:
    """What is told of the three agents of the demo that are well."""
    with tempfile.TemporaryDirectory() as directory:
        ports = free_ports(("selfheal", "cache", "api"))
        live = Live(Path(directory), ports["selfheal"], well(ports))
        try:
            time.sleep(seconds)
        finally:
            live.stop()
        return [one for one in live.events() if isinstance(one, AnomalyJoined | AnomalySeen | LevelShifted)]


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.anomaly.demo_live", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--after", type=float, default=180.0, help="seconds of quiet before a trouble")
    parser.add_argument("--times", type=float, default=4.0, help="how much slower the slow one becomes")
    parser.add_argument("--quiet", type=float, metavar="SECONDS", help="watch agents that are well for so long")
    options = parser.parse_args()
    if options.quiet is not None:
        told = hour(options.quiet)
        print(*told, sep="\n")
        print_goals([Goal("told of agents that are well", len(told), 0, "")])
        return
    rows, wrong = list[Found](), 0
    for _ in range(options.rounds):
        found, others = troubles(options.after, options.times)
        rows += found
        wrong += others
    cells = [(one.trouble, one.hidden, one.visible, one.out, ", ".join(one.signals)) for one in rows]
    print_table(
        "Samples", ("", "until visible", "visible, until told", "out of the range, until told", "told of"), cells
    )
    worst = max((one.visible if one.visible is not None else WATCHED_S for one in rows), default=WATCHED_S)
    print_goals([Goal("visible samples until it is told", worst, WITHIN, ""), Goal("told for nothing", wrong, 0, "")])


if __name__ == "__main__":
    main()
