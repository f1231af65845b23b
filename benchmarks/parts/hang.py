"""How long until a program that hangs is replaced: seen by its heartbeat, or by a check that it no longer answers?

It is stopped (SIGSTOP), or turns in a loop for ever. Only selfheal looks at what is alive and does nothing: the peers
have no such check, and would leave it so.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench, attempt
from benchmarks.fleet import Fleet, Run
from benchmarks.peers import SELFHEAL, ready_s
from benchmarks.peers.places import script
from benchmarks.peers.selfheal import address
from benchmarks.report import Findings, Goal, quantile

TURNS = 8
BEAT_S, ASK_S = 0.5, 2.0
# How long it has to be well until a restart is called a success; and a while more, so that the next hang is another
# trouble, and not the proof that the restart did not help.
VERIFY_S, WELL_S = 2.0, 6.0
LIMIT_S = 30.0
_PROGRAM = Path(__file__).parents[1] / "programs" / "hanging.py"
_WAYS = {"stopped": signal.SIGSTOP, "in a loop": signal.SIGUSR1}


def hang(bench: Bench) -> Findings:
    checks = {
        f"heartbeat each {BEAT_S:g} s": f'heartbeat = "{BEAT_S:g}s"',
        f"http each {ASK_S:g} s": f'interval = "{ASK_S:g}s", timeout = "1s"',
    }
    took: dict[str, list[float]] = {}
    for kind, check in checks.items():
        for way, number in _WAYS.items():
            name = f"{way}, {kind}"
            took[name] = attempt(f"hang: {name}", partial(_hang, bench, check, number)) or []
    seen = {name: one for name, one in took.items() if one}
    beats = [seconds for name, one in seen.items() if "heartbeat" in name for seconds in one]
    asked = [seconds for name, one in seen.items() if "http" in name for seconds in one]
    return Findings(
        "Hang to replaced, selfheal (seconds)",
        {"hangs": "hangs", "p50_s": "p50", "max_s": "max"},
        {name: {"hangs": len(one), "p50_s": quantile(one, 0.5), "max_s": max(one)} for name, one in seen.items()},
        {"turns": TURNS, "beat_s": BEAT_S, "ask_s": ASK_S},
        [
            *([Goal("hang to replaced with a heartbeat, worst", max(beats), 2.0, "s")] if beats else []),
            *([Goal("hang to replaced by a check, worst", max(asked), 3 * ASK_S, "s")] if asked else []),
        ],
    )


def _hang(bench: Bench, check: str, number: signal.Signals) -> list[float]:
    """Let one program hang again and again; returns seconds until the next one has begun."""
    took: list[float] = []
    with bench.fleet(replace(SELFHEAL, configure=partial(_configure, check)), Run(1)) as fleet:
        fleet.all_up()
        ready_s(fleet)
        (pid,) = fleet.alive
        for _ in range(TURNS):
            time.sleep(WELL_S)
            began_ns = time.monotonic_ns()
            os.kill(pid, number)
            (stamp,) = fleet.starts(1, LIMIT_S)
            took.append((stamp.at_ns - began_ns) / 1e9)
            pid = stamp.pid
    return took


def _configure(check: str, fleet: Fleet) -> list[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    asked = check if check.startswith("heartbeat") else f'http = "http://127.0.0.1:{port}/", {check}'
    (fleet.directory / "selfheal.toml").write_text(
        f"""\
[daemon]
listen = "{address(fleet)}"
log_format = "json"
[guard]
attempts_per_hour = 0
verify = {VERIFY_S:g}
[agents.hangs]
command = {json.dumps([sys.executable, "-I", str(_PROGRAM), str(fleet.stamps.pipe), str(port)])}
checks = [{{ {asked} }}]
""",
        encoding="utf-8",
    )
    return [script("selfheal"), "run"]
