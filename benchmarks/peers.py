"""Which supervisors are measured, and how are they told what to run?

Each is a function that writes a configuration and returns a command. The settings are those that somebody would
choose who wants a program back whenever it dies; each departure from a default says why.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.fleet import Fleet, Peer

# Both are installed with the interpreter that measures.
SCRIPTS = Path(sys.executable).parent
SELFHEAL = "selfheal"
SUPERVISORD = "supervisord"
FLOOR = "C floor"


def peers() -> Mapping[str, Peer]:
    """What can be measured here, by name, in the order of the tables."""
    found: dict[str, Peer] = {FLOOR: floor, SELFHEAL: selfheal}
    if importlib.util.find_spec("supervisor") is not None:
        found[SUPERVISORD] = supervisord
    else:
        print("supervisord is left out: 'pip install -r requirements-bench.lock' brings it.", flush=True)
    return found


def floor(fleet: Fleet) -> list[str]:
    """posix_spawn and waitpid, and nothing else."""
    return [*fleet.programs.floor, str(fleet.size), *fleet.tiny]


def selfheal(fleet: Fleet) -> list[str]:
    """The whole daemon: API, journal, views, log, a check of each agent; no limit of attempts, as others have none."""
    configuration = f"""\
[daemon]
listen = "{address(fleet)}"
log_format = "json"

[guard]
attempts_per_hour = 0

[agents.tiny]
command = {json.dumps(fleet.tiny)}
instances = {fleet.size}
checks = [{{ process = true }}]
"""
    (fleet.directory / "selfheal.toml").write_text(configuration, encoding="utf-8")
    return [str(SCRIPTS / "selfheal"), "run"]


def supervisord(fleet: Fleet) -> list[str]:
    """Its defaults, but for `autorestart`, and without log files: it would read 200 pipes and write 200 files."""
    command = " ".join(fleet.tiny)
    configuration = f"""\
[supervisord]
nodaemon = true
pidfile = {fleet.directory}/pid
logfile = {fleet.directory}/log
childlogdir = {fleet.directory}

[unix_http_server]
file = {fleet.directory}/socket

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://{fleet.directory}/socket

[program:tiny]
command = {command}
process_name = tiny_%(process_num)d
numprocs = {fleet.size}
autorestart = true
stdout_logfile = NONE
stderr_logfile = NONE
{"user = root" if os.geteuid() == 0 else ""}
"""
    (fleet.directory / "supervisord.conf").write_text(configuration, encoding="utf-8")
    return [str(SCRIPTS / "supervisord"), "-c", str(fleet.directory / "supervisord.conf")]


def address(fleet: Fleet) -> str:
    """A free address of this machine for the API of this fleet's daemon; the same when asked again."""
    kept = fleet.directory / "address"
    if not kept.exists():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            kept.write_text(f"127.0.0.1:{probe.getsockname()[1]}", encoding="ascii")
    return kept.read_text(encoding="ascii")
