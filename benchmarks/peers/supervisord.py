"""supervisord with its defaults, but for `autorestart`, and without log files: it would read a pipe for each."""

from __future__ import annotations

import os

from benchmarks.fleet import Fleet, Peer
from benchmarks.peers.places import FROM_LOCK, has_script, script


def configure(fleet: Fleet) -> list[str]:
    # minfds: each program costs it some descriptors, and it does not start with fewer than it is told to have.
    configuration = f"""\
[supervisord]
nodaemon = true
pidfile = {fleet.directory}/pid
logfile = {fleet.directory}/log
childlogdir = {fleet.directory}
minfds = 8192
{"user = root" if os.geteuid() == 0 else ""}

[unix_http_server]
file = {fleet.directory}/socket

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://{fleet.directory}/socket

[program:tiny]
command = {" ".join(fleet.tiny)}
process_name = tiny_%(process_num)d
numprocs = {fleet.size}
autorestart = true
stdout_logfile = NONE
stderr_logfile = NONE
"""
    (fleet.directory / "supervisord.conf").write_text(configuration, encoding="utf-8")
    return [script("supervisord"), "-c", str(fleet.directory / "supervisord.conf")]


def stop(fleet: Fleet) -> list[str]:
    return verb(fleet, "stop", "all")


def verb(fleet: Fleet, *words: str) -> list[str]:
    return [script("supervisorctl"), "-c", str(fleet.directory / "supervisord.conf"), *words]


SUPERVISORD = Peer("supervisord", configure, has_script("supervisord"), FROM_LOCK, stop, looks_only=True)
